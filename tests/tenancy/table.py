"""How to fill every field of every ask and every route: with an id of some kind, or with something that will do.

A new ask or route needs nothing here while its fields are called as others are. If not, the test says what is missing.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from msgspec import Struct
from msgspec.structs import fields
from starlette.routing import BaseRoute, Route

from chat.catalog import COMMANDS, SIGNALS
from chat.model import Ask
from gateway.api.route import Media, Operation

Fill = Callable[[], Any]


@dataclass(frozen=True)
class Id:
    """A place for an id of this kind; in a list where `many`."""

    kind: str
    many: bool = False


# By the field's name; where a name means two things, by (ask or path, name).
FIELDS: dict[str | tuple[str, str], Id | Fill] = {
    # Ids
    "conversation": Id("conversation"),
    "entry": Id("entry"),
    "inbox": Id("inbox"),
    "contact": Id("contact"),
    "into": Id("contact"),
    "assignee": Id("agent"),
    "agent": Id("agent"),
    "actor": Id("agent"),
    "team": Id("team"),
    "teams": Id("team", many=True),
    "member": Id("agent"),
    "attachments": Id("upload", many=True),
    "after": Id("entry"),
    ("conversation.transfer", "to"): Id("agent"),
    ("duty.observe", "members"): Id("agent", many=True),
    ("/v1/contacts", "after"): Id("contact"),
    ("/v1/contacts/{id}/conversations", "after"): Id("conversation"),
    ("/v1/search", "after"): lambda: "",
    ("/v1/audit", "after"): lambda: "1",
    ("/v1/agents/{id}/timeline", "after"): lambda: "0",
    # Moments (ms), and what is said of a schedule.
    ("/v1/agents/{id}/timeline", "until"): lambda: "4000000000000",
    ("/v1/coverage", "since"): lambda: "1795287000000",
    ("/v1/coverage", "until"): lambda: "1795287600000",
    ("/v1/reports/waits", "until"): lambda: "1",
    "zone": lambda: "Asia/Bangkok",
    "weekly": lambda: {"mon": [["22:00", "06:00"]]},
    "dates": list,
    "time_off": list,
    "holidays": lambda: None,
    "starts": lambda: None,
    "ends": lambda: None,
    "wind_down_minutes": lambda: 0,
    # Everything else
    "language": lambda: "th",
    "note": lambda: "wants it today",
    "keep_following": lambda: True,
    "when_full": lambda: "queue",
    "availability": lambda: "available",
    "reason": lambda: "lunch",
    "finish": lambda: False,
    "cause": lambda: "connected",
    "idle": lambda: False,
    "slots": lambda: 2,
    "skills": lambda: ["he"],
    "least": lambda: 1,
    "extra": lambda: 1,
    "text": lambda: "hello",
    "q": lambda: "Zanzibar",
    "emoji": lambda: "👍",
    "button": lambda: "yes",
    "values": lambda: {"size": "L"},
    "on": lambda: True,
    "seq": lambda: 1,
    "until": lambda: None,
    ("conversation.snooze", "until"): lambda: 4_000_000_000_000,
    ("/v1/search", "until"): lambda: "4000000000000",
    "add": lambda: ["vip"],
    "remove": list,
    "priority": lambda: 1,
    "subject": lambda: "about",
    "attributes": dict,
    "name": lambda: "Somebody",
    "email": lambda: f"{secrets.token_hex(6)}@tenancy.example",
    "blocks": list,
    "at": lambda: None,
    "settings": dict,
    "origins": lambda: ["https://shop.example"],
    "role": lambda: "agent",
    "picture": lambda: None,
    "type": lambda: "text",
    "choices": list,
    "limit": lambda: 5,
    "before": lambda: 1_000_000,
    "view": lambda: "all",
    "status": lambda: "all",
    "kind": lambda: "entry",
    "tag": lambda: "vip",
    "since": lambda: "0",
    "notes": lambda: "true",
    "password": lambda: "none",
    "current": lambda: "none",
    "new": lambda: "none",
    "code": lambda: "000000",
}

# By what stands before it in the path, or by (path, name).
PATHS: dict[str | tuple[str, str], Id | Fill] = {
    "inboxes": Id("inbox"),
    "agents": Id("agent"),
    "conversations": Id("conversation"),
    "entries": Id("entry"),
    "uploads": Id("upload"),
    "teams": Id("team"),
    "members": Id("agent"),
    "bots": Id("bot"),
    "tokens": Id("token"),
    "keys": Id("key"),
    "invites": Id("invite"),
    "contacts": Id("contact"),
    "attributes": lambda: "contact",
    ("/v1/attributes/{of}/{name}", "name"): Id("attribute"),
}

# What is known by a secret or a public name instead of an id, and what names nothing at all.
KNOWN_BY_SECRET = {
    "/v1/session",
    "/v1/session/end",
    "/v1/login",
    "/v1/logout",
    "/v1/invites/accept",
    "/v1/files/{token}",
    "/v1/files/{token}/thumbnail",
    "/widget/{key}",
    "/static/{name}",
}
# A place in a list that isn't there is a bad request, whoever has it elsewhere.
LIST_PLACES = {("/v1/contacts", "after"), ("/v1/contacts/{id}/conversations", "after")}
# Declaring a name in one's own account is nobody else's matter.
DECLARES = {("PUT", "/v1/attributes/{of}/{name}")}
# Asks that may be made again and again, so that their own id can be one that exists elsewhere.
REPEATABLE = {"conversation.start", "message.send", "note.add"}


@dataclass(frozen=True)
class Place:
    """Where an id goes: `where` is path, query or body; of an ask all is body."""

    where: str
    name: str
    fill: Id | Fill
    is_required: bool = True


@dataclass(frozen=True)
class Thing:
    """One ask or route, with everything that it takes."""

    name: str
    places: tuple[Place, ...]
    method: str = ""
    takes_bytes: bool = False

    @property
    def ids(self) -> tuple[Place, ...]:
        return tuple(place for place in self.places if isinstance(place.fill, Id))


class Unknown(Exception):
    """The table must learn a field: say in FIELDS or PATHS of tests/tenancy/table.py how it is filled."""


def asks() -> list[Thing]:
    """Every ask and signal of the catalog."""
    shapes: list[tuple[str, type[Ask]]] = [(each.name, each.shape) for each in (*COMMANDS, *SIGNALS)]
    return [Thing(name, tuple(_of_struct("body", name, shape, {"ref", "id"}))) for name, shape in shapes]


def routes(found: list[BaseRoute]) -> list[Thing]:
    """Every route with a place for an id, described or not."""
    things = []
    for route in found:
        assert isinstance(route, Route), f"what is {route}?"
        if route.path in KNOWN_BY_SECRET:
            continue
        operation = getattr(route.endpoint, "operation", None)
        described = operation if isinstance(operation, Operation) and operation.path == route.path else None
        places = list(_of_path(route.path))
        if described is None:
            things.append(Thing(route.path, tuple(places), "GET"))
            continue
        if (described.method, route.path) in DECLARES:
            continue
        places += _of_struct("query", route.path, described.query)
        for body in described.body if isinstance(described.body, tuple) else (described.body,):
            more = [] if isinstance(body, Media) else _of_struct("body", route.path, body)
            things.append(Thing(route.path, (*places, *more), described.method, isinstance(body, Media)))
    return things


def _of_path(path: str) -> list[Place]:
    segments = path.split("/")
    places = []
    for before, segment in pairwise(segments):
        if segment.startswith("{"):
            name = segment.strip("{}").partition(":")[0]
            fill = PATHS.get((path, name)) or PATHS.get(before)
            if fill is None:
                raise Unknown(f"PATHS: {segment} of {path}")
            places.append(Place("path", name, fill))
    return places


def _of_struct(where: str, owner: str, shape: type[Any] | None, without: Collection[str] = ()) -> list[Place]:
    if shape is None:
        return []
    assert issubclass(shape, Struct), f"{owner}: what is {shape}?"
    places = []
    for each in fields(shape):
        if each.name in without:
            continue
        fill = FIELDS.get((owner, each.name)) or FIELDS.get(each.name)
        if fill is None:
            raise Unknown(f"FIELDS: {each.name} of {owner}, {each.type}")
        places.append(Place(where, each.encode_name, fill, each.required))
    return places
