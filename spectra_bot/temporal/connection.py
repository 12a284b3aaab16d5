"""The way to a Temporal server, and what its namespace must know before the first run."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace

from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter
from temporalio.service import RPCError, RPCStatusCode, TLSConfig

from spectra_bot.errors import StoreError
from spectra_bot.temporal.codec import PayloadsByReference
from spectra_bot.temporal.options import TemporalOptions
from spectra_bot.temporal.place import Place
from spectra_bot.temporal.sdk_log import logging_runtime
from spectra_bot.temporal.visibility import ATTRIBUTES

CONNECT_S = 10.0
"""How long the server may take to let us in."""


async def connect(options: TemporalOptions, place: Place | None = None) -> Client:
    """A client of the server, whose namespace knows our search attributes by then.

    Args:
        place: where large payloads go.

    Raises:
        StoreError: the server can't be reached, or refuses us.
    """
    tls: bool | TLSConfig = options.tls or options.api_key is not None  # a key never travels in the clear
    if options.client_cert is not None or options.server_ca is not None:
        tls = TLSConfig(
            server_root_ca_cert=options.server_ca,
            client_cert=options.client_cert,
            client_private_key=options.client_key,
        )
    try:
        async with asyncio.timeout(CONNECT_S):
            client = await Client.connect(
                options.address,
                namespace=options.namespace,
                data_converter=data_converter(place),
                tls=tls,
                api_key=options.api_key,
                runtime=logging_runtime(),
            )
            await _register_attributes(client, options)
    except (RuntimeError, ValueError, RPCError, TimeoutError) as error:
        raise StoreError(
            f"Temporal at {options.address} can't be used: {_in_words(error)}; see that it runs there, and "
            "TEMPORAL_ADDRESS (HOST:PORT) and the settings beside it"
        ) from error
    return client


def data_converter(place: Place | None) -> DataConverter:
    """How values become payloads, and back; the same in each client and worker."""
    return replace(pydantic_data_converter, payload_codec=PayloadsByReference(place))


def _in_words(error: Exception) -> str:
    """The error; of one that the client's transport wrote for its own makers, what the system said."""
    quoted = re.findall(r'(?:message|error): "([^"]+)"', str(error))
    return quoted[-1] if quoted else str(error) or "it does not answer"


async def _register_attributes(client: Client, options: TemporalOptions) -> None:
    """Have the namespace know what our lists are made from.

    Raises:
        StoreError: some are missing, and we may not add them; says which command does.
    """
    service = client.operator_service
    namespace = options.namespace
    try:
        known = await service.list_search_attributes(ListSearchAttributesRequest(namespace=namespace))
        missing = {name: kind for name, kind in ATTRIBUTES.items() if name not in known.custom_attributes}
        if missing:
            await service.add_search_attributes(
                AddSearchAttributesRequest(namespace=namespace, search_attributes=missing)
            )
    except RPCError as error:
        if error.status is RPCStatusCode.ALREADY_EXISTS:
            return  # another process was first
        if error.status not in (RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNIMPLEMENTED):
            raise
        types = {name: "KeywordList" if name == "SpectraPending" else "Keyword" for name in ATTRIBUTES}
        wanted = " ".join(f"--name {name} --type {kind}" for name, kind in types.items())
        raise StoreError(
            f"namespace {namespace!r} may lack our search attributes, and we may not add them; have them made: "
            f"temporal operator search-attribute create --namespace {namespace} {wanted}"
        ) from error
