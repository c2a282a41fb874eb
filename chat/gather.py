"""What waits for the next batch: bounded, accounts in turn, each in the order of arrival."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque

from msgspec import Struct

from chat.errors import Busy
from chat.ticket import Ticket

LEAST_ASKS = 16  # of a batch, however slow an ask is


class BatchLimits(Struct, frozen=True):
    """How large a batch gets: asks, and seconds of loop time, which is what others wait at most because it runs.
    And what may wait for the next ones: asks and bytes."""

    asks: int = 256
    seconds: float = 0.005
    gather_asks: int = 10_000
    gather_bytes: int = 8 * 1024 * 1024


class Gather:
    """Tickets come in by `add`, batches go out by `next`."""

    def __init__(self, limits: BatchLimits) -> None:
        self._queues: OrderedDict[str, deque[Ticket]] = OrderedDict()
        self._limits = limits
        self._asks = 0
        self._bytes = 0
        self._seconds_per_ask = 0.0
        self._filled = asyncio.Event()
        self._closed = False

    @property
    def is_empty(self) -> bool:
        return not self._queues

    def add(self, ticket: Ticket) -> None:
        """Raises Busy when too much is waiting already."""
        limits = self._limits
        if self._closed or self._asks >= limits.gather_asks or self._bytes + ticket.size > limits.gather_bytes:
            raise Busy
        queue = self._queues.get(ticket.account)
        if queue is None:
            queue = self._queues[ticket.account] = deque()
        queue.append(ticket)
        self._asks += 1
        self._bytes += ticket.size
        self._filled.set()

    def close(self) -> None:
        self._closed = True
        self._filled.set()

    async def next(self) -> list[Ticket]:
        """The next batch, as soon as there is anything; empty when closed and drained."""
        await self._filled.wait()
        batch: list[Ticket] = []
        room = self._room()
        while self._queues and len(batch) < room:
            account, queue = self._queues.popitem(last=False)
            share = max(1, (room - len(batch)) // (len(self._queues) + 1))
            batch.extend(queue.popleft() for _ in range(min(share, len(queue))))
            if queue:
                self._queues[account] = queue
        self._asks -= len(batch)
        self._bytes -= sum(ticket.size for ticket in batch)
        if not self._queues and not self._closed:
            self._filled.clear()
        return batch

    def took(self, seconds: float, asks: int) -> None:
        """Learn how long an ask takes, so that a batch keeps within its loop time."""
        self._seconds_per_ask += 0.1 * (seconds / asks - self._seconds_per_ask)

    def _room(self) -> int:
        limits = self._limits
        if not self._seconds_per_ask:
            return limits.asks
        return min(limits.asks, max(LEAST_ASKS, int(limits.seconds / self._seconds_per_ask)))
