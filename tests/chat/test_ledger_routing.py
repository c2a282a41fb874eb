"""Routing on every store: nothing in two hands or in none, nobody beyond the slots, places kept, true books."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random, randrange
from typing import Any

from msgspec.json import decode
from msgspec.structs import replace
from sqlalchemy import Connection, Table, insert, select, update

from chat.errors import Refused
from chat.model import Actor, Ask, Conversation, Routing
from chat.rules.assignment import Assign, Claim
from chat.rules.availability import Observe, SetAvailability
from chat.rules.conversations import Reopen, Resolve
from chat.rules.messages import Send, Start
from chat.rules.routing import Return, Run
from chat.rules.snooze import Snooze
from chat.rules.transfer import Transfer
from chat.store import Store
from chat.store.tables import (
    accounts,
    agents,
    contacts,
    duties,
    handles,
    routing_log,
    status_log,
    team_members,
    teams,
    waits,
)
from chat.ticket import Done
from chat.timers import Timers
from gateway.timers import ask_of
from tests.builders import DANA, DOOR, ECHO, ELI, GONE, MINE, MOMENT, NOA, SOMCHAI, TEAM, StillClock, an_agent, populate
from tests.engines import StoreEngine
from tests.floor import US, Here, give_slots, set_up
from tests.office import Office, open_office

BOSS = replace(NOA, role="supervisor")


@asynccontextmanager
async def a_floor(
    store: Store, clock: StillClock, *present: Actor, slots: int = 2, **settings: Any
) -> AsyncIterator[tuple[Office, Here]]:
    """Noa and Somchai with two slots each; who is named is here."""
    await set_up(store, **settings)
    await give_slots(store, slots, NOA, SOMCHAI)
    here = Here(*present)
    async with open_office(store, clock, duty=here) as office:
        yield office, here


async def state(office: Office, conversation: str) -> Conversation:
    async with office.store.view() as view:
        found = await view.conversation(MINE, conversation)
    assert found is not None
    return found


async def holders(office: Office, *conversations: str) -> list[str | None]:
    return [(await state(office, each)).assignee for each in conversations]


def run(office: Office) -> Run:
    return Run(id=office.new_id())


async def route(office: Office) -> None:
    await office.done(US, run(office))


async def ring(office: Office, clock: StillClock, seconds: float) -> None:
    """What is due then is asked."""
    clock.move(seconds)
    timers = Timers(office.store)
    due = await timers.due(clock.now(), 100)
    for each in due:
        ask = ask_of(each.timer)
        assert ask is not None
        await office.ask(US, ask)
    await timers.delete(due)


async def rows(office: Office, table: Table, *columns: str) -> list[tuple[Any, ...]]:
    def work(connection: Connection) -> list[tuple[Any, ...]]:
        chosen = [table.c[name] for name in columns]
        return [tuple(row) for row in connection.execute(select(*chosen).order_by(*table.primary_key))]

    return await office.store.inspect(work)


async def check_nothing_is_lost(office: Office, slots: int = 2) -> None:
    """Each conversation is in one pair of hands, or in the queue; and nobody has more than the slots."""
    async with office.store.view() as view:
        found = await view.moved(MINE, 0, 1000)
    for each in found:
        assert (each.status == "open") == (each.assignee is not None) or each.status in ("resolved", "snoozed")
        assert (each.handler == "none") == (each.assignee is None)
    held = [each.assignee for each in found if each.status == "open"]
    assert all(held.count(member) <= slots for member in held)


# --- routing ------------------------------------------------------------------------------------------------


async def test_what_waits_is_given_to_the_least_busy_up_to_their_slots_the_oldest_first(
    store: Store, clock: StillClock
) -> None:
    async with a_floor(store, clock, NOA, SOMCHAI) as (office, _):
        started = []
        for _ in range(5):
            started.append(await office.start(DANA))
            clock.move(1)

        await route(office)

        given = await holders(office, *started)
        assert sorted(map(str, given)) == sorted([NOA.id, NOA.id, SOMCHAI.id, SOMCHAI.id, "None"])
        assert given[4] is None
        first = await state(office, started[0])
        assert (first.status, first.team, first.handler) == ("open", TEAM, "agent")
        assert first.routing is not None
        assert first.routing.unanswered
        assert (first.routing.queued_at, first.routing.assigned_at) == (MOMENT, MOMENT + 5000)
        await check_nothing_is_lost(office)
        log = await rows(office, routing_log, "conversation", "kind", "chosen", "by")
        assert log == [(id_, "routed", who, US.id) for id_, who in zip(started[:4], given, strict=False)]


async def test_a_batch_sees_what_it_has_done_itself(store: Store, clock: StillClock) -> None:
    """A start, a claim and a resolve before the run count; so does what the run before it gave."""
    async with a_floor(store, clock, NOA, slots=2) as (office, _):
        mine, done = await office.start(DANA), await office.start(DANA)
        await office.done(NOA, Claim(id=office.new_id(), conversation=done))
        starting = Start(id=office.new_id(), inbox=DOOR, text="And mine?")

        answers = [
            office.hand_in(NOA, Claim(id=office.new_id(), conversation=mine)),
            office.hand_in(NOA, Resolve(id=office.new_id(), conversation=done)),
            office.hand_in(ELI, starting),
            office.hand_in(ELI, Start(id=office.new_id(), inbox=DOOR, text="And me?")),
            office.hand_in(US, run(office)),
            office.hand_in(US, run(office)),
        ]
        results = await office.settled(*answers)

        assert [type(result) for result in results] == [Done] * 6
        assert len(office.batches[-1]) == 6
        third, fourth = [result.conversation for result in results[2:4] if isinstance(result, Done)]
        assert await holders(office, mine, third, fourth) == [NOA.id, NOA.id, None]
        await check_nothing_is_lost(office)


async def test_nobody_gets_anything_while_it_is_not_known_who_is_here(store: Store, clock: StillClock) -> None:
    async with a_floor(store, clock, NOA) as (office, here):
        conversation = await office.start(DANA)
        here.is_unknown = True

        assert await office.refused(US, run(office)) == "busy"

        assert await holders(office, conversation) == [None]


async def test_slots_skills_and_policy_count_from_the_moment_they_are_set(store: Store, clock: StillClock) -> None:
    """They are written beside the ledger, and nothing in memory may be older."""
    async with a_floor(store, clock, NOA, slots=0) as (office, _):
        conversation = await office.start(DANA)
        await route(office)
        assert await holders(office, conversation) == [None]

        def work(connection: Connection) -> None:
            connection.execute(update(duties).values(slots=1, skills=["th"]))
            connection.execute(update(teams).values(settings={"policy": "round_robin"}))

        await store.administer(work)
        await route(office)

        assert await holders(office, conversation) == [NOA.id]
        assert await rows(office, duties, "member", "slots", "skills", "assigned_at") == [
            (NOA.id, 1, ["th"], MOMENT),
            (SOMCHAI.id, 1, ["th"], 0),
        ]


async def test_nothing_is_routed_to_a_manual_team_and_its_backlog_hides_nobody_elses(
    store: Store, clock: StillClock
) -> None:
    async with a_floor(store, clock, NOA, policy="manual") as (office, _):
        waits_for_hands = [await office.start(DANA) for _ in range(3)]

        await route(office)

        assert await holders(office, *waits_for_hands) == [None] * 3


async def test_who_knows_the_contact_gets_it_again(store: Store, clock: StillClock) -> None:
    async with a_floor(store, clock, NOA, SOMCHAI) as (office, _):
        before = await office.start(DANA)
        await office.send(SOMCHAI, before)
        await office.done(SOMCHAI, Resolve(id=office.new_id(), conversation=before))
        again = await office.start(DANA, "Me again")

        await route(office)

        assert await holders(office, again) == [SOMCHAI.id]


async def test_two_nodes_route_at_once_and_nothing_is_given_twice(engine: StoreEngine, clock: StillClock) -> None:
    """On PostgreSQL each has a store and a ledger of its own; the file of SQLite has one writer."""
    first = await engine.open()
    await populate_floor(first)
    second = await engine.open() if not first.holds_loop else first
    here = Here(NOA, SOMCHAI)
    async with open_office(first, clock, duty=here) as one, open_office(second, clock, duty=here) as two:
        two._numbers = iter(range(0x800000, 0xFFFFFF))
        for _ in range(6):
            asks = [
                one.hand_in(DANA, Start(id=one.new_id(), inbox=DOOR, text="Hi")),
                two.hand_in(ELI, Start(id=two.new_id(), inbox=DOOR, text="Hi")),
                one.hand_in(US, run(one)),
                two.hand_in(US, run(two)),
            ]
            await one.settled(*asks)
        await asyncio.gather(route(one), route(two))

        await check_nothing_is_lost(one)
        log = await rows(one, routing_log, "conversation", "chosen")
        assert len(log) == len({conversation for conversation, _ in log}) == 4
    if second is not first:
        await second.close()
    await first.close()


async def test_whatever_happens_at_once_routing_gives_to_nobody_who_is_away_or_full(
    engine: StoreEngine, clock: StillClock
) -> None:
    """Two nodes, people who come and go, claims, resolves and transfers in any order; the log says what it was by.

    chatwoot#11034, Rocket.Chat PR 19352, Rocket.Chat PR 35722: limits were ignored, or exceeded under load."""
    seed = int(os.environ.get("SHOPBELL_SEED", "0")) or randrange(2**32)
    sys.stdout.write(f"SHOPBELL_SEED={seed}\n")
    chance = Random(seed)
    first = await engine.open()
    await populate_floor(first)
    await first.administer(lambda db: db.execute(update(accounts).values(settings={"claims_beyond_slots": False})))
    second = await engine.open() if not first.holds_loop else first
    here = Here(NOA, SOMCHAI)
    async with open_office(first, clock, duty=here) as one, open_office(second, clock, duty=here) as two:
        two._numbers = iter(range(0x800000, 0xFFFFFF))
        started: list[str] = []
        for _ in range(40):
            who = chance.choice((NOA, SOMCHAI))
            chance.choice((here.comes, here.comes, here.goes))(who)
            asks = [office.hand_in(*_anything(office, chance, started)) for office in (one, two) for _ in range(6)]
            asks += [one.hand_in(US, run(one)), two.hand_in(US, run(two))]
            asks.append(one.hand_in(who, SetAvailability(availability="available")))  # after bounces
            results = await one.settled(*asks)
            started += sorted({each.conversation for each in results if isinstance(each, Done)} - {*started, ""})
            await ring(one, clock, chance.random() * 20)
            await check_nothing_is_lost(one)

        async with first.view() as view:
            found = await view.moved(MINE, 0, 1000)
        assert all((each.assignee is None) == (each.handler == "none") for each in found)
        assert all((each.status == "open") <= (each.assignee is not None) for each in found)
        assert all((each.status == "queued") <= (each.assignee is None) for each in found)
        log = await rows(one, routing_log, "kind", "chosen", "candidates")
    if second is not first:
        await second.close()
    await first.close()
    given = [(chosen, decode(candidates)) for kind, chosen, candidates in log if chosen and kind != "claimed"]
    by_routing = [(chosen, each) for chosen, each in given if each]
    assert by_routing
    for chosen, candidates in by_routing:
        (row,) = [each for each in candidates if each["member"] == chosen]
        assert (row["status"], row["verdict"], row["is_present"]) == ("accepting_chats", "chosen", True)
        assert row["used"] < row["slots"] == 2


def _anything(office: Office, chance: Random, started: list[str]) -> tuple[Actor, Ask]:
    who, id = chance.choice((NOA, SOMCHAI)), office.new_id()
    if not started or chance.random() < 0.3:
        return chance.choice((DANA, ELI)), Start(id=id, inbox=DOOR, text="Hi")
    conversation, to = chance.choice(started[-12:]), chance.choice((NOA.id, SOMCHAI.id, TEAM))
    return chance.choice(
        (
            (who, Claim(id=id, conversation=conversation)),
            (who, Send(id=id, conversation=conversation, text="Hello")),
            *[(who, Resolve(id=id, conversation=conversation))] * 6,
            (who, Transfer(id=id, conversation=conversation, to=to)),
            (who, SetAvailability(availability=chance.choice(("available", "available", "busy")))),
            (US, Observe(id=id, members=(NOA.id, SOMCHAI.id), cause="connected")),
        )
    )


async def populate_floor(store: Store) -> None:
    await populate(store)
    await set_up(store)
    await give_slots(store, 2, NOA, SOMCHAI)


# --- by hand ------------------------------------------------------------------------------------------------


async def test_of_two_who_claim_at_once_one_has_it_and_the_other_is_told(store: Store, clock: StillClock) -> None:
    async with a_floor(store, clock, NOA, SOMCHAI) as (office, _):
        conversation = await office.start(DANA)

        claims = [Claim(id=office.new_id(), conversation=conversation) for _ in range(2)]
        first, second = await office.settled(office.hand_in(NOA, claims[0]), office.hand_in(SOMCHAI, claims[1]))

        assert isinstance(first, Done)
        assert isinstance(second, Refused)
        assert second.code == "taken"
        assert await rows(office, routing_log, "kind", "chosen", "by") == [("claimed", NOA.id, NOA.id)]


async def test_by_hand_more_than_the_slots_is_taken_unless_the_account_forbids_it(
    store: Store, clock: StillClock
) -> None:
    """chatwoot#1198, chatwoot#1275"""
    async with a_floor(store, clock, NOA, slots=1) as (office, _):
        first, second, third = [await office.start(DANA) for _ in range(3)]
        await office.done(NOA, Claim(id=office.new_id(), conversation=first))
        await office.send(NOA, second)
        assert await holders(office, first, second) == [NOA.id, NOA.id]

        await store.administer(lambda db: db.execute(update(accounts).values(settings={"claims_beyond_slots": False})))

        assert await office.refused(NOA, Claim(id=office.new_id(), conversation=third)) == "full"
        assert await office.refused(NOA, Send(id=office.new_id(), conversation=third, text="Hello")) == "full"
        await office.send(NOA, second)
        assert await holders(office, third) == [None]


# --- bounces ------------------------------------------------------------------------------------------------


async def test_what_is_not_answered_goes_back_to_its_old_place_and_then_to_somebody_else(
    store: Store, clock: StillClock
) -> None:
    async with a_floor(store, clock, NOA, slots=1, answer_seconds=20) as (office, here):
        first = await office.start(DANA)
        clock.move(5)
        second = await office.start(ELI)
        await route(office)
        assert await holders(office, first, second) == [NOA.id, None]

        await ring(office, clock, 19)
        assert await holders(office, first) == [NOA.id]
        await ring(office, clock, 1)

        back = await state(office, first)
        assert (back.status, back.assignee) == ("queued", None)
        assert back.routing == Routing(queued_at=MOMENT, passed=(NOA.id,))
        here.goes(NOA)
        here.comes(SOMCHAI)
        await route(office)
        assert await holders(office, first, second) == [SOMCHAI.id, None]
        assert [row[0] for row in await rows(office, routing_log, "kind")] == ["routed", "bounced", "routed"]


async def test_who_never_answers_is_set_away_and_who_answers_begins_anew(store: Store, clock: StillClock) -> None:
    """chatwoot#4170"""
    async with a_floor(store, clock, NOA, bounces=2) as (office, _):
        conversation = await office.start(DANA)
        for answers in (False, True, False, False):
            await route(office)
            assert await holders(office, conversation) == [NOA.id]
            if answers:
                await office.send(NOA, conversation)
                await office.done(NOA, Assign(id=office.new_id(), conversation=conversation, assignee=None))
            await ring(office, clock, 30)

        found = await rows(office, duties, "member", "availability", "reason", "set_by", "bounces")
        assert found[0] == (NOA.id, "away", "bounced", US.id, 0)
        await route(office)
        assert await holders(office, conversation) == [None]


async def test_a_timer_of_before_touches_neither_an_answered_conversation_nor_one_given_anew(
    store: Store, clock: StillClock
) -> None:
    async with a_floor(store, clock, NOA) as (office, _):
        answered, anew = await office.start(DANA), await office.start(ELI)
        await route(office)
        clock.move(15)
        await office.send(NOA, answered)
        await office.done(SOMCHAI, Assign(id=office.new_id(), conversation=anew, assignee=None))
        await route(office)

        await ring(office, clock, 15)

        assert await holders(office, answered, anew) == [NOA.id, NOA.id]
        await ring(office, clock, 15)
        assert await holders(office, answered, anew) == [NOA.id, None]


# --- who goes -----------------------------------------------------------------------------------------------


async def observe(office: Office, *members: Actor, cause: str = "disconnected", idle: bool | None = None) -> None:
    ids = tuple(member.id for member in members)
    await office.done(US, Observe(id=office.new_id(), members=ids, cause=cause, idle=idle))


async def test_who_vanishes_loses_the_unanswered_at_once_and_the_rest_if_it_lasts(
    store: Store, clock: StillClock
) -> None:
    """chatwoot#7204, chatwoot#5362: live conversations stayed with agents who were gone."""
    async with a_floor(store, clock, NOA, return_seconds=300) as (office, here):
        talked, given = await office.start(DANA), await office.start(ELI)
        await route(office)
        await observe(office, NOA, cause="connected")
        await office.send(NOA, talked)
        here.goes(NOA)

        await observe(office, NOA)

        assert await holders(office, talked, given) == [NOA.id, None]
        await ring(office, clock, 299)
        assert await holders(office, talked) == [NOA.id]
        await ring(office, clock, 1)
        assert await holders(office, talked) == [None]
        kinds = [row[0] for row in await rows(office, routing_log, "kind")]
        assert kinds == ["routed", "routed", "returned", "returned"]
        log = await rows(office, status_log, "member", "status", "reason", "cause")
        assert log == [
            (NOA.id, "not_accepting_chats", "full", "connected"),
            (NOA.id, "offline", "not_present", "disconnected"),
        ]


async def test_who_comes_back_in_time_keeps_what_was_in_progress(store: Store, clock: StillClock) -> None:
    async with a_floor(store, clock, NOA) as (office, here):
        conversation = await office.start(DANA)
        await office.send(NOA, conversation)
        await observe(office, NOA, cause="connected")
        here.goes(NOA)
        await observe(office, NOA)
        clock.move(200)
        here.comes(NOA)
        await observe(office, NOA, cause="connected")
        clock.move(90)
        here.goes(NOA)
        await observe(office, NOA)

        await ring(office, clock, 10)  # of the first time
        assert await holders(office, conversation) == [NOA.id]

        await ring(office, clock, 290)
        assert await holders(office, conversation) == [None]


async def test_while_nobody_knows_who_is_here_nothing_is_taken_away(store: Store, clock: StillClock) -> None:
    async with a_floor(store, clock, NOA) as (office, here):
        conversation = await office.start(DANA)
        await route(office)
        here.is_unknown = True

        asks = [
            Observe(id=office.new_id(), members=(NOA.id,), cause="disconnected"),
            Return(id=office.new_id(), conversation=conversation),
        ]
        assert [await office.refused(US, ask) for ask in asks] == ["busy", "busy"]
        assert await holders(office, conversation) == [NOA.id]


async def test_at_the_end_of_a_shift_what_is_open_is_handed_over_unless_it_is_to_be_finished(
    store: Store, clock: StillClock
) -> None:
    async with a_floor(store, clock, NOA, SOMCHAI) as (office, here):
        noas, somchais = await office.start(DANA), await office.start(ELI)
        await office.send(NOA, noas)
        await office.send(SOMCHAI, somchais)
        await observe(office, NOA, SOMCHAI, cause="connected")
        await office.done(SOMCHAI, SetAvailability(availability="available", finish=True))
        here.off_shift = {NOA.id, SOMCHAI.id}

        await observe(office, NOA, SOMCHAI, cause="shift")

        handed = await state(office, noas)
        assert (handed.status, handed.assignee) == ("queued", None)
        assert handed.routing == Routing(queued_at=MOMENT, known=NOA.id)
        assert await holders(office, somchais) == [SOMCHAI.id]
        here.off_shift = set()
        await observe(office, NOA, SOMCHAI, cause="shift")
        assert (await rows(office, duties, "member", "finishes"))[1] == (SOMCHAI.id, False)
        await check_nothing_is_lost(office)


async def test_what_is_assigned_by_hand_to_whom_is_not_there_goes_back_if_that_lasts(
    store: Store, clock: StillClock
) -> None:
    """chatwoot#4158, chatwoot#5362, freescout#5429, freescout#3684: it stayed with whoever was out of office."""
    async with a_floor(store, clock, NOA) as (office, here):
        at_home, late, after_hours = [await office.start(DANA) for _ in range(3)]
        for each in (at_home, late):
            await office.done(NOA, Assign(id=office.new_id(), conversation=each, assignee=SOMCHAI.id))
        clock.move(100)
        await office.done(NOA, Assign(id=office.new_id(), conversation=late, assignee=None))
        await office.done(NOA, Assign(id=office.new_id(), conversation=late, assignee=SOMCHAI.id))
        await ring(office, clock, 199)
        assert await holders(office, at_home, late) == [SOMCHAI.id, SOMCHAI.id]

        await ring(office, clock, 1)
        assert await holders(office, at_home, late) == [None, SOMCHAI.id]
        here.comes(SOMCHAI)
        await ring(office, clock, 100)
        assert await holders(office, late) == [SOMCHAI.id]

        here.off_shift = {SOMCHAI.id}  # though here, as whoever forgot to sign out
        await office.done(NOA, Assign(id=office.new_id(), conversation=after_hours, assignee=SOMCHAI.id))
        await ring(office, clock, 300)
        assert await holders(office, after_hours) == [None]
        assert [row[0] for row in await rows(office, routing_log, "kind")][-1] == "returned"
        await check_nothing_is_lost(office)


async def test_what_somebody_has_who_does_not_work_here_any_more_goes_back(store: Store, clock: StillClock) -> None:
    async with a_floor(store, clock, NOA) as (office, _):
        conversation = await office.start(DANA)
        left = an_agent(GONE.id, active=True)
        await store.administer(lambda db: _set_active(db, GONE.id, True))
        await office.send(left, conversation)
        await store.administer(lambda db: _set_active(db, GONE.id, False))

        await observe(office, left)

        assert await holders(office, conversation) == [None]


def _set_active(connection: Connection, agent: str, active: bool) -> None:
    connection.execute(update(agents).where(agents.c.id == agent).values(active=active))


# --- availability -------------------------------------------------------------------------------------------


async def test_what_somebody_chose_stays_and_only_supervisors_choose_for_others(
    store: Store, clock: StillClock
) -> None:
    """RocketChat/feature-requests#375, chatwoot#6631: nobody could flip them."""
    async with a_floor(store, clock, NOA, SOMCHAI) as (office, _):
        await office.done(NOA, SetAvailability(availability="away", reason="Lunch"))
        assert await office.refused(NOA, SetAvailability(availability="busy", agent=SOMCHAI.id)) == "forbidden"

        conversation = await office.start(DANA)
        await route(office)
        assert await holders(office, conversation) == [SOMCHAI.id]
        found = await rows(office, duties, "availability", "reason", "set_by", "set_at", "slots")
        assert found[0] == ("away", "Lunch", NOA.id, MOMENT, 2)
        assert next(commit.members[0].availability for commit in office.commits if commit.members) == "away"


async def test_who_does_nothing_is_away_until_the_next_act_and_a_choice_is_left_alone(
    store: Store, clock: StillClock
) -> None:
    async with a_floor(store, clock, NOA, SOMCHAI) as (office, _):
        await office.done(SOMCHAI, SetAvailability(availability="busy"))
        await observe(office, NOA, SOMCHAI, cause="idle", idle=True)
        assert [row[0] for row in await rows(office, duties, "availability")] == ["away", "busy"]

        await observe(office, NOA, SOMCHAI, cause="idle")
        await observe(office, NOA, SOMCHAI, cause="back", idle=False)
        await observe(office, NOA, SOMCHAI, cause="back")

        assert [row[0] for row in await rows(office, duties, "availability")] == ["available", "busy"]
        log = await rows(office, status_log, "member", "reason", "cause")
        assert [(reason, cause) for who, reason, cause in log if who == NOA.id][-2:] == [
            ("away", "idle"),
            ("free", "back"),
        ]


# --- transfer -----------------------------------------------------------------------------------------------


def transfer(office: Office, conversation: str, to: str, **more: Any) -> Transfer:
    return Transfer(id=office.new_id(), conversation=conversation, to=to, **more)


async def test_a_transfer_is_given_to_who_can_take_it_and_says_so_also_the_second_time(
    store: Store, clock: StillClock
) -> None:
    async with a_floor(store, clock, NOA, SOMCHAI) as (office, _):
        conversation = await office.start(DANA)
        await office.send(NOA, conversation)
        ask = transfer(office, conversation, SOMCHAI.id, note="Wants a refund", keep_following=True)

        first, again = await office.done(NOA, ask), await office.done(NOA, ask)

        assert (first.outcome, again.outcome, again.again) == ("assigned", "assigned", True)
        after = await state(office, conversation)
        assert (after.assignee, after.followers) == (SOMCHAI.id, (NOA.id,))
        async with store.view() as view:
            seen = await view.latest(MINE, conversation, 9, staff=False)
            known = await view.latest(MINE, conversation, 9, staff=True)
        assert [entry.activity or entry.text for entry in seen][-1] == "transferred"
        assert SOMCHAI.id not in str(seen[-1].data)
        assert "Wants a refund" in [entry.text for entry in known]


async def test_a_transfer_that_nobody_can_take_waits_in_its_old_place_or_is_refused(
    store: Store, clock: StillClock
) -> None:
    """chatwoot#6959"""
    async with a_floor(store, clock, NOA) as (office, here):
        conversation = await office.start(DANA)
        await office.send(NOA, conversation)
        clock.move(60)

        refused = await office.refused(NOA, transfer(office, conversation, SOMCHAI.id, when_full="refuse"))
        done = await office.done(NOA, transfer(office, conversation, SOMCHAI.id))

        assert (refused, done.outcome) == ("full", "queued")
        after = await state(office, conversation)
        assert after.assignee is None
        assert after.routing == Routing(queued_at=MOMENT, passed=(NOA.id,), known=SOMCHAI.id)
        here.comes(SOMCHAI)
        await route(office)
        assert await holders(office, conversation) == [SOMCHAI.id]
        await check_nothing_is_lost(office)


async def test_a_transfer_to_a_team_goes_to_who_routing_would_choose(store: Store, clock: StillClock) -> None:
    async with a_floor(store, clock, NOA, SOMCHAI) as (office, _):
        other = "tem_returns"

        def work(connection: Connection) -> None:
            connection.execute(insert(teams).values(account=1, id=other, name="Returns"))
            connection.execute(insert(team_members).values(team=other, member=SOMCHAI.id))

        await store.administer(work)
        conversation = await office.start(DANA)
        await office.send(NOA, conversation)

        done = await office.done(NOA, transfer(office, conversation, other))

        after = await state(office, conversation)
        assert (done.outcome, after.assignee, after.team) == ("assigned", SOMCHAI.id, other)
        assert await office.refused(NOA, transfer(office, conversation, "tem_nowhere")) == "not_found"
        assert await office.refused(NOA, transfer(office, conversation, "agt_nobody")) == "not_found"


async def test_transfers_in_one_batch_never_exceed_the_slots(store: Store, clock: StillClock) -> None:
    async with a_floor(store, clock, NOA, SOMCHAI) as (office, _):
        started = [await office.start(DANA) for _ in range(4)]
        for each in started:
            await office.send(ECHO, each)

        results = await office.ask(ECHO, *(transfer(office, each, SOMCHAI.id) for each in started))

        outcomes = [result.outcome for result in results if isinstance(result, Done)]
        assert outcomes == ["assigned", "assigned", "queued", "queued"]
        await check_nothing_is_lost(office)


# --- what comes back ----------------------------------------------------------------------------------------


async def test_what_is_taken_up_again_goes_to_who_had_it_only_if_that_one_can_take_it(
    store: Store, clock: StillClock
) -> None:
    """chatwoot#9587, chatwoot#4158: what was opened again went to who had gone home."""
    async with a_floor(store, clock, NOA, SOMCHAI) as (office, here):
        spoken, woken = await office.start(DANA), await office.start(DANA)
        for each in (spoken, woken):
            await office.send(NOA, each)
        asleep = Snooze(id=office.new_id(), conversation=woken, until=MOMENT + 60_000)
        await office.done(NOA, Resolve(id=office.new_id(), conversation=spoken))
        await office.done(NOA, asleep)

        await office.send(DANA, spoken)
        assert await holders(office, spoken) == [NOA.id]

        await office.done(NOA, Resolve(id=office.new_id(), conversation=spoken))
        here.goes(NOA)
        await office.send(DANA, spoken)
        await ring(office, clock, 60)
        after = [await state(office, each) for each in (spoken, woken)]
        assert [(each.status, each.assignee) for each in after] == [("queued", None)] * 2
        await office.done(SOMCHAI, Resolve(id=office.new_id(), conversation=spoken))
        await office.done(SOMCHAI, Reopen(id=office.new_id(), conversation=spoken))
        await check_nothing_is_lost(office)


# --- the bound ----------------------------------------------------------------------------------------------


async def test_a_full_queue_takes_nobody_until_it_is_short_again_but_messages_with_an_address(
    store: Store, clock: StillClock
) -> None:
    """chatwoot#13050: no queue, no global limit."""
    async with a_floor(store, clock, queue_limit=3, queue_reopen=2) as (office, _):
        starts = [Start(id=office.new_id(), inbox=DOOR, text=str(number)) for number in range(4)]
        results = await office.ask(DANA, *starts)
        assert [getattr(result, "code", "ok") for result in results] == ["ok", "ok", "ok", "queue_full"]
        waiting = [result.conversation for result in results if isinstance(result, Done)]

        left = Start(id=office.new_id(), inbox=DOOR, text="Write to me", email="dana@x.example")
        done = await office.done(DANA, left)
        after = await state(office, done.conversation)
        assert after.routing is not None
        assert (after.routing.left, after.waiting_since, after.team) == (True, None, TEAM)
        assert (DANA.id, "dana@x.example") in await rows(office, contacts, "id", "email")

        await office.send(NOA, waiting[0])
        one_more = Start(id=office.new_id(), inbox=DOOR, text="Now?")
        assert await office.refused(DANA, one_more) == "queue_full"  # two wait, and that isn't short enough
        await office.send(NOA, waiting[1])
        await office.done(DANA, one_more)
        assert (await rows(office, teams, "id", "is_full"))[0] == (TEAM, False)


# --- the books ----------------------------------------------------------------------------------------------


async def test_waits_end_and_handle_times_leave_out_the_contacts_silences(store: Store, clock: StillClock) -> None:
    async with a_floor(store, clock, NOA) as (office, _):
        conversation = await office.start(DANA)
        promise = {"place": 1, "estimate": 0, "low": 0, "high": 0}
        promised = insert(waits).values(conversation=conversation, queued_at=MOMENT, account=1, team=TEAM, **promise)
        await store.administer(lambda db: db.execute(promised))
        clock.move(10)
        await route(office)
        for seconds, who in ((5, NOA), (100, DANA), (20, NOA), (300, DANA), (7, DANA), (3, NOA)):
            clock.move(seconds)
            await office.send(who, conversation)
        clock.move(50)
        await office.done(NOA, Resolve(id=office.new_id(), conversation=conversation))

        assert await rows(office, waits, "ended_at", "outcome") == [(MOMENT + 15_000, "answered")]
        held = await rows(office, handles, "conversation", "member", "team", "began_at", "ended_at", "worked")
        began, worked = MOMENT + 10_000, (5 + 20 + 7 + 3) * 1000
        assert held == [(conversation, NOA.id, TEAM, began, began + 485_000, worked)]


async def test_each_one_who_had_it_has_its_part_in_the_books(store: Store, clock: StillClock) -> None:
    """LigeroSmart/otrs.RocketChat#11: a transfer credited the last one alone."""
    async with a_floor(store, clock, NOA, SOMCHAI) as (office, _):
        conversation = await office.start(DANA)
        await office.send(NOA, conversation)
        for seconds, who in ((30, DANA), (10, NOA)):
            clock.move(seconds)
            await office.send(who, conversation)
        await office.done(NOA, transfer(office, conversation, SOMCHAI.id))
        clock.move(20)
        await office.send(SOMCHAI, conversation)
        clock.move(5)
        await office.done(SOMCHAI, Resolve(id=office.new_id(), conversation=conversation))

        began = MOMENT + 40_000
        assert await rows(office, handles, "member", "began_at", "ended_at", "worked") == [
            (NOA.id, MOMENT, began, 10_000),
            (SOMCHAI.id, began, began + 25_000, 20_000),
        ]
