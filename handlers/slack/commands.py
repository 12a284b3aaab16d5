"""The slash command: starts and steers runs, and tells in private what it did."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck

from handlers.slack.arguments import ArgumentsError, read_retry, read_start, words_of
from handlers.slack.doorkeeper import Doorkeeper
from handlers.slack.errors import DeliveryError
from handlers.slack.escape import code, escaped_line
from handlers.slack.following import Following
from handlers.slack.layout import Message
from handlers.slack.lists import (
    MOST_SHOWN,
    PendingLine,
    help_list,
    pending_list,
    problems,
    run_details,
    runs_list,
    started,
    words,
)
from handlers.slack.messages import Place
from handlers.slack.outcome import ENDS, MARKS
from handlers.slack.payloads import TypedCommand
from handlers.slack.whisper import Whispers
from handlers.slack.workspace import Workspace
from spectra_bot import (
    InterruptRequest,
    InvalidInputsError,
    InvalidWordError,
    NotRecordedError,
    Runner,
    RunNotFoundError,
    RunResult,
    RunStatus,
    SpectraError,
    Workflow,
    close_to,
    fitting_inputs,
)

logger = logging.getLogger(__name__)

_ACK_WITHIN_S = 1.5
_FOUND_WITHIN_S = 0.8
"""So that a list is there in time, without links to questions that can't be looked up."""
_NOT_RECORDED = (
    "⏳ This is not recorded yet: nobody could take it just now. It may still be taken. "
    "Look how the run stands in a minute, and type the same again if nothing changed."
)
_NOT_DONE = "⚠️ That did not work: something went wrong here. Nothing was changed that we know of; please try again."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reply:
    """What is told at once, and the run that was started."""

    message: Message
    started: str | None = None


class Commands:
    """The listener of the slash command. Each answer is seen by who typed it, and nobody else."""

    def __init__(
        self,
        *,
        runner: Runner,
        handler_name: str,
        workspace: Workspace,
        doorkeeper: Doorkeeper,
        whispers: Whispers,
        command: str,
    ) -> None:
        self._runner = runner
        self._handler_name = handler_name
        self._workspace = workspace
        self._doorkeeper = doorkeeper
        self._whispers = whispers
        self._following = Following(runner=runner, whispers=whispers, command=command)
        self._command = command
        self._verbs: dict[str, Callable[[TypedCommand, list[str]], Awaitable[Message | _Reply]]] = {
            "run": self._run,
            "help": self._help,
            "pending": self._pending,
            "runs": self._runs,
            "show": self._show,
            "cancel": self._cancel,
            "retry": self._retry,
        }

    async def obey(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """Do what was typed, and answer in the ack; later, where it takes longer than Slack waits."""
        typed = TypedCommand.read(body)
        work = asyncio.ensure_future(self._answer(typed))
        try:
            await asyncio.wait({work}, timeout=_ACK_WITHIN_S)
            if not work.done():
                await ack(text="⏳ Working on it …")
                await self._whispers.answer((await work).message, typed)
                return
        finally:
            work.cancel()
        reply = work.result()
        await ack(text=reply.message.text, blocks=list(reply.message.blocks) or None, response_type="ephemeral")
        if reply.started:
            await self._following.follow(typed, reply.started)

    async def _answer(self, typed: TypedCommand) -> _Reply:
        """What to tell; every failure is told in words."""
        extra = {"by": typed.person.identity, "channel": typed.channel}
        try:
            if stranger := await self._doorkeeper.refusal(typed.person):
                return _Reply(message=words(stranger))
            verb, *rest = words_of(typed.text) or ["help"]
            work = self._verbs.get(verb.lower())
            answer = await work(typed, rest) if work else self._unknown_verb(verb)
            return answer if isinstance(answer, _Reply) else _Reply(message=answer)
        except (ArgumentsError, InvalidWordError) as error:
            told = f"⚠️ {escaped_line(str(error), 500)}\nSee {code(f'{self._command} help')}"
        except NotRecordedError as error:
            logger.warning("command not recorded", extra={**extra, "run_id": error.run_id})
            told = _NOT_RECORDED
        except RunNotFoundError as error:
            logger.info("command refused", extra={**extra, "run_id": error.run_id, "why": type(error).__name__})
            told = f"⚠️ there is no run {code(error.run_id, 80)}; {code(f'{self._command} runs')} lists them"
        except SpectraError as error:
            logger.info("command refused", extra={**extra, "why": type(error).__name__})
            told = f"⚠️ {escaped_line(str(error), 1_000)}"
        except Exception:
            logger.exception("command failed", extra=extra)
            told = _NOT_DONE
        return _Reply(message=words(told))

    async def _run(self, typed: TypedCommand, rest: list[str]) -> _Reply:
        given = read_start(rest)
        workflow = self._workflow(given.workflow)
        try:
            run_id = await self._runner.start(
                workflow.name,
                fitting_inputs(workflow, given.texts, given.values),
                requested_by=typed.person.identity,
                channel=typed.channel or None,
            )
        except InvalidInputsError as error:
            told = problems("Not started: the inputs do not fit.", error.fields, workflow, self._command)
            return _Reply(message=told)
        return _Reply(message=started(run_id, workflow.name, self._command), started=run_id)

    async def _help(self, _typed: TypedCommand, rest: list[str]) -> Message:
        shown = [self._workflow(rest[0])] if rest else list(self._runner.workflows.values())
        return help_list(shown, self._command)

    def _workflow(self, name: str) -> Workflow:
        workflows = self._runner.workflows
        if name not in workflows:
            raise ArgumentsError(f"there is no workflow {name!r}; {_suggestion(name, workflows)}")
        return workflows[name]

    async def _pending(self, _typed: TypedCommand, _rest: list[str]) -> Message:
        requests = await self._runner.list_pending()
        lines = await asyncio.gather(*(self._line(request) for request in requests[:MOST_SHOWN]))
        return pending_list(lines, len(requests))

    async def _line(self, request: InterruptRequest) -> PendingLine:
        try:
            async with asyncio.timeout(_FOUND_WITHIN_S):
                record = await self._runner.get_interrupt(request.id)
        except (TimeoutError, SpectraError):
            return PendingLine(request=request)  # nobody carries it on just now, say
        for delivery in record.deliveries:
            place = Place.of(delivery.receipt)
            if delivery.handler == self._handler_name and place is not None:
                return PendingLine(request=request, link=await self._link(place))
        return PendingLine(request=request)

    async def _link(self, place: Place) -> str | None:
        try:
            return await self._workspace.link_to(place.channel, place.ts)
        except DeliveryError:
            return None

    async def _runs(self, _typed: TypedCommand, rest: list[str]) -> Message:
        status: RunStatus | None = None
        workflow: str | None = None
        for word in rest:
            if word.lower() in list(RunStatus):
                status = RunStatus(word.lower())
            elif word in self._runner.workflows:
                workflow = word
            else:
                known = [*RunStatus, *self._runner.workflows]
                raise ArgumentsError(f"{word!r} is no status and no workflow; {_suggestion(word, known)}")
        runs = await self._runner.list_runs(status=status, workflow=workflow, limit=MOST_SHOWN + 1)
        what = " ".join(escaped_line(word, 80) for word in (workflow, status) if word)
        return runs_list(runs, f"{what} " if what else "")

    async def _show(self, _typed: TypedCommand, rest: list[str]) -> Message:
        return run_details(await self._runner.get(_run_id(rest, "show")), self._command)

    async def _cancel(self, typed: TypedCommand, rest: list[str]) -> Message:
        run_id = _run_id(rest[:1], "cancel")
        return words(_now(await self._runner.cancel(run_id, by=typed.person.identity, reason=" ".join(rest[1:]))))

    async def _retry(self, typed: TypedCommand, rest: list[str]) -> Message:
        given = read_retry(rest)
        return words(_now(await self._runner.retry(given.run_id, given.from_step, by=typed.person.identity)))

    def _unknown_verb(self, verb: str) -> Message:
        about = f"⚠️ {code(verb, 80)} is no command; {escaped_line(_suggestion(verb, self._verbs), 300)}"
        return help_list(self._runner.workflows.values(), self._command, about=about)


def _run_id(rest: list[str], verb: str) -> str:
    if len(rest) != 1:
        raise ArgumentsError(f"name one run: {verb} RUN; `runs` lists them")
    return rest[0]


def _now(result: RunResult) -> str:
    return f"{MARKS[result.status]} Run {code(result.run_id)} of {code(result.workflow)} {ENDS[result.status]}."


def _suggestion(word: str, known: Iterable[str]) -> str:
    names = list(known)
    meant = close_to(word, names)
    return f"did you mean {meant}?" if meant else f"choose one of: {', '.join(names) or 'none is there'}"
