"""How workers tell the driver that a question was delivered, as Slack tells a person: datagrams on loopback."""

from __future__ import annotations

import asyncio
import socket
from typing import Self


class Sender:
    """A worker's side."""

    def __init__(self, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(("127.0.0.1", port))

    def tell(self, run_id: str, interrupt_id: str) -> None:
        """A question of this run stands."""
        self._socket.send(f"{run_id} {interrupt_id}".encode())


class Inbox(asyncio.DatagramProtocol):
    """The driver's side: whoever waits for a run's question gets the interrupt's id."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Future[str]] = {}
        self.port = 0

    @classmethod
    async def open(cls) -> Self:
        """An inbox on a free port."""
        loop = asyncio.get_running_loop()
        transport, inbox = await loop.create_datagram_endpoint(cls, local_addr=("127.0.0.1", 0))
        inbox.port = transport.get_extra_info("sockname")[1]
        return inbox

    def datagram_received(self, data: bytes, addr: object) -> None:
        run_id, interrupt_id = data.decode().split(" ")
        future = self.of(run_id)
        if not future.done():
            future.set_result(interrupt_id)

    def of(self, run_id: str) -> asyncio.Future[str]:
        """The interrupt of a run, once it is delivered."""
        return self._waiting.setdefault(run_id, asyncio.get_running_loop().create_future())

    def forget(self, run_id: str) -> None:
        """Nobody waits for it any more."""
        self._waiting.pop(run_id, None)
