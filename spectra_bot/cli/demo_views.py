"""What the demo shows of its folders: pure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rich.console import RenderableType
from rich.text import Text
from rich.tree import Tree

from spectra_bot.demo.changes import sha256
from spectra_bot.printable import printable

MAX_LINES = 20
"""A changed file is shown up to this many lines."""


def prose(source: Path, target: Path, db: Path) -> Text:
    """What is about to happen, and where."""
    return Text.assemble(
        "The workflow 'release' compares two folders, asks, and brings over what you approve.\n",
        ("  source    ", "dim"),
        f"{printable(str(source.absolute()))}\n",
        ("  target    ", "dim"),
        f"{printable(str(target.absolute()))}\n",
        ("  database  ", "dim"),
        f"{printable(str(db.absolute()))}\n",
    )


def triage_prose(folder: Path, db: Path, model: str | None) -> Text:
    """What is about to happen, and where; without a model a script stands in for one."""
    who = model or "none is set (SPECTRA_AGENT_MODEL): a script that knows this sample stands in for it"
    return Text.assemble(
        "The workflow 'triage' runs the tests of a folder, and has an agent propose patches; you decide.\n",
        ("  folder    ", "dim"),
        f"{printable(str(folder.absolute()))}\n",
        ("  model     ", "dim"),
        f"{printable(who)}\n",
        ("  database  ", "dim"),
        f"{printable(str(db.absolute()))}\n",
    )


def folder_view(folder: Path, before: Mapping[str, bytes], after: Mapping[str, bytes]) -> RenderableType:
    """A folder as it is on disk now: each file with its hash, and the content of those that changed."""
    tree = Tree(Text(printable(str(folder.absolute())), style="bold"), guide_style="dim")
    for path, content in after.items():
        was = before.get(path)
        word, style = ("same", "dim") if was == content else ("new", "green") if was is None else ("changed", "yellow")
        line = Text.assemble((f"{word:8}", style), printable(path), (f"  sha256 {sha256(content)[:12]}", "dim"))
        branch = tree.add(line)
        if was != content:
            branch.add(_content(content))
    return tree


def _content(content: bytes) -> Text:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return Text(f"{len(content):,} bytes", style="dim")
    lines = text.splitlines()
    if "\0" in text or not lines:
        return Text(f"{len(content):,} bytes", style="dim")
    shown = [*lines[:MAX_LINES], *([f"... {len(lines) - MAX_LINES} more lines"] if len(lines) > MAX_LINES else [])]
    return Text(printable("\n".join(shown)), no_wrap=True, overflow="ellipsis")
