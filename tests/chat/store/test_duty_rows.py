"""Rows to a desk and back, on every engine: what the ledger writes leaves the administration's columns alone."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace
from sqlalchemy import Connection, select, update

from chat.model import Candidate, Decision, Queue, Routing, StatusLine, TeamRules, Timer
from chat.store import Head, Loaded, Rows, Store, Wanted
from chat.store.duty_rows import QUEUED, UNASKED, team_rules, worded
from chat.store.tables import accounts, contacts, duties, routing_log, status_log, teams
from chat.timers import Timers
from tests.builders import (
    DANA,
    DOOR,
    ECHO,
    ELI,
    GONE,
    MINE,
    MOMENT,
    NOA,
    OTHER,
    SOMCHAI,
    STRANGER,
    TEAM,
    a_conversation,
    a_member,
    a_message,
    a_move,
    an_id,
    store_moves,
)
from tests.floor import give_slots, set_up


async def loaded(store: Store, wanted: Wanted) -> Loaded:
    transaction = await store.begin([MINE])
    try:
        return await transaction.load(wanted)
    finally:
        await transaction.rollback()


async def write(store: Store, beside: Rows) -> None:
    transaction = await store.begin([MINE])
    await transaction.write([], {}, beside)
    await transaction.commit()


async def test_a_desk_has_who_works_here_what_they_have_in_hand_and_what_waits(store: Store) -> None:
    await set_up(store, answer_seconds=20)
    await give_slots(store, 2, NOA)
    waits = a_conversation(id="cnv_waits", team=TEAM, routing=Routing(MOMENT), cursor=3)
    states = [
        a_conversation(id="cnv_before", status="resolved", assignee=SOMCHAI.id, cursor=1),
        a_conversation(id="cnv_held", status="open", assignee=NOA.id, handler="agent", contact=ELI.id, cursor=2),
        waits,
    ]
    moves = [a_move(state, a_message(number)) for number, state in enumerate(states)]
    theirs = a_move(a_conversation(id="cnv_theirs", contact=STRANGER.id), a_message(9), account=OTHER)
    await store_moves(store, *moves, theirs)

    found = await loaded(store, Wanted(desks={MINE}))

    desk = found.desks[MINE]
    assert desk.members.keys() >= {NOA.id, SOMCHAI.id, ECHO.id}
    assert GONE.id not in desk.members
    assert {member.account for member in desk.members.values()} == {MINE}
    assert (desk.members[NOA.id].slots, desk.members[SOMCHAI.id].slots) == (2, 4)
    assert (desk.members[NOA.id].teams, desk.members[ECHO.id].teams) == ((TEAM,), ())
    assert desk.used == {NOA.id: 1}
    assert desk.teams[TEAM] == TeamRules(TEAM, (NOA.id, SOMCHAI.id), answer_seconds=20)
    assert desk.inboxes == {DOOR: (TEAM,)}
    assert desk.queued == (waits,)
    assert desk.known == {DANA.id: SOMCHAI.id}
    assert found.conversations[MINE, "cnv_waits"] == waits


async def test_hundreds_who_only_left_a_message_hide_nobody_who_waits(store: Store) -> None:
    await set_up(store)
    left = [
        a_conversation(
            id=f"cnv_left{n}", team=TEAM, waiting_since=None, routing=Routing(MOMENT, left=True), cursor=n + 1
        )
        for n in range(QUEUED + 1)
    ]
    live = [
        a_conversation(id=f"cnv_live{n}", team=TEAM, waiting_since=MOMENT + 9 - n, cursor=QUEUED + 2 + n)
        for n in range(QUEUED)
    ]
    await store_moves(store, *map(a_move, (*left, *live)))

    seen = {each.id for each in (await loaded(store, Wanted(desks={MINE}))).desks[MINE].queued}

    assert len(seen) == QUEUED
    assert {each.id for each in live if each.id not in seen} == {f"cnv_live{n}" for n in range(UNASKED)}  # the newest


async def test_the_urgent_one_is_looked_at_however_many_have_waited_for_longer(store: Store) -> None:
    await set_up(store)
    waits = [
        a_conversation(id=f"cnv_waits{n}", team=TEAM, waiting_since=MOMENT + n, cursor=n + 1) for n in range(QUEUED)
    ]
    late = a_conversation(id="cnv_late", team=TEAM, waiting_since=MOMENT + 2 * QUEUED, cursor=QUEUED + 1)
    await store_moves(store, *map(a_move, (*waits, late)))

    async def seen() -> set[str]:
        return {each.id for each in (await loaded(store, Wanted(desks={MINE}))).desks[MINE].queued}

    assert late.id not in await seen()

    urgent = replace(late, priority=2, seq=2, cursor=QUEUED + 2)
    await store_moves(store, a_move(urgent, before=late))

    assert late.id in await seen()


async def test_what_is_open_in_somebodys_hands_is_loaded_with_them(store: Store) -> None:
    held = a_conversation(id="cnv_held", status="open", assignee=NOA.id)
    aside = a_conversation(id="cnv_aside", status="snoozed", assignee=NOA.id, cursor=2)
    await store_moves(store, a_move(held, a_message(1)), a_move(aside, a_message(2)))

    found = await loaded(store, Wanted(held_by={(MINE, NOA.id)}))

    assert found.conversations == {(MINE, held.id): held}
    assert (await loaded(store, Wanted(held_by={(OTHER, NOA.id)}))).conversations == {}


async def test_a_queue_is_as_long_as_those_are_who_wait_for_its_team(store: Store) -> None:
    await set_up(store, queue_limit=5)
    left = a_conversation(id="cnv_left", team=TEAM, waiting_since=None, cursor=2)
    await store_moves(store, a_move(a_conversation(team=TEAM), a_message(1)), a_move(left, a_message(2)))

    found = await loaded(store, Wanted(queues={(MINE, DOOR), (OTHER, DOOR)}))

    assert found.queues == {(MINE, DOOR): Queue(TeamRules(TEAM, queue_limit=5), 1, False)}


async def test_what_the_ledger_writes_of_a_member_leaves_what_the_administration_writes(store: Store) -> None:
    await give_slots(store, 7, NOA)
    away = a_member(NOA, availability="away", reason="Lunch", set_by=NOA.id, set_at=MOMENT, finishes=True, slots=1)
    seen = replace(away, status="not_accepting_chats", status_reason="away", status_until=MOMENT + 9, status_at=MOMENT)

    await write(store, Rows(members=[a_member(SOMCHAI, bounces=2)]))
    await write(store, Rows(members=[seen], answered=[SOMCHAI.id]))

    desk = (await loaded(store, Wanted(desks={MINE}))).desks[MINE]
    assert desk.members[NOA.id] == replace(seen, slots=7, teams=())
    assert desk.members[SOMCHAI.id].bounces == 0
    assert desk.members[SOMCHAI.id].slots == 4  # nobody has said anything of them


async def test_logs_timers_queues_and_addresses_are_written_with_the_rest(store: Store) -> None:
    row = Candidate(NOA.id, "offline", "not_present", False, "available", "on_shift", 0, 4, "not_present")
    decision = Decision(MINE, "cnv_1", MOMENT, "kept_waiting", None, TEAM, "sys_shopbell", (row,))
    line = StatusLine(MINE, NOA.id, MOMENT, "offline", "not_present", None, "disconnected")
    timer = Timer(an_id(1), MOMENT, "routing.return", "cnv_1")
    full = Queue(TeamRules(TEAM), 3, True)
    emails = [(DANA.id, "dana@x.example"), (DANA.id, "other@x.example")]

    await write(
        store, Rows(decisions=[decision], statuses=[line], timers=[(MINE, timer)], queues=[full], emails=emails)
    )

    def work(connection: Connection) -> list[Any]:
        logged = connection.execute(select(routing_log.c.kind, routing_log.c.candidates)).one()
        email = select(contacts.c.email).where(contacts.c.id == DANA.id)
        is_full = select(teams.c.is_full).where(teams.c.id == TEAM)
        cause = connection.execute(select(status_log.c.cause)).scalar_one()
        return [*logged, cause, connection.execute(is_full).scalar_one(), connection.execute(email).scalar_one()]

    kind, candidates, *others = await store.inspect(work)
    assert [kind, *others] == ["kept_waiting", "disconnected", True, "dana@x.example"]
    assert '"verdict":"not_present"' in candidates
    assert [due.timer for due in await Timers(store).due(MOMENT, 9)] == [timer]


async def test_nothing_of_it_is_left_after_a_rollback(store: Store) -> None:
    transaction = await store.begin([MINE])
    await transaction.write([], {MINE: Head(1, MOMENT)}, Rows(members=[a_member(NOA, bounces=2)]))
    await transaction.rollback()

    def work(connection: Connection) -> int:
        return len(connection.execute(select(duties.c.member)).all())

    assert await store.inspect(work) == 0


async def test_who_may_take_no_more_than_the_slots_is_known_from_the_next_batch_on(store: Store) -> None:
    wanted = Wanted(actors={(MINE, NOA.id), (MINE, DANA.id)})
    assert not (await loaded(store, wanted)).actors[MINE, NOA.id].is_bound

    def work(connection: Connection) -> None:
        connection.execute(
            update(accounts).where(accounts.c.id == MINE).values(settings={"claims_beyond_slots": False})
        )

    await store.administer(work)

    found = (await loaded(store, wanted)).actors
    assert found[MINE, NOA.id].is_bound
    assert not found[MINE, DANA.id].is_bound


def test_settings_that_make_no_sense_count_as_not_said() -> None:
    rules = team_rules(TEAM, (NOA.id,), {"policy": "round_robin", "bounces": "many", "colour": "red"})

    assert rules == TeamRules(TEAM, (NOA.id,), policy="round_robin")


def test_a_statement_is_worded_for_its_engine() -> None:
    assert worded("VALUES ({values})", "$", 2) == "VALUES ($1, $2)"
    assert worded("SET a = {0} WHERE b = {1}", "?", 2) == "SET a = ?1 WHERE b = ?2"
