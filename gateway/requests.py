"""uvicorn's HTTP protocol with an end to its patience: a request must be whole in time, and few may be pending."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from chat.clock import Clock
from gateway.address import Addresses, network
from gateway.admission import Turned
from gateway.line import Line
from gateway.wheel import Wheel

REQUEST_SECONDS = 15.0  # for a whole request, an upgrade's too; a slow phone sends 16 KiB in far less
PENDING = 4_096  # connections without a whole request; the newest beyond that are cut off
PENDING_PER_ADDRESS = 2_048  # of these: an address can't keep others out, and all of an office may come back at once


# An extension of the ASGI scope, by which whoever answers finds the connection: see `leave`, `watch` and `abort`.
OWN_TIME = "shopbell.own_time"


class Pending:
    """The connections of this node whose request isn't whole yet."""

    def __init__(
        self, wheel: Wheel, line: Line, clock: Clock, addresses: Addresses, shed: Callable[[str], Turned | None]
    ) -> None:
        self.wheel = wheel
        self.line = line
        self.clock = clock
        self.shed = shed
        """Of Admission."""
        self.count = 0
        self._addresses = addresses
        self._by_address: dict[str, int] = {}

    def address(self, peer: str) -> str:
        """Whose connections count together; nobody's where a trusted proxy brings those of many."""
        return "" if self._addresses.is_proxy(peer) else network(peer)

    def is_full(self, address: str) -> bool:
        return self.count >= PENDING or self._by_address.get(address, 0) >= PENDING_PER_ADDRESS

    def add(self, address: str) -> None:
        self.count += 1
        if address:
            self._by_address[address] = self._by_address.get(address, 0) + 1

    def remove(self, address: str) -> None:
        self.count -= 1
        if address:
            rest = self._by_address.pop(address) - 1
            if rest:
                self._by_address[address] = rest


class RequestProtocol(HttpToolsProtocol):
    """One connection before it is (or instead of) a socket. The wheel looks at it while a request is pending."""

    def __init__(self, pending: Pending, **uvicorns: Any) -> None:
        super().__init__(**uvicorns)
        self._pending = pending
        self._since: float | None = None
        self._is_left = False
        self._address = ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        self._address = self._pending.address(peer[0] if peer else "")
        if self._pending.is_full(self._address):
            transport.abort()
        self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._begin()
        if self._is_left:  # of an upload, who takes it sees to its pace
            super().data_received(data)
        elif not self._pending.line.take(partial(super().data_received, data)):
            self.transport.pause_reading()
            self._pending.line.wait(partial(self._receive_late, data))

    def on_headers_complete(self) -> None:
        self.scope["extensions"] = {OWN_TIME: {"connection": self}}
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._end()
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        self._end()
        if (turned := self._pending.shed(self._address)) is not None:
            self.connections.discard(self)
            self.transport.write(turned.response())
            self.transport.close()
        else:
            super().handle_websocket_upgrade()
        # They and this hold each other; thousands of handshakes would be left to the collector, which stops everything.
        self.parser = None  # type: ignore[assignment]  # as uvicorn does when a connection ends
        self.scope.clear()  # type: ignore[attr-defined]

    def check_deadline(self, now: float) -> None:
        if self._since is not None and now - self._since > REQUEST_SECONDS:
            self.transport.abort()

    def leave(self) -> None:
        """Whoever answers this request looks at its time himself: it is long by nature, and he calls `watch` after."""
        if self._since is not None and not self._is_left:
            self._is_left = True
            self._pending.remove(self._address)
            self._pending.wheel.hurried.discard(self)

    def watch(self) -> None:
        """He is done. What of the request is still on its way must come in the usual time."""
        if self._is_left:
            self._is_left, self._since = False, None
            self._begin()

    def abort(self) -> None:
        """Whoever asked doesn't take the answer."""
        self.transport.abort()

    def _receive_late(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        super().data_received(data)
        if not self.flow.read_paused and not self.transport.is_closing():
            self.transport.resume_reading()

    def _begin(self) -> None:
        if self._since is None:
            self._since = self._pending.clock.ticks()
            self._pending.add(self._address)
            self._pending.wheel.hurried.add(self)

    def _end(self) -> None:
        if self._since is not None:
            self._since = None
            if not self._is_left:
                self._pending.remove(self._address)
            self._is_left = False
            self._pending.wheel.hurried.discard(self)
