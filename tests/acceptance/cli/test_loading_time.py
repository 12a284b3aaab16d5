"""What a command does not need is not imported: half of the time to the first word would be Slack's libraries."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys

import pytest

from spectra_bot.demo.sample import make_sample
from tests.acceptance.cli.program import TIMEOUT_S, Program

_MODULES = """
import sys
from spectra_bot.cli import main
try:
    main(sys.argv[1:])
finally:
    print("MODULES", *sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["run", "release", "source=source", "target=target", "--workflows", "spectra_bot.demo.release"],
        ["workflows", "--workflows", "spectra_bot.demo.release"],
        ["demo"],
    ],
    ids=lambda words: words[0],
)
def test_slack_redis_temporal_and_pydantic_ai_are_not_loaded_where_they_are_not_set_up(
    program: Program, words: list[str]
) -> None:
    make_sample(program.folder)

    done = subprocess.run(
        [sys.executable, "-c", _MODULES, *words],
        cwd=program.folder,
        env=program.env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )

    assert done.returncode in (0, 3), done.stderr
    (modules,) = [line.split()[1:] for line in done.stderr.splitlines() if line.startswith("MODULES ")]
    assert [
        name
        for name in modules
        if name.startswith(
            ("slack_", "aiohttp", "handlers.slack", "redis", "handlers.queue", "temporalio", "fsspec", "pydantic_ai")
        )
    ] == []


def test_package_itself_loads_neither_slack_nor_temporal(program: Program) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import spectra_bot, sys; print(*sys.modules)"],
        cwd=program.folder,
        env=program.env | {"SPECTRA_ENGINE": "temporal"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
    )

    assert not {"temporalio", "google.protobuf", "slack_sdk", "redis", "rich"} & set(done.stdout.split())


def test_core_is_installed_without_what_extras_bring() -> None:
    required = importlib.metadata.requires("spectra-bot")
    assert required is not None

    core = [requirement for requirement in required if "extra ==" not in requirement]

    assert core
    assert not [requirement for requirement in core if requirement.startswith(("temporal", "redis", "protobuf"))]
