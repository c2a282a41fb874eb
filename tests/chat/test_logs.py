"""Who was on, when and why, and who got what: read a page at a time, on every engine."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.json import encode

from chat import logs
from chat.errors import NotFound
from chat.logs import Logs, Spent, StatusShown
from chat.model import Candidate
from chat.store import Store
from chat.store.tables import routing_log, status_log
from tests.builders import (
    DANA,
    MINE,
    MOMENT,
    NOA,
    OTHER,
    RIVAL,
    SOMCHAI,
    a_conversation,
    a_message,
    a_move,
    add_rows,
    store_moves,
)

HOUR = 3_600_000
ME = (MINE, NOA.id)


def a_line(hours: float, status: str = "accepting_chats", reason: str = "", member: str = NOA.id) -> dict[str, Any]:
    at = MOMENT + round(hours * HOUR)
    return {"member": member, "at": at, "status": status, "reason": reason, "until": at + HOUR, "cause": "shift"}


def as_shown(line: dict[str, Any]) -> StatusShown:
    return StatusShown(line["at"], line["status"], line["reason"], line["until"], line["cause"])


DAY = [
    a_line(0, "offline", "off_shift"),
    a_line(8),
    a_line(12, "not_accepting_chats", "away"),
    a_line(13),
    a_line(17, "offline", "off_shift"),
]


async def test_a_timeline_begins_with_what_held_before_and_comes_in_pages(store: Store) -> None:
    await add_rows(store, status_log, DAY)
    await add_rows(store, status_log, [a_line(9, "offline", member=SOMCHAI.id)])
    await add_rows(store, status_log, [a_line(9, "offline", member=RIVAL.id)], OTHER)
    all_logs = Logs(store)

    first = await all_logs.timeline(ME, MOMENT + 4 * HOUR, MOMENT + 24 * HOUR, limit=3)
    rest = await all_logs.timeline(ME, MOMENT + 4 * HOUR, MOMENT + 24 * HOUR, after=first.next or 0, limit=3)

    assert first.before == as_shown(DAY[0])
    assert first.lines == [as_shown(line) for line in DAY[1:4]]
    assert (rest.lines, rest.next) == ([as_shown(DAY[4])], None)
    assert first.spent == rest.spent


async def test_what_was_spent_is_all_of_the_time_that_is_known(store: Store) -> None:
    await add_rows(store, status_log, DAY)
    all_logs = Logs(store)

    whole = await all_logs.timeline(ME, MOMENT + 4 * HOUR, MOMENT + 24 * HOUR, limit=1)
    quiet = await all_logs.timeline(ME, MOMENT + 9 * HOUR, MOMENT + 10 * HOUR, limit=1)
    unknown = await all_logs.timeline(ME, MOMENT - 9 * HOUR, MOMENT - 1, limit=1)

    assert whole.spent == [
        Spent("offline", "off_shift", 11 * HOUR),  # four hours before it begins, seven after it has ended
        Spent("accepting_chats", "", 8 * HOUR),
        Spent("not_accepting_chats", "away", HOUR),
    ]
    assert (quiet.lines, quiet.spent) == ([], [Spent("accepting_chats", "", HOUR)])
    assert (unknown.before, unknown.lines, unknown.spent) == (None, [], [])


async def test_a_change_at_the_first_moment_is_what_holds_then(store: Store) -> None:
    await add_rows(store, status_log, DAY)

    found = await Logs(store).timeline(ME, MOMENT + 8 * HOUR, MOMENT + 12 * HOUR, limit=10)

    assert (found.before, found.lines) == (as_shown(DAY[1]), [])
    assert found.spent == [Spent("accepting_chats", "", 4 * HOUR)]


async def test_the_lines_of_a_team_begin_with_what_each_one_held(store: Store) -> None:
    await add_rows(store, status_log, [*DAY, a_line(6, member=SOMCHAI.id), a_line(7, "offline", member=SOMCHAI.id)])
    await add_rows(store, status_log, [a_line(9, member=RIVAL.id)], OTHER)
    since, until = MOMENT + 10 * HOUR, MOMENT + 14 * HOUR

    found, upto = await Logs(store).lines(MINE, [NOA.id, SOMCHAI.id], since, until)
    alone, _ = await Logs(store).lines(MINE, [SOMCHAI.id, RIVAL.id], since, until)

    assert upto == until
    assert [(line.member, line.at, line.status) for line in sorted(found, key=lambda line: (line.member, line.at))] == [
        (NOA.id, MOMENT + 8 * HOUR, "accepting_chats"),
        (NOA.id, MOMENT + 12 * HOUR, "not_accepting_chats"),
        (NOA.id, MOMENT + 13 * HOUR, "accepting_chats"),
        (SOMCHAI.id, MOMENT + 7 * HOUR, "offline"),
    ]
    assert [(line.account, line.member) for line in alone] == [(MINE, SOMCHAI.id)]


async def test_many_lines_come_in_slices_and_too_many_are_cut(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    await add_rows(store, status_log, [a_line(n / 100) for n in range(1, logs.SLICE * 2 + 3)])

    found, upto = await Logs(store).lines(MINE, [NOA.id], MOMENT, MOMENT + 100 * HOUR)
    monkeypatch.setattr(logs, "LINES", logs.SLICE)
    some, until = await Logs(store).lines(MINE, [NOA.id], MOMENT, MOMENT + 100 * HOUR)

    assert (len(found), upto) == (logs.SLICE * 2 + 2, MOMENT + 100 * HOUR)
    assert (len(some), until) == (logs.SLICE, some[-1].at)


# --- decisions -------------------------------------------------------------------------------------------------------

LOOKED_AT = [
    Candidate(NOA.id, "accepting_chats", "", True, "available", "on_shift", 1, 4, "chosen"),
    Candidate(SOMCHAI.id, "offline", "off_shift", False, "available", "off_shift", 0, 4, "off_shift"),
]


def a_decision(hours: int, kind: str, candidates: str = "[]", **more: Any) -> dict[str, Any]:
    row = {"conversation": "cnv_parcel", "at": MOMENT + hours * HOUR, "kind": kind, "chosen": None, "team": None}
    return row | {"by": "sys_shopbell", "candidates": candidates, **more}


async def test_decisions_are_shown_with_everybody_who_was_looked_at(store: Store) -> None:
    await store_moves(store, a_move(a_conversation(), a_message()))
    rows = [a_decision(0, "kept_waiting"), a_decision(1, "routed", encode(LOOKED_AT).decode(), chosen=NOA.id)]
    await add_rows(store, routing_log, [*rows, a_decision(1, "routed", conversation="cnv_other")])
    all_logs = Logs(store)

    (newest,) = await all_logs.decisions((MINE, "cnv_parcel"), before=2**53, limit=1)
    rest = await all_logs.decisions((MINE, "cnv_parcel"), before=newest.position, limit=5)

    assert (newest.kind, newest.chosen, newest.by, newest.candidates) == ("routed", NOA.id, "sys_shopbell", LOOKED_AT)
    assert [each.kind for each in rest] == ["kept_waiting"]


async def test_candidates_that_cannot_be_read_are_left_out(store: Store) -> None:
    await store_moves(store, a_move(a_conversation(), a_message()))
    await add_rows(
        store, routing_log, [a_decision(n, "routed", text) for n, text in enumerate(("", "{", '[{"odd":1}]'))]
    )

    found = await Logs(store).decisions((MINE, "cnv_parcel"), before=2**53, limit=5)

    assert [each.candidates for each in found] == [[], [], []]


async def test_others_are_like_what_is_not_there(store: Store) -> None:
    await store_moves(store, a_move(a_conversation(), a_message()))
    all_logs = Logs(store)

    for who in ((MINE, RIVAL.id), (MINE, "agt_nowhere"), (MINE, DANA.id), (OTHER, NOA.id)):
        with pytest.raises(NotFound):
            await all_logs.timeline(who, MOMENT, MOMENT + HOUR, limit=5)
    for what in ((OTHER, "cnv_parcel"), (MINE, "cnv_nowhere")):
        with pytest.raises(NotFound):
            await all_logs.decisions(what, before=2**53, limit=5)
    with pytest.raises(NotFound):
        await all_logs.lines("acc_nowhere", [NOA.id], MOMENT, MOMENT + HOUR)
