"""The wire, version 1: frames, codes and limits. Pure: bytes in, values out, and back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from enum import IntEnum
from functools import reduce
from operator import or_
from typing import Any, Literal

from msgspec import DecodeError, Struct, ValidationError
from msgspec.json import Decoder, encode
from msgspec.structs import asdict

from chat.catalog import COMMANDS, SIGNALS
from chat.errors import BadRequest, Refused, TooLarge, UnknownType
from chat.model import Actor, Ask, Author, ContactView, Conversation, Entry, Seq, Signal
from chat.ticket import Done

PROTOCOL = 1
FRAME_LIMIT = 64 * 1024  # bytes of a client's frame, and of a joined one from the server
HELLO_LIMIT = 4 * 1024  # bytes of a frame from somebody who hasn't been let in
DEPTH_LIMIT = 8  # nesting of JSON
WATCH_LIMIT = 50  # conversations that a staff socket may watch by name
INFLIGHT_STAFF = 64  # asks without an answer, then we stop reading
INFLIGHT_CONTACT = 16


class CloseCode(IntEnum):
    """Why the server closes. 40xx: don't come back unchanged; 41xx: come back with backoff; 42xx: promptly."""

    PROTOCOL_VERSION = 4001
    MALFORMED = 4003
    HELLO_EXPECTED = 4004
    UNAUTHORIZED = 4005
    REVOKED = 4010
    ORIGIN_REFUSED = 4011
    TOO_MANY_ERRORS = 4012
    INTERNAL = 4100
    UNAVAILABLE = 4101
    OVERLOADED = 4103
    NO_PONG = 4104
    RESYNC_FAILED = 4105
    SLOW_CONSUMER = 4106
    RATE_ABUSE = 4108
    DRAIN = 4200
    CHANGED = 4202
    RESTORED = 4203


DISMISSALS = frozenset({CloseCode.UNAUTHORIZED, CloseCode.REVOKED})
"""Of whoever isn't let in any longer, as after signing out: nobody waits for it to come back."""

CLOSE_MEANINGS: dict[CloseCode, str] = {
    CloseCode.PROTOCOL_VERSION: "this server doesn't speak the protocol version of the hello",
    CloseCode.MALFORMED: "a frame wasn't a JSON object in a text frame, or too deeply nested",
    CloseCode.HELLO_EXPECTED: "the first frame must be hello, it must come in time, and only once",
    CloseCode.UNAUTHORIZED: "the token is wrong or too old: get a new one, and come back once",
    CloseCode.REVOKED: "the session, the token or the actor is no longer allowed",
    CloseCode.ORIGIN_REFUSED: "a connection without Origin needs a bot's token",
    CloseCode.TOO_MANY_ERRORS: "too many frames that make no sense",
    CloseCode.INTERNAL: "a bug on our side",
    CloseCode.UNAVAILABLE: "the store is away",
    CloseCode.OVERLOADED: "this node has too much to do",
    CloseCode.NO_PONG: "a ping wasn't answered",
    CloseCode.RESYNC_FAILED: "the peer couldn't be brought up to date",
    CloseCode.SLOW_CONSUMER: "the peer doesn't read fast enough; it resumes by position",
    CloseCode.RATE_ABUSE: "too many frames, again and again, or too many sockets of one actor",
    CloseCode.DRAIN: "this node stops; resume elsewhere, or here in a moment",
    CloseCode.CHANGED: "who you are has changed: get a new token, and come back",
    CloseCode.RESTORED: "the service has another history, e.g. a backup's: come back to begin anew",
}

# The WebSocket protocol's own codes that a client will meet.
INVALID_UTF8 = 1007
TOO_BIG = 1009


class Malformed(Exception):
    """The frame can't be understood at all; the connection ends with this code."""

    def __init__(self, code: int = CloseCode.MALFORMED) -> None:
        super().__init__(code)
        self.code = code


class BadFrame(Exception):
    """The frame is JSON, but no good ask: `refused` says why, `ref` is its number if it had one."""

    def __init__(self, refused: Refused, ref: int | None) -> None:
        super().__init__(refused)
        self.refused = refused
        self.ref = ref


# --- from the client -----------------------------------------------------------------------------------------


class Resume(Struct, frozen=True):
    """Where a client stands. Staff: cursor, and the conversations it holds; contacts: the seq seen of each."""

    epoch: str = ""
    cursor: Seq | None = None
    watch: list[str] = []
    conversations: dict[str, Seq] = {}


class Hello(Ask, frozen=True, kw_only=True, tag="hello"):
    protocol: int
    token: str
    client: str = ""
    batch: bool = False
    resume: Resume | None = None


class Watch(Ask, frozen=True, kw_only=True, tag="watch"):
    conversations: list[str]


class Pong(Ask, frozen=True, gc=False, kw_only=True, tag="pong"):
    n: int = 0


SHAPES: tuple[type[Ask], ...] = (
    *(command.shape for command in COMMANDS),
    *(signal.shape for signal in SIGNALS),
    Hello,
    Watch,
    Pong,
)
_decode = Decoder(reduce(or_, SHAPES)).decode  # a union built from the table


_glimpse = Decoder().decode

_BACKSLASH, _BRACE, _BRACKET = b"\\{["  # as numbers, which are looked for four times as fast


def decode(data: bytes) -> Ask:
    """The frame in these bytes. Raises Malformed or BadFrame."""
    if not data.isascii() and not _is_utf8(data):  # the decoder doesn't look into fields that it skips
        raise Malformed(INVALID_UTF8)
    if _may_be_deep(data) and _is_deep(data):
        raise Malformed
    try:
        ask: Ask = _decode(data)
    except ValidationError as error:
        if _NO_OBJECT.fullmatch(str(error)):
            raise Malformed from None
        raise BadFrame(_explain(str(error)), _ref_of(data)) from None
    except (DecodeError, RecursionError):
        raise Malformed from None
    if _BACKSLASH in data and b"\\u0000" in data and _has_nul(ask):
        raise BadFrame(BadRequest("U+0000 is not allowed in any string."), ask.ref)
    return ask


_NO_OBJECT = re.compile(r"Expected `object`, got `\w+`")  # without a place: the frame itself


def _may_be_deep(data: bytes) -> bool:
    if _BRACKET not in data and data.find(_BRACE, 1) < 0:  # nearly always, and quicker than to count
        return False
    return data.count(b"{") + data.count(b"[") > DEPTH_LIMIT


_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_BRACES = bytes.maketrans(b"{}", b"[]")
_NO_BRACKET = bytes(byte for byte in range(256) if byte not in b"{}[]")


def _is_deep(data: bytes) -> bool:
    """Whether the JSON is nested deeper than the limit, or can't be JSON; brackets inside strings don't count.

    Leaves are taken off level by level: looking at each of 64 KiB in Python would take milliseconds.
    """
    brackets = _STRING.sub(b"", data).translate(_BRACES, _NO_BRACKET)
    for _ in range(DEPTH_LIMIT):
        brackets = brackets.replace(b"[]", b"")
    return bool(brackets)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, Struct):
        return any(_has_nul(getattr(value, name)) for name in value.__struct_fields__)
    if isinstance(value, dict):
        return any(_has_nul(part) for pair in value.items() for part in pair)
    return isinstance(value, list) and any(_has_nul(part) for part in value)


def _ref_of(data: bytes) -> int | None:
    """Its number, if it has one. Raises Malformed where the typed decoder gave up before it came to what is no JSON."""
    try:
        frame = _glimpse(data)
    except (DecodeError, RecursionError) as error:
        if "out of range" in str(error) and _is_json(data):  # 1e400 is JSON all the same
            return None
        raise Malformed from None
    ref = frame.get("ref") if isinstance(frame, dict) else None
    return ref if type(ref) is int and 0 <= ref < 2**53 else None


def _is_json(data: bytes) -> bool:
    """Whether it is JSON, where ours gave up at a number that is too great for it."""
    try:
        json.loads(data.decode(), parse_int=float, parse_constant=_no_number)
    except ValueError:
        return False
    return True


def _no_number(name: str) -> None:
    raise ValueError(name)


def _explain(error: str) -> Refused:
    """A refusal with the field, from msgspec's «Expected `str` of length <= 8000 - at `$.text`»."""
    what, _, where = error.partition(" - at `$")
    field = where.strip("`.").split("[")[0].split(".")[0] or None
    if field == "type" or "`type`" in what:
        return UnknownType(field="type")
    if field is None and "required field `" in what:
        field = what.split("`")[-2]
    kind = TooLarge if "of length <=" in what else BadRequest
    return kind(what.replace("`", "") + ".", field=field)


# --- to the client: bytes, built once and written as they are --------------------------------------------------


class Limits(Struct, frozen=True):
    """What a client must know to behave."""

    frame: int
    text: int
    watch: int
    inflight: int


class _Welcome(Struct, tag="welcome"):
    epoch: str
    me: dict[str, Any]
    account: str
    now: int
    ping: int
    limits: Limits
    protocol: int = PROTOCOL


def welcome(epoch: str, actor: Actor, now: int, ping_ms: int, limits: Limits) -> bytes:
    me: dict[str, Any] = {"kind": actor.kind, "id": actor.id, "name": actor.name}
    if actor.role is not None:
        me["role"] = actor.role
    return encode(_Welcome(epoch, me, actor.account, now, ping_ms, limits))


def ok(ref: int | None, done: Done) -> bytes:
    if ref is None:
        return b""
    if not done.conversation:
        return b'{"type":"ok","ref":%d,"at":%d}' % (ref, done.at)
    again = b',"again":true' if done.again else b""
    outcome = b',"outcome":"%b"' % done.outcome.encode() if done.outcome else b""
    return b'{"type":"ok","ref":%d,"conversation":"%b","seq":%d,"at":%d%b%b}' % (
        ref,
        done.conversation.encode(),
        done.seq,
        done.at,
        again,
        outcome,
    )


def taken_note(ref: int | None) -> bytes:
    """The ok of an ask that changes only this connection."""
    return b"" if ref is None else b'{"type":"ok","ref":%d}' % ref


def refused(ref: int | None, why: Refused) -> bytes:
    return encode(
        {
            "type": "refused",
            **({} if ref is None else {"ref": ref}),
            "code": why.code,
            "retry": why.retry,
            "message": str(why),
            **({} if why.field is None else {"field": why.field}),
            **({} if why.after_ms is None else {"after_ms": why.after_ms}),
        }
    )


State = Conversation | ContactView


def change(conversation: str, seq: int, entries: bytes, state: bytes | None, cursor: int | None) -> bytes:
    """One conversation's change from parts that are encoded already. No cursor for contacts."""
    return b'{"type":"change",%b"conversation":"%b","seq":%d,"entries":%b%b}' % (
        b"" if cursor is None else b'"cursor":%d,' % cursor,
        conversation.encode(),
        seq,
        entries,
        b"" if state is None else b',"state":' + state,
    )


def snapshot(state: State, entries: Sequence[Entry], more: bool, cursor: int | None) -> bytes:
    return b'{"type":"snapshot",%b"conversation":"%b","state":%b,"entries":%b,"more":%b}' % (
        b"" if cursor is None else b'"cursor":%d,' % cursor,
        state.id.encode(),
        encode(state),
        encode(entries),
        b"true" if more else b"false",
    )


def heads(documents: Iterable[bytes], cursor: int) -> list[bytes]:
    """As many frames as are needed to keep each within the limit; only the last one moves the position."""
    frames: list[list[bytes]] = [[]]
    size = 0
    for document in documents:
        if frames[-1] and size + len(document) > FRAME_LIMIT - 200:
            frames.append([])
            size = 0
        frames[-1].append(document)
        size += len(document) + 1
    last = len(frames) - 1
    return [
        b'{"type":"heads",%b"heads":[%b]}' % (b'"cursor":%d,' % cursor if i == last else b"", b",".join(frame))
        for i, frame in enumerate(frames)
    ]


def synced(cursor: int | None) -> bytes:
    return b'{"type":"synced"}' if cursor is None else b'{"type":"synced","cursor":%d}' % cursor


def gone(conversation: str) -> bytes:
    return encode({"type": "gone", "conversation": conversation})


def reset(reason: Literal["epoch", "too_far"]) -> bytes:
    return encode({"type": "reset", "reason": reason})


def signal(what: Signal) -> bytes:
    by: Author = what.by
    told = {"type": "signal", "name": what.name, "conversation": what.conversation, "by": by, "on": what.on}
    return encode(told if what.text is None else {**told, "text": what.text})


def presence(present: Iterable[str]) -> bytes:
    return encode({"type": "presence", "present": sorted(present)})


def statuses(lines: Iterable[Struct], *, whole: bool) -> list[bytes]:
    """As many frames as are needed to keep each within the limit; of a whole telling the first alone says so."""
    frames: list[list[bytes]] = [[]]
    size = 0
    for line in lines:
        encoded = encode(line)
        if frames[-1] and size + len(encoded) > FRAME_LIMIT - 200:
            frames.append([])
            size = 0
        frames[-1].append(encoded)
        size += len(encoded) + 1
    return [
        b'{"type":"statuses","whole":%b,"statuses":[%b]}' % (b"true" if whole and not i else b"false", b",".join(frame))
        for i, frame in enumerate(frames)
    ]


def queue(conversation: str, position: int | None, eta: tuple[int, int] | None, opens_at: int | None) -> bytes:
    """A contact's place; `eta` are seconds, `opens_at` ms."""
    return encode(
        {"type": "queue", "conversation": conversation, "position": position, "eta": eta, "opens_at": opens_at}
    )


def inbox_status(inbox: str, shown: Struct) -> bytes:
    """What contacts are told of the door that they came to."""
    return encode({"type": "inbox.status", "inbox": inbox, **asdict(shown)})


def ping(n: int) -> bytes:
    return b'{"type":"ping","n":%d}' % n


def reconnect(within_ms: int, reason: str) -> bytes:
    return encode({"type": "reconnect", "after": [0, within_ms], "reason": reason})
