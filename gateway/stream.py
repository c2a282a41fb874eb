"""One account's ordered stream on this node: never past a hole; what is missing is read from the store."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from chat.errors import Unavailable
from gateway.bulletin import Bulletin

log = logging.getLogger("gateway.stream")

HOLE_SECONDS = 0.05  # how long the bus may take to bring what is missing
SWEEP_SECONDS = 5.0  # how often heads are compared with the store's
POLL_SECONDS = 1.0  # how often, while the bus isn't healthy
LAST = 2**63  # beyond every cursor
WAITING = 1_000  # bulletins held behind a hole; beyond that they are read from the store anyway


class Stream:
    """Bulletins in any order go in, in cursor order they come out. Pure."""

    def __init__(self, cursor: int) -> None:
        self.cursor = cursor
        self.head = cursor
        """Where the ledger is said to stand."""
        self._waiting: dict[int, Bulletin] = {}

    @property
    def has_hole(self) -> bool:
        return self.head > self.cursor or bool(self._waiting)

    def expect(self, head: int) -> None:
        """Somebody says that the ledger stands here."""
        self.head = max(self.head, head)

    def offer(self, bulletin: Bulletin) -> list[Bulletin]:
        """What may be delivered now. A bulletin that begins before the stream's end and ends after it is taken
        whole: values are whole, so that hearing some again is harmless."""
        if bulletin.cursor <= self.cursor:
            return []
        if bulletin.since > self.cursor:
            self.expect(bulletin.cursor)
            if len(self._waiting) < WAITING:
                self._waiting[bulletin.since] = bulletin
            return []
        self.cursor = bulletin.cursor
        return [bulletin, *self._next()] if self._waiting else [bulletin]

    def _next(self) -> list[Bulletin]:
        ready: list[Bulletin] = []
        for since in sorted(self._waiting):
            if since > self.cursor:
                break
            bulletin = self._waiting.pop(since)
            if bulletin.cursor > self.cursor:
                self.cursor = bulletin.cursor
                ready.append(bulletin)
        return ready


class Streams:
    """The streams of the accounts that have a listener on this node.

    `missed` reads the bulletin of everything after a cursor, `heads` the cursors of accounts that stood so far at least
    (where one doesn't any more, `begin_anew` is to be called); `deliver` hands on what is in order, and `flush` is
    called behind what didn't come by `offer`; `is_bus_healthy` says whether others are heard.
    """

    def __init__(
        self,
        deliver: Callable[[Bulletin], None],
        missed: Callable[[str, int], Awaitable[Bulletin]],
        heads: Callable[[Mapping[str, int]], Awaitable[dict[str, int]]],
        flush: Callable[[], None],
        is_bus_healthy: Callable[[], bool],
    ) -> None:
        self._deliver = deliver
        self._missed = missed
        self._heads = heads
        self._flush = flush
        self._is_bus_healthy = is_bus_healthy
        self._lost = asyncio.Event()
        self._streams: dict[str, Stream] = {}
        self._beginnings = 0
        self._healing: dict[str, asyncio.Task[None]] = {}
        self._waiting: dict[str, list[tuple[int, asyncio.Future[None]]]] = {}

    def __contains__(self, account: str) -> bool:
        return account in self._streams

    async def open(self, account: str) -> None:
        """Follow the account from its head on. The bus must be subscribed by now. Raises Unavailable."""
        while account not in self._streams:
            beginnings = self._beginnings
            heads = await self._heads({account: 0})
            if self._beginnings == beginnings:
                self._streams.setdefault(account, Stream(heads.get(account, 0)))

    def begin_anew(self) -> None:
        """The store's history is another one: what streams know is worthless, and nobody may hear of it. Whoever wants
        to listen opens them again."""
        self._beginnings += 1
        for account in self.accounts:
            self.close(account)

    def close(self, account: str) -> None:
        self._streams.pop(account, None)
        if account in self._waiting:
            self._wake(account, LAST)

    @property
    def accounts(self) -> list[str]:
        """The accounts that are followed."""
        return list(self._streams)

    async def reach(self, account: str, cursor: int) -> None:
        """Return when listeners have heard the account up to here: what a reader saw may still be on its way."""
        stream = self._streams.get(account)
        if stream is None or stream.cursor >= cursor:
            return
        reached = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(account, []).append((cursor, reached))
        self.expect(account, cursor)
        await reached

    async def aclose(self) -> None:
        """End what is being healed: nobody listens any more."""
        healing = list(self._healing.values())
        for task in healing:
            task.cancel()
        await asyncio.gather(*healing, return_exceptions=True)

    def offer(self, bulletin: Bulletin) -> None:
        """A bulletin of this node or of another. Of an account that nobody here follows: nothing to do."""
        stream = self._streams.get(bulletin.account)
        if stream is None:
            return
        for ready in stream.offer(bulletin):
            self._deliver(ready)
        if bulletin.account in self._waiting:
            self._wake(bulletin.account, stream.cursor)
        if stream.has_hole:
            self._heal(bulletin.account)

    def expect(self, account: str, cursor: int) -> None:
        """The account's ledger stands here: what doesn't come by itself is read from the store."""
        stream = self._streams.get(account)
        if stream is not None:
            stream.expect(cursor)
            if stream.has_hole:
                self._heal(account)

    def lose(self) -> None:
        """Some bulletins may be lost, and nobody knows of which accounts: sweep at once."""
        self._lost.set()

    async def sweep(self) -> None:
        """Compare every stream with the store's head: one statement. A head beyond the stream is a hole."""
        beginnings = self._beginnings
        heads = await self._heads({account: stream.cursor for account, stream in self._streams.items()})
        if self._beginnings == beginnings:
            for account, cursor in heads.items():
                self.expect(account, cursor)

    async def run(self) -> None:
        """Sweep for ever; a store that is away is tried again next time. A process that stood still for long sweeps as
        soon as it goes on: by the time that has passed, not by the turns it has taken."""
        ticks = asyncio.get_running_loop().time
        is_due, swept_at = False, ticks()
        while True:
            is_due |= await self._loses(POLL_SECONDS)
            if not is_due and ticks() - swept_at < SWEEP_SECONDS - POLL_SECONDS / 2 and self._is_bus_healthy():
                continue
            is_due, swept_at = False, ticks()
            try:
                await self.sweep()
            except Unavailable as error:
                log.warning("heads can't be compared: %s", error)
                is_due = True
            await asyncio.sleep(HOLE_SECONDS)  # however often something may be lost

    async def _loses(self, seconds: float) -> bool:
        """Wait so long, or until something may be lost."""
        try:
            async with asyncio.timeout(seconds):
                await self._lost.wait()
        except TimeoutError:
            return False
        self._lost.clear()
        return True

    def _wake(self, account: str, cursor: int) -> None:
        waiting = self._waiting.pop(account)
        later = [(wanted, reached) for wanted, reached in waiting if wanted > cursor]
        for wanted, reached in waiting:
            if wanted <= cursor and not reached.done():
                reached.set_result(None)
        if later:
            self._waiting[account] = later

    def _heal(self, account: str) -> None:
        """One healer per account at a time, whatever the number of holes and sockets."""
        if account not in self._healing:
            self._healing[account] = asyncio.get_running_loop().create_task(self._read_holes(account))

    async def _read_holes(self, account: str) -> None:
        """Until there is none: while one was read, the next may have come. Where the stream moves on by itself, the bus
        is bringing what is missing, and under load there is always something on its way."""
        try:
            while (stream := self._streams.get(account)) is not None and stream.has_hole:
                cursor = stream.cursor
                await asyncio.sleep(HOLE_SECONDS)
                if stream.cursor > cursor or not stream.has_hole:
                    continue
                if not await self._read_hole(account, stream):
                    return
                self._flush()
        finally:
            del self._healing[account]  # in the same turn as the last look: who comes later begins anew

    async def _read_hole(self, account: str, stream: Stream) -> bool:
        """Whether something came of it. If not, the next bulletin or sweep tries again."""
        cursor, head = stream.cursor, stream.head
        try:
            bulletin = await self._missed(account, cursor)
        except Unavailable as error:
            log.warning("a hole of %s after %d can't be read: %s", account, cursor, error)
            return False
        if self._streams.get(account) is not stream:
            return True  # of another history, or closed
        if stream.cursor > cursor:
            return True  # the bus has brought some of it meanwhile, which would be heard twice
        if stream.head == head:
            stream.head = bulletin.cursor  # the store knows better than whoever said more
        self.offer(bulletin)
        return stream.cursor > cursor
