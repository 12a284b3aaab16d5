"""Runs of the pure machine without an engine: events made by hand, or by chance."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from pydantic import JsonValue

from spectra_bot import (
    DefinitionError,
    HumanGateStep,
    InterruptRequest,
    InterruptResponse,
    InterruptStatus,
    RunStatus,
    StepContext,
    Workflow,
)
from spectra_bot.graph import Shape
from spectra_bot.machine import (
    ArmTimer,
    Command,
    Conclude,
    Deliver,
    JudgeBack,
    JudgeWhen,
    Phase,
    Redeliver,
    RetryLater,
    RunState,
    RunStep,
    Settle,
    StaleEvent,
    apply,
    start,
    todo,
)
from spectra_bot.machine import events as e
from spectra_bot.steps import TIMEOUT_ROUTE

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
STEADY = settings(derandomize=True, deadline=None, database=None)
"""The same examples in each run, so that a failure here is a failure everywhere."""
STATUS_OF = {
    "approve": InterruptStatus.APPROVED,
    "reject": InterruptStatus.REJECTED,
    "modify": InterruptStatus.ANSWERED,
}


async def nothing(ctx: StepContext) -> None:
    """A step that does nothing; the machine never calls it."""


def always(ctx: StepContext) -> bool:
    """A condition; the machine never calls it."""
    return True


def gate(*options: str, **routes: str) -> HumanGateStep:
    """A gate with these options and routes."""
    return HumanGateStep("Go on?", options or ("approve", "reject"), routes=routes)


class Driven:
    """A run that is driven by hand; it keeps its events, so that they can be played again."""

    def __init__(self, shape: Shape | Workflow) -> None:
        self.shape = shape.shape() if isinstance(shape, Workflow) else shape
        self.now = NOW
        first = e.RunStarted(at=NOW, run_id="r-1", workflow="w", shape=self.shape, inputs={})
        self.events: list[e.Event] = [first]
        self.state = start(first)

    def apply(self, event: e.Event) -> RunState:
        self.state = apply(self.state, event)
        self.events.append(event)
        return self.state

    def tick(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now

    def visit(self, step: str) -> int:
        return self.state.nodes[step].visit

    def complete(self, step: str, output: str | None = None, *, option: str | None = None) -> RunState:
        return self.apply(
            e.StepCompleted(at=self.tick(), step=step, visit=self.visit(step), output=output, option=option)
        )

    def fail(self, step: str, error: str = "it broke") -> RunState:
        return self.apply(e.StepFailed(at=self.tick(), step=step, visit=self.visit(step), error=error))

    def skip(self, step: str) -> RunState:
        return self.apply(e.StepSkipped(at=self.tick(), step=step, visit=self.visit(step)))

    def judge_when(self, step: str, verdict: bool) -> RunState:
        return self.apply(e.WhenJudged(at=self.tick(), step=step, visit=self.visit(step), verdict=verdict))

    def judge_back(self, step: str, to: str | None) -> RunState:
        return self.apply(e.BackJudged(at=self.tick(), step=step, visit=self.visit(step), to=to))

    def ask(
        self, step: str, slot: str | int = 0, reason: str = "Go on?", *, replaces: str | None = None, changes: int = 0
    ) -> str:
        """The id of a question that the step asks."""
        at = self.tick()
        request = InterruptRequest(reason=reason, options=tuple(STATUS_OF), timeout=timedelta(hours=1))
        interrupt_id = f"i-{len(self.state.interrupts) + 1}"
        request = request.model_copy(
            update={
                "id": interrupt_id,
                "run_id": "r-1",
                "step": step,
                "created_at": at,
                "deadline": at + timedelta(hours=1),
                "digest": request.content_digest(),
                "replaces": replaces,
            }
        )
        self.apply(
            e.InterruptRaised(at=at, step=step, visit=self.visit(step), slot=slot, request=request, changes=changes)
        )
        return interrupt_id

    def answer(self, interrupt_id: str, option: str = "approve") -> RunState:
        at = self.tick()
        response = InterruptResponse(
            status=STATUS_OF[option], option=option, interrupt_id=interrupt_id, responded_at=at, responder="cli:ada"
        )
        return self.apply(e.InterruptAnswered(at=at, interrupt_id=interrupt_id, response=response))

    def expire(self, interrupt_id: str) -> RunState:
        return self.apply(e.InterruptExpired(at=self.tick(), interrupt_id=interrupt_id))

    def cancel(self) -> RunState:
        return self.apply(e.RunCancelled(at=self.tick(), by="cli:ada", reason="no longer wanted"))

    def err(self, step: str, pause: timedelta = timedelta(seconds=10)) -> RunState:
        at = self.tick()
        error = f"attempt {self.state.nodes[step].errors + 1}"
        return self.apply(e.StepErrored(at=at, step=step, visit=self.visit(step), error=error, until=at + pause))

    def retry_step(self, step: str) -> RunState:
        return self.apply(e.StepRetried(at=self.tick(), step=step, visit=self.visit(step)))

    def retry(self, from_step: str | None = None) -> RunState:
        return self.apply(e.RunRetried(at=self.tick(), by="cli:ada", from_step=from_step))

    def phases(self) -> dict[str, Phase]:
        return {name: node.phase for name, node in self.state.nodes.items()}

    def commands(self) -> list[Command]:
        return todo(self.state)


@st.composite
def workflows(draw: st.DrawFn) -> Workflow:
    """Any legal workflow of one to seven steps: chains, branches, joins, conditions, gates, ways back."""
    names = [f"s{index}" for index in range(draw(st.integers(1, 7)))]
    afters = [
        draw(st.none() | st.lists(st.sampled_from(names[:index]), unique=True, max_size=3)) if index else None
        for index in range(len(names))
    ]
    whens = [draw(st.integers(0, 3)) == 0 for _ in names]
    routes: list[dict[str, str] | None] = [
        draw(
            st.none()
            | st.dictionaries(
                st.sampled_from(("modify", "reject", "approve", TIMEOUT_ROUTE)), st.sampled_from(names), max_size=3
            )
        )
        for _ in names
    ]
    backs = draw(st.lists(st.tuples(st.sampled_from(names), st.sampled_from(names)), max_size=3))

    def built(*, with_routes: bool, with_backs: bool, with_afters: bool) -> Workflow:
        workflow = Workflow("w")
        for name, after, when, routed in zip(names, afters, whens, routes, strict=True):
            taken = routed if with_routes and routed is not None else {}
            options = ("approve", "reject", "modify") if "modify" in taken else ("approve", "reject")
            step = nothing if routed is None else HumanGateStep("Go on?", options, routes=taken)
            workflow.add(name, step, after=after if with_afters else None, when=always if when else None)
        for step_name, to in backs if with_backs else ():
            workflow.back(step_name, to=to, when=always)
        return workflow

    for with_afters in (True, False):
        for with_routes, with_backs in ((True, True), (True, False), (False, True)):
            workflow = built(with_routes=with_routes, with_backs=with_backs, with_afters=with_afters)
            try:
                workflow.shape()
            except DefinitionError:
                continue
            return workflow
    return built(with_routes=False, with_backs=False, with_afters=False)


def outcome(run: Driven, command: Command, rng: Random) -> e.Event:
    """An event that carries a command out, by chance; with a clean engine's knowledge of the run and no more."""
    state, at = run.state, run.tick()
    match command:
        case RunStep(step, visit):
            return _execution(state, step, visit, at, rng)
        case JudgeWhen(step, visit):
            if rng.random() < 0.04:
                return e.StepFailed(at=at, step=step, visit=visit, error="when= raised")
            return e.WhenJudged(at=at, step=step, visit=visit, verdict=rng.random() < 0.7)
        case JudgeBack(step, visit):
            if rng.random() < 0.04:
                return e.StepFailed(at=at, step=step, visit=visit, error="back() raised")
            to = rng.choice(state.shape.by_name[step].backs) if rng.random() < 0.5 else None
            return e.BackJudged(at=at, step=step, visit=visit, to=to)
        case RetryLater(step, visit):
            return e.StepRetried(at=at, step=step, visit=visit)
        case Deliver(interrupt_id):
            if rng.random() < 0.5:
                return answered(interrupt_id, at, rng)
            receipt: dict[str, JsonValue] | None = None if rng.random() < 0.3 else {"ts": at.timestamp()}
            return e.InterruptDelivered(
                at=at, interrupt_id=interrupt_id, handler=rng.choice(("a", "b")), receipt=receipt
            )
        case Redeliver(interrupt_id, handler):
            return e.InterruptDelivered(
                at=at, interrupt_id=interrupt_id, handler=handler, receipt={"ts": at.timestamp()}
            )
        case ArmTimer(interrupt_id, _):
            return e.InterruptExpired(at=at, interrupt_id=interrupt_id)
        case Settle(interrupt_id, handler):
            return e.InterruptSettled(at=at, interrupt_id=interrupt_id, handler=handler)
        case Conclude(_, handler):
            return e.RunConcluded(at=at, handler=handler)


def answered(interrupt_id: str, at: datetime, rng: Random) -> e.InterruptAnswered:
    """An answer that somebody gives."""
    option, status = rng.choice(list(STATUS_OF.items()))
    response = InterruptResponse(
        status=status, option=option, interrupt_id=interrupt_id, responded_at=at, data={"by": rng.random()}
    )
    return e.InterruptAnswered(at=at, interrupt_id=interrupt_id, response=response)


def lost(run: Driven, interrupt_id: str, handler: str) -> e.DeliveryLost:
    """The loss of what a handler delivered last, or of what it never did."""
    interrupt = run.state.interrupts.get(interrupt_id)
    delivery = interrupt.deliveries.get(handler) if interrupt else None
    receipt: dict[str, JsonValue] = {"ts": "never"}
    if delivery is not None and delivery.receipt is not None:
        receipt = dict(delivery.receipt)
    return e.DeliveryLost(at=run.tick(), interrupt_id=interrupt_id, handler=handler, receipt=receipt)


def interference(run: Driven, rng: Random) -> e.Event:
    """An event that nobody's command asked for: from outside, late, twice, or of what is not there."""
    at = run.tick()
    steps = list(run.state.nodes)
    step = rng.choice([*steps, "gone"])
    visit = rng.randint(1, 3)
    interrupt_id = rng.choice([*run.state.interrupts, "i-gone"])
    if run.state.status is RunStatus.FAILED and rng.random() < 0.5:
        return e.RunRetried(at=at, from_step=rng.choice([None, step]))
    match rng.randrange(42):
        case 0:
            return e.RunCancelled(at=at, by="cli:ada")
        case 1 | 2:
            return e.RunRetried(at=at)
        case 3 | 11:
            return e.RunRecovered(at=at, steps=[step, rng.choice(steps)])
        case 4 | 12 | 13 | 14:
            return e.OnceStored(at=at, step=step, visit=visit, key=rng.choice("ab"), value={"n": rng.randint(0, 9)})
        case 5:
            return e.StepCompleted(at=at, step=step, visit=visit, option=rng.choice([None, *STATUS_OF]))
        case 6:
            return e.StepFailed(at=at, step=step, visit=visit, error="late")
        case 7:
            return e.BackJudged(at=at, step=step, visit=visit, to=rng.choice([None, "gone", *steps]))
        case 8:
            return answered(interrupt_id, at, rng)
        case 9:
            return e.InterruptExpired(at=at, interrupt_id=interrupt_id)
        case 10:
            return e.RunConcluded(at=at, handler="a")
        case 15:
            return e.StepRetried(at=at, step=step, visit=visit)
        case 16:
            return e.StepErrored(at=at, step=step, visit=visit, error="late", until=at)
        case 17 | 18 | 19:
            return lost(run, interrupt_id, rng.choice("ab"))
        case _:
            return rng.choice([event for event in run.events if not isinstance(event, e.RunRecovered)])  # once more


def attempt(run: Driven, event: e.Event) -> bool:
    """Apply an event; False where it came too late."""
    try:
        run.apply(event)
    except StaleEvent:
        return False
    return True


def _execution(state: RunState, step: str, visit: int, at: datetime, rng: Random) -> e.Event:
    chance = rng.random()
    if chance < 0.06:
        return e.StepFailed(at=at, step=step, visit=visit, error="it broke")
    if chance < 0.09:
        until = at + timedelta(seconds=rng.randint(0, 60))
        return e.StepErrored(at=at, step=step, visit=visit, error="it broke", until=until)
    if chance < 0.13:
        return e.StepSkipped(at=at, step=step, visit=visit)
    if chance < 0.35:
        slot = rng.choice((0, 1, "1", "key"))
        before = state.nodes[step].slots.get(slot)
        request = InterruptRequest(
            reason=f"Question {slot}?",
            data={"plan": [1.5, None, {"ä": "🚀"}]},
            options=tuple(STATUS_OF),
            timeout=timedelta(hours=1),
            default_option=rng.choice((None, "approve")),
        )
        request = request.model_copy(
            update={
                "id": f"i-{len(state.interrupts) + 1}",
                "deadline": at + timedelta(hours=1) if rng.random() < 0.5 else None,
                "digest": request.content_digest(),
                "replaces": before,
            }
        )
        return e.InterruptRaised(at=at, step=step, visit=visit, slot=slot, request=request, changes=1 if before else 0)
    options = [route.option for route in state.shape.by_name[step].routes]
    return e.StepCompleted(
        at=at, step=step, visit=visit, output={"at": at.isoformat()}, option=rng.choice([None, "approve", *options])
    )
