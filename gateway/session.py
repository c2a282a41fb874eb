"""One peer's life: a frame comes in, effects go out. Pure: what it does, it does through `Peer`."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from chat.catalog import CATALOG, SIGNAL_CATALOG, Command, Signalling
from chat.errors import BadRequest, Changed, RateLimited, Refused, UnknownType
from chat.model import Actor, Ask, Lasting
from chat.ticket import Done
from gateway import protocol
from gateway.limits import Meter
from gateway.protocol import BadFrame, CloseCode, Hello, Malformed, Pong, Watch

STRIKES = 3  # times over the frame rate before the connection is closed
ERRORS = 20  # frames without sense before the connection is closed


class SessionLimits(Struct, frozen=True):
    """What one kind of peer may send, by actor: a new socket is no new allowance."""

    inflight: int
    messages: Meter
    frames: Meter
    longer: Meter | None = None
    """A second look at messages, over a longer time."""


class Peer(Protocol):
    """What a session may do to the world. Nothing here waits or fails, but `submit`, which may refuse."""

    def send(self, payload: bytes) -> None: ...

    def close(self, code: int) -> None: ...

    def arrive(self, hello: Hello) -> None:
        """Find out who this is; then `live` is called, or the peer is closed."""
        ...

    def submit(self, command: Command, ask: Ask, size: int) -> None:
        """Hand an ask to the ledger; `answered` is called with the result. Raises Busy."""
        ...

    def signal(self, signalling: Signalling, ask: Ask) -> None: ...

    def watch(self, conversations: list[str]) -> None: ...

    def hold(self) -> None:
        """Read nothing more from the peer until `go_on`."""
        ...

    def go_on(self) -> None: ...

    def idle(self) -> None:
        """The peer has said something that costs us and means nothing; many of these end its connection."""
        ...


class Gone:
    """The peer of a session that is over: nothing that is done to it does anything."""

    def send(self, payload: bytes) -> None: ...

    def close(self, code: int) -> None: ...

    def arrive(self, hello: Hello) -> None: ...

    def submit(self, command: Command, ask: Ask, size: int) -> None: ...

    def signal(self, signalling: Signalling, ask: Ask) -> None: ...

    def watch(self, conversations: list[str]) -> None: ...

    def hold(self) -> None: ...

    def go_on(self) -> None: ...

    def idle(self) -> None: ...


GONE = Gone()


class Session:
    """new -> arriving (hello seen) -> live. Frames that come while it holds wait in the shell."""

    __slots__ = (
        "_errors",
        "_inflight",
        "_limits",
        "_peer",
        "_strikes",
        "actor",
        "batch",
        "state",
    )

    def __init__(self, peer: Peer) -> None:
        self._peer: Peer = peer
        self.state = "new"
        self.actor: Actor | None = None
        self.batch = False
        self._inflight = 0
        self._errors = 0
        self._strikes = 0
        self._limits: SessionLimits | None = None

    def receive(self, data: bytes, now: float) -> None:
        """One text frame at a moment (monotonic seconds)."""
        try:
            ask = protocol.decode(data)
        except Malformed as error:
            self._peer.close(error.code)
            return
        except BadFrame as error:
            self._nonsense(error)
            return
        if self.state == "live":
            self._live(ask, len(data), now)
        elif self.state == "new" and type(ask) is Hello:
            self._hello(ask)
        else:
            self._peer.close(CloseCode.HELLO_EXPECTED)

    def live(self, actor: Actor, limits: SessionLimits) -> None:
        """The peer is known now; what it sent meanwhile is read."""
        self.state = "live"
        self.actor = actor
        self._limits = limits
        self._peer.go_on()

    def end(self) -> None:
        """The connection is lost. Answers that are on their way still come here; whoever hears them no more is let go,
        as the two would hold each other until the collector came."""
        self._peer = GONE

    def answered(self, ref: int | None, result: Done | Refused) -> None:
        """The ledger's answer to an ask of this peer."""
        if isinstance(result, Done):
            if ref is not None:
                self._peer.send(protocol.ok(ref, result))
        elif isinstance(result, Changed):  # whoever comes back sends it again, as who it is then
            self._peer.close(CloseCode.CHANGED)
        else:
            self._peer.send(protocol.refused(ref, result))
        self._inflight -= 1
        if self._limits is not None and self._inflight == self._limits.inflight // 2:
            self._peer.go_on()

    def _hello(self, hello: Hello) -> None:
        if hello.protocol != protocol.PROTOCOL:
            self._peer.close(CloseCode.PROTOCOL_VERSION)
            return
        self.state = "arriving"
        self.batch = hello.batch
        self._peer.hold()
        self._peer.arrive(hello)

    def _live(self, ask: Ask, size: int, now: float) -> None:
        kind = type(ask)
        try:
            self._check_rate(kind, now)
            if (command := CATALOG.get(kind)) is not None:
                self._peer.submit(command, ask, size)
                self._inflight += 1
                if self._limits is not None and self._inflight >= self._limits.inflight:
                    self._peer.hold()
            elif (signalling := SIGNAL_CATALOG.get(kind)) is not None:
                self._peer.signal(signalling, ask)
            elif isinstance(ask, Watch):
                self._watch(ask)
            elif isinstance(ask, Pong):
                self._peer.idle()
            else:
                self._peer.close(CloseCode.HELLO_EXPECTED)  # a second hello
        except Refused as refused:
            self._peer.send(protocol.refused(ask.ref, refused))

    def _check_rate(self, kind: type[Ask], now: float) -> None:
        if self._limits is None or self.actor is None or kind is Pong:
            return
        wait = self._limits.frames.take(self.actor.id, now)
        if wait:
            self._strikes += 1
            if self._strikes >= STRIKES:
                self._peer.close(CloseCode.RATE_ABUSE)
        elif issubclass(kind, Lasting):
            wait = _take_message(self._limits, self.actor.id, now)
        if wait:
            raise RateLimited(after_ms=int(wait * 1000) + 1)

    def _watch(self, ask: Watch) -> None:
        if self.actor is None or not self.actor.is_staff:
            raise UnknownType(field="type")
        if len(ask.conversations) > protocol.WATCH_LIMIT:
            raise BadRequest(f"At most {protocol.WATCH_LIMIT} conversations can be watched.", field="conversations")
        if ask.ref is not None:
            self._peer.send(protocol.taken_note(ask.ref))
        self._peer.watch(ask.conversations)

    def _nonsense(self, error: BadFrame) -> None:
        if self.state != "live":
            self._peer.close(CloseCode.HELLO_EXPECTED)
            return
        self._peer.send(protocol.refused(error.ref, error.refused))
        self._errors += 1
        if self._errors >= ERRORS:
            self._peer.close(CloseCode.TOO_MANY_ERRORS)


def _take_message(limits: SessionLimits, actor: str, now: float) -> float:
    """An actor's id names it alone, whatever its account: ids are random. Returns how long to wait (s), or 0."""
    wait = limits.messages.take(actor, now)
    if not wait and limits.longer is not None:
        wait = limits.longer.take(actor, now)
        if wait:
            limits.messages.give_back(actor)
    return wait
