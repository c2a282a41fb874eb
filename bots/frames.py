"""The frames of wire version 1 as a client sees them: names for their fields, and bytes both ways."""

from collections.abc import Mapping
from typing import Any, Literal, NotRequired, TypedDict, cast

import orjson

PROTOCOL = 1


class Author(TypedDict):
    kind: Literal["contact", "agent", "bot", "system"]
    id: NotRequired[str]


class Attachment(TypedDict):
    id: str
    name: str
    type: str
    size: int
    width: NotRequired[int]
    height: NotRequired[int]


class Entry(TypedDict):
    id: str
    seq: int
    born: int
    kind: str
    author: Author
    at: int
    text: NotRequired[str]
    activity: NotRequired[str]
    data: NotRequired[dict[str, Any]]
    audience: NotRequired[str]
    blocks: NotRequired[list[dict[str, Any]]]
    attachments: NotRequired[list[Attachment]]
    reactions: NotRequired[dict[str, list[str]]]
    edited_at: NotRequired[int]
    withdrawn: NotRequired[bool]


class Person(TypedDict):
    name: str
    picture: NotRequired[str]


class Position(TypedDict, total=False):
    read: int
    delivered: int
    seen: int


class State(TypedDict):
    id: str
    inbox: str
    status: str
    handler: str
    subject: str | None
    seq: int
    people: dict[str, Person]
    positions: dict[str, Position]
    created_at: int
    # staff and bots only
    contact: NotRequired[str]
    assignee: NotRequired[str | None]
    team: NotRequired[str | None]
    tags: NotRequired[list[str]]
    priority: NotRequired[int]
    waiting_since: NotRequired[int | None]
    preview: NotRequired[str]
    preview_of: NotRequired[int]
    messages: NotRequired[int]
    rewritten: NotRequired[int]
    snoozed_until: NotRequired[int | None]
    followers: NotRequired[list[str]]
    attributes: NotRequired[dict[str, Any]]
    cursor: NotRequired[int]


class Me(TypedDict):
    kind: Literal["contact", "agent", "bot"]
    id: str
    name: NotRequired[str]
    role: NotRequired[str]


class Welcome(TypedDict):
    type: Literal["welcome"]
    epoch: str
    me: Me
    account: str
    now: int
    ping: int
    limits: dict[str, int]


class Ok(TypedDict):
    type: Literal["ok"]
    ref: int
    conversation: NotRequired[str]
    seq: NotRequired[int]
    at: NotRequired[int]
    again: NotRequired[bool]
    outcome: NotRequired[str]


class Refusal(TypedDict):
    type: Literal["refused"]
    ref: NotRequired[int]
    code: str
    retry: bool
    message: NotRequired[str]
    field: NotRequired[str]
    after_ms: NotRequired[int]


class Change(TypedDict):
    type: Literal["change"]
    conversation: str
    seq: int
    entries: NotRequired[list[Entry]]
    state: NotRequired[State]
    cursor: NotRequired[int]


class Snapshot(TypedDict):
    type: Literal["snapshot"]
    conversation: str
    state: State
    entries: list[Entry]
    more: NotRequired[bool]
    cursor: NotRequired[int]


class Heads(TypedDict):
    type: Literal["heads"]
    cursor: NotRequired[int]  # on the last of several
    heads: list[State]


class Gone(TypedDict):
    type: Literal["gone"]
    conversation: str


class Reset(TypedDict):
    type: Literal["reset"]
    reason: str


class Synced(TypedDict):
    type: Literal["synced"]
    cursor: NotRequired[int]


class Signal(TypedDict):
    type: Literal["signal"]
    name: str
    conversation: str
    by: Author
    on: NotRequired[bool]
    text: NotRequired[str]


class Presence(TypedDict):
    type: Literal["presence"]
    present: list[str]


class AgentStatus(TypedDict):
    agent: str
    status: Literal["accepting_chats", "not_accepting_chats", "offline"]
    reason: str
    until: int | None
    slots: int
    used: int
    availability: Literal["available", "busy", "away"]
    availability_reason: str
    since: int


class Statuses(TypedDict):
    type: Literal["statuses"]
    whole: bool
    statuses: list[AgentStatus]


class Queue(TypedDict):
    type: Literal["queue"]
    conversation: str
    position: int | None
    eta: list[int] | None  # seconds: from, to
    opens_at: int | None


class InboxStatus(TypedDict):
    type: Literal["inbox.status"]
    inbox: str
    status: Literal["open", "busy", "away"]
    opens_at: int | None
    until: int | None
    then: Literal["open", "busy", "away"]
    reply_seconds: int | None


class Ping(TypedDict):
    type: Literal["ping"]
    n: int


class Reconnect(TypedDict):
    type: Literal["reconnect"]
    after: list[int]
    reason: NotRequired[str]


Frame = (
    Welcome
    | Ok
    | Refusal
    | Change
    | Snapshot
    | Heads
    | Gone
    | Reset
    | Synced
    | Signal
    | Presence
    | Statuses
    | Queue
    | InboxStatus
    | Ping
    | Reconnect
)


def decode(data: bytes) -> list[Frame]:
    """The frames of one WebSocket message: one, or several joined by line feeds. Raises ValueError on anything else."""
    frames = [orjson.loads(line) for line in data.split(b"\n")]
    if not all(isinstance(frame, dict) and isinstance(frame.get("type"), str) for frame in frames):
        raise ValueError("a frame is an object with a type")
    return cast("list[Frame]", frames)


def encode(frame: Mapping[str, Any]) -> str:
    """One frame as the text of one WebSocket message."""
    return orjson.dumps(frame).decode()
