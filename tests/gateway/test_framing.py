"""The framing: whatever is sent, however it is cut, what is heard is what the core alone would have heard."""

from __future__ import annotations

import itertools
import logging
import struct
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from websockets.frames import Frame
from websockets.http11 import Request
from websockets.server import ServerProtocol

from gateway.framing import Framing

LIMIT = 1_000
HANDSHAKE = (
    b"GET /v1/socket HTTP/1.1\r\nHost: shop.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
QUIET = logging.getLogger("tests.framing")
QUIET.setLevel(logging.CRITICAL)


def a_core() -> ServerProtocol:
    return ServerProtocol(extensions=None, max_size=LIMIT, logger=QUIET)


def open_(core: ServerProtocol, request: object) -> None:
    assert isinstance(request, Request)
    core.send_response(core.accept(request))
    core.data_to_send()


def a_frame(first: int, content: bytes, mask: bytes | None = b"mask", length: int | None = None) -> bytes:
    """`length` forces how many bytes the length takes: 0, 2 or 8."""
    size = len(content)
    length = (0 if size < 126 else 2 if size < 65536 else 8) if length is None else length
    short = {0: min(size, 125), 2: 126, 8: 127}[length]
    header = bytes([first, short | (0x80 if mask else 0)])
    header += {0: b"", 2: struct.pack("!H", size), 8: struct.pack("!Q", size)}[length]
    if mask is None:
        return header + content
    return header + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(content))


texts = st.builds(a_frame, st.just(0x81), st.binary(max_size=300))
parts = st.builds(a_frame, st.sampled_from([0x01, 0x00, 0x80]), st.binary(max_size=20))
controls = st.builds(a_frame, st.sampled_from([0x89, 0x8A]), st.binary(max_size=20))
closes = st.builds(a_frame, st.just(0x88), st.sampled_from([b"", b"\x03\xe8", b"\x03", b"\x03\xe8bye"]))
long_ones = st.builds(
    a_frame, st.just(0x81), st.sampled_from([b"x" * n for n in (125, 126, 127, LIMIT - 1, LIMIT, LIMIT + 1)])
)
odd_lengths = st.builds(a_frame, st.just(0x81), st.binary(max_size=125), length=st.sampled_from([2, 8]))
unmasked = st.builds(a_frame, st.just(0x81), st.binary(max_size=20), st.none())
any_first = st.builds(a_frame, st.integers(0, 255), st.binary(max_size=20))
usual = st.one_of(texts, texts, texts, parts, controls, long_ones, odd_lengths)
streams = st.lists(usual, max_size=12).flatmap(
    lambda good: st.lists(st.one_of(closes, unmasked, any_first, st.binary(max_size=16)), max_size=2).flatmap(
        lambda bad: st.lists(usual, max_size=3).map(lambda rest: b"".join([*good, *bad, *rest]))
    )
)


def heard_by(core: ServerProtocol, chunks: list[bytes], *, alone: bool) -> tuple[list[Any], bytes, object]:
    """What comes out: whole texts by their content, other frames by themselves; what the core answers; its close."""
    framing = Framing(core)
    heard: list[Any] = []
    answers = b""
    for chunk in [HANDSHAKE, *chunks]:
        if alone:
            core.receive_data(chunk)
            events: list[Any] = [*core.events_received()]
        else:
            events = [*framing.receive(chunk)]
        for event in events:
            if isinstance(event, Request):
                open_(core, event)
            elif isinstance(event, Frame):
                is_text = event.opcode == 1 and event.fin
                heard.append(bytes(event.data) if is_text else (event.opcode, event.fin, bytes(event.data)))
            else:
                heard.append(event)
        answers += b"".join(core.data_to_send())
    return heard, answers, (core.state, core.close_sent, core.close_rcvd)


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted({place % (len(stream) + 1) for place in places}), len(stream)]
    return [stream[start:end] for start, end in itertools.pairwise(edges) if start < end]


@given(streams, st.lists(st.integers(0, 10_000), max_size=12))
@example(a_frame(0x01, b"a") + a_frame(0x81, b"b"), [])  # a whole text within a message: an error of the core's
@example(a_frame(0x88, b"") + a_frame(0x81, b"late"), [])
@example(a_frame(0x83, b"") + a_frame(0x81, b"late"), [])
@settings(max_examples=500)
def test_it_hears_what_the_core_alone_would_hear(stream: bytes, places: list[int]) -> None:
    chunks = cut(stream, places)

    assert heard_by(a_core(), chunks, alone=False) == heard_by(a_core(), chunks, alone=True)


@given(st.lists(usual, max_size=4).map(b"".join))
def test_byte_by_byte_too(stream: bytes) -> None:
    chunks = [stream[at : at + 1] for at in range(len(stream))]

    assert heard_by(a_core(), chunks, alone=False) == heard_by(a_core(), chunks, alone=True)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 300, LIMIT])
def test_a_whole_text_doesnt_go_through_the_core(size: int) -> None:
    core = a_core()
    framing = Framing(core)
    open_(core, framing.receive(HANDSHAKE)[0])
    core.receive_data = None  # type: ignore[assignment,method-assign]  # whoever calls it fails

    assert framing.receive(a_frame(0x81, b"x" * size) * 2) == [b"x" * size] * 2


def test_a_text_beyond_the_limit_is_the_cores_to_refuse() -> None:
    core = a_core()
    framing = Framing(core)
    open_(core, framing.receive(HANDSHAKE)[0])

    assert framing.receive(a_frame(0x81, b"x" * (LIMIT + 1))) == []
    assert core.close_sent is not None
    assert core.close_sent.code == 1009
