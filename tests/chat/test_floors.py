"""An account's floor as the store has it, on every engine."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, insert, update

from chat.floors import Floors, rules_of
from chat.model import TeamRules
from chat.store import Store
from chat.store.tables import accounts, inbox_teams, inboxes, team_members, teams
from tests.builders import (
    DANA,
    DOOR,
    MINE,
    NOA,
    OTHER,
    STRANGER,
    TEAM,
    a_conversation,
    a_held_conversation,
    a_message,
    a_move,
    store_moves,
)


async def opens(store: Store, settings: dict[str, Any]) -> None:
    """Noa's team answers for the door, with these settings."""

    def work(connection: Connection) -> None:
        connection.execute(insert(team_members).values(team=TEAM, member=NOA.id))
        connection.execute(insert(inbox_teams).values(inbox=DOOR, team=TEAM))
        connection.execute(update(teams).where(teams.c.id == TEAM).values(settings=settings, is_full=True))
        connection.execute(
            update(inboxes).where(inboxes.c.id == DOOR).values(settings={"hours": {"zone": "UTC", "weekly": {}}})
        )
        connection.execute(update(accounts).where(accounts.c.id == MINE).values(settings={"idle_minutes": 3}))

    await store.administer(work)


async def test_an_account_has_its_people_its_doors_and_what_is_to_be_done(store: Store) -> None:
    await opens(store, {"policy": "round_robin", "queue_limit": 7, "unheard_of": 1})
    waiting = a_conversation(id="cnv_waits", cursor=1)
    taken = a_held_conversation(id="cnv_taken", cursor=2)
    aside = [
        a_held_conversation(id="cnv_snoozed", cursor=3, status="snoozed"),
        a_held_conversation(id="cnv_resolved", cursor=4, status="resolved"),
    ]
    moves = [a_move(each, a_message(number, by=DANA)) for number, each in enumerate((waiting, taken, *aside), start=1)]
    theirs = a_conversation(id="cnv_theirs", contact=STRANGER.id, inbox=f"{DOOR}_{OTHER}", cursor=1)
    await store_moves(store, *moves, a_move(theirs, a_message(9, by=STRANGER), account=OTHER))

    look = await Floors(store).look(MINE)

    assert look is not None
    assert look.cursor == 4
    assert [each.id for each in look.waiting] == ["cnv_waits"]
    assert look.taken == {"cnv_taken": NOA.id}
    assert look.members[NOA.id].teams == (TEAM,)
    assert not look.members["agt_gone"].active
    assert "agt_rival" not in look.members
    assert look.teams == {TEAM: TeamRules(TEAM, (NOA.id,), "round_robin", queue_limit=7)}
    assert look.full == {TEAM}
    assert set(look.doors) == {DOOR}
    assert look.doors[DOOR].teams == (TEAM,)
    assert look.doors[DOOR].hours == '{"zone":"UTC","weekly":{}}'
    assert look.idle_minutes == 3


async def test_an_account_of_which_nothing_is_said_has_what_is_usual(store: Store) -> None:
    look = await Floors(store).look(MINE)

    assert look is not None
    assert (look.cursor, look.idle_minutes, look.full, look.taken) == (0, 10, frozenset(), {})
    assert look.teams == {TEAM: TeamRules(TEAM)}
    assert (look.doors[DOOR].teams, look.doors[DOOR].hours) == ((), "")


async def test_an_account_that_is_not_there_has_no_floor(store: Store) -> None:
    assert await Floors(store).look("acc_unheard_of") is None


def test_settings_that_cannot_be_read_count_as_not_said() -> None:
    assert rules_of("tem_x", (), {"policy": "by_dice", "answer_seconds": 45}) == TeamRules("tem_x", answer_seconds=45)
