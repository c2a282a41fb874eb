"""What must come of a frame, found out by another JSON parser than the server's."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from chat.catalog import COMMANDS, SIGNALS
from gateway.protocol import DEPTH_LIMIT, FRAME_LIMIT, HELLO_LIMIT

KNOWN = {each.name for each in (*COMMANDS, *SIGNALS)} | {"hello", "watch", "pong"}

ENDS = "ends"
ANSWERS = "answers"
EITHER = "either"


@dataclass(frozen=True)
class Expected:
    """Whether the connection ends, with one of these codes; of an answer, the ref that it has and codes it may be."""

    how: str
    closes: frozenset[int] = frozenset()
    ref: int | None = None
    codes: frozenset[str] | None = None
    """None: any code but those of a bug."""


class Twice(dict[str, Any]):
    """An object in which a key came twice."""


def live(data: bytes) -> Expected:
    """What a live socket of any kind must hear of this text frame."""
    if len(data) > FRAME_LIMIT:
        return _ends(1009)
    try:
        value = json.loads(data.decode(), parse_constant=_refuse, object_pairs_hook=_object)
    except UnicodeDecodeError:
        return _ends(1007)
    except (ValueError, RecursionError):
        return _ends(4003)
    if not isinstance(value, dict) or _depth(value) > DEPTH_LIMIT:
        return _ends(4003)
    if _is_doubtful(value):
        return Expected(EITHER, frozenset({4003, 4004}), _ref(value))
    type_ = value.get("type")
    if not isinstance(type_, str) or type_ not in KNOWN:
        return Expected(ANSWERS, ref=_ref(value), codes=frozenset({"unknown_type", "bad_request"}))
    if type_ == "hello":
        return Expected(EITHER, frozenset({4004}), _ref(value), frozenset({"bad_request", "too_large"}))
    return Expected(ANSWERS, ref=_ref(value))


def new(data: bytes) -> frozenset[int]:
    """The codes one of which must end a socket that begins with this frame: none of them has a good token."""
    if len(data) > HELLO_LIMIT:
        return frozenset({1009})
    then = live(data)
    if then.how == ENDS:
        return then.closes
    maybe = then.closes if then.how == EITHER else frozenset()
    return maybe | {4001, 4004, 4005, 4011}


def may_be_silent(data: bytes) -> bool:
    """Whether this ask has no answer when it is accepted, or a later one: positions wait for their second."""
    return any(name in data for name in (b'"pong"', b'"typing"', b'"preview"', b'"viewing"', b'"read"', b'"delivered"'))


def _ends(*codes: int) -> Expected:
    return Expected(ENDS, frozenset(codes))


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return Twice(found) if len(found) < len(pairs) else found


def _ref(value: dict[str, Any]) -> int | None:
    ref = value.get("ref")
    return ref if type(ref) is int and 0 <= ref < 2**53 else None


def _parts(value: Any) -> Iterator[Any]:
    yield value
    if isinstance(value, dict):
        for key, part in value.items():
            yield key
            yield from _parts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _parts(part)


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


def _is_doubtful(value: dict[str, Any]) -> bool:
    """Where parsers differ: half characters, numbers beyond all, keys twice. To refuse or to end is both fine."""
    return any(
        isinstance(part, Twice)
        or (isinstance(part, str) and any(0xD800 <= ord(character) < 0xE000 for character in part))
        or (isinstance(part, float) and math.isinf(part))
        or (isinstance(part, int) and abs(part) >= 2**63)
        for part in _parts(value)
    )
