"""What waits for the next batches: bounded, accounts in turn, each in its order and in one batch at a time."""

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
    """Tickets come in by `add`, batches go out by `next` and are `done` when they are settled.

    Until then no other batch has asks of the same accounts: that keeps their order.
    """

    def __init__(self, limits: BatchLimits) -> None:
        self._queues: OrderedDict[str, deque[Ticket]] = OrderedDict()
        self._limits = limits
        self._asks = 0
        self._bytes = 0
        self._seconds_per_ask = 0.0
        self._held: set[str] = set()
        self._alone: set[str] = set()
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
        """The next batch, as soon as there is anything that nobody holds; empty when closed and drained."""
        while True:
            await self._filled.wait()
            batch = self._take()
            if batch or (self._closed and not self._queues):
                return batch
            self._filled.clear()  # what waits is held: `done` says when it isn't any more

    def done(self, batch: list[Ticket]) -> None:
        """The batch is settled: the next ones may have more of its accounts."""
        self._held.difference_update([ticket.account for ticket in batch])
        if self._queues or self._closed:
            self._filled.set()

    def put_back(self, tickets: list[Ticket]) -> None:
        """Before all others of their accounts, each of which then gets a batch of its own."""
        for ticket in reversed(tickets):
            self._queues.setdefault(ticket.account, deque()).appendleft(ticket)
            self._asks += 1
            self._bytes += ticket.size
        self._alone.update(ticket.account for ticket in tickets)

    def _take(self) -> list[Ticket]:
        batch: list[Ticket] = []
        room = self._room()
        waiting = deque(account for account in self._queues if account not in self._held)
        while waiting and len(batch) < room:
            account = waiting.popleft()
            is_alone = account in self._alone
            if is_alone and batch:
                continue
            queue = self._queues.pop(account)
            share = room if is_alone else max(1, (room - len(batch)) // (len(waiting) + 1))
            if len(queue) <= share:
                batch += queue
            else:
                batch += [queue.popleft() for _ in range(share)]
                self._queues[account] = queue
                waiting.append(account)
            self._held.add(account)
            if is_alone:
                self._alone.discard(account)
                break
        self._asks -= len(batch)
        self._bytes -= sum([ticket.size for ticket in batch])
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
