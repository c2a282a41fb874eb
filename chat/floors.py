"""An account's floor as the store has it: who works there, what is in whose hands, what waits. A cold read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from msgspec import Struct
from msgspec.json import Decoder, encode
from msgspec.structs import asdict
from sqlalchemy import BindParameter, Connection, bindparam, select

from chat.duties import Duties
from chat.model import Conversation, Member, TeamRules
from chat.preferences import AccountSettings, InboxSettings, TeamSettings, chosen
from chat.store import Store
from chat.store.tables import accounts, conversations, inbox_teams, inboxes, ledgers, team_members, teams

WAITING = 5_000  # conversations of one queue that are looked at


class Door(Struct, frozen=True):
    """An inbox as routing sees it."""

    id: str
    public_key: str
    teams: tuple[str, ...]
    """Who answers for it, the oldest first."""
    hours: str = ""
    """A schedule, of `presence.shifts`; empty: always open."""


class Look(Struct, frozen=True):
    """How it was at a cursor, or a little later."""

    cursor: int
    members: Mapping[str, Member]
    teams: Mapping[str, TeamRules]
    full: frozenset[str]
    """The teams whose queue takes nobody more."""
    doors: Mapping[str, Door]
    waiting: Collection[Conversation]
    taken: Mapping[str, str]
    """In whose hands each open conversation is."""
    since: Mapping[str, int] = {}
    """Since when (ms)."""
    idle_minutes: int = 0
    """After so long without a sign of life an agent is away; 0: never."""


_ACCOUNT = (
    select(accounts.c.key, accounts.c.settings, ledgers.c.cursor)
    .join(ledgers, ledgers.c.account == accounts.c.key)
    .where(accounts.c.id == bindparam("account"))
)
_OF_KEY: BindParameter[int] = bindparam("key")
_QUEUED = (
    select(conversations.c.state)
    .where(conversations.c.account == _OF_KEY, conversations.c.status == "queued")
    .order_by(conversations.c.priority.desc(), conversations.c.waiting_since)
    .limit(WAITING)
)
_TAKEN = select(conversations.c.state).where(
    conversations.c.account == _OF_KEY, conversations.c.status == "open", conversations.c.assignee.is_not(None)
)
_TEAMS = select(teams.c.id, teams.c.settings, teams.c.is_full).where(teams.c.account == _OF_KEY).order_by(teams.c.key)
_MEMBERS = (
    select(team_members.c.team, team_members.c.member)
    .join(teams, teams.c.id == team_members.c.team)
    .where(teams.c.account == _OF_KEY)
)
_INBOXES = select(inboxes.c.id, inboxes.c.public_key, inboxes.c.settings).where(inboxes.c.account == _OF_KEY)
_SERVING = (
    select(inbox_teams.c.inbox, inbox_teams.c.team)
    .join(teams, teams.c.id == inbox_teams.c.team)
    .where(teams.c.account == _OF_KEY)
    .order_by(teams.c.key)
)
_decode = Decoder(Conversation).decode


class Floors:
    """Raises Unavailable."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._duties = Duties(store)

    async def look(self, account: str) -> Look | None:
        """All of it. None for an account that isn't there."""
        found = await self._store.inspect(lambda connection: _look(connection, account))
        if found is None:
            return None
        members = await self._duties.members(account)
        return Look(members={member.id: member for member in members}, **found)


def _look(connection: Connection, account: str) -> dict[str, Any] | None:
    row = connection.execute(_ACCOUNT, {"account": account}).one_or_none()
    if row is None:
        return None
    own = {"key": row.key}
    found = connection.execute(_TEAMS, own).all()
    taken = [_decode(state) for state in connection.execute(_TAKEN, own).scalars()]
    members = _gathered(connection.execute(_MEMBERS, own))
    return {
        "cursor": row.cursor,
        "teams": {team.id: rules_of(team.id, tuple(members.get(team.id, ())), team.settings) for team in found},
        "full": frozenset(team.id for team in found if team.is_full),
        "doors": _doors(connection, own),
        "waiting": [_decode(state) for state in connection.execute(_QUEUED, own).scalars()],
        "taken": {each.id: each.assignee for each in taken},
        "since": {each.id: held_since(each) for each in taken},
        "idle_minutes": chosen(row.settings, AccountSettings).idle_minutes,
    }


def _doors(connection: Connection, own: Mapping[str, Any]) -> dict[str, Door]:
    serving = _gathered(connection.execute(_SERVING, own))
    return {
        inbox.id: Door(inbox.id, inbox.public_key, tuple(serving.get(inbox.id, ())), _hours(inbox.settings))
        for inbox in connection.execute(_INBOXES, own)
    }


def _gathered(pairs: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for of, each in pairs:
        found.setdefault(of, []).append(each)
    return found


def held_since(conversation: Conversation) -> int:
    """When its assignee got it (ms)."""
    routing = conversation.routing
    return (routing.assigned_at if routing else 0) or conversation.created_at


def rules_of(team: str, members: tuple[str, ...], settings: dict[str, Any]) -> TeamRules:
    """A team as routing sees it, by what is stored of its settings."""
    return TeamRules(team, members, **asdict(chosen(settings, TeamSettings)))


def _hours(settings: dict[str, Any]) -> str:
    hours = chosen(settings, InboxSettings).hours
    return encode(hours).decode() if hours else ""
