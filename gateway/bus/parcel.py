"""What nodes write on the bus: payloads for one channel, joined, and heartbeats. Pure.

Both begin with a version and the node that writes. Of another version a node understands that something was written,
and who is there.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import NamedTuple

VERSION = 1
NODE_BYTES = 8
_LENGTH = struct.Struct(">I")
_BEAT = struct.Struct(">Bd")


class Malformed(ValueError):
    """It was written by no node of ours, or something was lost within."""


class Says(IntEnum):
    """What a node says with its heartbeat."""

    HERE = 0
    LOST = 1  # something that it wrote didn't go out: look at the store
    LEAVES = 2


class Beat(NamedTuple):
    """One node's heartbeat. `at` is in seconds of that node's own clock, which never goes back."""

    node: bytes
    says: Says
    at: float


def stamp(node: bytes) -> bytes:
    """How everything begins that this node writes."""
    return bytes([VERSION]) + node


def join(stamped: bytes, payloads: Iterable[bytes]) -> bytes:
    """All of them as one, in their order."""
    parts = [stamped]
    for payload in payloads:
        parts += (_LENGTH.pack(len(payload)), payload)
    return b"".join(parts)


def split(data: bytes) -> Iterator[bytes] | None:
    """The payloads; None if it is of another version. Malformed at once, or where something is cut off."""
    if len(data) <= NODE_BYTES:
        raise Malformed
    return _split(data) if data[0] == VERSION else None


def _split(data: bytes) -> Iterator[bytes]:
    start = 1 + NODE_BYTES
    while start < len(data):
        if start + _LENGTH.size > len(data):
            raise Malformed
        (length,) = _LENGTH.unpack_from(data, start)
        start += _LENGTH.size
        if start + length > len(data):
            raise Malformed
        yield data[start : start + length]
        start += length


def pack_beat(stamped: bytes, says: Says, at: float) -> bytes:
    return stamped + _BEAT.pack(says, at)


def unpack_beat(data: bytes) -> Beat:
    """Every version's, as none may change this. Malformed."""
    if len(data) < 1 + NODE_BYTES + _BEAT.size:
        raise Malformed
    says, at = _BEAT.unpack_from(data, 1 + NODE_BYTES)
    # What a newer version says besides being here isn't known: looking at the store is never wrong.
    return Beat(data[1 : 1 + NODE_BYTES], Says(says) if says in tuple(Says) else Says.LOST, at)
