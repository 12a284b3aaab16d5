"""Where users' code runs: a step, a condition, a way back. What comes of it is told as events."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from pydantic import JsonValue

from spectra_bot.clock import Clock
from spectra_bot.context import Effects, NewQuestion, Slot, StepContext
from spectra_bot.engine.groups import in_groups
from spectra_bot.engine.step_call import StepCall
from spectra_bot.engine.time_limit import within
from spectra_bot.engine.words import text_of
from spectra_bot.errors import SpectraError, StepTimedOutError
from spectra_bot.interrupts import InterruptException, InterruptRequest
from spectra_bot.json_values import to_json_value
from spectra_bot.machine import events as e
from spectra_bot.step_code import Scope, ScopedCondition, StepCode, StepFunction
from spectra_bot.steps import StepResult, StepStatus
from spectra_bot.workflow import Workflow

logger = logging.getLogger(__name__)

MAX_ERROR = 4000
"""As many characters of a step's error are stored; the log has the rest."""


class Execution:
    """Carries out one workflow's commands; knows the code, and neither store nor handlers.

    Args:
        interrupt_id: names an interrupt of a run that is asked at some time.
    """

    def __init__(
        self,
        workflow: Workflow,
        *,
        clock: Clock,
        max_payload_bytes: int,
        interrupt_id: Callable[[str, datetime], str],
    ) -> None:
        self._workflow = workflow
        self._clock = clock
        self._limit = max_payload_bytes
        self._interrupt_id = interrupt_id

    async def run_step(self, call: StepCall, effects: Effects) -> Sequence[e.Event]:
        """Execute a step from its first line; the events say how that ended."""
        step, visit = call.step, call.visit
        code = self._workflow.code(step)
        if code is None:
            return [self._failed(step, visit, f"workflow {self._workflow.name} has no step {step!r} any more")]
        try:
            context = self._context(call, code.scope, effects)
            if code.timeout is None:
                result = await _result_of(code.body, context)
            else:
                result = await within(code.timeout, step, _result_of(code.body, context), self._clock)
            if context.parks:
                return self._parked(call, context)
            if result.status is StepStatus.FAILED:
                return [self._failed(step, visit, result.error or "failed without a reason")]
            at = self._clock.now()
            if result.status is StepStatus.SKIPPED:
                return [e.StepSkipped(at=at, step=step, visit=visit)]
            output = to_json_value(result.output, f"output of {step}", self._limit)
        except BaseException as error:
            if _is_ours(error):
                raise
            return [self._raised_in(call, code, error)]
        return [e.StepCompleted(at=at, step=step, visit=visit, output=output, option=result.option)]

    async def judge_when(self, call: StepCall) -> Sequence[e.Event]:
        """Evaluate a step's `when=`."""
        step, visit = call.step, call.visit
        code = self._workflow.code(step)
        if code is None or not code.conditions:
            return [self._failed(step, visit, f"workflow {self._workflow.name} has no when= of {step!r} any more")]
        try:
            verdict = True
            for condition in code.conditions:
                verdict = verdict and await self._holds(call, condition)
        except BaseException as error:
            if _is_ours(error):
                raise
            return [self._failed(step, visit, f"when= raised {_in_words(error)}")]
        return [e.WhenJudged(at=self._clock.now(), step=step, visit=visit, verdict=verdict)]

    async def judge_back(self, call: StepCall) -> Sequence[e.Event]:
        """Evaluate the ways back of a completed step, in the order they were declared; the first true one is taken."""
        step, visit = call.step, call.visit
        try:
            for to, condition in self._workflow.back_conditions(step):
                if to in call.backs and await self._holds(call, condition):
                    return [e.BackJudged(at=self._clock.now(), step=step, visit=visit, to=to)]
        except BaseException as error:
            if _is_ours(error):
                raise
            return [self._failed(step, visit, f"back() raised {_in_words(error)}")]
        return [e.BackJudged(at=self._clock.now(), step=step, visit=visit)]

    def _raised_in(self, call: StepCall, code: StepCode, error: BaseException) -> e.Event:
        """What becomes of a step that raised: it runs again by itself, or fails."""
        extra = {"run_id": call.run_id, "step": call.step, "attempt": call.errors + 1}
        tried = call.tried + 1
        stopped = not isinstance(error, StepTimedOutError) or error.stopped
        if stopped and code.retry is not None and tried < code.retry.attempts and code.retry.covers(error):
            now = self._clock.now()
            until = now + code.retry.pause(tried)
            logger.warning("step raised and is tried again", extra={**extra, "until": str(until)}, exc_info=error)
            said = shortened(_in_words(error))
            return e.StepErrored(at=now, step=call.step, visit=call.visit, error=said, until=until)
        logger.warning("step failed", extra=extra, exc_info=error)
        return self._failed(call.step, call.visit, _in_words(error))

    def _context(self, call: StepCall, scope: Scope, effects: Effects | None) -> StepContext:
        path = scope.path
        outputs = call.outputs
        if path:
            outputs = {name.removeprefix(path): value for name, value in outputs.items() if name.startswith(path)}
        return StepContext(
            run_id=call.run_id,
            step=call.step,
            inputs=scope.inputs.loaded(self._inputs(call, scope)),
            outputs=outputs,
            attempt=call.errors + 1,
            visit=call.visit,
            questions={question.slot: question for question in call.questions},
            stored=call.once,
            spoiled=call.spoiled,
            effects=effects,
        )

    def _inputs(self, call: StepCall, scope: Scope) -> Mapping[str, JsonValue]:
        """The inputs of a scope as they would be stored: the run's own, or what a sub-workflow is given."""
        if scope.outer is None:
            return call.inputs
        if scope.given is None:
            return self._inputs(call, scope.outer)
        context = self._context(call, scope.outer, None)
        try:
            given = scope.given(context)
        except Exception as error:
            raise SpectraError(f"inputs= of {scope.path.rstrip('/')} raised {_in_words(error)}") from error
        return scope.inputs.stored(given)

    async def _holds(self, call: StepCall, condition: ScopedCondition) -> bool:
        verdict = condition.holds(self._context(call, condition.scope, None))
        return bool(await verdict if inspect.isawaitable(verdict) else verdict)

    def _failed(self, step: str, visit: int, error: str) -> e.StepFailed:
        return e.StepFailed(at=self._clock.now(), step=step, visit=visit, error=shortened(error))

    def _parked(self, call: StepCall, context: StepContext) -> Sequence[e.Event]:
        if not context.asked:
            reasons = ", ".join(repr(context.questions[slot].request.reason) for slot in context.still_open)
            return [self._failed(call.step, call.visit, f"it ran again though {reasons} is still open")]
        return in_groups([self._raised(call, question, context.steady) for question in context.asked])

    def _raised(self, call: StepCall, question: NewQuestion, steady: tuple[Slot, ...]) -> e.InterruptRaised:
        now = self._clock.now()
        to_json_value(question.request.data, "data", self._limit)
        return e.InterruptRaised(
            at=now,
            step=call.step,
            visit=call.visit,
            slot=question.slot,
            request=self._stamped(call, question, now),
            changes=question.changes,
            steady=steady,
        )

    def _stamped(self, call: StepCall, question: NewQuestion, now: datetime) -> InterruptRequest:
        request = question.request
        code = self._workflow.code(call.step)
        assert code is not None, "it has just run"  # noqa: S101
        scope = code.scope
        return request.model_copy(
            update={
                "id": self._interrupt_id(call.run_id, now),
                "run_id": call.run_id,
                "workflow": call.workflow,
                "step": call.step,
                "requested_by": call.requested_by,
                "created_at": now,
                "deadline": now + request.timeout if request.timeout else None,
                "approvers": request.approvers or scope.approvers,
                "channel": request.channel or scope.channel or call.channel,
                "replaces": question.replaces,
                "changed": question.changed,
            }
        )


async def _result_of(body: StepFunction, context: StepContext) -> StepResult:
    """What a step returned or raised, as one value; the one place that catches a question."""
    try:
        value = await body(context)
    except InterruptException as interrupt:
        context.raised(interrupt.request)
        return StepResult(status=StepStatus.INTERRUPTED)
    except BaseExceptionGroup as group:
        _take_questions(group, context)
        return StepResult(status=StepStatus.INTERRUPTED)
    if not isinstance(value, StepResult):
        return StepResult.completed(value)
    if value.status is StepStatus.INTERRUPTED:
        if value.request is None:
            return StepResult.failed("StepResult.interrupted needs a request")
        context.raised(value.request)
    return value


def _take_questions(group: BaseExceptionGroup[BaseException], context: StepContext) -> None:
    """Take the questions out of an exception group; raise what else is in it."""
    questions, rest = group.split(InterruptException)
    if rest is not None or questions is None:
        raise rest or group
    open_groups: list[BaseException] = [questions]
    while open_groups:
        one = open_groups.pop(0)
        if isinstance(one, BaseExceptionGroup):
            open_groups.extend(one.exceptions)
        elif isinstance(one, InterruptException):
            context.raised(one.request)


def shortened(error: str) -> str:
    """An error as it is kept: its beginning, where it is very long."""
    left_out = len(error) - MAX_ERROR
    return error if left_out <= 0 else f"{error[:MAX_ERROR]}... ({left_out:,} more characters are in the log)"


def _is_ours(error: BaseException) -> bool:
    """It comes from outside the step: the engine cancels it, or someone stops the program."""
    task = asyncio.current_task()
    is_cancelled = isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0
    return is_cancelled or isinstance(error, KeyboardInterrupt)


def _in_words(error: BaseException) -> str:
    if isinstance(error, InterruptException):
        return "a question; only a step can ask"
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(_in_words(one) for one in error.exceptions)
    said = text_of(error)
    if isinstance(error, SpectraError):
        return said
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
