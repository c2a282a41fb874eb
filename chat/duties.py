"""What agents and bots are to routing as the administration sets it: slots, skills, schedules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, bindparam, select, text, union_all, update

from chat.audit import Audited
from chat.belonging import account_key, must_be, must_be_staff
from chat.errors import NotFound
from chat.model import Availability, Member, RoutingStatus
from chat.preferences import AccountSettings, chosen
from chat.store import Scoped, Store
from chat.store.tables import accounts, agents, bots, duties, team_members, teams

TOLD_CHARACTERS = 8000  # of a schedule in the audit log; one that was imported may be far longer


class DutyShown(Struct, frozen=True):
    """What somebody is to routing. `slots` is null where the account's usual number holds, which is `usual_slots`.

    `status` is as it was written down last: it has held since `status_at` and may change by itself at `status_until`.
    All moments are in ms.
    """

    member: str
    slots: int | None
    usual_slots: int
    skills: list[str]
    availability: Availability
    reason: str
    set_by: str
    set_at: int
    status: RoutingStatus
    status_reason: str
    status_until: int | None
    status_at: int


_OF_ACCOUNT = accounts.c.id == bindparam("account")
_SETTINGS = select(accounts.c.settings).where(_OF_ACCOUNT)
_STAFF = union_all(
    *(
        select(kind.c.key, kind.c.id, kind.c.name, kind.c.active).join_from(kind, accounts).where(_OF_ACCOUNT)
        for kind in (agents, bots)
    )
)
_TEAMS = (
    select(team_members.c.member, team_members.c.team)
    .join(teams, teams.c.id == team_members.c.team)
    .join(accounts, accounts.c.key == teams.c.account)
    .where(_OF_ACCOUNT)
    .order_by(teams.c.key)
)
_DUTIES = select(duties).join_from(duties, accounts).where(_OF_ACCOUNT)
_DUTY = _DUTIES.where(duties.c.member == bindparam("member"))
# Routing writes the same rows: whoever comes second finds the row there, and each writes its own columns alone.
_BE_THERE = text("INSERT INTO duties (member, account) VALUES (:member, :account) ON CONFLICT (member) DO NOTHING")


class Duties:
    """Every method may raise Unavailable, and NotFound for what isn't there or is another account's.

    What changes something writes one line by `audit`, in the same transaction. A schedule is text that
    `presence.shifts` has read before, or empty for somebody who is always on shift.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    async def members(self, account: str) -> list[Member]:
        """All agents and bots, agents first and the oldest first, also those who don't work here any more."""
        return await self._store.inspect(lambda found: _members(found, account))

    async def duty(self, who: Scoped) -> DutyShown:
        return await self._store.inspect(lambda found: _shown(found, who))

    async def schedule(self, agent: Scoped) -> str:
        def work(connection: Connection) -> str:
            must_be(connection, agents, agent)
            row = _row(connection, agent)
            return str(row["schedule"]) if row else ""

        return await self._store.inspect(work)

    async def change_duty(self, who: Scoped, values: Mapping[str, Any], audit: Audited) -> DutyShown:
        """`values` of `slots` and `skills`, of an agent or a bot."""

        def work(connection: Connection) -> DutyShown:
            must_be_staff(connection, who)
            _write(connection, who, values)
            audit(connection, "duty.change", who[1], dict(values))
            return _shown(connection, who)

        return await self._store.administer(work)

    async def set_schedule(self, agent: Scoped, schedule: str, audit: Audited) -> None:
        """Of an agent: bots have no shifts."""

        def work(connection: Connection) -> None:
            must_be(connection, agents, agent)
            _write(connection, agent, {"schedule": schedule})
            told = {"schedule": schedule} if len(schedule) <= TOLD_CHARACTERS else {"characters": len(schedule)}
            audit(connection, "schedule.set", agent[1], told)

        await self._store.administer(work)


def _members(connection: Connection, account: str) -> list[Member]:
    own = {"account": account}
    usual = _usual(connection, account)
    of: dict[str, list[str]] = {}
    for member, team in connection.execute(_TEAMS, own):
        of.setdefault(member, []).append(team)
    rows = {row["member"]: dict(row) for row in connection.execute(_DUTIES, own).mappings()}
    staff = sorted(connection.execute(_STAFF, own), key=lambda row: (row.id[:3], row.key))
    return [
        Member(
            account,
            row.id,
            row.name,
            active=bool(row.active),
            teams=tuple(of.get(row.id, ())),
            **_said(rows.get(row.id), usual),
        )
        for row in staff
    ]


def _said(row: dict[str, Any] | None, usual: int) -> dict[str, Any]:
    """The fields of a Member that are columns here."""
    if row is None:
        return {"slots": usual}
    said = {name: row[name] for name in Member.__struct_fields__ if name in duties.c and name != "account"}
    return said | {"slots": usual if row["slots"] is None else row["slots"], "skills": tuple(row["skills"])}


def _shown(connection: Connection, who: Scoped) -> DutyShown:
    must_be_staff(connection, who)
    usual, row = _usual(connection, who[0]), _row(connection, who)
    member = Member(who[0], who[1], **_said(row, usual))
    own = {name: getattr(member, name) for name in DutyShown.__struct_fields__ if name in Member.__struct_fields__}
    own |= {"slots": row and row["slots"], "skills": list(member.skills)}
    return DutyShown(member=who[1], usual_slots=usual, **own)


def _usual(connection: Connection, account: str) -> int:
    settings = connection.execute(_SETTINGS, {"account": account}).scalar_one_or_none()
    if settings is None:
        raise NotFound(field="account")
    return chosen(settings, AccountSettings).slots


def _row(connection: Connection, who: Scoped) -> dict[str, Any] | None:
    row = connection.execute(_DUTY, {"account": who[0], "member": who[1]}).mappings().one_or_none()
    return None if row is None else dict(row)


def _write(connection: Connection, who: Scoped, values: Mapping[str, Any]) -> None:
    if values:
        connection.execute(_BE_THERE, {"member": who[1], "account": account_key(connection, who[0])})
        connection.execute(update(duties).where(duties.c.member == who[1]).values(**values))
