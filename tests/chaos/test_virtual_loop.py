"""The simulated loop: time that jumps, order that a seed decides, threads that stand still or die."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from random import Random

from tests.chaos.simulation.virtual_loop import FIRST_MOMENT_S, LANE, Lane, VirtualLoop


@contextmanager
def virtual_loop(seed: int = 1, disorder: float = 0.0) -> Iterator[VirtualLoop]:
    loop = VirtualLoop(Random(seed), disorder=disorder)  # noqa: S311
    try:
        yield loop
    finally:
        loop.end()


def order_of(seed: int, disorder: float) -> list[int]:
    seen: list[int] = []

    async def all_of_them() -> None:
        async def one(number: int) -> None:
            seen.append(number)

        await asyncio.gather(*(one(number) for number in range(10)))

    with virtual_loop(seed, disorder) as loop:
        loop.run_until_complete(all_of_them())
    return seen


def test_a_day_takes_no_time() -> None:
    with virtual_loop() as loop:
        loop.run_until_complete(asyncio.sleep(86_400))

        assert loop.time() == FIRST_MOMENT_S + 86_400


def test_order_is_the_seeds() -> None:
    assert order_of(1, 0.0) == list(range(10))
    assert order_of(1, 1.0) != list(range(10))
    assert order_of(1, 1.0) == order_of(1, 1.0)
    assert sorted(order_of(2, 1.0)) == list(range(10))


def test_nothing_of_a_dead_lane_runs_and_not_even_its_cleanup() -> None:
    lane = Lane("doomed")
    seen: list[str] = []

    async def works() -> None:
        seen.append("began")
        try:
            await asyncio.sleep(1)
        finally:
            seen.append("cleaned up")

    async def world(loop: VirtualLoop) -> None:
        context = copy_context()
        context.run(LANE.set, lane)
        loop.create_task(works(), context=context)
        await asyncio.sleep(0.5)
        lane.dead = True
        await asyncio.sleep(5)

    with virtual_loop() as loop:
        loop.run_until_complete(world(loop))
        assert seen == ["began"]
        assert loop.complaints == []


def test_held_lane_goes_on_where_it_stood() -> None:
    lane = Lane("frozen")
    woke: list[float] = []

    async def works() -> None:
        await asyncio.sleep(1)
        woke.append(asyncio.get_running_loop().time() - FIRST_MOMENT_S)

    async def world(loop: VirtualLoop) -> None:
        context = copy_context()
        context.run(LANE.set, lane)
        loop.create_task(works(), context=context)
        await asyncio.sleep(0.5)
        lane.hold()
        await asyncio.sleep(5)
        loop.let_go(lane)
        await asyncio.sleep(0.5)

    with virtual_loop() as loop:
        loop.run_until_complete(world(loop))

        assert woke == [5.5]
