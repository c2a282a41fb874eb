"""Who says hello is identified, joins the hub, and is brought up to date: subscribed first, read second."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from msgspec import Struct
from msgspec.json import encode

from chat.clock import Clock
from chat.errors import Unavailable
from chat.model import TEXT_LIMIT, Actor, ActorKind
from chat.reading import CatchUp, Missed, Reading, Returning, Snapshot
from gateway import protocol
from gateway.auth import Identity, Unauthorized
from gateway.batched import Batched
from gateway.dispatch import Dispatch
from gateway.limits import Meter
from gateway.metrics import Metrics
from gateway.protocol import WATCH_LIMIT, CloseCode, Hello, Limits, Resume
from gateway.roll import Roll
from gateway.session import SessionLimits
from gateway.socket import Socket
from gateway.tasks import Tasks

log = logging.getLogger("gateway.arrivals")

ARRIVAL_SECONDS = 10.0  # for the store to answer
READS_AT_ONCE = 3  # of contacts that come back together: one that is slow holds few up


class Desk(Struct, frozen=True):
    """What every arrival is told, and what each kind of actor may send."""

    epoch: Callable[[], str]
    ping_ms: int
    frame_bytes: int
    limits: Mapping[ActorKind, SessionLimits]
    hellos: Meter
    """By actor."""
    vouched: SessionLimits | None = None
    """Of contacts that a shop's backend has signed for."""

    def limits_of(self, identity: Identity) -> SessionLimits:
        return (identity.is_vouched and self.vouched) or self.limits[identity.kind]


class Arrivals:
    """The sockets' Doorman."""

    def __init__(
        self,
        desk: Desk,
        *,
        identify: Callable[[str], Awaitable[Identity]],
        revoked: Callable[[], int],
        reading: Reading,
        together: int,
        follow: Callable[[str], Awaitable[None]],
        reach: Callable[[str, int], Awaitable[None]],
        roll: Roll,
        dispatch: Dispatch,
        tasks: Tasks,
        clock: Clock,
        flush: Callable[[], None],
        metrics: Metrics,
    ) -> None:
        """`together`: how many contacts' catch-ups one read of the store takes."""
        self._desk = desk
        self._identify = identify
        self._revoked = revoked
        self._reading = reading
        self._follow = follow
        self._reach = reach
        self._roll = roll
        self._dispatch = dispatch
        self._tasks = tasks
        self._clock = clock
        self._flush = flush
        self._metrics = metrics
        self._returning = Batched(self._read_together, at_most=together, at_once=READS_AT_ONCE)

    def receive(self, socket: Socket, hello: Hello) -> None:
        self._tasks.start(self._guarded(socket, self._receive(socket, hello)))

    def grow(self, socket: Socket, conversations: list[str]) -> None:
        """The listener hears these too: it gets a snapshot of each first.

        One reader per socket: of two, the slower could bring a snapshot that is older than what was heard since.
        """
        if socket.take_up(conversations):
            self._tasks.start(self._guarded(socket, self._grow(socket)))

    async def close(self) -> None:
        """Whoever still arrives is left alone."""
        await self._returning.close()

    def farewell(self, socket: Socket) -> None:
        if socket.actor.is_staff:
            self._roll.leave(socket, for_good=socket.is_dismissed)
        self._dispatch.leave(socket)

    async def _guarded(self, socket: Socket, work: Awaitable[None]) -> None:
        try:
            async with asyncio.timeout(ARRIVAL_SECONDS):
                await work
        except (Unavailable, TimeoutError) as error:
            log.warning("a peer can't be brought up to date: %s", str(error) or "too slow")
            socket.close(CloseCode.UNAVAILABLE)
        except Unauthorized:
            socket.close(CloseCode.UNAUTHORIZED)
        except Exception:  # the boundary: a bug ends this connection and no other
            log.exception("a peer can't be brought up to date")
            socket.close(CloseCode.INTERNAL)
        self._flush()

    async def _receive(self, socket: Socket, hello: Hello) -> None:
        revoked = self._revoked()
        identity = await self._identify(hello.token)
        actor = identity.actor
        if not socket.is_open():
            return
        if actor.kind != "bot" and not socket.has_origin:
            socket.close(CloseCode.ORIGIN_REFUSED)
            return
        if self._desk.hellos.take(actor.id, self._clock.ticks()):
            socket.close(CloseCode.RATE_ABUSE)
            return
        await self._follow(actor.account)
        limits = self._desk.limits_of(identity)
        socket.join(actor, identity.session)
        if self._revoked() != revoked:  # perhaps this very session, before it could be found here: look once more
            await self._identify(hello.token)
        socket.send(self._welcome(actor, limits))
        resume = hello.resume
        if resume is not None and resume.epoch != self._desk.epoch():
            socket.send(protocol.reset("epoch"))
            self._metrics.resumes.labels("reset").inc()
            resume = None
        elif resume is None:
            self._metrics.resumes.labels("fresh").inc()
        await self._bring_up_to_date(socket, actor, resume)
        await self._grow(socket)
        if not socket.is_open():  # or it would be in the wheel and on the roll for ever
            return
        socket.live(limits)
        if actor.is_staff:
            self._roll.enter(socket)
        self._dispatch.enter(socket, identity.inbox)

    async def _bring_up_to_date(self, socket: Socket, actor: Actor, resume: Resume | None) -> None:
        if actor.kind == "contact":
            caught = await self._of_contact(Returning(actor, tuple(resume.conversations.items()) if resume else ()))
        else:
            held = resume.watch[:WATCH_LIMIT] if resume else []
            cursor = resume.cursor if resume else None
            # Listen first: what comes while the store is read waits in the socket.
            assigned = await self._reading.in_hands(actor, held)
            socket.listen(held, assigned)
            caught = await self._reading.catch_up_staff(actor, cursor, held, assigned, heads=actor.kind == "agent")
        # What was read may still be on its way here. When it has come, it is dropped as known.
        await self._reach(actor.account, caught.cursor)
        if not socket.is_open():
            return
        if resume is not None:
            self._metrics.resumes.labels("reset" if caught.too_far else "caught_up").inc()
        for payload in frames_of(actor, caught):
            socket.send(payload)
        socket.release(_seqs(caught), everything=True)
        socket.send(protocol.synced(caught.cursor if actor.is_staff else None))

    async def _of_contact(self, returning: Returning) -> CatchUp:
        caught = await self._returning.get(returning)
        assert caught is not None  # everybody has some, be it empty
        return caught

    async def _read_together(self, crowd: Sequence[Returning]) -> Mapping[Returning, CatchUp]:
        return await self._reading.catch_up_contacts(crowd)

    async def _grow(self, socket: Socket) -> None:
        """Snapshots of what the socket took up, until it takes up no more."""
        actor = socket.actor
        while conversations := socket.unread():
            cursor, snapshots, gone = await self._reading.snapshots(actor, conversations)
            await self._reach(actor.account, cursor)
            if not socket.is_open():
                return
            for snapshot in snapshots:
                # An agent that resumed from here would miss the heads that wait to be told. Bots get none.
                socket.send(snapshot_of(snapshot, cursor if actor.kind == "bot" else None))
            socket.let_go(gone)
            for conversation in gone:
                socket.send(protocol.gone(conversation))
            socket.release(dict.fromkeys(gone, 0) | _seqs_of(snapshots))

    def _welcome(self, actor: Actor, limits: SessionLimits) -> bytes:
        desk = self._desk
        told = Limits(desk.frame_bytes, TEXT_LIMIT, WATCH_LIMIT, limits.inflight)
        return protocol.welcome(desk.epoch(), actor, self._clock.now(), desk.ping_ms, told)


def frames_of(actor: Actor, caught: CatchUp) -> list[bytes]:
    """A catch-up on the wire, as this actor may see it."""
    is_staff = actor.is_staff
    frames = [protocol.reset("too_far")] if caught.too_far else []
    frames += [_change(missed, is_staff=is_staff) for missed in caught.missed]
    cursor = caught.cursor if is_staff else None
    frames += [snapshot_of(snapshot, cursor) for snapshot in caught.snapshots]
    if caught.heads:
        frames += protocol.heads((encode(head) for head in caught.heads), caught.cursor)
    return frames + [protocol.gone(conversation) for conversation in caught.gone]


def snapshot_of(snapshot: Snapshot, cursor: int | None) -> bytes:
    """A snapshot on the wire; `cursor` is where the peer may resume from once it has this, if it may."""
    return protocol.snapshot(snapshot.state, snapshot.entries, snapshot.more, cursor)


def _change(missed: Missed, *, is_staff: bool) -> bytes:
    """At the conversation's own cursor, not the catch-up's: clients put it into the state."""
    conversation = missed.conversation
    cursor = conversation.cursor if is_staff else None
    return protocol.change(conversation.id, conversation.seq, encode(missed.entries), encode(missed.state), cursor)


def _seqs(caught: CatchUp) -> dict[str, int]:
    return {missed.conversation.id: missed.conversation.seq for missed in caught.missed} | _seqs_of(caught.snapshots)


def _seqs_of(snapshots: list[Snapshot]) -> dict[str, int]:
    return {snapshot.conversation.id: snapshot.conversation.seq for snapshot in snapshots}
