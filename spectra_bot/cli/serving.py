"""`serve` and `worker`: take what people do in Slack and in the queue, carry runs on, or both."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable

import click

from spectra_bot import app
from spectra_bot.cli.exit_codes import ExitCode, Refusal
from spectra_bot.cli.logs import log_to_stderr
from spectra_bot.cli.options import Call, with_call
from spectra_bot.cli.output import stderr, warn
from spectra_bot.cli.process import STOP_S, end_within
from spectra_bot.cli.runners import refuse_embedded, refuse_missing_folder
from spectra_bot.settings import Settings


@click.command()
@click.option("--host", help="Where to listen over HTTP. [SPECTRA_HOST, 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="The port; 0 takes a free one. [SPECTRA_PORT, 3000]")
@click.option("--no-worker", "only_listens", is_flag=True, help="On Temporal: leave the runs to `spectra-bot worker`.")
@with_call
def serve(call: Call, host: str | None, port: int | None, only_listens: bool) -> None:
    """Run the bot: answer Slack, a queue or both, and carry runs on.

    Slack over Socket Mode where SLACK_APP_TOKEN is set, else over HTTP with SLACK_SIGNING_SECRET. A queue where
    SPECTRA_REDIS_URL is set, without Slack too.

    Every run in the database that no live process owns is carried on, or on Temporal every run of the task queue.
    SIGTERM and Ctrl-C stop it cleanly.
    """
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = call.settings.model_copy(update=given)
    if only_listens:
        refuse_embedded(settings, "--no-worker")
    if settings.serves_slack:
        settings.slack()
    _run(call, settings, lambda where: f"Listening: {where}", works=not only_listens)


@click.command()
@with_call
def worker(call: Call) -> None:
    """Carry runs on in Temporal: their steps, and what is posted to people.

    Any number work, on any host, with the same workflows and settings. Of Slack it needs SLACK_BOT_TOKEN to post; what
    people do there is taken by `spectra-bot serve`.

    SIGTERM and Ctrl-C stop it cleanly.
    """
    refuse_embedded(call.settings, "a worker of its own")
    call.settings.slack_posting()
    _run(call, call.settings, _asking, listens=False)


def _asking(places: str) -> str:
    if places:
        return f"Working: asks people by {places}"
    return "Working: asks nobody, without SLACK_BOT_TOKEN and SPECTRA_REDIS_URL; `spectra-bot answer` answers"


def _run(
    call: Call, settings: Settings, ready: Callable[[str], str], *, listens: bool = True, works: bool = True
) -> None:
    if settings.temporal() is None:
        refuse_missing_folder(settings.db)
    loaded = call.load()
    if not loaded.workflows:
        raise Refusal(
            "no workflows are named, so there is nothing to run: --workflows MODULE_OR_FILE or SPECTRA_WORKFLOWS",
            ExitCode.USAGE,
        )
    log_to_stderr(settings.log_level)
    service = app.Service(settings=settings, workflows=loaded.workflows, listens=listens, works=works)
    asyncio.run(_until_stopped(service, ready))


async def _until_stopped(service: app.Service, ready: Callable[[str], str]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop_it() -> None:
        stop.set()
        if "temporalio" in sys.modules:
            end_within(STOP_S)

    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C arrives as KeyboardInterrupt
            loop.add_signal_handler(number, stop_it)
    console = stderr()
    console.print(f"Workflows: {', '.join(workflow.name for workflow in service.workflows)}", soft_wrap=True)
    console.print(_place(service.settings, works=service.works), soft_wrap=True)
    await service.run(stop, ready=lambda where: console.print(ready(where), soft_wrap=True), warn=warn)
    console.print("Stopped.")


def _place(settings: Settings, *, works: bool) -> str:
    """Where the runs are, in words."""
    if settings.engine == "embedded":
        return f"Database: {settings.db.absolute()}"
    where = f"{settings.temporal_address}, namespace {settings.temporal_namespace}"
    has_build = works and settings.temporal_build_id is not None
    build = f", build {settings.temporal_build_id} of {settings.temporal_deployment}" if has_build else ""
    return f"Temporal: {where}, task queue {settings.temporal_task_queue}{build}"
