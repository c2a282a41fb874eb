"""What agents and bots are to routing as the administration sets it: on every engine, beside what routing writes."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, insert, select, update

from chat.audit import Audit
from chat.duties import TOLD_CHARACTERS, Duties
from chat.errors import NotFound
from chat.preferences import AccountSettings
from chat.store import Store
from chat.store.tables import accounts, duties, team_members
from tests.builders import ECHO, GONE, MINE, MOMENT, NOA, OTHER, RIVAL, SOMCHAI, TEAM, StillClock

USUAL_SLOTS = AccountSettings().slots
ME = (MINE, NOA.id)
NIGHT = '{"zone":"Asia/Bangkok","weekly":{"mon":["22:00-06:00"]}}'


async def written(store: Store, statement: Any) -> None:
    def work(connection: Connection) -> None:
        connection.execute(statement)

    await store.administer(work)


async def key_of(store: Store, account: str) -> int:
    statement = select(accounts.c.key).where(accounts.c.id == account)
    key: int = await store.inspect(lambda found: found.execute(statement).scalar_one())
    return key


async def test_of_whom_nothing_was_said_the_defaults_hold(store: Store) -> None:
    shown = await Duties(store).duty(ME)

    assert (shown.member, shown.slots, shown.usual_slots, shown.skills) == (NOA.id, None, USUAL_SLOTS, [])
    assert (shown.availability, shown.status, shown.set_by) == ("available", "offline", "")
    assert await Duties(store).schedule(ME) == ""


async def test_everybody_is_a_member_with_teams_slots_and_schedule(store: Store) -> None:
    by, all_duties = Audit(store, StillClock()).by(NOA), Duties(store)
    await written(store, insert(team_members).values(team=TEAM, member=NOA.id))
    await written(store, update(accounts).where(accounts.c.id == MINE).values(settings={"slots": 2}))

    await all_duties.change_duty(ME, {"slots": 7, "skills": ["he", "returns"]}, by)
    await all_duties.set_schedule(ME, NIGHT, by)

    found = {member.id: member for member in await all_duties.members(MINE)}
    noa, somchai = found[NOA.id], found[SOMCHAI.id]
    assert list(found) == [NOA.id, SOMCHAI.id, GONE.id, ECHO.id]
    assert (noa.slots, noa.skills, noa.schedule, noa.teams) == (7, ("he", "returns"), NIGHT, (TEAM,))
    assert (somchai.slots, somchai.skills, somchai.schedule, somchai.teams) == (2, (), "", ())
    assert (noa.name, noa.active, found[GONE.id].active) == (NOA.name, True, False)
    assert {member.account for member in found.values()} == {MINE}


async def test_a_change_leaves_what_routing_has_written_and_what_was_not_named(store: Store) -> None:
    row = {"member": NOA.id, "account": await key_of(store, MINE), "availability": "away", "reason": "lunch"}
    await written(store, insert(duties).values(**row, set_by=NOA.id, set_at=MOMENT, bounces=2, status_until=MOMENT + 1))
    by, all_duties = Audit(store, StillClock()).by(NOA), Duties(store)

    await all_duties.set_schedule(ME, NIGHT, by)
    shown = await all_duties.change_duty(ME, {"skills": ["th"]}, by)

    assert (shown.availability, shown.reason, shown.set_at, shown.status_until) == ("away", "lunch", MOMENT, MOMENT + 1)
    assert (shown.slots, shown.skills, await all_duties.schedule(ME)) == (None, ["th"], NIGHT)
    assert (await all_duties.members(MINE))[0].bounces == 2


async def test_slots_go_back_to_the_usual_number(store: Store) -> None:
    by, all_duties = Audit(store, StillClock()).by(NOA), Duties(store)

    assert (await all_duties.change_duty((MINE, ECHO.id), {"slots": 500}, by)).slots == 500
    assert (await all_duties.change_duty((MINE, ECHO.id), {"slots": None}, by)).slots is None


async def test_each_change_has_its_line(store: Store) -> None:
    log, all_duties = Audit(store, StillClock()), Duties(store)
    by = log.by(NOA)

    await all_duties.change_duty((MINE, SOMCHAI.id), {"slots": 3}, by)
    await all_duties.set_schedule((MINE, SOMCHAI.id), NIGHT, by)
    await all_duties.set_schedule((MINE, SOMCHAI.id), "x" * (TOLD_CHARACTERS + 1), by)

    acts = [(act.action, act.target, act.actor, act.data) for act in await log.page(MINE, 2**53, 10)]
    assert acts == [
        ("schedule.set", SOMCHAI.id, NOA.id, {"characters": TOLD_CHARACTERS + 1}),
        ("schedule.set", SOMCHAI.id, NOA.id, {"schedule": NIGHT}),
        ("duty.change", SOMCHAI.id, NOA.id, {"slots": 3}),
    ]


async def test_others_are_like_those_who_are_not_there(store: Store) -> None:
    log, all_duties = Audit(store, StillClock()), Duties(store)
    by = log.by(NOA)

    for who in ((MINE, RIVAL.id), (MINE, "agt_nowhere"), (OTHER, NOA.id), ("acc_nowhere", NOA.id)):
        for asked in (
            all_duties.duty(who),
            all_duties.schedule(who),
            all_duties.change_duty(who, {"slots": 1}, by),
            all_duties.set_schedule(who, NIGHT, by),
        ):
            with pytest.raises(NotFound):
                await asked
    with pytest.raises(NotFound):
        await all_duties.set_schedule((MINE, ECHO.id), NIGHT, by)  # bots have no shifts
    with pytest.raises(NotFound):
        await all_duties.members("acc_nowhere")
    assert await log.page(MINE, 2**53, 10) == []
    assert [member.slots for member in await all_duties.members(OTHER)] == [USUAL_SLOTS]
