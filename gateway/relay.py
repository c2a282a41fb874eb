"""The way of an ask to the ledger and of its change to everybody: encode once, to the stream and the bus."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable

from chat.access import allow, contact_signal, enter
from chat.batch import Commit
from chat.catalog import CATALOG, Signalling
from chat.errors import Refused, Unavailable
from chat.ledger import Ledger
from chat.model import Actor, Ask
from chat.reading import Reading
from chat.rules.receipts import Delivered, Read
from chat.ticket import Answer, Done, Ticket
from gateway import protocol
from gateway.bulletin import Bell, Bulletin, of_commit, of_missed, pack, unpack
from gateway.bus import Bus
from gateway.hub import Hub
from gateway.metrics import Metrics
from gateway.positions import Positions
from gateway.stream import SWEEP_SECONDS, Streams

log = logging.getLogger("gateway.relay")

LINGER_SECONDS = 30.0  # a page change shouldn't cost a subscription
POSITIONS = (Read, Delivered)
SIGNALS_WAITING = 1_000  # beyond that signals are dropped: they aren't kept anyway


class Relay:
    """`connect` gives it the ledger, whose `settle` is this relay's; `flush` writes out all outboxes; `now` in ms."""

    def __init__(
        self,
        hub: Hub,
        bus: Bus,
        reading: Reading,
        flush: Callable[[], None],
        metrics: Metrics,
        now: Callable[[], int],
    ) -> None:
        self._hub = hub
        self._bus = bus
        self._reading = reading
        self._flush = flush
        self._metrics = metrics
        self._now = now
        self._idle: dict[str, int] = {}
        self.streams = Streams(hub.deliver, self._missed, reading.cursors, flush, lambda: bus.is_healthy)
        bus.listen(self._hear, self.streams.lose)
        self._is_flushing = False
        self._signals: asyncio.Queue[tuple[Actor, Signalling, Ask, Callable[[Refused], None]]] = asyncio.Queue(
            SIGNALS_WAITING
        )

    def connect(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.positions = Positions(ledger.submit)

    def submit(self, ticket: Ticket) -> None:
        """To the ledger. The ticket's peer is `answered` when the ask is settled. Raises Busy."""
        if type(ticket.ask) in POSITIONS:
            self.positions.submit(ticket)
        else:
            self._ledger.submit(ticket)

    def settle(self, answers: list[Answer], commits: list[Commit]) -> None:
        """After a batch: every asker hears `ok` first, then everybody the changes, in one write per socket."""
        for answer in answers:
            ticket = answer.ticket
            ticket.peer.answered(ticket.ask.ref, answer.result)
        for commit in commits:
            bulletin = of_commit(commit)
            self.streams.offer(bulletin)
            if self._bus.wants(commit.account):
                self._bus.publish(commit.account, pack(bulletin))
        self._flush()
        self._metrics.batch_asks.observe(len(answers))
        self._count(Counter(map(_outcome, answers)))

    def signal(self, actor: Actor, signalling: Signalling, ask: Ask, refuse: Callable[[Refused], None]) -> None:
        """To whoever listens now. `refuse` is called if the actor may not."""
        if not self._signals.full():
            self._signals.put_nowait((actor, signalling, ask, refuse))

    async def follow(self, account: str) -> None:
        """The account's stream runs on this node when this returns. Raises Unavailable."""
        self._idle.pop(account, None)
        if account not in self.streams:
            await self._bus.subscribe(account)
            await self.streams.open(account)

    def _hear(self, account: str, payload: bytes) -> None:
        """What another node has written."""
        if account not in self.streams:
            return
        heard = unpack(account, payload)
        if isinstance(heard, Bulletin):
            self.streams.offer(heard)
            self._flush_soon()
        elif isinstance(heard, Bell):
            self.streams.expect(account, heard.cursor)
        else:
            self.streams.lose()

    def _flush_soon(self) -> None:
        """Once, whatever else comes in this turn of the loop."""
        if not self._is_flushing:
            self._is_flushing = True
            asyncio.get_running_loop().call_soon(self._flush_heard)

    def _flush_heard(self) -> None:
        self._is_flushing = False
        self._flush()

    async def let_go(self) -> None:
        """Called at every sweep: an account without listeners is followed a little longer, as they may come back."""
        for account in self.streams.accounts:
            if self._hub.is_listened_to(account):
                self._idle.pop(account, None)
                continue
            self._idle[account] = self._idle.get(account, 0) + 1
            if self._idle[account] * SWEEP_SECONDS > LINGER_SECONDS:
                del self._idle[account]
                self.streams.close(account)
                await self._bus.unsubscribe(account)

    async def run_signals(self) -> None:
        """One signal after the other, for ever."""
        while True:
            actor, signalling, ask, refuse = await self._signals.get()
            try:
                await self._pass_on(actor, signalling, ask)
            except Refused as refused:
                refuse(refused)
            except Unavailable as error:
                log.warning("a signal is dropped: %s", error)
            self._flush()

    async def _pass_on(self, actor: Actor, signalling: Signalling, ask: Ask) -> None:
        known = await self._reading.as_now(actor)  # the socket's own knowledge is as old as its hello
        allow(signalling.may, known, self._now(), is_lasting=True)
        found = await self._reading.conversation(actor.account, ask.conversation)  # type: ignore[attr-defined]  # every signal's shape has it
        conversation = enter(actor, found)
        signal = signalling.rule(ask, actor, conversation)
        for_contact = contact_signal(signal, conversation)
        self._hub.signal(
            actor.account,
            conversation.id,
            conversation.contact,
            actor.id,
            protocol.signal(signal),
            None if for_contact is None else protocol.signal(for_contact),
        )
        if signal.name == "viewing":
            self._hub.look(actor.account, conversation.id, actor.id, on=signal.on)

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
