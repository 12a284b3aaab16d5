"""The one thing that surfaces speak to: the coroutines of every runner, whichever engine is behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from pydantic import BaseModel

from spectra_bot.interrupts import InterruptRequest, InterruptResponse
from spectra_bot.runs import Checkpoint, InterruptRecord, RunDetails, RunResult, RunStatus, RunSummary
from spectra_bot.workflow import Workflow

Inputs = Mapping[str, object] | BaseModel


class Runner(Protocol):
    """Starts, answers and steers runs. A surface knows this and never the engine."""

    @property
    def workflows(self) -> Mapping[str, Workflow]:
        """The loaded workflows by name."""
        ...

    async def start(
        self,
        workflow: str,
        inputs: Inputs | None = None,
        *,
        requested_by: str | None = None,
        channel: str | None = None,
        run_id: str | None = None,
    ) -> str:
        """Store a new run and return its id at once; its steps run in the background.

        Args:
            requested_by: the verified identity that asked for it.
            channel: where its questions go if neither request nor workflow says.
            run_id: the caller's own id: the same start again returns the run that is there.

        Raises:
            UnknownWorkflowError: no workflow of that name is loaded.
            InvalidInputsError: with a problem per field.
            RunExistsError: the id belongs to a run of another workflow or with other inputs.
            InvalidWordError: the id is no word.
        """
        ...

    async def run(
        self,
        workflow: str,
        inputs: Inputs | None = None,
        *,
        requested_by: str | None = None,
        channel: str | None = None,
        run_id: str | None = None,
    ) -> RunResult:
        """`start`, then `wait`."""
        ...

    async def wait(self, run_id: str, *, over: bool = False) -> RunResult:
        """Return the run when it rests: no step of it runs, and each handler had its first turn.

        Args:
            over: wait until the run is completed, failed or cancelled instead.

        Raises:
            RunNotFoundError: no such run.
        """
        ...

    async def answer(self, interrupt_id: str, response: InterruptResponse) -> InterruptResponse:
        """Store the decision and return it as it is stored; the run goes on in the background.

        The answer is on disk before this returns. The same answer again is told the same outcome.

        Raises:
            UnknownInterruptError: no such interrupt in this database.
            AlreadyAnsweredError: someone was first; carries who, what and when.
            NotPendingError: it timed out, or was cancelled with its run.
            NotAllowedError: this responder may not decide it.
            InvalidAnswerError: an option that was not offered, a status that contradicts its option, or a form
                that is not filled in right, with a problem per field.
        """
        ...

    async def resume(self, run_id: str, response: InterruptResponse) -> RunResult:
        """Answer the pending interrupt of a run and carry the run on to its next rest.

        The answer is on disk before any step runs, so a crash after this point loses no decision. The interrupted
        step runs again from its first line.

        Args:
            response: its `interrupt_id` may be left out when one interrupt is pending.

        Raises:
            RunNotFoundError: no such run.
            AmbiguousInterruptError: several are pending and the response names none; carries the list.
            AnswerError: as `answer` does.
        """
        ...

    async def cancel(self, run_id: str, *, by: str | None = None, reason: str = "") -> RunResult:
        """End a run: its running steps are cancelled, its open interrupts closed.

        Raises:
            RunNotFoundError: no such run.
            RunFinishedError: it is over already.
        """
        ...

    async def retry(self, run_id: str, from_step: str | None = None, *, by: str | None = None) -> RunResult:
        """Run the failed steps of a failed run again, and carry it on to its next rest.

        Outputs, `once` results and answers are kept; what was rejected, ran out of time or was closed is asked anew.

        Args:
            from_step: begin this step, or this sub-workflow, anew with all behind it, finished or not: a new visit, in
                which outputs, `once` results and answers count no more, so effects are done again and every question
                is asked anew. The other steps are treated as without it.

        Raises:
            RunNotFoundError: no such run.
            RunFinishedError: it did not fail.
            UnknownStepError: it has no such step.
            RetryRefusedError: that step has not started, would be skipped at once, or was visited too often.
        """
        ...

    async def get(self, run_id: str) -> RunDetails:
        """The run as it stands in the store.

        Raises:
            RunNotFoundError: no such run.
        """
        ...

    async def get_interrupt(self, interrupt_id: str) -> InterruptRecord:
        """One interrupt, pending or over.

        Raises:
            UnknownInterruptError: no such interrupt in this database.
        """
        ...

    async def list_runs(
        self, *, status: RunStatus | None = None, workflow: str | None = None, limit: int = 50
    ) -> Sequence[RunSummary]:
        """The newest runs first."""
        ...

    async def list_pending(self, *, run_id: str | None = None, limit: int = 100) -> Sequence[InterruptRequest]:
        """The interrupts that wait for an answer, oldest first.

        A run on Temporal with more than 64 KiB of questions has to be asked for them. One that does not answer is left
        out, and the log says so; where nothing else waits, that is an error.

        Raises:
            StoreError: the runs can't be read.
        """
        ...

    async def history(self, run_id: str) -> Sequence[Checkpoint]:
        """Every event of a run, with who and when.

        Raises:
            RunNotFoundError: no such run.
        """
        ...
