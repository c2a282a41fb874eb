"""What a peer sends, cut into frames. The usual ones, whole text frames, are read here; all others by the core.

The core reads a frame in five steps of generators, 4 µs; the usual one needs no step, 0.5 µs. What is usual is decided
by its first bytes alone, and whatever isn't goes through the core byte for byte, so all rules of RFC 6455 stay there.
"""

from __future__ import annotations

from websockets import frames
from websockets.protocol import Event, State
from websockets.server import ServerProtocol

apply_mask = frames.apply_mask  # type: ignore[attr-defined]  # in C where there is a wheel, else in Python

WHOLE_TEXT = 0x81  # FIN, no reserved bit, opcode 1: RFC 6455 5.2
MASKED = 0x80
TWO_BYTES, EIGHT_BYTES = 126, 127  # lengths that say how the true length follows
LONGEST_HEADER = 14

Heard = bytes | Event


class Framing:
    """Between the transport and the core, which must be at the start of a frame or of the opening handshake."""

    __slots__ = ("_core", "_header", "_owed")

    def __init__(self, core: ServerProtocol) -> None:
        self._core = core
        self._header = b""
        """What the core has of a frame whose length isn't known yet."""
        self._owed = 0
        """How many bytes of a frame the core still waits for."""

    def receive(self, data: bytes) -> list[Heard]:
        """Whole text frames as their content, the core's events for everything else, in order of arrival.

        The content isn't known to be UTF-8. Raises EOFError after the core's `receive_eof`.
        """
        if self._core.state is State.CONNECTING:  # uvicorn hands over the request and nothing more
            return self._through_core(data)
        heard: list[Heard] = []
        at = 0 if self._owed or self._header else self._take_texts(data, 0, heard)
        while at < len(data):
            at = self._take_texts(data, self._pass_on(data, at, heard), heard)
        return heard

    def _take_texts(self, data: bytes, at: int, heard: list[Heard]) -> int:
        """As many as are whole; where they end. A part of a message, or anything after the close, is the core's."""
        core = self._core
        if core.state is not State.OPEN or core.current_size is not None:
            return at
        limit, end = core.max_message_size or 0, len(data)
        while at + 6 <= end and data[at] == WHOLE_TEXT:
            size, begin = data[at + 1] - MASKED, at + 6
            if size == TWO_BYTES:
                size, begin = data[at + 2] << 8 | data[at + 3], at + 8
            elif not 0 <= size < TWO_BYTES:
                break
            if size > limit or begin + size > end:
                break
            at = begin + size
            heard.append(apply_mask(data[begin:at], data[begin - 4 : begin]))
        return at

    def _pass_on(self, data: bytes, at: int, heard: list[Heard]) -> int:
        """The frame that begins or goes on here, to its end or as far as there is something of it; where that is."""
        if not self._owed:
            header = self._header + data[at : at + LONGEST_HEADER - len(self._header)]
            size = _frame_size(header)
            if size is None:
                self._header = header
                heard += self._through_core(data[at:])
                return len(data)
            self._owed = size - len(self._header)
            self._header = b""
        part = data[at : at + self._owed]
        self._owed -= len(part)
        heard += self._through_core(part)
        return at + len(part)

    def _through_core(self, data: bytes) -> list[Heard]:
        self._core.receive_data(data)
        return [*self._core.events_received()]


def _frame_size(header: bytes) -> int | None:
    """Bytes of the whole frame that begins so; None while that can't be told."""
    if len(header) < 2:
        return None
    mask, size = 4 * (header[1] >> 7), header[1] & 0x7F
    extended = {TWO_BYTES: 2, EIGHT_BYTES: 8}.get(size, 0)
    if len(header) < 2 + extended:
        return None
    if extended:
        size = int.from_bytes(header[2 : 2 + extended], "big")
    return 2 + extended + mask + size
