"""The way of an ask to the ledger and of its change to everybody: encode once, to the stream and the bus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from typing import Protocol

from chat.batch import Commit
from chat.catalog import CATALOG
from chat.errors import Refused
from chat.ledger import Ledger
from chat.model import Ask, Member
from chat.reading import Reading
from chat.rules.receipts import Delivered, Read
from chat.ticket import Answer, Done, Ticket
from gateway.bulletin import Bell, Bulletin, of_commit, of_missed, pack, unpack
from gateway.bus import Bus
from gateway.hub import Hub
from gateway.metrics import Metrics
from gateway.positions import Positions
from gateway.stream import SWEEP_SECONDS, Streams
from gateway.switchboard import LEDGER, Switchboard

LINGER_SECONDS = 30.0  # a page change shouldn't cost a subscription
POSITIONS = (Read, Delivered)


class Follower(Protocol):
    """Goes along with the streams of this node. None of these waits."""

    def begin(self, account: str) -> None:
        """The account's stream runs here from now on. Harmless when it did before."""
        ...

    def end(self, account: str) -> None:
        """It doesn't any more."""
        ...

    def hear(self, bulletin: Bulletin, *, is_own: bool) -> None:
        """What happened in it, in its order; `is_own`: this node has just committed it."""
        ...

    def employ(self, account: str, members: Collection[Member]) -> None:
        """This node has just committed what is so of them, beside the stream."""
        ...

    def act(self, account: str, actor: str, ask: Ask) -> None:
        """Somebody asks for something: it is really there."""
        ...

    def wants(self, account: str) -> bool:
        """Whether the stream is to go on though nobody here listens to it."""
        ...


class Nobody:
    """Follows nothing."""

    def begin(self, account: str) -> None: ...
    def end(self, account: str) -> None: ...
    def hear(self, bulletin: Bulletin, *, is_own: bool) -> None: ...
    def employ(self, account: str, members: Collection[Member]) -> None: ...
    def act(self, account: str, actor: str, ask: Ask) -> None: ...

    def wants(self, account: str) -> bool:
        return False


class Relay:
    """`connect` gives it the ledger, whose `settle` is this relay's; `flush` writes out all outboxes."""

    def __init__(
        self,
        hub: Hub,
        bus: Bus,
        switchboard: Switchboard,
        reading: Reading,
        flush: Callable[[], None],
        metrics: Metrics,
    ) -> None:
        self._hub = hub
        self._bus = bus
        self._switchboard = switchboard
        self._reading = reading
        self._flush = flush
        self._metrics = metrics
        self._followed: set[str] = set()
        self._idle: dict[str, int] = {}
        self.follows = 0
        """How often an account began to be followed: what other nodes said of it before wasn't heard here."""
        self.follower: Follower = Nobody()
        self._is_settling = False
        self.streams = Streams(self._deliver, self._missed, reading.heads, flush, lambda: bus.is_healthy)
        switchboard.connect(LEDGER, self._hear)
        switchboard.on_gap(self.streams.lose)

    def connect(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.positions = Positions(ledger.submit)

    def submit(self, ticket: Ticket) -> None:
        """To the ledger. The ticket's peer is `answered` when the ask is settled. Raises Busy."""
        if type(ticket.ask) in POSITIONS:
            self.positions.submit(ticket)
        else:
            self._ledger.submit(ticket)
            self.follower.act(ticket.account, ticket.actor, ticket.ask)

    def settle(self, answers: list[Answer], commits: list[Commit]) -> None:
        """After a batch: every asker hears `ok` first, then everybody the changes, in one write per socket."""
        for answer in answers:
            ticket = answer.ticket
            ticket.peer.answered(ticket.ask.ref, answer.result)
        self._is_settling = True
        for commit in commits:
            if commit.moves:
                self._publish(of_commit(commit))
            if commit.members:
                self.follower.employ(commit.account, commit.members)
        self._is_settling = False
        self._flush()
        self._metrics.batch_asks.observe(len(answers))
        self._count(Counter(map(_outcome, answers)))

    def _publish(self, bulletin: Bulletin) -> None:
        self.streams.offer(bulletin)
        if self._switchboard.wants(bulletin.account):
            self._switchboard.tell(bulletin.account, pack(bulletin))

    def _deliver(self, bulletin: Bulletin) -> None:
        self._hub.deliver(bulletin)
        self.follower.hear(bulletin, is_own=self._is_settling)

    async def follow(self, account: str) -> None:
        """The account's stream runs on this node when this returns. Raises Unavailable."""
        self._idle.pop(account, None)
        if account not in self.streams:
            await self._bus.subscribe(account)
            self._followed.add(account)
            self.follows += 1
            await self.streams.open(account)
            self.follower.begin(account)

    def _hear(self, account: str, payload: bytes) -> None:
        """What another node has written."""
        if account not in self.streams:
            return
        heard = unpack(account, payload)
        if isinstance(heard, Bulletin):
            self.streams.offer(heard)
        elif isinstance(heard, Bell):
            self.streams.expect(account, heard.cursor)
        else:
            self.streams.lose()

    def begin_anew(self) -> None:
        """The store's history is another one: who listens is to come back, and hears no more of the old one."""
        self._hub.tell_heads()
        for account in self.streams.accounts:
            self.follower.end(account)
        self.streams.begin_anew()

    async def let_go(self) -> None:
        """Called at every sweep: an account without listeners is followed a little longer, as they may come back."""
        for account in list(self._followed):
            if self._hub.is_listened_to(account) or self.follower.wants(account):
                self._idle.pop(account, None)
                continue
            self._idle[account] = self._idle.get(account, 0) + 1
            if self._idle[account] * SWEEP_SECONDS > LINGER_SECONDS:
                del self._idle[account]
                self._followed.discard(account)
                self.streams.close(account)
                self.follower.end(account)
                await self._bus.unsubscribe(account)

    def _count(self, outcomes: Counter[type[Ask] | str | None]) -> None:
        metrics = self._metrics
        for what, count in outcomes.items():
            if what is None:
                metrics.resends.inc(count)
            elif isinstance(what, str):
                metrics.refusals.labels(what).inc(count)
            else:
                metrics.asks.labels(CATALOG[what].name).inc(count)

    async def _missed(self, account: str, since: int) -> Bulletin:
        cursor, missed = await self._reading.missed(account, since)
        self._metrics.holes_healed.inc()
        return of_missed(account, since, cursor, missed)


def _outcome(answer: Answer) -> type[Ask] | str | None:
    """The shape of what was carried out, None for a resend, or the code of the refusal."""
    result = answer.result
    if type(result) is Done:
        return None if result.again else type(answer.ticket.ask)
    assert isinstance(result, Refused)
    return result.code
