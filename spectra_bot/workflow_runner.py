"""The runner that users build: workflows, a database, handlers; a `Runner` on the embedded engine."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self

from spectra_bot.clock import Clock, SystemClock
from spectra_bot.embedded import LEASE_S, EmbeddedEngine
from spectra_bot.errors import DefinitionError
from spectra_bot.extras import how_to_install
from spectra_bot.interrupts import (
    IInterruptHandler,
    InterruptRequest,
    InterruptResponse,
    handler_name,
)
from spectra_bot.json_values import MAX_PAYLOAD_BYTES
from spectra_bot.runner import Inputs, Runner
from spectra_bot.runs import (
    Checkpoint,
    InterruptRecord,
    Listener,
    LooksAtRuns,
    RunDetails,
    RunResult,
    RunStatus,
    RunSummary,
    RunUpdate,
)
from spectra_bot.store import SqliteStore
from spectra_bot.temporal import TemporalOptions
from spectra_bot.workflow import Workflow

if TYPE_CHECKING:
    from spectra_bot.temporal.engine import TemporalEngine

logger = logging.getLogger(__name__)


class WorkflowRunner:
    """Runs workflows on one SQLite file; use it as `async with runner:`.

    Args:
        workflows: those it can start and carry on.
        database: the file, made with mode 0600 if it is not there; `:memory:` for a test.
        handlers: asked in this order about each interrupt; the first answer counts.
        listeners: called in this process with each update, at once; they must not block.
        recover: carry on every run that has no live owner, from the start and for as long as it is open; False
            carries on only the runs that are started or steered here.
        read_only: look and change nothing; the file must be there.
        temporal: run on Temporal instead of a database file; `recover=False` and `read_only` then only start, steer and
            look, and leave the work to other processes. Needs the extra `temporal`.
        lease_s: an owner that has been silent for so many seconds has lost its runs.
        max_payload_bytes: the largest stored value: inputs, an output, a `once` result, data, notes.

    Raises:
        DefinitionError: a workflow's graph is wrong, or two workflows or handlers share a name.
    """

    def __init__(
        self,
        *,
        workflows: Iterable[Workflow] = (),
        database: str = "spectra.db",
        temporal: TemporalOptions | None = None,
        handlers: Iterable[IInterruptHandler] = (),
        listeners: Iterable[Listener] = (),
        recover: bool = True,
        read_only: bool = False,
        clock: Clock | None = None,
        lease_s: float = LEASE_S,
        max_payload_bytes: int = MAX_PAYLOAD_BYTES,
    ) -> None:
        loaded = list(workflows)
        self._handlers = list(handlers)
        _refuse_twins("workflow", [workflow.name for workflow in loaded])
        _refuse_twins("handler", [handler_name(handler) for handler in self._handlers])
        for workflow in loaded:
            workflow.shape()
        self._workflows = {workflow.name: workflow for workflow in loaded}
        self._database = str(database)
        self._temporal = temporal
        self._listeners = list(listeners)
        self._recover = recover
        self._read_only = read_only
        self._clock: Clock = clock or SystemClock()
        self._lease_s = lease_s
        self._max_payload_bytes = max_payload_bytes
        self._opened: AsyncExitStack | None = None
        self._running: Runner | None = None
        self._on_cluster: TemporalEngine | None = None

    @staticmethod
    def builder() -> WorkflowRunnerBuilder:
        """Start a runner in the builder's style."""
        return WorkflowRunnerBuilder()

    async def __aenter__(self) -> Self:
        """Open the store and carry on what has no owner.

        Raises:
            StoreError: the database can't be opened, or Temporal not be reached.
            DefinitionError: the extra `temporal` is not installed.
        """
        for handler in self._handlers:
            if isinstance(handler, LooksAtRuns):
                handler.look_with(self.get)
        async with AsyncExitStack() as stack:
            if self._temporal is not None:
                self._on_cluster = await stack.enter_async_context(self._on_temporal(self._temporal))
                self._running = self._on_cluster
            else:
                self._running = await self._on_a_file(stack)
            self._opened = stack.pop_all()
        return self

    async def _on_a_file(self, stack: AsyncExitStack) -> EmbeddedEngine:
        store = await stack.enter_async_context(SqliteStore(self._database, read_only=self._read_only))
        engine = EmbeddedEngine(
            workflows=self._workflows,
            store=store,
            handlers=self._handlers,
            clock=self._clock,
            recover=self._recover,
            lease_s=self._lease_s,
            max_payload_bytes=self._max_payload_bytes,
            report=self._report if self._listeners else None,
        )
        if not self._read_only:
            await stack.enter_async_context(engine)
        return engine

    def _on_temporal(self, options: TemporalOptions) -> TemporalEngine:
        try:
            from spectra_bot.temporal.engine import TemporalEngine  # noqa: PLC0415
        except ModuleNotFoundError as error:
            if (said := how_to_install(error)) is None:
                raise
            raise DefinitionError(said) from error
        return TemporalEngine(
            workflows=self._workflows,
            options=options,
            handlers=self._handlers,
            clock=self._clock,
            works=self._recover and not self._read_only,
            lease_s=self._lease_s,
            max_payload_bytes=self._max_payload_bytes,
            report=self._report,
        )

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the running steps, give up the runs, close the store; what was not finished runs again later."""
        self._running = self._on_cluster = None
        if self._opened is not None:
            opened, self._opened = self._opened, None
            await opened.__aexit__(kind, error, trace)

    @property
    def workflows(self) -> Mapping[str, Workflow]:
        """The loaded workflows by name."""
        return self._workflows

    async def start(
        self,
        workflow: str,
        inputs: Inputs | None = None,
        *,
        requested_by: str | None = None,
        channel: str | None = None,
        run_id: str | None = None,
    ) -> str:
        """See `Runner.start`."""
        return await self._engine.start(workflow, inputs, requested_by=requested_by, channel=channel, run_id=run_id)

    async def run(
        self,
        workflow: str,
        inputs: Inputs | None = None,
        *,
        requested_by: str | None = None,
        channel: str | None = None,
        run_id: str | None = None,
    ) -> RunResult:
        """See `Runner.run`."""
        return await self._engine.run(workflow, inputs, requested_by=requested_by, channel=channel, run_id=run_id)

    async def wait(self, run_id: str, *, over: bool = False) -> RunResult:
        """See `Runner.wait`."""
        return await self._engine.wait(run_id, over=over)

    async def answer(self, interrupt_id: str, response: InterruptResponse) -> InterruptResponse:
        """See `Runner.answer`."""
        return await self._engine.answer(interrupt_id, response)

    async def resume(self, run_id: str, response: InterruptResponse) -> RunResult:
        """See `Runner.resume`."""
        return await self._engine.resume(run_id, response)

    async def cancel(self, run_id: str, *, by: str | None = None, reason: str = "") -> RunResult:
        """See `Runner.cancel`."""
        return await self._engine.cancel(run_id, by=by, reason=reason)

    async def retry(self, run_id: str, from_step: str | None = None, *, by: str | None = None) -> RunResult:
        """See `Runner.retry`."""
        return await self._engine.retry(run_id, from_step, by=by)

    async def get(self, run_id: str) -> RunDetails:
        """See `Runner.get`."""
        return await self._engine.get(run_id)

    async def get_interrupt(self, interrupt_id: str) -> InterruptRecord:
        """See `Runner.get_interrupt`."""
        return await self._engine.get_interrupt(interrupt_id)

    async def list_runs(
        self, *, status: RunStatus | None = None, workflow: str | None = None, limit: int = 50
    ) -> Sequence[RunSummary]:
        """See `Runner.list_runs`."""
        return await self._engine.list_runs(status=status, workflow=workflow, limit=limit)

    async def list_pending(self, *, run_id: str | None = None, limit: int = 100) -> Sequence[InterruptRequest]:
        """See `Runner.list_pending`."""
        return await self._engine.list_pending(run_id=run_id, limit=limit)

    async def history(self, run_id: str) -> Sequence[Checkpoint]:
        """See `Runner.history`."""
        return await self._engine.history(run_id)

    async def why_idle(self) -> str | None:
        """Why no worker on Temporal carries runs on, and what to do; None where one does, and on a database file.

        A worker that was killed is missed after two minutes, one that nobody started at once.
        """
        return await self._on_cluster.why_idle() if self._on_cluster is not None else None

    async def why_left_out(self) -> str | None:
        """Why workers with our build id get no work from Temporal, and what to do; None where they do."""
        return await self._on_cluster.why_left_out() if self._on_cluster is not None else None

    @property
    def _engine(self) -> Runner:
        if self._running is None:
            raise DefinitionError("the runner is not open; use it inside `async with runner:`")
        return self._running

    def _report(self, update: RunUpdate) -> None:
        for listener in self._listeners:
            try:
                listener(update)
            except Exception:
                logger.exception("listener failed", extra={"run_id": update.run_id})


class WorkflowRunnerBuilder:
    """Builds a `WorkflowRunner` a part at a time; equal to the one made by keywords."""

    def __init__(self) -> None:
        self._workflows: list[Workflow] = []
        self._handlers: list[IInterruptHandler] = []
        self._listeners: list[Listener] = []
        self._database = "spectra.db"
        self._temporal: TemporalOptions | None = None
        self._recover = True
        self._read_only = False
        self._clock: Clock | None = None
        self._lease_s = LEASE_S
        self._max_payload_bytes = MAX_PAYLOAD_BYTES

    def add_workflow(self, workflow: Workflow) -> Self:
        self._workflows.append(workflow)
        return self

    def add_interrupt_handler(self, handler: IInterruptHandler) -> Self:
        self._handlers.append(handler)
        return self

    def add_listener(self, listener: Listener) -> Self:
        self._listeners.append(listener)
        return self

    def with_database(self, path: str) -> Self:
        self._database = path
        return self

    def with_temporal(
        self,
        address: str = "localhost:7233",
        *,
        namespace: str = "default",
        task_queue: str = "spectra",
        tls: bool = False,
        api_key: str | None = None,
        payloads: str | None = None,
        build_id: str | None = None,
        deployment: str = "spectra-bot",
    ) -> Self:
        self._temporal = TemporalOptions(
            address=address,
            namespace=namespace,
            task_queue=task_queue,
            tls=tls,
            api_key=api_key,
            payloads=payloads,
            build_id=build_id,
            deployment=deployment,
        )
        return self

    def with_recovery(self, recover: bool) -> Self:
        self._recover = recover
        return self

    def with_read_only(self, read_only: bool = True) -> Self:
        self._read_only = read_only
        return self

    def with_clock(self, clock: Clock) -> Self:
        self._clock = clock
        return self

    def with_lease(self, seconds: float) -> Self:
        self._lease_s = seconds
        return self

    def with_max_payload(self, size_bytes: int) -> Self:
        self._max_payload_bytes = size_bytes
        return self

    def build(self) -> WorkflowRunner:
        """The runner.

        Raises:
            DefinitionError: a workflow's graph is wrong, or two workflows or handlers share a name.
        """
        return WorkflowRunner(
            workflows=self._workflows,
            database=self._database,
            temporal=self._temporal,
            handlers=self._handlers,
            listeners=self._listeners,
            recover=self._recover,
            read_only=self._read_only,
            clock=self._clock,
            lease_s=self._lease_s,
            max_payload_bytes=self._max_payload_bytes,
        )


def _refuse_twins(what: str, names: Sequence[str]) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise DefinitionError(f"there are two {what}s named {name!r}")
