"""What waiting contacts were promised and what came of it: the report that says how honest the queue is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from math import ceil
from statistics import median
from typing import Any

from msgspec import Struct
from sqlalchemy import BigInteger, Connection, Text, and_, bindparam, func, or_, select

from chat.belonging import account_key, must_be
from chat.store import Store
from chat.store.tables import handles, teams, waits

SLICE = 1_000  # rows read in one go: some milliseconds
MOST = 50_000  # waits of one report: the latest ones

ROCKET_AGENTS = 100
"""What Rocket.Chat divides by: meant as the capacity, but fed this number whatever that is."""


class Wait(Struct, frozen=True):
    """A contact's wait (ms) and what was said about it: the place, and when it ends in half and in nine of ten cases.

    `ended_at` and `outcome` are None while it goes on.
    """

    queued_at: int
    place: int
    estimate: int
    low: int
    high: int
    ended_at: int | None
    outcome: str | None


class Calibration(Struct, frozen=True):
    """How right the promises were, over waits that ended with an answer.

    `by_low` and `by_high` are shares of 1 that ended no later than was said; a queue that is honest has 0.5 and 0.9.
    The errors are medians (ms) of how far the wait was from what was said: from `low`, and from what Rocket.Chat
    would have said. None where nothing was answered, or nothing was handled that Rocket.Chat could have gone by.
    """

    waits: int
    by_low: float | None
    by_high: float | None
    median_error: int | None
    rocket_median_error: int | None


class Handled(Struct, frozen=True):
    """How long conversations were in somebody's hands, and how long they took without the contact's silences (ms)."""

    count: int
    mean: int | None
    mean_worked: int | None


class WaitsReport(Struct, frozen=True):
    """Of all contacts who began to wait in a time. Medians and 90th percentiles are of the answered ones (ms).

    `cut`: there were more; only the latest were looked at.
    """

    since: int
    until: int
    total: int
    answered: int
    abandoned: int
    left: int
    waiting: int
    median_wait: int | None
    p90_wait: int | None
    abandoned_late: int
    calibration: Calibration
    handled: Handled
    cut: bool


_SINCE, _UNTIL = bindparam("since", type_=BigInteger), bindparam("until", type_=BigInteger)
_TEAM = bindparam("team", type_=Text)
_ROWS = (
    select(
        waits.c.conversation,
        waits.c.queued_at,
        waits.c.place,
        waits.c.estimate,
        waits.c.low,
        waits.c.high,
        waits.c.ended_at,
        waits.c.outcome,
    )
    .where(
        waits.c.account == bindparam("account"),
        waits.c.queued_at >= _SINCE,
        or_(
            waits.c.queued_at < _UNTIL,
            and_(waits.c.queued_at == _UNTIL, waits.c.conversation < bindparam("conversation")),
        ),
    )
    .order_by(waits.c.queued_at.desc(), waits.c.conversation.desc())
    .limit(SLICE)
)
_ROWS_OF_TEAM = _ROWS.where(waits.c.team == _TEAM)
_HANDLES = select(func.count(), func.sum(handles.c.ended_at - handles.c.began_at), func.sum(handles.c.worked)).where(
    handles.c.account == bindparam("account"), handles.c.ended_at >= _SINCE, handles.c.ended_at < _UNTIL
)
_HANDLES_OF_TEAM = _HANDLES.where(handles.c.team == _TEAM)


class Waits:
    """Raises Unavailable, and NotFound for a team that isn't there or is another account's."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def report(self, account: str, since: int, until: int, team: str | None = None) -> WaitsReport:
        """What became of all waits that began in a time (ms), all teams' or one's."""
        bounds: dict[str, Any] = {"since": since, "until": until, "team": team}
        bounds["account"], handled = await self._store.inspect(partial(_handled, account, bounds))
        found: list[Wait] = []
        place: dict[str, Any] = {"until": until, "conversation": ""}
        while True:
            rows = await self._store.inspect(partial(_rows, bounds | place))
            found += [Wait(*row[1:]) for row in rows]
            if len(rows) < SLICE or len(found) >= MOST:
                break
            place = {"until": rows[-1].queued_at, "conversation": rows[-1].conversation}
            await asyncio.sleep(0)  # nobody's message waits for a report
        return await asyncio.to_thread(report, found[:MOST], handled, since, until, cut=len(found) >= MOST)


def report(found: Sequence[Wait], handled: Handled, since: int, until: int, *, cut: bool = False) -> WaitsReport:
    """The figures of these waits."""
    answered = [wait for wait in found if wait.outcome == "answered" and wait.ended_at is not None]
    took = sorted(_took(wait) for wait in answered)
    abandoned = [wait for wait in found if wait.outcome == "abandoned"]
    return WaitsReport(
        since,
        until,
        len(found),
        len(answered),
        len(abandoned),
        sum(wait.outcome == "left" for wait in found),
        sum(wait.ended_at is None for wait in found),
        round(median(took)) if took else None,
        took[ceil(0.9 * len(took)) - 1] if took else None,
        sum(_took(wait) > wait.high for wait in abandoned if wait.ended_at is not None),
        _calibration(answered, handled.mean),
        handled,
        cut,
    )


def rocket_estimate(place: int, mean: int) -> float:
    """What Rocket.Chat tells who stands there: ((spot - 1) / N + 1) x mean chat, as it publishes it (ms)."""
    return ((place - 1) / ROCKET_AGENTS + 1) * mean


def _calibration(answered: Sequence[Wait], mean: int | None) -> Calibration:
    if not answered:
        return Calibration(0, None, None, None, None)
    errors = [abs(_took(wait) - wait.low) for wait in answered]
    theirs = [] if mean is None else [abs(_took(wait) - rocket_estimate(wait.place, mean)) for wait in answered]
    return Calibration(
        len(answered),
        sum(_took(wait) <= wait.low for wait in answered) / len(answered),
        sum(_took(wait) <= wait.high for wait in answered) / len(answered),
        round(median(errors)),
        round(median(theirs)) if theirs else None,
    )


def _took(wait: Wait) -> int:
    """How long it was: none that goes on is looked at."""
    assert wait.ended_at is not None
    return wait.ended_at - wait.queued_at


def _rows(bounds: dict[str, Any], connection: Connection) -> Sequence[Any]:
    return connection.execute(_ROWS if bounds["team"] is None else _ROWS_OF_TEAM, bounds).all()


def _handled(account: str, bounds: dict[str, Any], connection: Connection) -> tuple[int, Handled]:
    """The account's key, and what was handled."""
    key = account_key(connection, account)
    if bounds["team"] is not None:
        must_be(connection, teams, (account, bounds["team"]))
    statement = _HANDLES if bounds["team"] is None else _HANDLES_OF_TEAM
    count, held, worked = connection.execute(statement, bounds | {"account": key}).one()
    if not count:
        return key, Handled(0, None, None)
    return key, Handled(count, round(held / count), round(worked / count))
