"""Processes that only take what people do, and others that only work, on Temporal."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from spectra_bot.demo.sample import make_sample
from spectra_bot.testing import FakeSlack
from tests.acceptance.cli.program import Program
from tests.acceptance.cli.test_serve import Serving, ended, posts, seen, settings
from tests.temporal_server import TemporalServer

WORKFLOWS = {"SPECTRA_WORKFLOWS": "spectra_bot.demo.release"}


SLOW = """
import asyncio
from pathlib import Path
from spectra_bot import Workflow

HERE = Path(__file__).parent
slow = Workflow("slow")

async def seen(name):
    while not (HERE / name).exists():
        await asyncio.sleep(0.01)

async def effect():
    with (HERE / "effects").open("a") as file:
        file.write("effect ")
    await seen("end of effect")

@slow.step
async def work(ctx):
    await ctx.once("effect", effect)
    await seen("heir")
"""


@pytest.fixture
def program(program_on_temporal: Program) -> Program:
    return program_on_temporal


@asynccontextmanager
async def process(program: Program, command: str, *words: str) -> AsyncIterator[Serving]:
    serving = Serving(program, *words, command=command)
    try:
        yield serving
    finally:
        serving.kill()


async def test_release_is_approved_where_one_process_listens_and_another_works(program: Program) -> None:
    source, target = make_sample(program.folder)
    async with FakeSlack() as slack:
        posting = settings(slack)
        program.env |= posting | {"SLACK_SIGNING_SECRET": slack.signing_secret}
        async with process(program, "serve", "--no-worker", "--port", "0") as listening:
            nobody = await listening.says("Warning: ")
            slack.app_url = (await listening.says(r"Listening: (http://\S+)"))[1]
            worker_env = {name: value for name, value in program.env.items() if name != "SLACK_SIGNING_SECRET"}
            async with process(Program(program.folder, worker_env), "worker") as working:
                await working.says("Working: asks people by Slack")

                await slack.command("/spectra", f"run release source={source} target={target}")
                (question,) = await seen(slack, lambda: posts(slack, "Release 4 files"))
                await slack.click(question, "Approve")
                await seen(slack, lambda: ended(slack, question))

                assert (target / "site/spring.html").is_file()
                assert await listening.stop(signal.SIGINT) == 0
                assert await working.stop(signal.SIGTERM) == 0
    assert nobody.string.strip().endswith(f"task queue {program.folder.name}: start `spectra-bot worker`")
    assert working.said[-1] == "Stopped."
    assert "Traceback" not in "\n".join([*working.said, *listening.said])


async def test_worker_of_a_build_that_is_not_current_says_so_with_the_command_that_mends_it(
    program: Program, temporal: TemporalServer
) -> None:
    program.env |= WORKFLOWS | {"SPECTRA_TEMPORAL_BUILD_ID": "v1", "SPECTRA_TEMPORAL_DEPLOYMENT": program.folder.name}
    async with process(program, "worker") as working:
        await working.says(f"build v1 of {program.folder.name}$")
        said = (await working.says("Warning: .* give it to them: temporal (.*)"))[1]
        while "set-current-version" not in (await asyncio.to_thread(program, "doctor")).out:
            await asyncio.sleep(0.1)
        await working.says("Working: asks nobody")
        done = await asyncio.to_thread(temporal.command, *said.split(), "--yes")
        while "somebody takes work" not in (now := await asyncio.to_thread(program, "doctor")).out:
            await asyncio.sleep(0.1)

    assert done.returncode == 0, done.stderr
    assert "Warning" not in now.err


async def test_worker_that_is_told_to_stop_lets_its_effect_end_and_leaves_its_step_to_another(program: Program) -> None:
    program.env["SPECTRA_WORKFLOWS"] = str(program.file("slow.py", SLOW))
    async with process(program, "worker") as working:
        await working.says("Working: ")
        running = asyncio.create_task(asyncio.to_thread(program, "run", "slow"))
        while not (program.folder / "effects").exists():
            await asyncio.sleep(0.01)
        stopping = asyncio.create_task(working.stop(signal.SIGTERM))
        program.file("end of effect", "")
        stopped = await stopping
    program.file("heir", "")
    async with process(program, "worker"):
        done = await running

    assert stopped == 0
    assert done.code == 0, done.err
    assert (program.folder / "effects").read_text() == "effect "


def test_worker_without_temporal_is_told_what_does_its_work(program: Program) -> None:
    del program.env["SPECTRA_ENGINE"]
    program.env |= WORKFLOWS

    worker = program("worker")
    serve = program("serve", "--no-worker")

    assert (worker.code, serve.code) == (2, 2)
    assert "a worker of its own is for Temporal (SPECTRA_ENGINE=temporal); on one machine `spectra-bot" in worker.err
    assert "--no-worker is for Temporal (SPECTRA_ENGINE=temporal); on one machine `spectra-bot" in serve.err


async def test_token_that_a_worker_posts_with_is_checked_before_it_works(program: Program) -> None:
    async with FakeSlack() as slack:
        program.env |= settings(slack, SLACK_BOT_TOKEN="xoxb-wrong")
        wrong = await asyncio.to_thread(program, "worker")
        del program.env["SLACK_BOT_TOKEN"]
        program.env["SLACK_APP_TOKEN"] = slack.app_token
        missing = await asyncio.to_thread(program, "worker")

    assert (wrong.code, "Slack refuses the bot token" in wrong.err) == (2, True)
    assert (missing.code, "SLACK_BOT_TOKEN is not set" in missing.err) == (2, True)
    assert "SLACK_SIGNING_SECRET" not in missing.err
    assert "Traceback" not in wrong.err + missing.err


async def test_doctor_of_a_host_that_only_works_misses_no_way_to_hear_of_clicks(program: Program) -> None:
    async with FakeSlack() as slack:
        program.env |= settings(slack)

        doctor = await asyncio.to_thread(program, "doctor")
        del program.env["SPECTRA_ENGINE"]
        on_one_machine = await asyncio.to_thread(program, "doctor")

    assert doctor.code == 0, doctor.out
    assert "`spectra-bot worker` needs neither" in doctor.out
    assert on_one_machine.code == 1
