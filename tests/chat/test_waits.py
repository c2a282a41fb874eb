"""What waiting contacts were promised and what came of it, in figures that can be worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, insert, select

from chat import waits
from chat.errors import NotFound
from chat.store import Store
from chat.store.tables import accounts, handles
from chat.store.tables import waits as waits_table
from chat.waits import Calibration, Handled, Wait, Waits, report, rocket_estimate
from tests.builders import MINE, MOMENT, NOA, OTHER, TEAM

SECOND = 1000
MINUTE = 60 * SECOND
NOTHING = Handled(0, None, None)


def a_wait(took: int | None, outcome: str | None = "answered", low: int = 60, high: int = 120, place: int = 1) -> Wait:
    """In seconds."""
    ended = None if took is None else MOMENT + took * SECOND
    return Wait(MOMENT, place, low * SECOND, low * SECOND, high * SECOND, ended, outcome)


def test_the_promises_are_compared_with_what_came() -> None:
    found = [a_wait(30), a_wait(60), a_wait(100), a_wait(120), a_wait(400)]

    figures = report(found, NOTHING, 0, 1)

    assert figures.calibration == Calibration(5, 2 / 5, 4 / 5, 40 * SECOND, None)
    assert (figures.median_wait, figures.p90_wait) == (100 * SECOND, 400 * SECOND)


def test_only_what_was_answered_is_compared_and_the_rest_is_counted() -> None:
    gone = [a_wait(10, "abandoned"), a_wait(500, "abandoned"), a_wait(5, "left"), a_wait(None, None)]

    figures = report([*gone, a_wait(60)], NOTHING, 0, 1)

    assert (figures.total, figures.answered, figures.abandoned, figures.left, figures.waiting) == (5, 1, 2, 1, 1)
    assert figures.abandoned_late == 1
    assert figures.calibration == Calibration(1, 1.0, 1.0, 0, None)


def test_without_waits_there_are_no_shares() -> None:
    figures = report([], NOTHING, 0, 1)

    assert figures.calibration == Calibration(0, None, None, None, None)
    assert (figures.total, figures.median_wait, figures.p90_wait) == (0, None, None)


@pytest.mark.parametrize(("place", "minutes"), [(1, 10.0), (11, 11.0), (51, 15.0)])
def test_rocket_chats_formula_gives_what_it_is_known_to_give(place: int, minutes: float) -> None:
    """Mean chat 10 min: the table of three spots that its users complained about."""
    assert rocket_estimate(place, 10 * MINUTE) == minutes * MINUTE


def test_rocket_chats_error_is_of_the_same_waits() -> None:
    found = [a_wait(42, place=1), a_wait(7 * 60, place=11), a_wait(34 * 60, place=51)]

    figures = report(found, Handled(3, 10 * MINUTE, 4 * MINUTE), 0, 1)

    errors = sorted([(600 - 42) * SECOND, 4 * MINUTE, 19 * MINUTE])
    assert figures.calibration.rocket_median_error == errors[1]


# --- in the store ----------------------------------------------------------------------------------------------------


async def add(store: Store, table: Any, rows: list[dict[str, Any]], account: str = MINE) -> None:
    def work(connection: Connection) -> None:
        key = connection.execute(select(accounts.c.key).where(accounts.c.id == account)).scalar_one()
        connection.execute(insert(table), [{"account": key, **row} for row in rows])

    await store.administer(work)


def a_row(number: int, at: int, took: int | None = 30, team: str | None = TEAM) -> dict[str, Any]:
    ended = None if took is None else at + took * SECOND
    row = {"conversation": f"cnv_{number:05}", "queued_at": at, "team": team, "place": 1, "estimate": 60 * SECOND}
    told = {"low": 60 * SECOND, "high": 120 * SECOND}
    return row | told | {"ended_at": ended, "outcome": None if took is None else "answered"}


def a_handle(ended: int, held: int, worked: int, team: str | None = TEAM) -> dict[str, Any]:
    row = {"conversation": "cnv_00001", "member": NOA.id, "team": team, "began_at": ended - held}
    return row | {"ended_at": ended, "worked": worked}


async def test_a_report_is_of_one_time_one_account_and_one_team(store: Store) -> None:
    inside = [a_row(1, MOMENT), a_row(2, MOMENT + 1, 90), a_row(3, MOMENT + 9, None, team=None)]
    await add(store, waits_table, [*inside, a_row(4, MOMENT - 1), a_row(5, MOMENT + 10)])
    await add(store, waits_table, [a_row(6, MOMENT)], OTHER)
    times = [
        (MOMENT, 600, 200, TEAM),
        (MOMENT + 5, 300, 100, None),
        (MOMENT + 10, 9, 9, TEAM),
        (MOMENT - 1, 9, 9, TEAM),
    ]
    await add(store, handles, [a_handle(*each) for each in times])
    await add(store, handles, [a_handle(MOMENT, 9, 9)], OTHER)

    whole = await Waits(store).report(MINE, MOMENT, MOMENT + 10)
    of_team = await Waits(store).report(MINE, MOMENT, MOMENT + 10, TEAM)

    assert (whole.total, whole.answered, whole.waiting, whole.cut) == (3, 2, 1, False)
    assert whole.handled == Handled(2, 450, 150)
    assert (whole.calibration.by_low, whole.calibration.by_high) == (0.5, 1.0)
    assert (of_team.total, of_team.waiting) == (2, 0)
    assert of_team.handled == Handled(1, 600, 200)


async def test_many_waits_come_in_slices_and_too_many_are_cut(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    same_moment = [a_row(number, MOMENT + number // 700) for number in range(waits.SLICE * 2 + 100)]
    await add(store, waits_table, same_moment)

    whole = await Waits(store).report(MINE, MOMENT, MOMENT + 10)
    monkeypatch.setattr(waits, "MOST", waits.SLICE)
    some = await Waits(store).report(MINE, MOMENT, MOMENT + 10)

    assert (whole.total, whole.cut) == (waits.SLICE * 2 + 100, False)
    assert (some.total, some.cut) == (waits.SLICE, True)


async def test_another_accounts_team_is_like_one_that_is_not_there(store: Store) -> None:
    for account, team in ((OTHER, TEAM), (MINE, "tem_nowhere"), ("acc_nowhere", None)):
        with pytest.raises(NotFound):
            await Waits(store).report(account, MOMENT, MOMENT + 10, team)
