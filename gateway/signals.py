"""The way of a signal to whoever listens now, on this node and on others. Nothing of it is kept."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from msgspec import Struct, msgpack

from chat.access import allow, contact_signal, enter
from chat.catalog import Signalling
from chat.clock import Clock
from chat.errors import Refused, Unavailable
from chat.model import Actor, Ask, Signal, author_of
from chat.reading import Reading
from chat.store import Scoped
from gateway import protocol
from gateway.hub import Hub
from gateway.limits import Bucket, Meter, Rate
from gateway.metrics import Metrics
from gateway.switchboard import SIGNAL, Switchboard

log = logging.getLogger("gateway.signals")

VERSION = 1
WAITING = 1_000  # beyond that signals are dropped: they aren't kept anyway
# What other nodes are told. Whoever hears typing and viewing forgets them unless they are said again.
OF_ONE = Rate(10, 10)  # by one actor in one conversation: clients say what is typed three times a second
OF_NODE = Rate(200, 200)
LOOKED_AT = 50  # conversations that one may have open at once, as far as others are told of its going


class Passed(Struct, frozen=True, gc=False, array_like=True):
    """A signal as nodes tell it each other: judged, and encoded for both audiences."""

    conversation: str
    contact: str
    by: str
    for_staff: bytes
    for_contact: bytes | None
    is_look: bool = False


class Signals:
    """`flush` writes out all outboxes."""

    def __init__(
        self,
        hub: Hub,
        switchboard: Switchboard,
        reading: Reading,
        flush: Callable[[], None],
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._hub = hub
        self._switchboard = switchboard
        self._reading = reading
        self._flush = flush
        self._clock = clock
        self._unknown = metrics.bus_unknown
        self._untold = metrics.signals_untold
        self._waiting: asyncio.Queue[tuple[Actor, Signalling, Ask, Callable[[Refused], None]]] = asyncio.Queue(WAITING)
        self._of_one = Meter(OF_ONE)
        self._of_node = Bucket(OF_NODE)
        self._looked_at: dict[Scoped, set[str]] = {}
        hub.gone = self._look_away
        switchboard.connect(SIGNAL, self._hear)

    def submit(self, actor: Actor, signalling: Signalling, ask: Ask, refuse: Callable[[Refused], None]) -> None:
        """To whoever listens now. `refuse` is called if the actor may not."""
        if not self._waiting.full():
            self._waiting.put_nowait((actor, signalling, ask, refuse))

    async def run(self) -> None:
        """One signal after the other, for ever."""
        while True:
            actor, signalling, ask, refuse = await self._waiting.get()
            try:
                await self._take(actor, signalling, ask)
            except Refused as refused:
                refuse(refused)
            except Unavailable as error:
                log.warning("a signal is dropped: %s", error)
            self._flush()

    async def _take(self, actor: Actor, signalling: Signalling, ask: Ask) -> None:
        """Judged here; other nodes hand out what they are given."""
        known = await self._reading.as_now(actor)  # the socket's own knowledge is as old as its hello
        allow(signalling.may, known, self._clock.now(), is_lasting=True)
        found = await self._reading.conversation(actor.account, ask.conversation)  # type: ignore[attr-defined]  # every signal's shape has it
        conversation = enter(actor, found)
        signal = signalling.rule(ask, actor, conversation)
        for_contact = contact_signal(signal, conversation)
        is_look = signal.name == "viewing"
        if is_look and signal.on and not self._hub.is_here(actor):
            return  # it has gone while this waited, and nobody would say that it looks away
        passed = Passed(
            conversation.id,
            conversation.contact,
            actor.id,
            protocol.signal(signal),
            None if for_contact is None else protocol.signal(for_contact),
            is_look,
        )
        self._hand_out(actor.account, passed)
        self._tell(actor.account, passed)
        if is_look:
            self._look(actor, conversation.id, on=signal.on)

    def _hand_out(self, account: str, passed: Passed) -> None:
        self._hub.signal(account, passed.conversation, passed.contact, passed.by, passed.for_staff, passed.for_contact)

    def _tell(self, account: str, passed: Passed) -> None:
        """To the other nodes, as long as it isn't too much."""
        if not self._switchboard.wants(account):
            return
        now = self._clock.ticks()
        if self._of_one.take(passed.conversation + passed.by, now) or self._of_node.take(now):
            self._untold.inc()
        else:
            self._switchboard.tell(account, pack(passed))

    def _hear(self, account: str, payload: bytes) -> None:
        """Of another node."""
        passed = unpack(payload)
        if passed is None:
            self._unknown.inc()
            return
        if passed.is_look:  # there it was said last, and there it is known when it is over
            self._forget_look((account, passed.by), passed.conversation)
        self._hand_out(account, passed)

    def _look(self, actor: Actor, conversation: str, *, on: bool) -> None:
        """This member of staff has the conversation open, or no longer: told for it when its last socket is gone."""
        who = (actor.account, actor.id)
        if not on:
            self._forget_look(who, conversation)
        else:
            looked_at = self._looked_at.setdefault(who, set())
            if len(looked_at) < LOOKED_AT:
                looked_at.add(conversation)

    def _forget_look(self, who: Scoped, conversation: str) -> None:
        looked_at = self._looked_at.get(who)
        if looked_at is not None:
            looked_at.discard(conversation)
            if not looked_at:
                del self._looked_at[who]

    def _look_away(self, actor: Actor) -> None:
        conversations = self._looked_at.pop((actor.account, actor.id), ())
        for conversation in conversations:
            away = protocol.signal(Signal("viewing", conversation, author_of(actor.id), on=False))
            passed = Passed(conversation, "", actor.id, away, None, is_look=True)
            self._hand_out(actor.account, passed)
            self._tell(actor.account, passed)
        if conversations:
            self._flush()


def pack(passed: Passed) -> bytes:
    """For other nodes."""
    return _HEAD + _ENCODER.encode(passed)


def unpack(payload: bytes) -> Passed | None:
    """What another node has packed; None if it is of another version, or nothing."""
    if not payload.startswith(_HEAD):
        return None
    try:
        return _DECODER.decode(payload[len(_HEAD) :])
    except (ValueError, RecursionError):
        return None


_HEAD = bytes([SIGNAL, VERSION])
_ENCODER = msgpack.Encoder()
_DECODER = msgpack.Decoder(Passed)
