"""Stopping kindly: peers are told to come back before anything is closed, and what was accepted is finished."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from types import FrameType
from typing import Any, cast

import uvicorn
from msgspec import Struct

from chat.clock import Clock
from chat.ledger import Ledger
from gateway import protocol
from gateway.accepting import Accepting
from gateway.protocol import CloseCode
from gateway.socket import Node

log = logging.getLogger("gateway.drain")

LOOK_SECONDS = 0.02  # between looks at what is still to be written


class DrainTimes(Struct, frozen=True):
    """Seconds: clients spread their return over `spread`; sockets stay for `wait`; `flush` is for the last words, and
    as long again for the peers' own."""

    spread: float = 5.0
    wait: float = 0.0
    flush: float = 2.0


async def drain(node: Node, ledger: Ledger, times: DrainTimes, clock: Clock) -> None:
    """Tell every peer to reconnect, finish the gathered asks, write out what is left, close with 4200."""
    node.admission.is_draining = True
    node.metrics.draining.set(1)
    log.info("draining %d sockets", len(node.sockets))
    for peer in list(node.sockets):
        peer.send(protocol.reconnect(round(times.spread * 1000), "deploy"))
    node.dirty.flush()
    await asyncio.sleep(times.wait)
    ledger.stop()
    await _until(lambda: not ledger.is_busy and not any(peer.is_unwritten for peer in node.sockets), clock, times.flush)
    for peer in list(node.sockets):
        peer.close(CloseCode.DRAIN)
    await _until(lambda: not node.sockets, clock, times.flush)
    for peer in list(node.sockets):  # gone without a word, or too slow to answer a close frame
        peer.abort()


async def _until(holds: Callable[[], bool], clock: Clock, seconds: float) -> None:
    """Looked at rather than waited for: what is unwritten is known to the kernel's buffers alone."""
    deadline = clock.ticks() + seconds
    while clock.ticks() < deadline and not holds():  # noqa: ASYNC110
        await asyncio.sleep(LOOK_SECONDS)


class DrainingServer(uvicorn.Server):
    """uvicorn's server, which drains before its own shutdown. The first signal starts the drain, a second ends it."""

    def __init__(self, config: uvicorn.Config, before_shutdown: Callable[[], asyncio.Task[None]]) -> None:
        super().__init__(config)
        self._before_shutdown = before_shutdown
        self._draining: asyncio.Task[None] | None = None
        self._accepting: list[Accepting] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's own, but for who accepts."""
        await super().startup([])
        self._accepting = [Accepting(listener, self._protocol) for listener in sockets or []]

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:
            self.force_exit = True
            if self._draining is not None:
                self._draining.cancel()
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._draining = self._before_shutdown()
        await asyncio.wait([self._draining])
        for accepting in self._accepting:
            await accepting.close()
        await super().shutdown(sockets)

    def _protocol(self) -> asyncio.BaseProtocol:
        """What uvicorn would make for a connection."""
        make: Callable[..., asyncio.BaseProtocol] = cast("Any", self.config.http_protocol_class)
        return make(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)
