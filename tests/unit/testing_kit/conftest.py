"""The fake Slack, the real client and a real Bolt app that answers it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from aiohttp import ClientSession, web
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from spectra_bot.testing import MANIFEST_SCOPES, FakeSlack


@dataclass
class MovableTime:
    """A clock for Slack's side that a test moves."""

    seconds: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def time_of_slack() -> MovableTime:
    return MovableTime()


@pytest.fixture
async def slack(time_of_slack: MovableTime) -> AsyncIterator[FakeSlack]:
    scopes = MANIFEST_SCOPES | {"files:write", "im:write", "usergroups:read", "users:read"}
    async with FakeSlack(now=time_of_slack, scopes=scopes) as fake:
        yield fake


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    async with ClientSession() as shared:
        yield shared


@pytest.fixture
def client(slack: FakeSlack, session: ClientSession) -> AsyncWebClient:
    """The client as the bot has it, but without retries: a test sees the first answer."""
    return AsyncWebClient(token=slack.bot_token, base_url=slack.base_url, session=session, retry_handlers=[])


@pytest.fixture
async def app(slack: FakeSlack, client: AsyncWebClient) -> AsyncIterator[AsyncApp]:
    """A Bolt app on loopback that checks signatures; the fake delivers to it."""
    bolt = AsyncApp(client=client, signing_secret=slack.signing_secret)
    runner = web.AppRunner(bolt.server(port=0, path="/slack/events", host="127.0.0.1").web_app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    slack.app_url = f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
    yield bolt
    await runner.cleanup()
