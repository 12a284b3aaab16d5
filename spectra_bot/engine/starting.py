"""How a run begins: what a caller gives, checked, as the first event of its log."""

from __future__ import annotations

from datetime import datetime

from spectra_bot.engine.ids import new_id
from spectra_bot.engine.proposals import refuse_unstorable_names
from spectra_bot.graph import Shape
from spectra_bot.json_values import encode
from spectra_bot.machine import events as e
from spectra_bot.run_inputs import read_id
from spectra_bot.runner import Inputs
from spectra_bot.workflow import Workflow


def run_started(
    workflow: Workflow,
    shape: Shape,
    inputs: Inputs | None,
    *,
    at: datetime,
    requested_by: str | None,
    channel: str | None,
    run_id: str | None,
    limit: int,
) -> e.RunStarted:
    """The start of a run; nothing is stored yet.

    Args:
        shape: the graph on which it starts.
        run_id: the caller's own id; without one it is given a new one.
        limit: the largest value that may be stored, in bytes.

    Raises:
        InvalidInputsError: with a problem per field.
        InvalidWordError: the id is no word.
        InvalidJsonError: a name is no text.
        PayloadTooLargeError: with what is too large, the size and the limit.
    """
    refuse_unstorable_names(limit, run_id=run_id, requested_by=requested_by, channel=channel)
    stored_inputs = workflow.stored_inputs(inputs)
    encode(stored_inputs, "inputs", limit)
    return e.RunStarted(
        at=at,
        run_id=new_id("r-", at) if run_id is None else read_id(run_id),
        workflow=workflow.name,
        shape=shape,
        inputs=stored_inputs,
        secrets=tuple(workflow.secret_inputs(inputs)),
        requested_by=requested_by,
        channel=channel,
    )
