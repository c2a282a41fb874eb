"""What RFC 6455 says a server does with frames, right and wrong: a table in the order of the Autobahn test suite."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from tests.peer import BINARY, CLOSE, CONT, PING, PONG, TEXT, masked

ASK = b'{"type":"typing","ref":99,"conversation":"cnv_none"}'
"""Understood, and refused with its ref, as there is no such conversation."""

STAYS = None
EMPTY = b""


@dataclass(frozen=True)
class Case:
    """Bytes of a live peer, and what must come back: so many answers to ASK, these pongs, this close frame.

    `close` is the code, EMPTY for a close frame without one, STAYS when the connection goes on.
    """

    name: str
    data: bytes
    answers: int = 0
    pongs: tuple[bytes, ...] = ()
    close: int | bytes | None = STAYS


def ask_with(text: bytes) -> bytes:
    """An ask with these bytes in a field that nobody looks at."""
    return ASK[:-1] + b',"x":"' + text + b'"}'


def parts(payload: bytes, *at: int, opcode: int = TEXT, between: bytes = b"") -> bytes:
    """One message in pieces, cut at these places, with something between them."""
    edges = [0, *at, len(payload)]
    pieces = [payload[start:end] for start, end in pairwise(edges)]
    return between.join(
        masked(CONT if n else opcode, piece, fin=n == len(pieces) - 1) for n, piece in enumerate(pieces)
    )


def with_length(payload: bytes, form: int, opcode: int = TEXT) -> bytes:
    """A frame whose length is written in 16 or 64 bits, whatever it is."""
    whole = masked(opcode, payload)[-(len(payload) + 4) :]
    head = bytes((0x80 | opcode, 0x80 | form)) + struct.pack("!H" if form == 126 else "!Q", len(payload))
    return head + whole


# --- 1: messages of all sizes ----------------------------------------------------------------------------------------


def sizes() -> Iterator[Case]:
    for size in (125, 126, 127, 128, 1_000, 8_192, 65_535, 65_536):
        padded = ASK[:-1] + b" " * (size - len(ASK)) + b"}"
        yield Case(f"a text of {size} bytes", masked(TEXT, padded), answers=1)
    yield Case("a text one byte too large", masked(TEXT, ASK + b" " * (65_537 - len(ASK))), close=1009)
    yield Case("a length in 16 bits that fits 7", with_length(ASK, 126), answers=1)
    yield Case("a length in 64 bits that fits 7", with_length(ASK, 127), answers=1)
    yield Case("a length of 2⁶³, which can't be", b"\x81\xff" + b"\x80" + b"\0" * 7 + b"\0" * 4, close=1009)
    yield Case("a length of 2⁶³-1", b"\x81\xff" + b"\x7f" + b"\xff" * 7 + b"\0" * 4, close=1009)
    yield Case("nothing at all", masked(TEXT, b""), close=4003)
    yield Case("binary", masked(BINARY, ASK), close=4003)
    yield Case("empty binary", masked(BINARY, b""), close=4003)


# --- 2: pings and pongs ----------------------------------------------------------------------------------------------


def pings() -> Iterator[Case]:
    for payload in (b"", b"Hello, world!", bytes(range(256))[:125], b"\xff" * 125):
        yield Case(f"a ping with {len(payload)} bytes", masked(PING, payload), pongs=(payload,))
    yield Case("a ping with 126 bytes", masked(PING, b"x" * 126), close=1002)
    yield Case("a pong with 126 bytes", masked(PONG, b"x" * 126), close=1002)
    # The RFC wants lengths as short as they can be; websockets takes longer ones too, and so do we.
    yield Case("a ping whose length is written in 16 bits", with_length(b"ping", 126, PING), pongs=(b"ping",))
    yield Case("a pong that nobody asked for", masked(PONG, b""))
    yield Case("a pong with a payload that nobody asked for", masked(PONG, b"unsolicited"))
    yield Case("a pong before a ping", masked(PONG, b"un") + masked(PING, b"ping"), pongs=(b"ping",))
    ten = tuple(b"payload-%d" % n for n in range(10))
    yield Case("ten pings, answered in order", b"".join(masked(PING, each) for each in ten), pongs=ten)
    yield Case("a ping before an ask", masked(PING, b"1") + masked(TEXT, ASK), answers=1, pongs=(b"1",))


# --- 3: reserved bits ------------------------------------------------------------------------------------------------


def reserved_bits() -> Iterator[Case]:
    for rsv in range(1, 8):
        yield Case(f"text with reserved bits {rsv:03b}", masked(TEXT, ASK, rsv=rsv), close=1002)
    yield Case("a ping with a reserved bit", masked(PING, b"", rsv=4), close=1002)
    yield Case("a close with a reserved bit", masked(CLOSE, b"\x03\xe8", rsv=1), close=1002)
    yield Case("a piece with a reserved bit", masked(TEXT, b"{", fin=False) + masked(CONT, b"}", rsv=2), close=1002)
    yield Case("no mask", masked(TEXT, ASK, mask=False), close=1002)
    yield Case("a ping without mask", masked(PING, b"", mask=False), close=1002)
    yield Case("a close without mask", masked(CLOSE, b"\x03\xe8", mask=False), close=1002)


# --- 4: reserved opcodes ---------------------------------------------------------------------------------------------


def reserved_opcodes() -> Iterator[Case]:
    for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
        yield Case(f"opcode {opcode:#x}", masked(opcode, b""), close=1002)
        yield Case(f"opcode {opcode:#x} with a payload", masked(opcode, ASK), close=1002)
        yield Case(f"opcode {opcode:#x} before a ping", masked(opcode, b"") + masked(PING, b""), close=1002)


# --- 5: fragmentation ------------------------------------------------------------------------------------------------


def fragments() -> Iterator[Case]:
    ping = masked(PING, b"between")
    yield Case("a ping in pieces", masked(PING, b"a", fin=False) + masked(CONT, b"b"), close=1002)
    yield Case("a pong in pieces", masked(PONG, b"a", fin=False) + masked(CONT, b"b"), close=1002)
    yield Case("text in two pieces", parts(ASK, 20), answers=1)
    yield Case("text in two pieces, a ping between", parts(ASK, 20, between=ping), answers=1, pongs=(b"between",))
    yield Case("text in two pieces, a pong between", parts(ASK, 20, between=masked(PONG, b"")), answers=1)
    yield Case("every byte a piece", parts(ASK, *range(1, len(ASK))), answers=1)
    every = parts(ASK, *range(10, len(ASK), 10), between=ping)
    yield Case("pieces of ten bytes, pings between", every, answers=1, pongs=(b"between",) * (len(ASK) // 10))
    empty_first = masked(TEXT, b"", fin=False) + masked(CONT, b"", fin=False) + masked(CONT, ASK)
    yield Case("empty pieces first", empty_first, answers=1)
    yield Case("an empty piece last", masked(TEXT, ASK, fin=False) + masked(CONT, b""), answers=1)
    yield Case("all pieces empty", masked(TEXT, b"", fin=False) + masked(CONT, b""), close=4003)
    yield Case("a piece of nothing", masked(CONT, b"x"), close=1002)
    yield Case("a piece of nothing that isn't the last", masked(CONT, b"x", fin=False), close=1002)
    yield Case("a piece after a whole message", masked(TEXT, ASK) + masked(CONT, ASK), close=1002)
    yield Case("a text within a text", masked(TEXT, b"{", fin=False) + masked(TEXT, ASK), close=1002)
    yield Case("binary within a text", masked(TEXT, b"{", fin=False) + masked(BINARY, b"}"), close=1002)
    yield Case("binary in pieces", parts(ASK, 9, opcode=BINARY), close=4003)
    two = parts(ASK, 9) + parts(ASK, 9)
    yield Case("two messages in pieces", two, answers=2)
    half = masked(TEXT, b" " * 60_000, fin=False)
    yield Case("pieces that are too large together", half + masked(CONT, b" " * 5_537), close=1009)
    yield Case("pieces that just fit", half + masked(CONT, b" " * (5_536 - len(ASK)) + ASK), answers=1)
    # The RFC allows a control frame there, this one too; websockets calls the message incomplete.
    yield Case("a close within a message", masked(TEXT, b"{", fin=False) + masked(CLOSE, b"\x03\xe8"), close=1002)


# --- 6: UTF-8 --------------------------------------------------------------------------------------------------------

VALID = {
    "two bytes": "é",
    "three bytes": "ส",  # Thai
    "four bytes": "🛒",
    "the last before the surrogates": "\ud7ff",
    "the first after them": "\ue000",
    "the byte order mark": "\ufeff",
    "a character that is none": "\uffff",
    "the greatest": "\U0010ffff",
    "joined": "👩‍🚀ที่",
}
INVALID = {
    "a byte that can't be": b"\xff",
    "another": b"\xfe",
    "a rest without a start": b"\x80",
    "a start without a rest": b"\xc3",
    "two of three bytes": b"\xe0\xb8",
    "three of four bytes": b"\xf0\x9f\x9b",
    "a slash in two bytes": b"\xc0\xaf",
    "a slash in three bytes": b"\xe0\x80\xaf",
    "a slash in four bytes": b"\xf0\x80\x80\xaf",
    "NUL in two bytes": b"\xc0\x80",
    "the longest overlong of two": b"\xc1\xbf",
    "the longest overlong of three": b"\xe0\x9f\xbf",
    "the longest overlong of four": b"\xf0\x8f\xbf\xbf",
    "a high surrogate": b"\xed\xa0\x80",
    "a low surrogate": b"\xed\xbf\xbf",
    "a pair of surrogates": b"\xed\xa0\xbd\xed\xb8\x80",
    "beyond the greatest": b"\xf4\x90\x80\x80",
    "five bytes": b"\xf8\x88\x80\x80\x80",
    "six bytes": b"\xfc\x84\x80\x80\x80\x80",
}


def utf8() -> Iterator[Case]:
    for name, text in VALID.items():
        payload = ask_with(text.encode())
        start = payload.index(text.encode())
        yield Case(f"{name}, whole", masked(TEXT, payload), answers=1)
        for cut in range(start + 1, start + len(text.encode())):
            yield Case(f"{name}, cut after byte {cut - start}", parts(payload, cut), answers=1)
    for name, octets in INVALID.items():
        payload = ask_with(octets)
        start = payload.index(octets)
        yield Case(f"{name}, whole", masked(TEXT, payload), close=1007)
        for cut in range(start, start + len(octets) + 1):
            yield Case(f"{name}, cut after byte {cut - start}", parts(payload, cut), close=1007)
        yield Case(f"{name}, alone", masked(TEXT, octets), close=1007)


# --- 7: the close ----------------------------------------------------------------------------------------------------


def closes() -> Iterator[Case]:
    yield Case("a close without a code", masked(CLOSE, b""), close=EMPTY)
    yield Case("a close of one byte", masked(CLOSE, b"\x03"), close=1002)
    for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999):
        yield Case(f"code {code}", masked(CLOSE, code.to_bytes(2, "big")), close=code)
    for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535):
        yield Case(f"code {code}", masked(CLOSE, code.to_bytes(2, "big")), close=1002)
    yield Case("a reason", masked(CLOSE, b"\x03\xe8going home"), close=1000)
    yield Case("the longest reason", masked(CLOSE, b"\x03\xe8" + b"x" * 123), close=1000)
    yield Case("a reason too long", masked(CLOSE, b"\x03\xe8" + b"x" * 124), close=1002)
    yield Case("a reason in Thai", masked(CLOSE, b"\x03\xe8" + "ลาก่อน".encode()), close=1000)
    yield Case("a reason that is no text", masked(CLOSE, b"\x03\xe8\xce\xba\xff"), close=1007)
    yield Case("a reason with half a character", masked(CLOSE, b"\x03\xe8\xf0\x9f"), close=1007)
    yield Case("a close in pieces", masked(CLOSE, b"\x03\xe8", fin=False), close=1002)
    yield Case("two closes", masked(CLOSE, b"\x03\xe8") * 2, close=1000)
    yield Case("a ping after the close", masked(CLOSE, b"\x03\xe8") + masked(PING, b"late"), close=1000)
    yield Case("an ask after the close", masked(CLOSE, b"\x03\xe8") + masked(TEXT, ASK), close=1000)
    yield Case("nonsense after the close", masked(CLOSE, b"\x03\xe8") + b"\xff" * 100, close=1000)


SECTIONS = {
    "sizes": sizes,
    "pings and pongs": pings,
    "reserved bits": reserved_bits,
    "reserved opcodes": reserved_opcodes,
    "fragmentation": fragments,
    "UTF-8": utf8,
    "closing": closes,
}
