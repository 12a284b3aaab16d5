"""Redis goes away and comes back, and processes die; no answer is lost and none counts twice."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from handlers.queue import PublishError, QueueHandler, QueueSetupError, open_queue, serve_queue
from handlers.queue.entries import Refusal, RefusedAnswer
from handlers.queue.group import AnswerGroup
from spectra_bot import RunStatus, WorkflowRunner
from tests.integration.queue.bot import a_bot
from tests.redis_server import Peer, RedisServer, a_redis, eventually
from tests.unit.handlers.questions import question

TIMEOUT_S = 20
SOON = timedelta(seconds=1)


async def finished(runner: WorkflowRunner, run_id: str) -> None:
    result = await asyncio.wait_for(runner.wait(run_id, over=True), TIMEOUT_S)
    assert result.status is RunStatus.COMPLETED


async def is_read(peer: Peer) -> bool:
    """Some entry is pending for a consumer."""
    groups = await peer.client.xinfo_groups("spectra:answers")
    return any(group["pending"] for group in groups)


async def is_listened_to(peer: Peer) -> bool:
    """A consumer waits for the next answer."""
    return bool([client for client in await peer.client.client_list() if client["cmd"] == "xreadgroup"])


async def test_question_is_published_when_redis_comes_back(redis: RedisServer, peer: Peer, tmp_path: Path) -> None:
    redis.kill()
    async with a_bot(redis, tmp_path / "s.db") as runner:
        (request,) = (await runner.run("asking")).pending
        (record,) = (await runner.get_interrupt(request.id)).deliveries

        redis.start()
        await peer.request(request.id)
        await peer.answer(request.id)

        await finished(runner, request.run_id)
    assert "Redis can't be reached" in str(record.last_error)
    assert len(await peer.requests()) == 1


async def test_answer_is_taken_after_redis_died_between_question_and_answer(
    redis: RedisServer, peer: Peer, tmp_path: Path
) -> None:
    async with a_bot(redis, tmp_path / "s.db") as runner:
        (request,) = (await runner.run("asking")).pending
        await peer.request(request.id)

        redis.kill()
        redis.start()
        await peer.answer(request.id)

        await finished(runner, request.run_id)
        await peer.end(request.id)
    assert len(await peer.requests()) == 1


async def test_redis_dies_again_and_again_while_it_is_read(redis: RedisServer, peer: Peer, tmp_path: Path) -> None:
    async with a_bot(redis, tmp_path / "s.db") as runner:
        for _ in range(3):
            await eventually(lambda: is_listened_to(peer))
            redis.kill()
            redis.start()

            (request,) = (await runner.run("asking")).pending
            await peer.answer(request.id)
            await finished(runner, request.run_id)


async def test_connections_that_are_dropped_are_made_anew(redis: RedisServer, peer: Peer, tmp_path: Path) -> None:
    async with a_bot(redis, tmp_path / "s.db") as runner:
        (request,) = (await runner.run("asking")).pending
        for _ in range(5):
            await eventually(lambda: is_listened_to(peer))
            await peer.client.client_kill_filter(_type="normal", skipme=True)

        await peer.answer(request.id)

        await finished(runner, request.run_id)


async def test_redis_that_lost_everything_is_set_up_again(redis: RedisServer, peer: Peer, tmp_path: Path) -> None:
    async with a_bot(redis, tmp_path / "s.db") as runner:
        (request,) = (await runner.run("asking")).pending
        await peer.request(request.id)
        await peer.client.flushall()

        await peer.answer(request.id)

        await finished(runner, request.run_id)


async def test_answer_is_stored_while_its_redis_dies_and_nothing_is_left_over(
    redis: RedisServer, peer: Peer, tmp_path: Path
) -> None:
    async with a_bot(redis, tmp_path / "s.db") as runner:
        requests = [(await runner.run("asking")).pending[0] for _ in range(20)]
        for request in requests:
            await peer.answer(request.id)
        redis.kill()
        redis.start()

        for request in requests:
            await finished(runner, request.run_id)
        await peer.until_taken()
    assert await peer.set_aside() == []


async def test_bot_stops_while_redis_stands_still(redis: RedisServer, peer: Peer, tmp_path: Path) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        async with a_bot(redis, tmp_path / "s.db"):
            await eventually(lambda: is_listened_to(peer))
            redis.stand_still()
    redis.go_on()


async def test_what_is_cancelled_ends_wherever_it_stands(redis: RedisServer) -> None:
    async with open_queue(redis.url) as queue:
        handler = QueueHandler(queue)

        async def publish() -> None:
            while True:
                await handler.handle(question())

        for turns in range(300):
            publishing = asyncio.create_task(publish())
            for _ in range(turns % 60):
                await asyncio.sleep(0)
            publishing.cancel()
            await asyncio.wait([publishing], timeout=TIMEOUT_S)

            assert publishing.cancelled()


@asynccontextmanager
async def process(role: str, database: Path, redis: RedisServer) -> AsyncIterator[asyncio.subprocess.Process]:
    """One process of tests.integration.queue.answering, which is killed when the block ends."""
    command = [sys.executable, "-m", "tests.integration.queue.answering", role, str(database), redis.url]
    started = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert await line_of(started) == "ready"
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.communicate()


async def line_of(started: asyncio.subprocess.Process) -> str:
    assert started.stdout is not None
    return (await asyncio.wait_for(started.stdout.readline(), TIMEOUT_S)).decode().strip()


@pytest.mark.parametrize("role", ["stuck", "stuck-before"])
async def test_answer_that_a_dead_process_had_read_is_claimed(
    redis: RedisServer, peer: Peer, tmp_path: Path, role: str
) -> None:
    database = tmp_path / "s.db"
    async with process(role, database, redis) as dying:
        async with a_bot(redis, database, listens=False) as runner:
            (request,) = (await runner.run("asking")).pending
        await peer.answer(request.id)
        assert await line_of(dying) == "stuck"
        dying.kill()
        await dying.wait()
        assert await is_read(peer)

    async with a_bot(redis, database, claim_after=SOON) as runner:
        await finished(runner, request.run_id)
        await peer.until_taken()
        history = [entry.event for entry in await runner.history(request.run_id)]
    assert history.count("InterruptAnswered") == 1
    assert await peer.set_aside() == []


async def test_refused_answer_that_two_processes_judged_is_set_aside_once(redis: RedisServer, peer: Peer) -> None:
    async with open_queue(redis.url) as queue:
        slow, quick = AnswerGroup(queue), AnswerGroup(queue)
        await slow.prepare()
        await peer.write("poison")
        (read,) = await slow.new(SOON)
        (claimed,) = [entry async for entry in quick.abandoned(timedelta(0))]
        refused = RefusedAnswer(Refusal.NOT_JSON, "it is poison")

        finished = [await quick.finish(claimed, refused), await slow.finish(read, refused)]

    assert finished == [True, False]
    assert len(await peer.set_aside()) == 1


async def test_of_two_processes_on_one_file_each_answer_counts_once(
    redis: RedisServer, peer: Peer, tmp_path: Path
) -> None:
    database = tmp_path / "s.db"
    async with process("take", database, redis), a_bot(redis, database, claim_after=SOON) as runner:
        requests = [(await runner.run("asking")).pending[0] for _ in range(30)]
        for option in ("approve", "approve", "reject"):  # each three times: as a copy, and as a contradiction
            for request in requests:
                await peer.answer(request.id, option)

        for request in requests:
            await finished(runner, request.run_id)
        await peer.until_taken()
        records = [await runner.get_interrupt(request.id) for request in requests]
        refused = await peer.set_aside()

    assert len(await peer.requests()) == len(requests)
    for record in records:
        decided = [entry["decided"]["option"] for entry in refused if record.request.id in entry["reason"]]
        assert record.response is not None
        assert set(decided) == {record.response.option}
        assert len(decided) == (1 if record.response.option == "approve" else 2)


async def test_wrong_password_is_told_with_what_to_do(tmp_path: Path) -> None:
    with a_redis(tmp_path / "closed", "--requirepass", "right") as redis:
        url = f"redis://:wrong@127.0.0.1:{redis.port}"
        async with WorkflowRunner(database=":memory:") as runner, open_queue(url) as queue:
            with pytest.raises(QueueSetupError, match="SPECTRA_REDIS_URL") as caught:
                async with serve_queue(runner, queue):
                    pass
            with pytest.raises(PublishError, match="refuses the user or password"):
                await QueueHandler(queue).handle(question())
    assert "wrong@" not in str(caught.value)


async def test_name_that_holds_something_else_is_told(redis: RedisServer, peer: Peer) -> None:
    await peer.client.set("spectra:answers", "1")

    async with WorkflowRunner(database=":memory:") as runner, open_queue(redis.url) as queue:
        with pytest.raises(QueueSetupError, match="spectra:answers is a string"):
            async with serve_queue(runner, queue):
                pass


@pytest.mark.parametrize("url", ["localhost", "http://localhost:6379", "redis://localhost:port"])
async def test_address_of_no_redis_is_told(url: str) -> None:
    with pytest.raises(QueueSetupError, match="redis://HOST:PORT"):
        async with open_queue(url):
            pass
