"""What nodes tell each other of who works in an account, beside its stream: what stands in no ledger's order. Pure."""

from __future__ import annotations

from msgspec import Struct, msgpack
from msgspec.structs import replace

from chat.model import Member
from gateway.switchboard import DUTY

VERSION = 1
MEMBERS = 200  # in one word: more are read from the store


class Word(Struct, frozen=True, array_like=True):
    """`members` are as routing has written them. Without any it may be that something else of them has changed."""

    members: tuple[Member, ...] = ()
    acted: tuple[str, ...] = ()
    """Agents who have shown that they are there."""
    is_stale: bool = False
    """Whether it is to be read again: something has changed that isn't in here."""


STALE = Word(is_stale=True)


def pack(word: Word) -> bytes:
    """For other nodes: without schedules, which are long, and which routing doesn't write."""
    if len(word.members) > MEMBERS:
        word = replace(STALE, acted=word.acted)
    members = tuple(replace(member, schedule="") for member in word.members)
    return _HEAD + _ENCODER.encode(replace(word, members=members))


def unpack(payload: bytes) -> Word:
    """What another node has packed; of another version, or of nothing, that it is to be read again."""
    if not payload.startswith(_HEAD):
        return STALE
    try:
        return _DECODER.decode(payload[len(_HEAD) :])
    except (ValueError, RecursionError):
        return STALE


_HEAD = bytes([DUTY, VERSION])
_ENCODER = msgpack.Encoder()
_DECODER = msgpack.Decoder(Word)
