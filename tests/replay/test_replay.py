"""Runs that released versions began go on with today's code: their histories replay, and what they wait for is read."""

from __future__ import annotations

import json
import re
import socket
from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Any, get_type_hints

import pytest
from google.protobuf.json_format import ParseDict
from pydantic import JsonValue
from temporalio import workflow
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.client import WorkflowHistory

from spectra_bot.machine import Command, RunState, todo
from spectra_bot.machine.events import Event
from spectra_bot.runs import RunResult
from spectra_bot.temporal.connection import data_converter
from spectra_bot.temporal.handler_activities import HandlerActivities
from spectra_bot.temporal.messages import SPECTRA_RUN, Entry, RunInput, event_of
from spectra_bot.temporal.run import SpectraRun
from spectra_bot.temporal.step_activities import StepActivities
from spectra_bot.temporal.visibility import MEMO, START_MEMO, Listed, StartMemo
from tests.replay.keeping import kept, present_version, scenarios_of, stripped, versions
from tests.replay.replaying import replay
from tests.replay.scenarios import SCENARIOS, SCENARIOS_OF_SMALL_HISTORIES

KEPT = [pytest.param(name, text, id=f"{version}-{name}") for version in versions() for name, text in kept(version)]
PRESENT = dict(kept(present_version()))
ANYBODYS = re.compile(rb"/(?:home|root|tmp|Users|var|opt|usr|srv|work)/|\w+@\w+")
"""A path of a machine, or a worker's name."""


@pytest.mark.parametrize(("name", "text"), KEPT)
async def test_history_replays(name: str, text: str) -> None:
    await replay(WorkflowHistory.from_json(name, text))


def test_present_version_has_a_history_of_each_scenario() -> None:
    wanted = {*SCENARIOS, *SCENARIOS_OF_SMALL_HISTORIES}

    assert wanted == set(scenarios_of(present_version())), "record them: python -m tests.replay.record"


@pytest.mark.parametrize(("name", "text"), KEPT)
def test_what_a_run_in_flight_waits_for_is_read(name: str, text: str) -> None:
    takes = {f"spectra.{method.__name__}": _argument(method) for method in ACTIVITIES}
    read = 0
    for event in json.loads(text)["events"]:
        scheduled = event.get("activityTaskScheduledEventAttributes")
        if scheduled is not None and scheduled["activityType"]["name"] != "spectra.reconcile":  # it is given nothing
            kind = takes[scheduled["activityType"]["name"]]
            assert isinstance(_decoded(scheduled["input"]["payloads"][0], kind), kind)
            read += 1
        for attributes in (event.get(f"workflow{part}EventAttributes", {}) for part in SHOWN):
            memo = (attributes.get("memo") or attributes.get("upsertedMemo") or {}).get("fields", {})
            for key in memo.keys() & MEMOS.keys():
                assert isinstance(_decoded(memo[key], MEMOS[key]), MEMOS[key])
                read += 1
    assert read or "reconciler" in text, name


ACTIVITIES = (
    *(StepActivities.step, StepActivities.when, StepActivities.back),
    *(HandlerActivities.deliver, HandlerActivities.settle, HandlerActivities.conclude),
)
MEMOS: Mapping[str, type] = {MEMO: Listed, START_MEMO: StartMemo}
SHOWN = ("ExecutionStarted", "PropertiesModified")
"""The events that tell how lists show a run."""


def _argument(method: Any) -> type:
    """What an activity takes."""
    hints = get_type_hints(method)
    kind: type = hints["call"]
    return kind


def _decoded(payload: Mapping[str, JsonValue], kind: type) -> object:
    sent = Payloads(payloads=[ParseDict(dict(payload), Payload())])
    return data_converter(None).payload_converter.from_payloads(sent.payloads, [kind])[0]


@pytest.mark.parametrize(("name", "text"), KEPT)
def test_kept_history_tells_nothing_of_the_machine_that_recorded_it(name: str, text: str) -> None:
    told = [*_payloads(json.loads(text)), text.encode()]

    assert not [found for part in told for found in ANYBODYS.findall(part)], name
    assert not [part for part in told if socket.gethostname().encode() in part and len(socket.gethostname()) > 4], name


def _payloads(value: JsonValue) -> Iterator[bytes]:
    """Everything that travelled in a history."""
    match value:
        case {"data": str(data), "metadata": dict()}:
            yield b64decode(data)
        case dict():
            for part in value.values():
                yield from _payloads(part)
        case list():
            for part in value:
                yield from _payloads(part)


def test_what_names_a_machine_is_not_kept() -> None:
    queue: JsonValue = {"name": "1@host-7f", "kind": "TASK_QUEUE_KIND_STICKY", "normalName": "spectra"}

    told = stripped({"events": [{"identity": "1@host", "taskQueue": queue, "failure": {"stackTrace": "/home/ada"}}]})

    assert told == {
        "events": [
            {
                "taskQueue": {"name": "sticky", "kind": "TASK_QUEUE_KIND_STICKY", "normalName": "spectra"},
                "failure": {},
            }
        ]
    }


# Planted changes, each of which would break runs in flight.


@workflow.defn(name=SPECTRA_RUN)
class RunWithAnotherTimer(SpectraRun):
    """Waits a moment before it begins."""

    @workflow.init
    def __init__(self, given: RunInput) -> None:
        super().__init__(given)

    @workflow.run
    async def run(self, given: RunInput) -> RunResult:
        await workflow.sleep(1)
        return await super().run(given)


async def test_added_timer_is_found() -> None:
    with pytest.raises(workflow.NondeterminismError):
        await replay(WorkflowHistory.from_json("answered-1", PRESENT["answered-1"]), run=RunWithAnotherTimer)


async def test_other_order_of_steps_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def reversed_todo(state: RunState) -> list[Command]:
        return list(reversed(todo(state)))

    monkeypatch.setattr("spectra_bot.temporal.commands.todo", reversed_todo)

    with pytest.raises(workflow.NondeterminismError):
        await replay(WorkflowHistory.from_json("together-1", PRESENT["together-1"]))


async def test_event_that_is_no_longer_known_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(entry: Entry) -> Event:
        if entry.kind == "InterruptRaised":
            raise LookupError(f"{entry.kind} is not known")
        return event_of(entry)

    monkeypatch.setattr("spectra_bot.temporal.commands.event_of", forgetful)

    with pytest.raises(RuntimeError, match="InterruptRaised is not known"):
        await replay(WorkflowHistory.from_json("answered-1", PRESENT["answered-1"]))
