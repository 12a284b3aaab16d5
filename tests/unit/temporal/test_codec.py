from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.converter import ActivitySerializationContext, DataConverter, WorkflowSerializationContext
from temporalio.exceptions import ApplicationError

from spectra_bot import PayloadTooLargeError, PlaceError
from spectra_bot.temporal.codec import ENCODING, PayloadsByReference
from spectra_bot.temporal.connection import data_converter
from spectra_bot.temporal.limits import INLINE_BYTES
from spectra_bot.temporal.place import Place

LARGE = "x" * INLINE_BYTES
RUN = WorkflowSerializationContext(namespace="default", workflow_id="r-1")
STEP = ActivitySerializationContext(
    namespace="default",
    activity_id="step-1",
    activity_type="spectra.step",
    activity_task_queue="spectra",
    workflow_id="r-1",
    workflow_type="SpectraRun",
    is_local=False,
)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with await Place.open(f"file://{tmp_path}") as place:
        yield place


@pytest.fixture
def converter(place: Place) -> DataConverter:
    return data_converter(place).with_context(RUN)


def files(folder: Path) -> list[str]:
    return sorted(str(path.parent.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


async def test_small_payload_stays_in_temporal(converter: DataConverter, tmp_path: Path) -> None:
    [payload] = await converter.encode(["x" * (INLINE_BYTES - 100)])

    assert payload.metadata["encoding"] == b"json/plain"
    assert files(tmp_path) == []


async def test_large_payload_lies_under_its_run_and_comes_back(converter: DataConverter, tmp_path: Path) -> None:
    small, large = await converter.encode(["small", LARGE])
    values = await converter.decode([small, large])

    assert values == ["small", LARGE]
    assert large.metadata["encoding"] == ENCODING
    assert large.ByteSize() < 500
    assert files(tmp_path) == ["default/r-1"]


async def test_step_and_run_know_the_same_payload_by_the_same_name(place: Place, tmp_path: Path) -> None:
    converter = data_converter(place)

    of_run = await converter.with_context(RUN).encode([LARGE])
    of_step = await converter.with_context(STEP).encode([LARGE])

    assert of_run == of_step
    assert files(tmp_path) == ["default/r-1"]


async def test_what_is_encoded_already_stays_as_it_is(place: Place, tmp_path: Path) -> None:
    codec = PayloadsByReference(place)

    once = await codec.encode([Payload(metadata={"encoding": b"json/plain"}, data=LARGE.encode())])
    twice = await codec.encode(once)

    assert twice == once


async def test_details_of_an_error_go_by_reference_too(converter: DataConverter, tmp_path: Path) -> None:
    failure = Failure()
    await converter.encode_failure(ApplicationError("refused", {"plan": LARGE}), failure)
    size = failure.ByteSize()
    error = await converter.decode_failure(failure)

    assert isinstance(error, ApplicationError)
    assert error.details == ({"plan": LARGE},)
    assert size < 1000


async def test_without_a_place_a_reference_says_what_is_missing(converter: DataConverter) -> None:
    payloads = await converter.encode([LARGE])

    with pytest.raises(PlaceError, match=r"default/r-1/[0-9a-f]{64} lies in a place .* set SPECTRA_TEMPORAL_PAYLOADS"):
        await data_converter(None).decode(payloads)


async def test_without_a_place_what_temporal_would_end_the_run_for_is_refused() -> None:
    with pytest.raises(PayloadTooLargeError, match=r"what run r-1 has to pass on is 2,[0-9,]+ bytes and the limit is"):
        await data_converter(None).with_context(RUN).encode(["x" * 2 * 1024 * 1024])


async def test_reference_that_is_none_is_refused(converter: DataConverter) -> None:
    with pytest.raises(PlaceError, match="can't be read"):
        await converter.decode([Payload(metadata={"encoding": ENCODING}, data=b'{"object": "x"}')])
