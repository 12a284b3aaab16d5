"""A web server and a client session on loopback, started and stopped together."""

from collections.abc import Iterable

import aiohttp
from aiohttp import web

from spectra_bot.testing.people import NotPossibleError

LARGEST_BODY = 32 * 1024 * 1024


class LoopbackServer:
    """Serves on a free port of 127.0.0.1, and has one client session for requests to the app."""

    def __init__(self) -> None:
        """Do nothing yet: no port is bound."""
        self._port = 0
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None

    async def start(self, routes: Iterable[web.AbstractRouteDef]) -> None:
        """Bind a port and serve the routes."""
        app = web.Application(client_max_size=LARGEST_BODY)
        app.add_routes(routes)
        # What a test left under way gets a second, not a minute, at the end.
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._port = self._runner.addresses[0][1]
        self._session = aiohttp.ClientSession()

    async def stop(self) -> None:
        """Close the session and the port. Without a start it does nothing."""
        if self._session is not None:
            await self._session.close()
        if self._runner is not None:
            await self._runner.cleanup()

    def session(self) -> aiohttp.ClientSession:
        """Return the client session.

        Raises:
            NotPossibleError: the server was not started.
        """
        if self._session is None:
            raise NotPossibleError("the fake is not started: use `async with FakeSlack(...)`")
        return self._session

    def url(self, path: str, scheme: str = "http") -> str:
        """Make a path a full url."""
        return f"{scheme}://127.0.0.1:{self._port}{path}"
