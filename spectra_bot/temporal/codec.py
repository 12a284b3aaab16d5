"""Payloads by reference: what is too large for Temporal lies in a place beside it, and Temporal holds what leads there.

A codec, and not the SDK's external storage, which does the same: that one is experimental.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Self

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec, SerializationContext, WithSerializationContext

from spectra_bot.errors import PlaceError
from spectra_bot.json_values import refuse_too_large
from spectra_bot.temporal.limits import INLINE_BYTES, LIFTED_BY, MAX_BLOB_BYTES
from spectra_bot.temporal.place import Place, Reference

ENCODING = b"spectra/reference"
_REFERENCE = TypeAdapter(Reference)


class PayloadsByReference(PayloadCodec, WithSerializationContext):
    """Puts large payloads into a place, each under the run that it is for; without a place it refuses them."""

    def __init__(self, place: Place | None, *, namespace: str = "", run_id: str = "") -> None:
        self._place = place
        self._namespace = namespace
        self._run_id = run_id

    def with_context(self, context: SerializationContext) -> Self:
        """The codec for what belongs to one run."""
        namespace, run_id = getattr(context, "namespace", None), getattr(context, "workflow_id", None)
        return type(self)(self._place, namespace=namespace or "", run_id=run_id or "")

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Payloads as Temporal holds them.

        Raises:
            PayloadTooLargeError: one is too large for Temporal, and there is no place.
            PlaceError: the place could not take one.
        """
        return [await self._encoded(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Payloads as they were.

        Raises:
            PlaceError: one could not be read; it is missing or altered, say.
        """
        return [await self._decoded(payload) for payload in payloads]

    async def _encoded(self, payload: Payload) -> Payload:
        size = payload.ByteSize()
        if self._place is None:
            refuse_too_large(f"what run {self._run_id} has to pass on", size, MAX_BLOB_BYTES)
            return payload
        if size <= INLINE_BYTES:
            return payload
        content = payload.SerializeToString(deterministic=True)
        reference = await self._place.put(self._namespace, self._run_id, content)
        return Payload(metadata={"encoding": ENCODING}, data=to_json(asdict(reference)))

    async def _decoded(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != ENCODING:
            return payload
        try:
            reference = _REFERENCE.validate_json(payload.data)
        except ValidationError as error:
            raise PlaceError("a reference to a payload can't be read; a newer version may have written it") from error
        if self._place is None:
            raise PlaceError(
                f"{reference.object} lies in a place of payloads, and none is set here; set {LIFTED_BY} as where the "
                "run was started"
            )
        return Payload.FromString(await self._place.get(reference))
