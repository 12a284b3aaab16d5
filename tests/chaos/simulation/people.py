"""People who want something of the runs: they start, answer, repeat themselves, come late, delete, cancel and retry."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from random import Random
from typing import Any, Literal

from spectra_bot import (
    InterruptOption,
    InterruptRequest,
    InterruptResponse,
    InterruptStatus,
    RunResult,
    RunStatus,
    SpectraError,
    StoreError,
)
from spectra_bot.embedded import EmbeddedEngine
from tests.chaos.simulation.outside import Message, Outside, Told
from tests.chaos.simulation.process import Process

PATIENCE_S = 30.0
"""How long someone waits for what they are told."""
REMOVED = 0.08
"""How likely someone deletes a message."""
FROM_STEP = 0.4
"""How likely a failed run is retried from a finished step on."""
LOOK_S = 3.0
"""How often someone looks, once nothing fails any more, for what is still open."""
Call = Callable[[EmbeddedEngine], Awaitable[object]]


class People:
    """All who act from outside.

    Args:
        processes: those that live now.
        spawn: has something done in the world outside.
    """

    def __init__(
        self,
        *,
        outside: Callable[[], Outside],
        random: Random,
        processes: Callable[[], list[Process]],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._outside = outside
        self._random = random
        self._processes = processes
        self._spawn = spawn
        self._retries: dict[str, int] = {}
        self._closed: set[int] = set()
        self.busy = 0
        """How many of them have not done yet what they mean to do."""

    async def start(self, run_id: str, workflow: str) -> None:
        """Have a run started, however often it takes."""
        while (
            await self._ask("start", run_id, "starter", lambda engine: engine.start(workflow, {"n": 1}, run_id=run_id))
        ).outcome != "acked":
            await asyncio.sleep(self._random.uniform(0.1, 1.0))

    async def cancel(self, run_id: str) -> None:
        """Cancel a run at some moment."""
        await asyncio.sleep(self._random.uniform(0.1, 8))
        await self._insist("cancel", run_id, "canceller", lambda engine: engine.cancel(run_id, by="canceller"))

    def saw(self, message: Message) -> None:
        """A question stands in front of them: some decide what they will do about it."""
        random = self._random
        request = message.request
        if request.timeout is not None and random.random() < 0.3:
            return
        if random.random() < REMOVED:
            self.begin(self._remove(message))
        same_s = random.uniform(0.05, 6) if random.random() < 0.3 else None
        for _ in range(random.choice((1, 1, 2, 3)) if same_s is None else 3):
            by = f"slack:T1/U{random.randrange(3)}"
            response = request.answer(self._choice(request).id, responder=by)
            self.begin(self._click(message, by, response, same_s or random.uniform(0.05, 6)))
        if random.random() < 0.15:
            self.begin(self._click(message, "slack:T1/U0", self._nonsense(request), random.uniform(0.05, 3)))

    def heard(self, message: Message, result: RunResult) -> None:
        """They are told how a run ended; a failed one is retried, within reason."""
        run_id = result.run_id
        if result.status is RunStatus.FAILED and self._retries.get(run_id, 0) < 3:
            self._retries[run_id] = self._retries.get(run_id, 0) + 1
            self.begin(self._retry(run_id, self._step_of(result)))

    async def close_all(self) -> None:
        """Look again and again for what is still open, and decide it."""
        while True:
            await asyncio.sleep(LOOK_S)
            now = self._outside().now()
            for message in list(self._outside().messages):
                request = message.request
                patience_s = 25.0 if request.timeout is not None else 7.0
                if message.number not in self._closed and not message.is_removed and now - message.at > patience_s:
                    option = next(
                        (option for option in request.options if option.status is InterruptStatus.APPROVED),
                        request.options[0],
                    )
                    self._closed.add(message.number)
                    response = request.answer(option.id, responder="slack:T1/U0")
                    self.begin(self._click(message, "slack:T1/U0", response, 0.1))

    async def _remove(self, message: Message) -> None:
        """Delete a message; who meant to answer there finds it no more."""
        await asyncio.sleep(self._random.uniform(0, 6))
        self._outside().remove(message)

    async def _click(self, message: Message, by: str, response: InterruptResponse, wait_s: float) -> None:
        await asyncio.sleep(wait_s)
        if message.is_removed:
            return
        interrupt_id = message.request.id
        await self._insist("answer", interrupt_id, by, lambda engine: engine.answer(interrupt_id, response))
        if self._random.random() < 0.15:
            await asyncio.sleep(self._random.uniform(0, 4))
            await self._ask("answer", interrupt_id, by, lambda engine: engine.answer(interrupt_id, response))

    def _step_of(self, result: RunResult) -> str | None:
        """From where they have it retried: mostly from where it stopped, sometimes from a step that had finished."""
        finished = sorted(result.outputs)
        return self._random.choice(finished) if finished and self._random.random() < FROM_STEP else None

    async def _retry(self, run_id: str, from_step: str | None) -> None:
        await asyncio.sleep(self._random.uniform(0.1, 2))
        await self._insist("retry", run_id, "retrier", lambda engine: engine.retry(run_id, from_step, by="retrier"))

    async def _insist(self, what: Literal["answer", "cancel", "retry"], name: str, by: str, call: Call) -> None:
        """Ask until there is an answer that says something."""
        while (await self._ask(what, name, by, call)).outcome in ("failed", "unheard"):
            await asyncio.sleep(self._random.uniform(0.3, 2))

    async def _ask(self, what: Literal["start", "answer", "cancel", "retry"], name: str, by: str, call: Call) -> Told:
        """Ask one of the processes for something."""
        outside = self._outside()
        told = Told(what=what, name=name, by=by, at=outside.now())
        process, engine = self._someone()
        if process is None or engine is None:
            return told
        outside.told.append(told)

        async def asks() -> None:
            try:
                answer = await call(engine)
            except StoreError as error:
                told.outcome, told.error = "failed", error
            except SpectraError as error:
                told.outcome, told.error = "refused", error
            else:
                told.outcome = "acked"
                told.answer = answer if isinstance(answer, InterruptResponse) else None
            told.heard_at = outside.now()
            outside.note(what, name, by, told.outcome, process.life.name)

        loop = asyncio.get_running_loop()
        task = loop.create_task(asks(), context=process.context.copy())
        await asyncio.wait([task, process.gone], timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
        return told

    def _someone(self) -> tuple[Process | None, EmbeddedEngine | None]:
        able = [process for process in self._processes() if process.engine is not None]
        process = self._random.choice(able) if able else None
        return process, process.engine if process else None

    def _choice(self, request: InterruptRequest) -> InterruptOption:
        likely = [option for option in request.options if option.status is InterruptStatus.APPROVED]
        return self._random.choice(likely if likely and self._random.random() < 0.7 else request.options)

    def _nonsense(self, request: InterruptRequest) -> InterruptResponse:
        """An answer that must be refused."""
        status = self._random.choice((InterruptStatus.TIMED_OUT, InterruptStatus.APPROVED))
        option = "approve" if status is InterruptStatus.TIMED_OUT else "nothing like it"
        return InterruptResponse(status=status, option=option, interrupt_id=request.id, responder="slack:T1/U0")

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Have them do something in their own time."""
        self.busy += 1
        self._spawn(self._end_of(work))

    async def _end_of(self, work: Coroutine[Any, Any, None]) -> None:
        await work
        self.busy -= 1
