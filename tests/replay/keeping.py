"""Histories as they are kept: without what is the recording machine's own, one compressed file each."""

from __future__ import annotations

import gzip
import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import JsonValue
from temporalio.client import WorkflowHistory

HISTORIES = Path(__file__).with_name("histories")
_OF_A_MACHINE = frozenset({"identity", "stackTrace", "workerVersion", "taskId"})
"""Fields that tell who recorded, where, and in which order the server worked; a replay reads none of them."""
_SUFFIX = ".json.gz"


def present_version() -> str:
    """The version of this source."""
    project = Path(__file__).parents[2] / "pyproject.toml"
    return str(tomllib.loads(project.read_text())["project"]["version"])


def versions() -> list[str]:
    """Those whose histories are kept."""
    return sorted(folder.name for folder in HISTORIES.iterdir() if folder.is_dir())


def stripped(value: JsonValue) -> JsonValue:
    """A history without what is a machine's own."""
    match value:
        case dict():
            kept = {name: stripped(part) for name, part in value.items() if name not in _OF_A_MACHINE}
            if kept.get("kind") == "TASK_QUEUE_KIND_STICKY":
                kept["name"] = "sticky"  # a worker's own queue, named after it
            return kept
        case list():
            return [stripped(part) for part in value]
        case _:
            return value


def keep(version: str, scenario: str, number: int, history: WorkflowHistory) -> Path:
    """Write one history of a scenario."""
    text = json.dumps(stripped(history.to_json_dict()), sort_keys=True, separators=(",", ":"))
    place = HISTORIES / version / f"{scenario}-{number}{_SUFFIX}"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(gzip.compress(text.encode(), mtime=0))
    return place


def kept(version: str) -> Iterator[tuple[str, str]]:
    """The histories of a version, as names and JSON; a name is `scenario-number`."""
    for place in sorted((HISTORIES / version).glob(f"*{_SUFFIX}")):
        yield place.name.removesuffix(_SUFFIX), gzip.decompress(place.read_bytes()).decode()


def scenarios_of(version: str) -> Mapping[str, int]:
    """How many histories each scenario left."""
    found: dict[str, int] = {}
    for name, _ in kept(version):
        scenario = name.rpartition("-")[0]
        found[scenario] = found.get(scenario, 0) + 1
    return found
