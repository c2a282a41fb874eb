"""What was written down about who was on and who got what, read a page at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

from msgspec import DecodeError, Struct, ValidationError
from msgspec.json import decode
from sqlalchemy import BigInteger, Connection, and_, bindparam, func, select

from chat.belonging import account_key, must_be, must_be_staff
from chat.model import Candidate, RoutingStatus, StatusLine
from chat.store import Scoped, Store
from chat.store.tables import agents, conversations, routing_log, status_log

SLICE = 1_000  # lines read in one go, some milliseconds
LINES = 50_000  # of all members together, at most: months of a large team


class StatusShown(Struct, frozen=True):
    """Since when somebody had which status, why, until when it was to last, and what it came from."""

    at: int
    status: RoutingStatus
    reason: str
    until: int | None
    cause: str


class Spent(Struct, frozen=True):
    """How long (ms) somebody had a status for a reason."""

    status: RoutingStatus
    reason: str
    ms: int


class Timeline(Struct, frozen=True):
    """A member's statuses from one moment up to another, the oldest first.

    `before` is what already held at the beginning. `next` is the position behind which the rest begins; None when
    there is no rest. `spent` is of the whole time, whatever the page.
    """

    before: StatusShown | None
    lines: list[StatusShown]
    next: int | None
    spent: list[Spent]


class DecisionShown(Struct, frozen=True):
    """What happened to a conversation's hands, by whom, and everybody who was looked at for it."""

    position: int
    at: int
    kind: str
    chosen: str | None
    team: str | None
    by: str
    candidates: list[Candidate]


_OF_MEMBER = and_(status_log.c.account == bindparam("account"), status_log.c.member == bindparam("member"))
_SINCE, _UNTIL = bindparam("since", type_=BigInteger), bindparam("until", type_=BigInteger)
_WITHIN = and_(status_log.c.at > _SINCE, status_log.c.at < _UNTIL)
# Keys of one account grow with its time: its ledger writes them one after the other.
_LINE = select(
    status_log.c.key, status_log.c.at, status_log.c.status, status_log.c.reason, status_log.c.until, status_log.c.cause
)
_BEFORE = (
    _LINE.where(_OF_MEMBER, status_log.c.at <= _SINCE)
    .order_by(status_log.c.at.desc(), status_log.c.key.desc())
    .limit(1)
)
_LINES = (
    _LINE.where(_OF_MEMBER, _WITHIN, status_log.c.key > bindparam("after"))
    .order_by(status_log.c.at, status_log.c.key)
    .limit(bindparam("limit"))
)
_FIRST = select(func.min(status_log.c.at)).where(_OF_MEMBER, _WITHIN)
_LASTING = (
    select(
        status_log.c.status,
        status_log.c.reason,
        (
            func.lead(status_log.c.at, 1, _UNTIL).over(order_by=(status_log.c.at, status_log.c.key)) - status_log.c.at
        ).label("ms"),
    )
    .where(_OF_MEMBER, _WITHIN)
    .subquery()
)
_SPENT = select(_LASTING.c.status, _LASTING.c.reason, func.sum(_LASTING.c.ms)).group_by(
    _LASTING.c.status, _LASTING.c.reason
)

_CHANGE = select(
    status_log.c.key,
    status_log.c.member,
    status_log.c.at,
    status_log.c.status,
    status_log.c.reason,
    status_log.c.until,
    status_log.c.cause,
)
_LAST_OF = (
    select(status_log.c.key)
    .where(status_log.c.member == agents.c.id, status_log.c.at <= _SINCE)
    .order_by(status_log.c.at.desc(), status_log.c.key.desc())
    .limit(1)
    .correlate(agents)
    .scalar_subquery()
)
_HELD = _CHANGE.join(agents, agents.c.id == status_log.c.member).where(
    agents.c.account == bindparam("account"), status_log.c.key == _LAST_OF
)
_CHANGES = (
    _CHANGE.where(status_log.c.account == bindparam("account"), _WITHIN, status_log.c.key > bindparam("after"))
    .order_by(status_log.c.at, status_log.c.key)
    .limit(SLICE)
)

_DECISIONS = (
    select(
        routing_log.c.key,
        routing_log.c.at,
        routing_log.c.kind,
        routing_log.c.chosen,
        routing_log.c.team,
        routing_log.c.by,
        routing_log.c.candidates,
    )
    .where(
        routing_log.c.account == bindparam("account"),
        routing_log.c.conversation == bindparam("conversation"),
        routing_log.c.key < bindparam("before"),
    )
    .order_by(routing_log.c.at.desc(), routing_log.c.key.desc())
    .limit(bindparam("limit"))
)


class Logs:
    """Every method may raise Unavailable, and NotFound for what isn't there or is another account's."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def timeline(self, who: Scoped, since: int, until: int, *, after: int = 0, limit: int) -> Timeline:
        """What an agent or bot was from one moment (ms) up to another; `after` is the `next` of the page before."""

        def work(connection: Connection) -> Timeline:
            must_be_staff(connection, who)
            key = account_key(connection, who[0])
            bounds = {"account": key, "member": who[1], "since": since, "until": until}
            before = connection.execute(_BEFORE, bounds).one_or_none()
            rows = connection.execute(_LINES, {**bounds, "after": after, "limit": limit + 1}).all()
            page = rows[:limit]
            return Timeline(
                StatusShown(*before[1:]) if before else None,
                [StatusShown(*row[1:]) for row in page],
                page[-1].key if len(rows) > len(page) else None,
                _spent(connection, bounds, before),
            )

        return await self._store.inspect(work)

    async def lines(
        self, account: str, members: Collection[str], since: int, until: int
    ) -> tuple[list[StatusLine], int]:
        """Every change of these agents' statuses between two moments (ms) and what held before, the oldest first; and
        the moment up to which this is all: an earlier one than `until` where there was too much."""
        rows, key = await self._store.inspect(partial(_held, account, since))
        upto, after = until, 0
        while True:
            bounds = {"account": key, "since": since, "until": until, "after": after}
            more = await self._store.inspect(partial(_changed, bounds))
            rows += more
            if len(more) < SLICE:
                break
            after = more[-1].key
            if len(rows) >= LINES:
                upto = more[-1].at
                break
            await asyncio.sleep(0)  # nobody's message waits for months of a team
        wanted = frozenset(members)
        return [StatusLine(account, *row[1:]) for row in rows if row.member in wanted], upto

    async def decisions(self, conversation: Scoped, *, before: int, limit: int) -> list[DecisionShown]:
        """What routing and people did with a conversation, before a position, the newest first."""

        def work(connection: Connection) -> list[DecisionShown]:
            key = must_be(connection, conversations, conversation)["account"]
            own = {"account": key, "conversation": conversation[1], "before": before, "limit": limit}
            return [DecisionShown(*row[:-1], candidates_of(row[-1])) for row in connection.execute(_DECISIONS, own)]

        return await self._store.inspect(work)


def _spent(connection: Connection, bounds: dict[str, Any], before: Any) -> list[Spent]:
    """The longest first."""
    spent = {(status, reason): int(ms) for status, reason, ms in connection.execute(_SPENT, bounds)}
    if before is not None:
        first = connection.execute(_FIRST, bounds).scalar_one()
        held = (bounds["until"] if first is None else first) - bounds["since"]
        spent[before.status, before.reason] = spent.get((before.status, before.reason), 0) + max(0, held)
    longest = sorted(spent.items(), key=lambda each: (-each[1], each[0]))
    return [Spent(status, reason, ms) for (status, reason), ms in longest]


def _held(account: str, since: int, connection: Connection) -> tuple[list[Any], int]:
    key = account_key(connection, account)
    return list(connection.execute(_HELD, {"account": key, "since": since})), key


def _changed(bounds: dict[str, Any], connection: Connection) -> Sequence[Any]:
    return connection.execute(_CHANGES, bounds).all()


def candidates_of(text: str) -> list[Candidate]:
    """What another version wrote and this one can't read counts as not said."""
    try:
        return decode(text, type=list[Candidate])
    except (ValidationError, DecodeError):
        return []
