"""How Temporal is called, by what it is told of the way there."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest
from temporalio.client import Client
from temporalio.service import TLSConfig

from spectra_bot import StoreError, TemporalOptions
from spectra_bot.temporal.connection import connect


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a server that lets nobody in was called with."""
    given: dict[str, Any] = {}

    async def refuse(address: str, **more: Any) -> NoReturn:
        given.update(more, address=address)
        raise RuntimeError("nobody is let in")

    monkeypatch.setattr(Client, "connect", refuse)
    return given


@pytest.mark.parametrize(
    ("options", "tls"),
    [
        (TemporalOptions(), False),
        (TemporalOptions(tls=True), True),
        (TemporalOptions(api_key="key"), True),
        (TemporalOptions(server_ca=b"ca"), TLSConfig(server_root_ca_cert=b"ca")),
        (
            TemporalOptions(client_cert=b"cert", client_key=b"key"),
            TLSConfig(client_cert=b"cert", client_private_key=b"key"),
        ),
    ],
    ids=["plain", "tls", "api key", "authority", "certificate"],
)
async def test_tls_is_spoken_where_it_is_asked_for_or_something_secret_travels(
    options: TemporalOptions, tls: bool | TLSConfig, called: dict[str, Any]
) -> None:
    with pytest.raises(StoreError, match="nobody is let in"):
        await connect(options)

    assert called["tls"] == tls


async def test_server_is_called_by_its_address_namespace_and_key(called: dict[str, Any]) -> None:
    with pytest.raises(StoreError):
        await connect(TemporalOptions(address="acme:7233", namespace="acme.prod", api_key="key"))

    assert (called["address"], called["namespace"], called["api_key"]) == ("acme:7233", "acme.prod", "key")
