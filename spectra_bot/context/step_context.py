"""What a step sees of its run, and how it asks: the rules of questions within one visit of a step."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from pydantic import JsonValue

from spectra_bot.context import scoped
from spectra_bot.context.question import (
    NewQuestion,
    Question,
    Slot,
    is_text,
    keyed,
    same_question,
    with_request,
)
from spectra_bot.errors import (
    AnswerIgnoredError,
    InterruptTimedOutError,
    InvalidRequestError,
    OnceKeyError,
    OnceResultError,
    QuestionOrderError,
    UnstableQuestionError,
)
from spectra_bot.interrupts import InterruptException, InterruptRequest, InterruptResponse
from spectra_bot.json_values import copy_of
from spectra_bot.options import InterruptStatus
from spectra_bot.outputs import Outputs

MAX_CHANGES = 3
"""A question that changed on this many re-runs in a row fails its step."""


class Effects(Protocol):
    """What a context may do to the world, supplied by the engine."""

    async def once(self, key: str, fn: Callable[[], object]) -> JsonValue:
        """Do an effect, or join the one under way, and return its result as it is stored by then."""
        ...

    def report(self, fraction: float | None, text: str, about: str | None) -> None:
        """Show progress to whoever watches; nothing is stored."""
        ...


@dataclass(slots=True, kw_only=True)
class StepContext:
    """What a step sees of its run.

    `inputs` is the workflow's model, or a dict where it has none; `outputs` holds the newest output of each finished
    step as stored JSON. `attempt` counts errors of this step from 1, not re-runs.
    """

    run_id: str
    step: str
    inputs: Any
    outputs: Mapping[str, Any]
    attempt: int = 1
    visit: int = 1
    questions: Mapping[Slot, Question] = field(default_factory=dict, repr=False)
    stored: Mapping[str, JsonValue] = field(default_factory=dict, repr=False)
    spoiled: Mapping[str, str] = field(default_factory=dict, repr=False)
    effects: Effects | None = field(default=None, repr=False)
    asked: list[NewQuestion] = field(default_factory=list, repr=False)
    still_open: list[Slot] = field(default_factory=list, repr=False)
    scope: str = field(default="", repr=False)
    """What stands before the keys of a part of the step, such as `1/call_7f/`; see `within`."""
    group: str | None = field(default=None, repr=False)
    """The group of the questions of this part, where they name none; see `within`."""
    _next: int = field(default=0, repr=False)
    _once_keys: set[str] = field(default_factory=set, repr=False)
    _met: dict[Slot, str] = field(default_factory=dict, repr=False)
    """The digests of the questions that this execution has met so far."""

    def __post_init__(self) -> None:
        # A step may change what it is given, and must not change the run's state by that.
        self.outputs = Outputs(self.outputs)

    @property
    def response(self) -> InterruptResponse | None:
        """The newest answer of this visit, None before the first."""
        answered = [
            question
            for slot, question in self.questions.items()
            if question.response and scoped.is_here(self.scope, slot)
        ]
        newest = max(answered, key=lambda question: question.over_before, default=None)
        return with_request(newest) if newest else None

    @property
    def responses(self) -> Mapping[Slot, InterruptResponse]:
        """The answers of this visit by key; those of unkeyed questions by number, from 0."""
        return {
            scoped.short(self.scope, slot): with_request(question)
            for slot, question in self.questions.items()
            if question.response and scoped.is_here(self.scope, slot)
        }

    def within(self, part: str, *, group: str | None = None) -> StepContext:
        """The same step, as a part of it sees it that may go on beside others: a tool that an agent calls.

        Its questions and effects have keys and numbers of their own, and `response` is the newest answer given to
        this part, so that what is asked at the same time is never mixed up. The part's name must be the same in
        each re-run.

        Args:
            group: what its questions belong to, with those of other parts; that of this part, if it is not given.
        """
        return replace(self, scope=f"{self.scope}{part}/", group=group or self.group, _next=0)

    async def interrupt(self, request: InterruptRequest, *, key: str | None = None) -> InterruptResponse:
        """Ask, and return the answer; the step stops here until there is one, then runs again from its first line.

        Args:
            key: the question's name within this step; without one it is numbered by the order of calls.

        Raises:
            InterruptException: nobody answered yet; leave it to the engine.
            InterruptTimedOutError: nobody decided in time and there is no default option.
            UnstableQuestionError: the question changed on three re-runs in a row.
            QuestionOrderError: unkeyed questions changed places.
            InvalidRequestError: two different questions have one key, or it is no text.
        """
        name: Slot | None = key or request.key
        if name is not None and not is_text(name):
            raise InvalidRequestError(f"{request.reason!r}: its key {name!r} is not Unicode text")
        if name is None:
            name, self._next = self._next, self._next + 1
        slot = scoped.slot(self.scope, name)
        request = self._placed(request, slot)
        known = self.questions.get(slot)
        self._meet(slot, request)
        if known is None or known.request.digest != request.digest:
            self._refuse_new_order(slot, request, known)
            self._ask(slot, request, known)
            raise InterruptException(request)
        if known.response is None:
            self.still_open.append(slot)
            raise InterruptException(known.request)
        response = with_request(known)
        if response.status is InterruptStatus.TIMED_OUT and response.option is None:
            raise InterruptTimedOutError(known.request.id, request.reason)
        return response

    def raised(self, request: InterruptRequest) -> None:
        """Take a request that the step raised or returned instead of awaiting `interrupt`.

        Raises:
            AnswerIgnoredError: it is answered already, unchanged.
            UnstableQuestionError: it changed on three re-runs in a row.
            InvalidRequestError: two different questions have one key.
        """
        for question in self.questions.values():
            if question.request is request or question.request.id == request.id != "":
                self._refuse_or_wait(question)
                return
        if any(new.request is request for new in self.asked):
            return
        if request.key is not None:
            # One that `interrupt` raised has its place already: in an execution whose effect this one has joined.
            is_placed = scoped.is_here(self.scope, request.key)
            slot = request.key if is_placed else scoped.slot(self.scope, request.key)
            self._raise_in(slot, self._placed(request, slot))
            return
        numbers = scoped.numbers(self.scope, self.questions)
        taken = [*numbers, *scoped.numbers(self.scope, (new.slot for new in self.asked))]
        slot = scoped.slot(self.scope, max([self._next, *(number + 1 for number in taken)]))
        request = self._placed(request, slot)
        if any(new.request.digest == request.digest for new in self.asked if scoped.is_here(self.scope, new.slot)):
            return
        for slot_there, question in self.questions.items():
            if question.request.digest == request.digest and scoped.is_here(self.scope, slot_there):
                self._refuse_or_wait(question)
                return
        last = self.questions[scoped.slot(self.scope, max(numbers))] if numbers else None
        changed = last if last and last.response and same_question(last.request, request) else None
        self._ask(slot, request, changed)

    async def once(self, key: str, fn: Callable[[], object]) -> Any:
        """Run an effect once in this visit, over re-runs, retries and crashes, and return its stored JSON form.

        The result is on disk before this returns. The effect runs again only if the process dies between doing it
        and storing its result; `effect_id` is stable then. An effect that raised is not stored. One that has begun
        is not cancelled with its step: it ends, its result is kept, and a re-run joins it.

        Args:
            fn: a function, or an async one, without arguments.

        Raises:
            OnceKeyError: the key was used twice in this visit, or is no text.
            OnceResultError: it was done, and JSON can't hold its result, or not within the size limit.
        """
        if not is_text(key):
            raise OnceKeyError(key, "was not begun: a key is Unicode text")
        key = f"{self.scope}{key}"
        if key in self._once_keys:
            raise OnceKeyError(key)
        self._once_keys.add(key)
        if key in self.spoiled:
            raise OnceResultError(key, self.spoiled[key])
        if key in self.stored:
            return copy_of(self.stored[key])
        assert self.effects is not None, "a context without effects only judges conditions"  # noqa: S101
        try:
            return copy_of(await self.effects.once(key, fn))
        except BaseException:
            self._once_keys.discard(key)  # nothing was done, so the step may try again
            raise

    def effect_id(self, key: str) -> str:
        """An idempotency key for another system: the same in each re-run of this visit."""
        return hashlib.sha256(f"{self.run_id}\n{self.step}\n{self.visit}\n{self.scope}{key}".encode()).hexdigest()[:32]

    def progress(self, fraction: float | None = None, text: str = "", *, about: str | None = None) -> None:
        """Show how far the step is (0 to 1) to whoever watches; nothing is stored.

        Args:
            about: what within the step the text is about, such as one call of a tool; it is told first that this has
                begun, and then what came of it.
        """
        if self.effects is not None:
            self.effects.report(fraction, text, about)

    @property
    def first_open(self) -> InterruptRequest | None:
        """A question of this part that nobody has answered, of those that this execution met."""
        for new in self.asked:
            if scoped.is_here(self.scope, new.slot):
                return new.request
        waiting = (slot for slot in self.still_open if scoped.is_here(self.scope, slot))
        return next((self.questions[slot].request for slot in waiting), None)

    @property
    def steady(self) -> tuple[Slot, ...]:
        """The questions that had changed before, and that this execution met unchanged."""
        return tuple(
            slot
            for slot, question in self.questions.items()
            if question.changes and self._met.get(slot) == question.request.digest
        )

    @property
    def parks(self) -> bool:
        """The execution met a question that nobody has answered."""
        return bool(self.asked or self.still_open)

    def _placed(self, request: InterruptRequest, slot: Slot) -> InterruptRequest:
        return keyed(request, slot, request.group or self.group)

    def _raise_in(self, slot: Slot, request: InterruptRequest) -> None:
        known = self.questions.get(slot)
        self._meet(slot, request)
        if known is not None and known.request.digest == request.digest:
            self._refuse_or_wait(known)
        else:
            self._ask(slot, request, known)

    def _refuse_or_wait(self, known: Question) -> None:
        if known.response is not None:
            raise AnswerIgnoredError(known.request.id, known.request.reason)
        self.still_open.append(known.slot)

    def _meet(self, slot: Slot, request: InterruptRequest) -> None:
        if self._met.setdefault(slot, request.digest) != request.digest:
            raise InvalidRequestError(
                f"{request.reason!r}: another question of this step has the key {slot!r}; give each a key of its own"
            )

    def _ask(self, slot: Slot, request: InterruptRequest, before: Question | None) -> None:
        if any(new.slot == slot for new in self.asked):
            return
        changed = request.differences(before.request) if before else ()
        changes = before.changes + 1 if before else 0
        if changes >= MAX_CHANGES:
            raise UnstableQuestionError(request.reason, [difference.path for difference in changed])
        replaces = before.request.id if before else None
        self.asked.append(NewQuestion(slot=slot, request=request, replaces=replaces, changed=changed, changes=changes))

    def _refuse_new_order(self, slot: Slot, request: InterruptRequest, known: Question | None) -> None:
        """Refuse a question that stood in another place before; the same one may well be asked twice."""
        if not isinstance(slot, int):
            return
        for other in self.questions.values():
            if not isinstance(other.slot, int) or other.request.digest != request.digest:
                continue
            in_its_place = self._met.get(other.slot) == request.digest
            is_asked_again = known is None and other.slot > slot  # a retry forgot the answer
            if other.slot != slot and not in_its_place and not is_asked_again:
                raise QuestionOrderError(request.reason, other.slot, slot)
