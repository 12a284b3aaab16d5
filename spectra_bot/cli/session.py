"""A run that someone at this terminal takes part in: asked, shown its progress, told its end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from spectra_bot import app
from spectra_bot.cli.commands_to_type import CommandsToType
from spectra_bot.cli.exit_codes import ExitCode, Refusal
from spectra_bot.cli.following import Follower, until_rest
from spectra_bot.cli.options import Call
from spectra_bot.cli.outcome import tell
from spectra_bot.cli.output import has_terminal, stderr
from spectra_bot.cli.progress import Progress
from spectra_bot.cli.runners import opened
from spectra_bot.errors import StoreError
from spectra_bot.interrupts import IInterruptHandler
from spectra_bot.loading import Loaded
from spectra_bot.runner import Runner
from spectra_bot.runs import RunResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What a command needs to work on a run to its end."""

    call: Call
    loaded: Loaded
    asks_elsewhere: bool = True
    """Where Slack or a queue is set up, questions go there first."""

    @property
    def commands(self) -> CommandsToType:
        """Commands for this database and these workflows."""
        return CommandsToType(db=self.call.settings.database, places=self.loaded.places)

    async def work(
        self, begin: Callable[[Runner], Awaitable[str]], *, creates: bool = False, asks: bool = True
    ) -> RunResult:
        """Begin something, stay with its run, and tell how it stands then.

        Args:
            begin: starts or steers a run and returns its id.
            creates: a database that is not there yet is made.
            asks: ask in the terminal, where there is one and the runs are on this machine.
        """
        console = stderr()
        progress, follower = Progress(console), Follower()
        prompt = None
        # On Temporal handlers are at work where the workers are, and none of those sits at this terminal.
        if asks and has_terminal() and self.call.settings.engine == "embedded":
            terminal = app.Terminal(
                console=console,
                on_left=follower.left,
                while_asking=progress.paused,
            )
            prompt = app.make_terminal_handler(terminal)
        async with AsyncExitStack() as stack:
            elsewhere: list[IInterruptHandler] = []
            if self.asks_elsewhere:
                elsewhere = await stack.enter_async_context(app.handlers_elsewhere(self.call.settings))
            runner = await stack.enter_async_context(
                opened(
                    self.call,
                    workflows=self.loaded.workflows,
                    handlers=[*elsewhere, *([prompt] if prompt else [])],
                    listeners=[progress, follower],
                    creates=creates,
                )
            )
            try:
                run_id = await begin(runner)
                try:
                    if prompt is None:
                        result = await until_rest(runner, run_id)
                    else:
                        result = await follower.follow(runner, run_id, on_stop=prompt.close)
                except StoreError as error:
                    raise self._not_followed(run_id, error) from error
            finally:
                progress.stop()
            await tell(runner, result, self.commands, as_json=self.call.as_json, questions=prompt is None)
            return result

    def _not_followed(self, run_id: str, error: StoreError) -> Exception:
        """What was begun is stored; on Temporal it goes on without us, when somebody takes it up."""
        if self.call.settings.engine != "temporal":
            return error
        look = self.commands.of("show", run_id, with_workflows=False)
        return Refusal(f"that is stored, but {error}; to look later: {look}", ExitCode.WAITING)
