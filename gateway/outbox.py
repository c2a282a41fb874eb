"""What waits to be written to one peer: bounded in frames, bytes and time; signals go overboard first."""

from __future__ import annotations

from msgspec import Struct

from gateway.protocol import FRAME_LIMIT


class OutboxLimits(Struct, frozen=True):
    """Beyond any of these the peer is too slow, and is closed; it resumes by position."""

    frames: int = 256
    bytes: int = 512 * 1024
    seconds: float = 10.0


def framed(payload: bytes) -> bytes:
    """A whole unmasked text frame, as RFC 6455 5.2 has it."""
    size = len(payload)
    if size < 126:
        return b"\x81%c%b" % (size, payload)
    if size < 65536:
        return b"\x81\x7e%b%b" % (size.to_bytes(2, "big"), payload)
    return b"\x81\x7f%b%b" % (size.to_bytes(8, "big"), payload)


_last = (b"", b"")


def framed_once(payload: bytes) -> bytes:
    """The same, remembered while it is the same object: what a thousand sockets hear is framed for the first."""
    global _last
    if payload is not _last[0]:
        _last = payload, framed(payload)
    return _last[1]


class Outbox:
    """Payloads in order. While the transport takes no more (`is_held`), they pile up here."""

    __slots__ = ("_size", "is_held", "payloads", "since")

    def __init__(self) -> None:
        self.payloads: list[bytes] = []
        self._size = 0
        self.is_held = False
        self.since = 0.0
        """When the transport last stopped taking (monotonic seconds)."""

    def put(self, payload: bytes) -> None:
        self.payloads.append(payload)
        self._size += len(payload)

    def is_half_full(self, limits: OutboxLimits) -> bool:
        return self.is_held and (len(self.payloads) * 2 > limits.frames or self._size * 2 > limits.bytes)

    def is_too_full(self, limits: OutboxLimits, now: float | None = None) -> bool:
        """Only what is held counts: what one batch brings at once goes out as one write."""
        if not self.is_held:
            return False
        late = now is not None and bool(self.payloads) and now - self.since > limits.seconds
        return late or len(self.payloads) > limits.frames or self._size > limits.bytes

    def clear(self) -> None:
        self.payloads.clear()
        self._size = 0

    def take(self, *, joined: bool) -> bytes:
        """Everything, as bytes for one write: joined frames for a peer that said `batch`, else a frame each."""
        payloads, size = self.payloads, self._size
        self.payloads, self._size = [], 0
        if len(payloads) == 1:
            return framed_once(payloads[0])
        if not joined:
            return b"".join(map(framed, payloads))
        if size + len(payloads) <= FRAME_LIMIT:
            return framed(b"\n".join(payloads))
        return b"".join(framed(b"\n".join(group)) for group in _groups(payloads))


def _groups(payloads: list[bytes]) -> list[list[bytes]]:
    groups: list[list[bytes]] = [[]]
    room = FRAME_LIMIT
    for payload in payloads:
        if groups[-1] and len(payload) + 1 > room:
            groups.append([])
            room = FRAME_LIMIT
        groups[-1].append(payload)
        room -= len(payload) + 1
    return groups
