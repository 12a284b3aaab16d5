"""`serve`: answer Slack and the queue, and carry on every run that has no live owner."""

from __future__ import annotations

import asyncio
import contextlib
import signal

import click

from spectra_bot import app
from spectra_bot.cli.exit_codes import ExitCode, Refusal
from spectra_bot.cli.logs import log_to_stderr
from spectra_bot.cli.options import Call, with_call
from spectra_bot.cli.output import stderr
from spectra_bot.cli.runners import refuse_missing_folder
from spectra_bot.settings import Settings


@click.command()
@click.option("--host", help="Where to listen over HTTP. [SPECTRA_HOST, 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="The port; 0 takes a free one. [SPECTRA_PORT, 3000]")
@with_call
def serve(call: Call, host: str | None, port: int | None) -> None:
    """Run the bot: answer Slack, a queue or both, and carry runs on.

    Slack over Socket Mode where SLACK_APP_TOKEN is set, else over HTTP with SLACK_SIGNING_SECRET. A queue where
    SPECTRA_REDIS_URL is set, without Slack too.

    Every run in the database that no live process owns is carried on. SIGTERM and Ctrl-C stop it cleanly.
    """
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = call.settings.model_copy(update=given)
    if settings.serves_slack:
        settings.slack()
    if settings.temporal() is None:
        refuse_missing_folder(settings.db)
    loaded = call.load()
    if not loaded.workflows:
        raise Refusal(
            "no workflows are named, so there is nothing to run: --workflows MODULE_OR_FILE or SPECTRA_WORKFLOWS",
            ExitCode.USAGE,
        )
    log_to_stderr(settings.log_level)
    asyncio.run(_until_stopped(app.Service(settings=settings, workflows=loaded.workflows)))


async def _until_stopped(service: app.Service) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C arrives as KeyboardInterrupt
            loop.add_signal_handler(number, stop.set)
    console = stderr()
    console.print(f"Workflows: {', '.join(workflow.name for workflow in service.workflows)}", soft_wrap=True)
    console.print(_place(service.settings), soft_wrap=True)
    await service.run(stop, ready=lambda where: console.print(f"Listening: {where}", soft_wrap=True))
    console.print("Stopped.")


def _place(settings: Settings) -> str:
    """Where the runs are, in words."""
    if settings.engine == "temporal":
        queue = settings.temporal_task_queue
        return f"Temporal: {settings.temporal_address}, namespace {settings.temporal_namespace}, task queue {queue}"
    return f"Database: {settings.db.absolute()}"
