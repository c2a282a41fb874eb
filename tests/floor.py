"""A floor for tests: a team that answers for the door, and who of it is here, which a test moves as it likes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, insert, update

from chat.access import system
from chat.model import Actor, Member, ShiftState, Standing
from chat.store import Store
from chat.store.tables import duties, inbox_teams, team_members, teams
from tests.builders import DOOR, MINE, NOA, SOMCHAI, TEAM

US = system(MINE)


class Here:
    """Whoever is in here is present and on shift, as every node knows; `unknown` while none does."""

    def __init__(self, *present: Actor) -> None:
        self.present = {actor.id for actor in present}
        self.off_shift: set[str] = set()
        self.is_unknown = False

    def is_known(self, account: str) -> bool:
        return not self.is_unknown

    def standing(self, member: Member, used: int, at: int) -> Standing:
        is_here, is_off = member.id in self.present, member.id in self.off_shift
        shift: ShiftState = "off_shift" if is_off else "on_shift"
        if not is_here:
            return Standing("offline", "not_present", None, False, shift)
        if is_off:
            return Standing("offline", "off_shift", None, True, shift)
        if member.availability != "available":
            return Standing("not_accepting_chats", member.availability, None, True, shift)
        if used >= member.slots:
            return Standing("not_accepting_chats", "full", None, True, shift)
        return Standing("accepting_chats", "free", None, True, shift)

    def comes(self, *actors: Actor) -> None:
        self.present |= {actor.id for actor in actors}

    def goes(self, *actors: Actor) -> None:
        self.present -= {actor.id for actor in actors}


async def set_up(store: Store, members: Iterable[Actor] = (NOA, SOMCHAI), **settings: Any) -> None:
    """These are the team that answers for the door."""

    def work(connection: Connection) -> None:
        connection.execute(insert(inbox_teams).values(inbox=DOOR, team=TEAM))
        for member in members:
            connection.execute(insert(team_members).values(team=TEAM, member=member.id))
        connection.execute(update(teams).where(teams.c.id == TEAM).values(settings=settings))

    await store.administer(work)


async def give_slots(store: Store, slots: int, *members: Actor) -> None:
    """As the administration does it, beside the ledger."""

    def work(connection: Connection) -> None:
        for member in members:
            connection.execute(insert(duties).values(member=member.id, account=1, slots=slots))

    await store.administer(work)
