"""What contacts who begin to wait are told, written down; and what it is worked out from: recent handles and waits."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from statistics import median
from typing import Any

from msgspec import Struct
from msgspec.json import Decoder
from sqlalchemy import BigInteger, BindParameter, Connection, bindparam, func, select, text

from chat.belonging import account_key
from chat.correction import Past
from chat.store import Store
from chat.store.tables import accounts, conversations, entries, handles, waits

LATELY_MS = 14 * 24 * 3600 * 1000
LATEST = 1_000  # handles and waits of an account that are looked at
REPLIES = 200  # conversations whose first answers say how long one usually takes
REPLY_DAYS_MS = 7 * 24 * 3600 * 1000


class Handle(Struct, frozen=True, gc=False):
    """How long a conversation was in somebody's hands, and without the contact's silences (ms)."""

    team: str | None
    held: int
    worked: int


class Lately(Struct, frozen=True):
    """The latest of an account, the newest first; waits with the team that was waited for."""

    handles: tuple[Handle, ...] = ()
    waits: tuple[tuple[str | None, Past], ...] = ()


class Promise(Struct, frozen=True, gc=False):
    """What a contact is told whose conversation begins to wait: its place, and for how long (ms from `queued_at`). The
    wait ends by `low` in half of such cases, by `high` in nine of ten; for the rest see `chat.forecast.Estimate`."""

    conversation: str
    queued_at: int
    team: str | None
    place: int
    estimate: int
    low: int
    high: int
    tail: int
    closes_at: int | None = None
    opens_at: int | None = None


_OF_ACCOUNT = accounts.c.id == bindparam("account")
_SINCE: BindParameter[int] = bindparam("since", type_=BigInteger)
_HANDLES = (
    select(handles.c.team, handles.c.ended_at - handles.c.began_at, handles.c.worked)
    .join_from(handles, accounts)
    .where(_OF_ACCOUNT, handles.c.ended_at >= _SINCE)
    .order_by(handles.c.ended_at.desc())
    .limit(LATEST)
)
_WAITS = (
    select(
        waits.c.team,
        waits.c.queued_at,
        waits.c.ended_at - waits.c.queued_at,
        waits.c.outcome == "answered",
        waits.c.low,
        waits.c.high,
        waits.c.estimate,
        waits.c.tail,
        waits.c.closes_at,
        waits.c.opens_at,
    )
    .join_from(waits, accounts)
    .where(_OF_ACCOUNT, waits.c.queued_at >= _SINCE, waits.c.outcome.in_(("answered", "abandoned")))
    .order_by(waits.c.queued_at.desc())
    .limit(LATEST)
)
_LATEST = (
    select(conversations.c.key, conversations.c.state)
    .join_from(conversations, accounts)
    .where(_OF_ACCOUNT)
    .order_by(conversations.c.cursor.desc())
    .limit(REPLIES)
)
_WHO = func.substr(entries.c.author, 1, 3)
_ANSWERS = (
    select(entries.c.conversation, _WHO, func.min(entries.c.at))
    .where(
        entries.c.conversation.in_(bindparam("keys", expanding=True)),
        entries.c.kind == "message",
        _WHO.in_(("agt", "bot")),
    )
    .group_by(entries.c.conversation, _WHO)
)
# Two nodes may do it at once, and the first to say it has said it.
_PROMISE = text(
    "INSERT INTO waits (conversation, queued_at, account, team, place, estimate, low, high, tail, closes_at, opens_at)"
    " VALUES (:conversation, :queued_at, :account, :team, :place, :estimate, :low, :high, :tail, :closes_at, :opens_at)"
    " ON CONFLICT (conversation, queued_at) DO NOTHING"
)


class _Asked(Struct, frozen=True, gc=False):
    """What is wanted of a conversation's state."""

    inbox: str
    created_at: int


_decode = Decoder(_Asked).decode


class Promises:
    """Every method may raise Unavailable."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def lately(self, account: str, now: int) -> Lately:
        """What an account's waits are estimated from."""
        own = {"account": account, "since": now - LATELY_MS}

        def work(connection: Connection) -> Lately:
            return Lately(
                tuple(Handle(*row) for row in connection.execute(_HANDLES, own).all()),
                tuple((team, _past(*rest)) for team, *rest in connection.execute(_WAITS, own).all()),
            )

        return await self._store.inspect(work)

    async def make(self, account: str, promises: Collection[Promise]) -> None:
        """Write down what these contacts are told. Said before, it stays as it was. NotFound for an account that isn't
        there."""

        def work(connection: Connection) -> None:
            key = account_key(connection, account)
            for each in promises:
                own = {name: getattr(each, name) for name in each.__struct_fields__}
                connection.execute(_PROMISE, {**own, "account": key})

        await self._store.administer(work)

    async def reply_seconds(self, account: str, now: int) -> Mapping[str, int]:
        """How long the first answer of a human took as a rule in the last week, by inbox; where only bots answer,
        theirs. An inbox without any is left out."""
        return await self._store.inspect(lambda found: _reply_seconds(found, account, now - REPLY_DAYS_MS))


def _past(queued_at: int, took: int, answered: Any, *rest: Any) -> Past:
    return Past(queued_at, took, bool(answered), *rest)


def _reply_seconds(connection: Connection, account: str, since: int) -> dict[str, int]:
    latest = {key: _decode(state) for key, state in connection.execute(_LATEST, {"account": account}).all()}
    asked = {key: each for key, each in latest.items() if each.created_at >= since}
    took: dict[str, dict[str, list[int]]] = {"bot": {}, "agt": {}}
    for key, who, at in connection.execute(_ANSWERS, {"keys": list(asked)}).all() if asked else ():
        took[who].setdefault(asked[key].inbox, []).append(max(0, at - asked[key].created_at))
    return {inbox: round(median(each) / 1000) for inbox, each in {**took["bot"], **took["agt"]}.items()}
