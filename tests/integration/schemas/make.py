"""Keeps the schema as the code makes it now: `python -m tests.integration.schemas.make`, once before it is released.

It writes `vN.sql` beside this file: a database with a run in every state, as its process left it when it died. The
file of a released schema is never made again.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import sys
import tempfile
from pathlib import Path
from unittest.mock import patch

from spectra_bot import WorkflowRunner
from spectra_bot.store.schema import SCHEMA_VERSION
from spectra_bot.testing import ManualClock
from tests.integration.schemas.workflows import Board, World, workflows

FOLDER = Path(__file__).parent


async def make_runs(database: Path) -> str:
    """Make the runs, and return the database as SQL, taken while their process is alive."""
    world = World()
    board = Board(world)
    runner = WorkflowRunner(workflows=workflows(world), database=str(database), handlers=[board], clock=ManualClock())
    async with runner:

        async def release(run_id: str) -> None:
            await runner.run("release", {"env": "prod"}, requested_by="cli:ada", run_id=run_id)

        async def approve(run_id: str) -> None:
            [request] = await runner.list_pending(run_id=run_id)
            await runner.answer(request.id, request.answer("approve", responder="slack:T1/U1"))

        for run_id in ("completed", "failed", "cancelled", "pending", "unsettled", "running"):
            await release(run_id)
        await runner.run("hurrying", run_id="deadline")
        several = await runner.run("asking", run_id="several")

        left = next(request for request in several.pending if request.key == "left")
        await runner.answer(left.id, left.answer("approve", notes="fine", responder="cli:ada"))
        await runner.cancel("cancelled", by="cli:ada", reason="not today")
        await approve("completed")
        await runner.wait("completed", over=True)
        world.is_broken = True
        await approve("failed")
        await runner.wait("failed", over=True)
        world.is_broken = False
        await _settled(runner, "completed", "failed", "cancelled", "several")
        world.is_deaf = True
        await approve("unsettled")
        await runner.wait("unsettled", over=True)
        world.hangs = True
        await approve("running")
        await world.hanging.wait()
        await _settled(runner, failing=("unsettled", "running"))
        return _dump(database)


async def _settled(runner: WorkflowRunner, *run_ids: str, failing: tuple[str, ...] = ()) -> None:
    """Return when every answer of these runs is settled, or has failed to be."""

    async def is_done(run_id: str) -> bool:
        records = [each for each in (await runner.get(run_id)).interrupts if each.response is not None]
        deliveries = [delivery for record in records for delivery in record.deliveries]
        return all(each.last_error if run_id in failing else each.settled_at for each in deliveries)

    async with asyncio.timeout(10):
        for run_id in (*run_ids, *failing):
            while not await is_done(run_id):
                await asyncio.sleep(0.01)


def _dump(database: Path) -> str:
    connection = sqlite3.connect(database)
    pragmas = [
        f"pragma {name} = {connection.execute(f'pragma {name}').fetchone()[0]};"
        for name in ("application_id", "user_version")
    ]
    lines = ["-- Made by tests/integration/schemas/make.py, and never again.", *connection.iterdump(), *pragmas]
    connection.close()
    return "\n".join(lines) + "\n"


def main() -> None:
    kept = FOLDER / f"v{SCHEMA_VERSION}.sql"
    if kept.exists():
        sys.exit(f"{kept} is there; remove it yourself if schema {SCHEMA_VERSION} was never released")
    chance = random.Random(SCHEMA_VERSION)  # noqa: S311  the same ids each time
    random.seed(SCHEMA_VERSION)
    with (
        tempfile.TemporaryDirectory() as folder,
        patch("secrets.randbits", chance.getrandbits),
        patch("spectra_bot.embedded.ownership.secrets.token_hex", lambda size: f"{chance.getrandbits(size * 8):x}"),
        patch("spectra_bot.embedded.ownership._boot_id", lambda: "an earlier boot"),
        patch("spectra_bot.embedded.ownership._pid_namespace", lambda: "pid:[1]"),
        patch("os.getpid", lambda: 1),
    ):
        kept.write_text(asyncio.run(make_runs(Path(folder) / "spectra.db")), encoding="utf-8")
    sys.stdout.write(f"{kept}\n")


if __name__ == "__main__":
    main()
