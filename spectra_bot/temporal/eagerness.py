"""Which steps a worker begins at once, with the run's turn that asks for them in its hands."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from temporalio.worker import (
    Interceptor,
    StartActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)
from temporalio.workflow import ActivityHandle

from spectra_bot.engine.step_call import StepCall


class LeavesToOthers(Interceptor):
    """Has steps whose workflow is not loaded here go through the task queue, where another worker may take them.

    Temporal would give them to the worker that had the run's turn, and the next time too: a run would stay with a
    worker that can do nothing for it. No history tells which way a step took, so each worker may choose.
    """

    def __init__(self, loaded: Collection[str]) -> None:
        self._loaded = loaded

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:  # noqa: A002  the SDK's
        """See `Interceptor.workflow_interceptor_class`."""
        loaded = self._loaded

        class Inbound(WorkflowInboundInterceptor):
            def init(self, outbound: WorkflowOutboundInterceptor) -> None:
                super().init(_Outbound(outbound, loaded))

        return Inbound


class _Outbound(WorkflowOutboundInterceptor):
    def __init__(self, next: WorkflowOutboundInterceptor, loaded: Collection[str]) -> None:  # noqa: A002  the SDK's
        super().__init__(next)
        self._loaded = loaded

    def start_activity(self, input: StartActivityInput) -> ActivityHandle[Any]:  # noqa: A002  the SDK's
        if any(isinstance(given, StepCall) and given.workflow not in self._loaded for given in input.args):
            input.disable_eager_execution = True
        return super().start_activity(input)
