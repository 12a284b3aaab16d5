"""Everything a caller may catch.

SpectraError
├── DefinitionError             a workflow or runner is put together wrongly; raised before anything runs
├── UnknownWorkflowError        no workflow of that name is loaded
├── InvalidInputsError          a run's inputs do not fit its workflow's model
├── InvalidWordError            a word that is not key=value, or no id
├── InvalidRequestError         a question that can't be asked as it is written
├── InvalidJsonError            a value that JSON can't hold
├── PayloadTooLargeError        a value past the size limit
├── RunNotFoundError            no such run
├── RunExistsError              the run id is taken by a different run
├── UnreadableRunError          what is stored can't be read: a newer version stored it, or it is damaged
├── RunFinishedError            the run is over, so it can't be steered that way
├── UnknownStepError            the run has no step of that name
├── RetryRefusedError           the run can't be retried from that step
├── AnswerError                 an answer was refused and nothing changed
│   ├── UnknownInterruptError   no such interrupt in this database
│   ├── AlreadyAnsweredError    someone was first
│   ├── NotPendingError         the interrupt is over, though nobody answered it
│   ├── AmbiguousInterruptError several are pending and the answer names none
│   ├── NotAllowedError         this identity may not decide it
│   └── InvalidAnswerError      not an answer to this question: option, status or form fields
├── StepError                   how a step failed by breaking the rules of asking
│   ├── InterruptTimedOutError  nobody decided in time; a step may catch it
│   ├── AnswerIgnoredError      an answered question was raised again
│   ├── UnstableQuestionError   a question changed on each re-run
│   ├── QuestionOrderError      unkeyed questions changed places
│   ├── OnceKeyError            a once key used twice in one visit, or one that is no text
│   └── OnceResultError         an effect was done, and its result can't be stored
├── StepTimedOutError           a step ran for longer than its timeout; a TimeoutError too
├── StoreError                  the database can't be used, or refused a change
│   ├── LeaseLostError          another process owns the run now
│   ├── PlaceError              the place of large payloads can't be used, or what lies there is missing or altered
│   ├── NotRecordedError        nothing says that the change is stored; the same again is safe
│   └── NotFollowedError        the change is stored, and nobody says how its run stands since
├── AgentLimitError             an agent reached a limit that does not ask; stands in agent/errors.py
├── AgentStoppedError           an agent was stopped at a limit; stands in agent/errors.py
├── SettingsError               a setting is missing or can't be used; stands in settings.py
├── ReleaseError                the demo's folders can't be released as they are; stands in demo/folders.py
├── PatchError                  a patch can't be applied as it is; stands in demo/patches.py
└── SuiteError                  a folder's tests can't be run; stands in demo/suite.py

What Slack adds to it is drawn in handlers/slack/errors.py, what a queue adds in handlers/queue/errors.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta


class SpectraError(Exception):
    """The root of every error that this package raises for its callers."""


class DefinitionError(SpectraError):
    """A workflow, a step or a runner is put together wrongly."""


class UnknownWorkflowError(SpectraError):
    """No workflow of that name is loaded."""

    def __init__(self, workflow: str, known: Sequence[str] = ()) -> None:
        self.workflow = workflow
        self.known = tuple(sorted(known))
        there = f"; loaded: {', '.join(self.known)}" if self.known else "; none is loaded"
        super().__init__(f"no workflow named {workflow!r}{there}")


class InvalidInputsError(SpectraError):
    """A run's inputs do not fit its workflow's model."""

    def __init__(self, workflow: str, fields: Mapping[str, str]) -> None:
        self.workflow = workflow
        self.fields = dict(fields)
        super().__init__(f"inputs of {workflow}: {in_words(self.fields)}")


class InvalidWordError(SpectraError):
    """A word that can't be read: an input that is not key=value, or an id that is no word."""

    def __init__(self, word: str, problem: str) -> None:
        self.word = word
        super().__init__(f"{word!r} {problem}")


class InvalidRequestError(SpectraError):
    """A question that can't be asked as it is written."""


class InvalidJsonError(SpectraError):
    """A value that JSON can't hold."""

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        super().__init__(f"{path}: {problem}")


class PayloadTooLargeError(SpectraError):
    """A value past the size limit."""

    def __init__(self, name: str, size: int, limit: int, lifted_by: str | None = None) -> None:
        self.name, self.size, self.limit, self.lifted_by = name, size, int(limit), lifted_by
        lift = f", or set {lifted_by}, which lifts the limit" if lifted_by else ""
        super().__init__(
            f"{name} is {size:,} bytes and the limit is {limit:,}; keep the value elsewhere and pass its address{lift}"
        )


class RunNotFoundError(SpectraError):
    """No such run."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        super().__init__(f"no run {run_id!r} in this database")


class RunExistsError(SpectraError):
    """The run id is taken by a run of another workflow or with other inputs."""

    def __init__(self, run_id: str, workflow: str) -> None:
        self.run_id, self.workflow = run_id, workflow
        super().__init__(f"run {run_id} exists already, of {workflow} with other inputs; take another id")


class UnreadableRunError(SpectraError):
    """A newer version of this program stored what this one can't read, or the database is damaged."""

    def __init__(self, what: str, *, is_damaged: bool = False) -> None:
        why = "is damaged; restore the database from a backup" if is_damaged else "was stored by a newer spectra-bot"
        super().__init__(f"{what} {why}{'' if is_damaged else '; update this one'}")


class RunFinishedError(SpectraError):
    """The run is over, so it can't be steered that way."""

    def __init__(self, run_id: str, status: str, wanted: str) -> None:
        self.run_id, self.status = run_id, status
        super().__init__(f"run {run_id} is {status}; {wanted}")


class UnknownStepError(SpectraError):
    """The run has no step of that name in the graph on which it started."""

    def __init__(self, run_id: str, step: str, known: Sequence[str]) -> None:
        self.run_id, self.step, self.known = run_id, step, tuple(known)
        super().__init__(f"run {run_id} has no step {step!r}; its steps: {', '.join(self.known)}")


class RetryRefusedError(SpectraError):
    """The failed run can't be retried from that step."""

    def __init__(self, run_id: str, step: str, why: str) -> None:
        self.run_id, self.step = run_id, step
        super().__init__(f"run {run_id} can't be retried from {step}: {why}")


class AnswerError(SpectraError):
    """An answer was refused, and nothing changed."""


class UnknownInterruptError(AnswerError):
    """No such interrupt in this database."""

    def __init__(self, interrupt_id: str) -> None:
        self.interrupt_id = interrupt_id
        super().__init__(f"no interrupt {interrupt_id!r} in this database")


class AlreadyAnsweredError(AnswerError):
    """Someone was first; if the question changed after that, `superseded_by` is the interrupt to answer instead."""

    def __init__(
        self,
        interrupt_id: str,
        run_id: str,
        option: str | None,
        answered_by: str | None,
        answered_at: datetime | None,
        *,
        superseded_by: str | None = None,
    ) -> None:
        self.interrupt_id, self.run_id, self.option = interrupt_id, run_id, option
        self.answered_by, self.answered_at, self.superseded_by = answered_by, answered_at, superseded_by
        when = f" at {answered_at:%Y-%m-%d %H:%MZ}" if answered_at else ""
        what_now = f"then its question changed: answer {superseded_by} instead" if superseded_by else "nothing to do"
        super().__init__(
            f"interrupt {interrupt_id} was answered {option!r} "
            f"by {answered_by or 'an unnamed caller'}{when}; {what_now}"
        )


class NotPendingError(AnswerError):
    """The interrupt is over, though nobody answered it; or the run has none pending."""

    def __init__(self, what: str, *, run_id: str, interrupt_id: str | None = None) -> None:
        self.run_id, self.interrupt_id = run_id, interrupt_id
        super().__init__(what)


class AmbiguousInterruptError(AnswerError):
    """Several interrupts are pending, and the answer names none of them."""

    def __init__(self, run_id: str, pending: Mapping[str, str]) -> None:
        self.run_id = run_id
        self.pending = dict(pending)
        super().__init__(
            f"run {run_id} has {len(self.pending)} pending interrupts; set interrupt_id to one of: "
            f"{', '.join(f'{i} ({reason})' for i, reason in self.pending.items())}"
        )


class NotAllowedError(AnswerError):
    """This identity may not decide this interrupt."""

    def __init__(self, responder: str | None, allowed: Sequence[str], why: str | None = None) -> None:
        self.responder, self.allowed = responder, tuple(allowed)
        may = f"; those who may: {', '.join(self.allowed)}" if self.allowed else ""
        super().__init__(f"{responder or 'an unnamed caller'} may not decide this{': ' + why if why else ''}{may}")


class InvalidAnswerError(AnswerError):
    """Not an answer to this question: its option, its status or its form's fields do not fit."""

    def __init__(self, problem: str, fields: Mapping[str, str] | None = None) -> None:
        self.fields = dict(fields or {})
        super().__init__(f"{problem}: {in_words(self.fields)}" if self.fields else problem)


class StepError(SpectraError):
    """How a step failed by breaking the rules of asking."""


class InterruptTimedOutError(StepError):
    """Nobody decided in time, and the request names no default option."""

    def __init__(self, interrupt_id: str, reason: str) -> None:
        self.interrupt_id, self.reason = interrupt_id, reason
        super().__init__(f"nobody decided in time: {reason}")


class AnswerIgnoredError(StepError):
    """An answered question was raised again, unchanged."""

    def __init__(self, interrupt_id: str, reason: str) -> None:
        self.interrupt_id, self.reason = interrupt_id, reason
        super().__init__(f"{reason!r} is answered already; read ctx.response first, and ask only when it is None")


class UnstableQuestionError(StepError):
    """A question changed on three re-runs in a row."""

    def __init__(self, reason: str, changed: Sequence[str]) -> None:
        self.reason, self.changed = reason, tuple(changed)
        super().__init__(
            f"{reason!r} changed each time the step ran again ({', '.join(self.changed)}); "
            "compute them in an earlier step, or in once"
        )


class QuestionOrderError(StepError):
    """Unkeyed questions changed places between two runs of a step."""

    def __init__(self, reason: str, was: int, now: int) -> None:
        self.reason, self.was, self.now = reason, was, now
        super().__init__(
            f"{reason!r} was question {was + 1} of this step and is now question {now + 1}; give each a key="
        )


class OnceKeyError(StepError):
    """A once key used twice in one visit of a step, or one that is no text."""

    def __init__(self, key: str, problem: str = "was called twice in one visit; give each effect a key of its own"):
        self.key = key
        super().__init__(f"once({key!r}) {problem}")


class OnceResultError(StepError):
    """An effect was done, and its result can't be stored; the effect is not repeated."""

    def __init__(self, key: str, problem: str) -> None:
        self.key, self.problem = key, problem
        super().__init__(
            f"once({key!r}) did its effect, and its result can't be stored ({problem}); it will not be done again, "
            "so return something that JSON can hold"
        )


class StepTimedOutError(SpectraError, TimeoutError):
    """A step ran for longer than its timeout."""

    def __init__(self, step: str, timeout: timedelta, *, stopped: bool = True) -> None:
        self.step, self.timeout, self.stopped = step, timeout, stopped
        still = "" if stopped else "; it did not stop when it was cancelled, and may still be at work"
        super().__init__(f"it ran for longer than its timeout of {timeout}{still}")


class StoreError(SpectraError):
    """The database can't be used, or refused a change."""


class LeaseLostError(StoreError):
    """Another process owns the run now, so this one may store nothing for it."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        super().__init__(f"run {run_id} is owned by another process now")


class PlaceError(StoreError):
    """The place of large payloads can't be used, or what lies there is missing or altered."""


class NotRecordedError(StoreError):
    """No worker took the change in time, so nobody knows yet whether it will be stored."""

    def __init__(self, run_id: str, why: str = "no worker took it; see that one runs") -> None:
        self.run_id = run_id
        super().__init__(
            f"run {run_id}: this is not recorded yet, because {why}, then do the same again: it counts once"
        )


class NotFollowedError(StoreError):
    """A change of a run is stored, but nobody could say how the run stands since."""

    def __init__(self, run_id: str, why: object) -> None:
        self.run_id = run_id
        super().__init__(f"that is stored, but {why}")


def in_words(fields: Mapping[str, str]) -> str:
    """`field: problem` pairs on one line, for errors and private messages."""
    return "; ".join(f"{field}: {problem}" if field else problem for field, problem in fields.items())
