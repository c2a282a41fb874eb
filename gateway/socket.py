"""The shell around a session: websockets' sans-I/O core on a transport of uvicorn's, without tasks or queues.

uvicorn makes one per upgrade. The core parses what the framing doesn't; server frames are built once as bytes and
written past it.
No exception leaves a callback.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any, Protocol, cast

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from chat.catalog import Command, Signalling
from chat.clock import Clock
from chat.errors import Refused
from chat.model import Actor, Ask
from chat.ticket import Ticket
from gateway import protocol
from gateway.admission import Admission, Turned
from gateway.framing import Framing
from gateway.held_back import HeldBack, TooMuch
from gateway.hub import Hub
from gateway.line import Line
from gateway.metrics import Metrics
from gateway.outbox import Outbox, OutboxLimits
from gateway.protocol import DISMISSALS, HELLO_LIMIT, CloseCode, Hello
from gateway.relay import Relay
from gateway.session import Session, SessionLimits
from gateway.signals import Signals
from gateway.wheel import Wheel

log = logging.getLogger("gateway.socket")
quiet = logging.getLogger("gateway.socket.core")  # the core logs each connection; we do that ourselves
quiet.setLevel(logging.CRITICAL)

CLOSING_SECONDS = 5.0  # for the peer to answer a close frame
CONTROL_FRAMES = 64  # answers to pings that a peer doesn't read, then it is cut off
PENDING_FRAMES = 1_024  # frames in hand when reading stops: one TCP segment may hold many
PENDING_BEFORE_HELLO = 8  # the same before the hello is answered, which is all that a client should wait for
IDLE_FRAMES = (
    1_024  # pings, pongs, parts of messages, from one of our pings to the next: each costs 10 µs, says nothing
)
IDLE_BEFORE_HELLO = 16
SLICE = 4_096  # bytes handled before a look whether the peer is cut off: a read may bring 40,000 frames

TEXT, CONT, BINARY = Opcode.TEXT, Opcode.CONT, Opcode.BINARY


class Doorman(Protocol):
    """Brings a peer that said hello up to date."""

    def receive(self, socket: Socket, hello: Hello) -> None: ...

    def grow(self, socket: Socket, conversations: list[str]) -> None: ...

    def farewell(self, socket: Socket) -> None: ...


class Node:
    """What all sockets of a process share."""

    def __init__(
        self,
        *,
        relay: Relay,
        signals: Signals,
        hub: Hub,
        wheel: Wheel,
        line: Line,
        clock: Clock,
        admission: Admission,
        outbox: OutboxLimits,
        frame_bytes: int,
        hello_seconds: float,
        dirty: Dirty,
        metrics: Metrics,
    ) -> None:
        self.relay = relay
        self.signals = signals
        self.hub = hub
        self.wheel = wheel
        self.line = line
        self.clock = clock
        self.admission = admission
        self.outbox = outbox
        self.frame_bytes = frame_bytes
        self.hello_seconds = hello_seconds
        self.dirty = dirty
        self.metrics = metrics
        self.sockets: set[Socket] = set()
        self.doorman: Doorman


class Dirty:
    """The sockets that something was put out for since the last flush."""

    def __init__(self) -> None:
        self.sockets: list[Socket] = []

    def flush(self) -> None:
        sockets, self.sockets = self.sockets, []
        for socket in sockets:
            try:
                socket.flush()
            except Exception:  # the boundary: what one connection does can't stop the others, nor the ledger
                log.exception("a socket could not be written")
                socket.abort()


NOBODY = Actor(account="", kind="system", id="sys_nobody")


class Socket(asyncio.Protocol):
    """One connection. It is the hub's Listener, the wheel's Rider and the session's Peer."""

    __slots__ = (
        "_address",
        "_closing_at",
        "_connections",
        "_controls",
        "_core",
        "_fragments",
        "_framing",
        "_heard",
        "_held",
        "_idle_frames",
        "_is_dirty",
        "_node",
        "_outbox",
        "_pending",
        "_reading",
        "_session",
        "_slot",
        "_transport",
        "actor",
        "assigned",
        "has_origin",
        "named",
        "opened_at",
        "proof",
        "watching",
    )

    def __init__(self, node: Node, connections: set[Any]) -> None:
        self._node = node
        self._connections = connections
        self._core = ServerProtocol(extensions=None, max_size=HELLO_LIMIT, logger=quiet)
        self._framing = Framing(self._core)
        self._session = Session(self)
        self._outbox = Outbox()
        self._pending: deque[bytes] | None = None
        self._held: HeldBack | None = None
        self._fragments: bytearray | None = None
        self._is_dirty = False
        self._address = ""  # only while it hasn't said who it is: no socket keeps it
        self._idle_frames = 0
        self._reading = True
        self._heard = True
        self._closing_at = 0.0
        self._controls = 0
        self._slot: int | None = None
        self.actor = NOBODY
        self.proof = ""
        self.has_origin = False
        self.assigned: set[str] = _NOTHING
        self.named: set[str] = _NOTHING
        self.watching: set[str] = _NOTHING
        self.opened_at = node.clock.ticks()

    # --- asyncio.Protocol --------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._connections.add(self)
        self._node.sockets.add(self)
        self._node.wheel.hurried.add(self)

    def data_received(self, data: bytes) -> None:
        self._heard = True
        if self._slot is not None:
            self._handle(data)
        elif not self._node.line.take(partial(self._handle, data)):
            self._transport.pause_reading()
            self._node.line.wait(partial(self._handle_late, data))

    def _handle_late(self, data: bytes) -> None:
        if self._transport.is_closing():
            return
        self._handle(data)
        if self._reading and not self._transport.is_closing():
            self._transport.resume_reading()

    def _handle(self, data: bytes) -> None:
        if len(data) <= SLICE:
            self._receive(data)
        else:
            for start in range(0, len(data), SLICE):
                if self._transport.is_closing():
                    break
                self._receive(data[start : start + SLICE])
        if self._is_dirty:
            self._node.dirty.flush()

    def _receive(self, data: bytes) -> None:
        try:
            for heard in self._framing.receive(data):
                if type(heard) is bytes:
                    self._whole_text(heard)
                elif type(heard) is Frame:
                    self._frame(heard)
                elif isinstance(heard, Request):
                    self._handshake(heard)
        except Exception:  # the boundary: a bug ends this connection and no other
            log.exception("a frame could not be handled")
            self.close(CloseCode.INTERNAL)
        self._write_core()

    def eof_received(self) -> None:
        self._core.receive_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        node = self._node
        node.sockets.discard(self)
        node.wheel.hurried.discard(self)
        if self._slot is not None:
            node.wheel.dismount(self, self._slot)
        if self._address:
            node.admission.left(self._address, has_origin=self.has_origin)
            self._address = ""
        if self.actor is not NOBODY:
            node.hub.leave(self)
            node.doorman.farewell(self)
        self._outbox.clear()
        self._pending = None
        self._session.end()
        self._core.parser.close()  # a generator whose frame holds the core, which holds it; so may its exception
        self._core.parser_exc = None
        if self._core.handshake_exc is not None or self._core.state is State.CONNECTING:
            return
        close = self._core.close_sent or self._core.close_rcvd
        code = close.code if close else 1006
        node.metrics.closes.labels(str(code)).inc()
        if self._slot is not None:
            node.metrics.sockets.labels(self.actor.kind).dec()
        seconds = node.clock.ticks() - self.opened_at
        level = logging.DEBUG if self.actor is NOBODY else logging.INFO  # strangers can't fill the log
        log.log(level, "closed %s %s after %.1f s with %s", self.actor.kind, self.actor.id, seconds, code)

    def pause_writing(self) -> None:
        self._outbox.is_held = True
        self._outbox.since = self._node.clock.ticks()
        self._node.wheel.hurried.add(self)

    def resume_writing(self) -> None:
        self._outbox.is_held = False
        self._controls = 0
        self.flush()

    def shutdown(self) -> None:
        """uvicorn's last word, after our own drain."""
        self.close(CloseCode.DRAIN)

    # --- the session's Peer --------------------------------------------------------------------------------------

    def send(self, payload: bytes) -> None:
        if self._closing_at:  # a slow peer may take seconds to go, and the hub goes on
            return
        self._outbox.put(payload)
        if not self._is_dirty:
            self._is_dirty = True
            self._node.dirty.sockets.append(self)
        if self._outbox.is_held and self._outbox.is_too_full(self._node.outbox):
            self.close(CloseCode.SLOW_CONSUMER)

    def close(self, code: int) -> None:
        """Say the code and end; what is queued goes first, unless the peer is too slow for it."""
        if self._closing_at or self._core.state is not State.OPEN:
            return
        if code == CloseCode.SLOW_CONSUMER:
            self._outbox.clear()
        else:
            self.flush()
        self._closing_at = self._node.clock.ticks()
        self._node.wheel.hurried.add(self)
        self._core.send_close(code)
        self._write_core()
        if code in DISMISSALS and self.is_live:  # whether its client answers or not
            self._node.doorman.farewell(self)
        self._pending = None
        if not self._reading:  # or we would never see the peer's own close frame
            self._reading = True
            self._transport.resume_reading()

    def arrive(self, hello: Hello) -> None:
        self._node.doorman.receive(self, hello)

    def submit(self, command: Command, ask: Ask, size: int) -> None:
        self._node.relay.submit(Ticket(self.actor.account, self.actor.id, command, ask, self._session, size))

    def signal(self, signalling: Signalling, ask: Ask) -> None:
        self._node.signals.submit(self.actor, signalling, ask, self._refuse_signal(ask))

    def watch(self, conversations: list[str]) -> None:
        """The whole set by name: what falls out of it is heard no more, what is new comes with a snapshot."""
        wanted = set(conversations)
        dropped = [name for name in self.named if name not in wanted and name not in self.assigned]
        self.named = wanted
        self._node.hub.unwatch(self, dropped)
        self._node.doorman.grow(self, conversations)

    def hold(self) -> None:
        if self._reading:
            self._reading = False
            self._transport.pause_reading()

    def go_on(self) -> None:
        """Read on, first what was in hand already."""
        if self._reading:
            return
        self._reading = True
        pending = self._pending
        while pending and self._reading and not self._closing_at:
            self._session.receive(pending.popleft(), self._node.clock.ticks())
        if self._reading and not self._transport.is_closing():
            self._pending = None
            self._transport.resume_reading()

    def idle(self) -> None:
        self._idle_frames += 1
        is_stranger = self._slot is None and not self._closing_at
        if self._idle_frames > (IDLE_BEFORE_HELLO if is_stranger else IDLE_FRAMES):
            self._cut_off()

    # --- the hub's Listener --------------------------------------------------------------------------------------

    def hear(self, conversation: str, seq: int, payload: bytes) -> None:
        if self._held is None:
            self.send(payload)
            return
        try:
            if not self._held.takes(conversation, seq, payload):
                self.send(payload)
        except TooMuch:
            self.close(CloseCode.RESYNC_FAILED)

    def overhear(self, payload: bytes) -> bool:
        if self._held is not None or self._outbox.is_half_full(self._node.outbox):
            self._node.metrics.signals_shed.inc()
            return False
        self.send(payload)
        return True

    def notice(self, payload: bytes) -> None:
        if self._held is None:
            self.send(payload)
            return
        try:
            self._held.take_notice(payload)
        except TooMuch:
            self.close(CloseCode.RESYNC_FAILED)

    def grow(self, conversations: list[str]) -> None:
        self.assigned.update(conversations)
        self._node.doorman.grow(self, conversations)

    def shrink(self, conversation: str) -> None:
        self.assigned.discard(conversation)
        if conversation not in self.named:
            self._node.hub.unwatch(self, [conversation])

    def renew(self, conversation: str) -> None:
        self._node.hub.unwatch(self, [conversation])
        self._node.doorman.grow(self, [conversation])

    def come_back(self) -> None:
        self.close(CloseCode.CHANGED)

    # --- for the doorman -----------------------------------------------------------------------------------------

    def is_open(self) -> bool:
        """A function, as it changes behind every wait: of a property, mypy would believe otherwise."""
        return not self._closing_at and self._core.state is State.OPEN

    @property
    def said_hello(self) -> bool:
        """Whether it is, or is about to be, somebody's."""
        return self._session.state != "new"

    @property
    def is_live(self) -> bool:
        """Whether the peer has been brought up to date."""
        return self._slot is not None

    @property
    def is_dismissed(self) -> bool:
        """Whether it was closed because its actor isn't let in any longer: signed out, or revoked."""
        close = self._core.close_sent
        return close is not None and close.code in DISMISSALS

    @property
    def is_unwritten(self) -> bool:
        """Whether the peer hasn't been sent everything yet."""
        return bool(self._outbox.payloads) or self._transport.get_write_buffer_size() > 0

    def join(self, actor: Actor, proof: str) -> None:
        """This is who it is, by which session or API token. What it should hear is held back until `release`."""
        self.actor = actor
        self.proof = proof
        if actor.is_staff:
            self.assigned, self.named, self.watching = set(), set(), set()
        self._held = HeldBack()
        self._held.hold_all()
        self._node.hub.join(self)

    def listen(self, named: list[str], assigned: list[str]) -> None:
        """Hear what the peer holds snapshots of already, and what is in its actor's hands."""
        self.named.update(named)
        self.assigned.update(assigned)
        self._node.hub.watch(self, [*named, *assigned])

    def take_up(self, conversations: list[str]) -> bool:
        """Hear these too, but hold back what comes until `release`; whether a reader must be found for them."""
        new = self._node.hub.watch(self, conversations)
        if not new:
            return False
        is_idle = self._held is None
        self._held = self._held or HeldBack()
        self._held.hold(new)
        return is_idle

    def unread(self) -> list[str]:
        """What was taken up since this was last asked; the caller reads it."""
        return self._held.take_unread() if self._held else []

    def let_go(self, conversations: list[str]) -> None:
        """These aren't there for the peer."""
        self.named -= set(conversations)
        self._node.hub.unwatch(self, conversations)

    def release(self, seqs: dict[str, int], *, everything: bool = False) -> None:
        """The peer has these conversations up to these seqs: pass on what came later; see HeldBack."""
        held = self._held
        if held is None:
            return
        for payload in held.release_all(seqs) if everything else held.release(seqs):
            self.send(payload)
        if held.is_over:
            self._held = None

    def live(self, limits: SessionLimits) -> None:
        """The peer is up to date: from now on its asks are taken."""
        self._slot = self._node.wheel.mount(self)
        self._node.admission.known(self._address)
        self._address = ""
        self._core.max_message_size = self._node.frame_bytes
        self._node.metrics.sockets.labels(self.actor.kind).inc()
        self._session.live(self.actor, limits)

    # --- the wheel's Rider ---------------------------------------------------------------------------------------

    def abort(self) -> None:
        """End the connection without a word."""
        self._transport.abort()

    def ping(self, n: int) -> None:
        self._heard = False
        self._idle_frames = 0
        self.send(protocol.ping(n))

    def check_pong(self) -> None:
        if not self._heard:
            self._node.metrics.pongs_missed.inc()
            self.close(CloseCode.NO_PONG)

    def check_deadline(self, now: float) -> None:
        if self._closing_at:
            if now - self._closing_at > CLOSING_SECONDS:
                self._transport.abort()
        elif self._session.state != "live":
            if now - self.opened_at > self._node.hello_seconds:
                self._give_up_waiting()
        elif self._outbox.is_too_full(self._node.outbox, now):
            self.close(CloseCode.SLOW_CONSUMER)
        elif not self._outbox.is_held:
            self._node.wheel.hurried.discard(self)

    def flush(self) -> None:
        """Write what is in the outbox, if the transport takes it."""
        self._is_dirty = False
        outbox, transport = self._outbox, self._transport
        if outbox.payloads and not outbox.is_held and not self._closing_at and not transport.is_closing():
            transport.write(outbox.take(joined=self._session.batch))

    # --- inside --------------------------------------------------------------------------------------------------

    def _handshake(self, request: Request) -> None:
        admission = self._node.admission
        peer = self._transport.get_extra_info("peername")
        address = admission.address(peer[0] if peer else "", request.headers)
        try:
            self.has_origin = admission.check(request.path, request.headers, address)
        except Turned as turned:
            response = self._core.reject(HTTPStatus(turned.status), turned.text + "\n")
            for name, value in turned.headers.items():
                response.headers[name] = value
            self._core.send_response(response)
            return
        response = self._core.accept(request)
        self._core.send_response(response)
        if self._core.state is State.OPEN:
            admission.enter(address)
            self._address = address

    def _whole_text(self, data: bytes) -> None:
        if self._closing_at:
            self.idle()
        else:
            self._text(data)

    def _frame(self, frame: Frame) -> None:
        """What came through the core: parts of messages, binary and control frames, and whole but long texts."""
        opcode = frame.opcode
        if opcode is not TEXT or not frame.fin or self._closing_at:
            self.idle()
        if self._closing_at:
            return
        if opcode is TEXT and frame.fin:
            self._text(bytes(frame.data))
        elif opcode is BINARY:
            self.close(CloseCode.MALFORMED)
        elif opcode is TEXT or opcode is CONT:
            self._fragment(frame)

    def _fragment(self, frame: Frame) -> None:
        """The core has checked order and total size."""
        if self._fragments is None:
            self._fragments = bytearray()
        self._fragments += frame.data
        if frame.fin:
            whole, self._fragments = bytes(self._fragments), None
            self._text(whole)

    def _text(self, data: bytes) -> None:
        if self._reading:
            self._session.receive(data, self._node.clock.ticks())
            return
        if self._pending is None:
            self._pending = deque()
        if len(self._pending) >= (PENDING_FRAMES if self._slot is not None else PENDING_BEFORE_HELLO):
            self.close(CloseCode.RATE_ABUSE)
            return
        self._pending.append(data)

    def _write_core(self) -> None:
        """What the core itself has to say: handshake, pongs, close frames; an empty one ends the connection."""
        for data in self._core.data_to_send():
            if self._outbox.is_held:
                self._controls += 1
                if self._controls > CONTROL_FRAMES:
                    self._transport.abort()
                    return
            if self._transport.is_closing():
                return
            if data:
                self._transport.write(data)
            else:
                self._transport.close()

    def _give_up_waiting(self) -> None:
        if self._core.state is not State.OPEN:
            self._transport.abort()
        elif self._session.state == "new":
            self.close(CloseCode.HELLO_EXPECTED)
        else:  # it said hello, and it is we who are slow: it may come back
            self.close(CloseCode.OVERLOADED)

    def _cut_off(self) -> None:
        """Nobody well-behaved sends so much of what says nothing: don't wait for its answer to our close frame."""
        if self._closing_at:
            self._transport.abort()
        else:
            self.close(CloseCode.RATE_ABUSE)
            self._transport.close()

    def _refuse_signal(self, ask: Ask) -> Callable[[Refused], None]:
        return lambda refused: self.send(protocol.refused(ask.ref, refused))


_NOTHING: set[str] = set()
"""Shared by all who watch nothing: contacts. Never added to."""
