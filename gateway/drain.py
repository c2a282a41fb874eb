"""Stopping kindly: peers are sent to other nodes before anything is closed, and what was accepted is finished."""

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
from gateway.socket import Node, Socket

log = logging.getLogger("gateway.drain")

LOOK_SECONDS = 0.02  # between looks at what is still to be written
LEFT_SECONDS = 0.1  # between looks at who has left
AT_ONCE = 64  # told or closed in one turn of the loop: 50 µs each, and those who stay are served meanwhile
PER_SECOND = 250  # that come to the other nodes: a quarter of what one takes by default, and their own go on
LONGEST_SPREAD = 35.0  # seconds, so that all of it ends within a minute, however many they are
LINGER_SECONDS = 5.0  # after everybody should have left: for the slow, and those whom others turned away at first
LONGEST_CLOSING = 5.0  # seconds over which those are closed who didn't leave


class Plan(Struct, frozen=True):
    """Seconds: peers spread their return over `spread`; sockets stay open for `wait`; those that are left then are
    closed over `closing`."""

    spread: float
    wait: float
    closing: float


class DrainTimes(Struct, frozen=True):
    """Seconds: peers are told to spread over at least `spread`; sockets stay for `wait`, or None: as long as that takes
    where there are other nodes; `flush` is for the last words, and as long again for the peers' own."""

    spread: float = 5.0
    wait: float | None = None
    flush: float = 2.0
    is_alone: bool = True

    def plan(self, sockets: int) -> Plan:
        """So that the other nodes get no more of these sockets a second than they take easily. A node that is alone has
        nowhere to send them: waiting would only put off its return."""
        spread = max(self.spread, min(sockets / PER_SECOND, LONGEST_SPREAD))
        if self.is_alone:
            return Plan(self.spread, self.wait or 0.0, 0.0)
        wait = spread + LINGER_SECONDS if self.wait is None else self.wait
        return Plan(spread, wait, LONGEST_CLOSING)


async def drain(node: Node, ledger: Ledger, times: DrainTimes, clock: Clock) -> None:
    """Tell every peer to reconnect and serve it until it has left; then finish the gathered asks, write out what is
    left, close with 4200."""
    plan = times.plan(len(node.sockets))
    node.admission.is_draining = True
    node.metrics.draining.set(1)
    log.info("draining %d sockets: %.1f s to come back elsewhere", len(node.sockets), plan.spread)
    await _send_away(node, plan, clock)
    await _close_stragglers(node, plan)
    ledger.stop()
    await _until(lambda: not ledger.is_busy and not any(peer.is_unwritten for peer in node.sockets), clock, times.flush)
    for peer in list(node.sockets):
        peer.close(CloseCode.DRAIN)
    await _until(lambda: not node.sockets, clock, times.flush)
    for peer in list(node.sockets):  # gone without a word, or too slow to answer a close frame
        peer.abort()


async def _send_away(node: Node, plan: Plan, clock: Clock) -> None:
    """Until all who have said hello are gone, or their time is over. Whoever is still being brought up to date is told
    after that, and whoever hasn't said hello has nothing to lose."""
    began = clock.ticks()
    told: set[Socket] = set()
    while True:
        passed = clock.ticks() - began
        span = round(max(0.0, plan.spread - passed) * 1000)
        fresh = [peer for peer in node.sockets if peer.is_live and peer not in told]
        told.update(fresh)
        for start in range(0, len(fresh), AT_ONCE):
            for peer in fresh[start : start + AT_ONCE]:
                peer.send(protocol.reconnect(span, "deploy"))
            node.dirty.flush()
            await asyncio.sleep(0)
        if passed >= plan.wait or not any(peer.said_hello for peer in node.sockets):
            return
        await asyncio.sleep(LEFT_SECONDS)
        told &= node.sockets


async def _close_stragglers(node: Node, plan: Plan) -> None:
    """A few at a time: these come back promptly, and all at once they would be a storm."""
    if not plan.closing:
        return
    stragglers = list(node.sockets)
    pause = min(AT_ONCE / PER_SECOND, plan.closing * AT_ONCE / max(len(stragglers), 1))
    for start in range(AT_ONCE, len(stragglers), AT_ONCE):  # but for the first, who are closed with the last
        for peer in stragglers[start : start + AT_ONCE]:
            peer.close(CloseCode.DRAIN)
        await asyncio.sleep(pause)


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
