"""The queue as an operator meets it: what the README says of it, `serve`, `doctor`, and a missing extra."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from handlers.queue.answers import CLAIM_AFTER
from handlers.queue.entries import Refusal
from handlers.queue.handler import KEPT
from spectra_bot.demo.sample import make_sample
from spectra_bot.testing import FakeSlack
from tests.acceptance.cli.program import TIMEOUT_S, Program
from tests.acceptance.cli.test_readme import README, blocks, rows
from tests.acceptance.cli.test_serve import Serving, posts, seen, settings
from tests.redis_server import Peer, RedisServer


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


@pytest.fixture
def newcomer(program: Program) -> Program:
    program.file("deploy.py", blocks("python")[0])
    return program


@asynccontextmanager
async def serving(program: Program) -> AsyncIterator[Serving]:
    started = Serving(program, "--port", "0")
    try:
        yield started
    finally:
        started.kill()


def written(kind: str) -> Any:
    """The README's example of an entry; an answer has no type."""
    examples = [json.loads(block) for block in blocks("json")]
    (found,) = [example for example in examples if example.get("type", "answer") == kind]
    return found


def shape(value: Any) -> Any:
    """The names and kinds in an entry; a null is of any kind."""
    match value:
        case dict():
            return {name: shape(item) for name, item in value.items()}
        case list():
            return [shape(item) for item in value[:1]]
        case str() if re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", value):
            return "a moment"
        case _:
            return type(value).__name__


def entry_of(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name not in ("id", "original")}


async def test_entries_are_as_the_readme_shows_them(newcomer: Program, redis: RedisServer, peer: Peer) -> None:
    newcomer.env |= {"SPECTRA_REDIS_URL": redis.url, "SPECTRA_WORKFLOWS": "deploy.py"}
    run = await asyncio.to_thread(newcomer, "run", "deploy", "env=prod", "replicas=3")
    assert run.code == 3, run.err
    async with serving(newcomer) as server:
        await server.says("Listening: the stream spectra:answers of Redis at 127.0.0.1:")
        (request,) = await peer.requests()
        answer = {**written("answer"), "interrupt_id": request["interrupt_id"]}

        await peer.write(json.dumps(answer))
        settled = await peer.end(request["interrupt_id"])
        refused = await peer.refused(await peer.write(json.dumps({**answer, "option": "reject"})))

        assert await server.stop(signal.SIGTERM) == 0
    example = written("request")
    as_asked = entry_of(request)
    assert as_asked["options"][0] == example["options"][0]
    assert as_asked["reason"] == example["reason"]
    assert as_asked["data"] == example["data"]
    # The question is started in a terminal here, and in Slack there.
    assert shape(as_asked) == shape(example)
    assert shape(entry_of(settled)) == shape(written("settled"))
    assert settled["status"] == written("settled")["status"]
    assert settled["responder"] == written("settled")["responder"]
    assert shape(entry_of(refused)) == shape(written("set_aside"))
    assert refused["refusal"] == written("set_aside")["refusal"]
    assert json.loads(refused["original"]) == {**answer, "option": "reject"}


async def test_example_from_python_asks_and_listens(redis: RedisServer, peer: Peer, newcomer: Program) -> None:
    (example,) = [block for block in blocks("python") if "serve_queue" in block]
    imports, _, body = example.partition("\n\n")
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    own = "import asyncio\nfrom deploy import deploy\nfrom spectra_bot import WorkflowRunner\n"
    program = f"{own}{imports}\nasync def main():\n{lines}\nasyncio.run(main())\n"
    place = newcomer.file("own.py", program.replace("redis://localhost:6379", redis.url))

    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, str(place)],
        cwd=newcomer.folder,
        env=newcomer.env,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert [request["step"] for request in await peer.requests()] == ["approve"]


def test_every_refusal_has_its_row() -> None:
    assert [row[0] for row in rows("### The queue's entries")] == [refusal.value for refusal in Refusal]


def test_figures_are_as_the_readme_tells_them() -> None:
    said = " ".join(README.split())

    assert f"About {KEPT:,} of the newest entries" in said
    assert f"by another within {CLAIM_AFTER.total_seconds() * 4 / 3:.0f} seconds" in said


async def test_server_asks_in_slack_and_through_the_queue(program: Program, redis: RedisServer, peer: Peer) -> None:
    source, target = make_sample(program.folder)
    async with FakeSlack() as slack:
        program.env |= settings(slack, SLACK_SIGNING_SECRET=slack.signing_secret, SPECTRA_REDIS_URL=redis.url)
        async with serving(program) as server:
            slack.app_url = (await server.says(r"Listening: (http://\S+) and the stream spectra:answers"))[1]
            await slack.command("/spectra", f"run release source={source} target={target}")
            (question,) = await seen(slack, lambda: posts(slack, "Release 4 files"))

            await peer.answer((await peer.seen(peer.requests, bool))["interrupt_id"])
            await seen(slack, lambda: "queue:spectra:answers" in slack.message("C1", question.ts).shown)

            await seen(slack, (target / "site/spring.html").is_file)
            assert await server.stop(signal.SIGTERM) == 0
    assert "Traceback" not in "\n".join(server.said)


async def test_server_waits_for_a_redis_that_is_away(program: Program, redis: RedisServer, peer: Peer) -> None:
    redis.kill()
    program.env |= {"SPECTRA_REDIS_URL": redis.url, "SPECTRA_WORKFLOWS": "spectra_bot.demo.release"}
    async with serving(program) as server:
        await server.says("Listening: the stream")
        redis.start()

        await peer.write("poison")

        assert (await peer.seen(peer.set_aside, bool))["refusal"] == "not_json"
        assert await server.stop(signal.SIGTERM) == 0


def test_doctor_says_how_the_queue_stands(program: Program, redis: RedisServer) -> None:
    without = program("doctor")
    program.env["SPECTRA_REDIS_URL"] = redis.url
    well = program("doctor")
    program.env["SPECTRA_REDIS_REQUESTS"] = "spectra:answers"
    twice = program("doctor")
    redis.kill()
    del program.env["SPECTRA_REDIS_REQUESTS"]
    away = program("doctor")

    assert "SPECTRA_REDIS_URL is not set" in without.out
    assert (well.code, "answers come from spectra:answers" in well.out) == (0, True)
    assert (twice.code, "need a stream each" in twice.out) == (1, True)
    assert (away.code, "Redis can't be reached at 127.0.0.1:" in away.out) == (1, True)


def test_address_that_is_none_stops_the_server_and_is_not_shown(program: Program) -> None:
    program.env |= {"SPECTRA_REDIS_URL": "http://:hidden@host", "SPECTRA_WORKFLOWS": "spectra_bot.demo.release"}

    done = program("serve")

    assert (done.code, "SPECTRA_REDIS_URL is no address of a Redis" in done.err) == (2, True)
    assert "redis://HOST:PORT, rediss://HOST:PORT or unix:///PATH is needed" in done.err
    assert "USER:PASSWORD@ stands before the host" in done.err
    assert "hidden" not in done.err


def test_missing_extra_is_told_with_the_command_that_installs_it(program: Program) -> None:
    absent = program.folder / "absent" / "redis"
    absent.mkdir(parents=True)
    (absent / "__init__.py").write_text("raise ModuleNotFoundError('no redis here', name='redis')\n")
    program.env["PYTHONPATH"] = f"{absent.parent}:{program.env['PYTHONPATH']}"
    program.env |= {
        "SPECTRA_REDIS_URL": "redis://localhost",
        "SPECTRA_WORKFLOWS": "spectra_bot.demo.release",
    }

    served = program("serve")
    doctor = program("doctor")

    installs = "-m pip install 'spectra-bot[redis]'"
    assert (served.code, installs in served.err) == (2, True)
    assert (doctor.code, installs in doctor.out) == (1, True)
