"""How an account is set up: its own settings, its inboxes, its teams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, to_builtins
from msgspec.structs import replace
from sqlalchemy import Connection, Select, bindparam, delete, select, update

from chat.audit import Audited
from chat.belonging import link, must_be, must_be_staff, unlink
from chat.errors import InvalidState, NotFound
from chat.preferences import AccountSettings, InboxSettings, TeamSettings, chosen
from chat.store import Scoped, Store
from chat.store.tables import (
    accounts,
    conversations,
    inbox_teams,
    inboxes,
    team_members,
    teams,
)


class AccountSetUp(Struct, frozen=True):
    id: str
    name: str
    settings: AccountSettings


class InboxSetUp(Struct, frozen=True):
    """An inbox with all that its account's admins may know; `teams` answer for it."""

    id: str
    name: str
    public_key: str
    origins: list[str]
    settings: InboxSettings
    teams: list[str]


class TeamSetUp(Struct, frozen=True):
    id: str
    name: str
    settings: TeamSettings
    members: list[str]
    inboxes: list[str]


_OF_ACCOUNT = accounts.c.id == bindparam("account")
_INBOXES = (
    select(inboxes.c.id, inboxes.c.name, inboxes.c.public_key, inboxes.c.origins, inboxes.c.settings)
    .join_from(inboxes, accounts)
    .where(_OF_ACCOUNT)
    .order_by(inboxes.c.key)
)
_TEAMS = (
    select(teams.c.id, teams.c.name, teams.c.settings)
    .join_from(teams, accounts)
    .where(_OF_ACCOUNT)
    .order_by(teams.c.key)
)
_SERVING = (
    select(inbox_teams.c.inbox, inbox_teams.c.team)
    .join(teams, teams.c.id == inbox_teams.c.team)
    .join(accounts, accounts.c.key == teams.c.account)
    .where(_OF_ACCOUNT)
    .order_by(teams.c.key)
)
_MEMBERS = (
    select(team_members.c.team, team_members.c.member)
    .join(teams, teams.c.id == team_members.c.team)
    .join(accounts, accounts.c.key == teams.c.account)
    .where(_OF_ACCOUNT)
    .order_by(team_members.c.member)
)


class Administration:
    """Every method may raise Unavailable, and NotFound for what isn't there or is another account's.

    What changes something writes one line by `audit`, in the same transaction.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    # --- The account ----------------------------------------------------------------------------------------------

    async def account(self, account: str) -> AccountSetUp:
        return await self._store.inspect(lambda found: _account(found, account))

    async def change_account(self, account: str, values: Mapping[str, Any], audit: Audited) -> AccountSetUp:
        """`values` of `name` and `settings`."""

        def work(connection: Connection) -> AccountSetUp:
            _account(connection, account)
            _update(connection, accounts, account, values)
            audit(connection, "account.change", account, to_builtins(dict(values)))
            return _account(connection, account)

        return await self._store.administer(work)

    # --- Inboxes --------------------------------------------------------------------------------------------------

    async def inboxes(self, account: str) -> list[InboxSetUp]:
        """The oldest first."""
        return await self._store.inspect(lambda found: _inboxes(found, account))

    async def inbox(self, what: Scoped) -> InboxSetUp:
        found = [each for each in await self.inboxes(what[0]) if each.id == what[1]]
        if not found:
            raise NotFound(field="inbox")
        return found[0]

    async def change_inbox(
        self, what: Scoped, values: Mapping[str, Any], serving: Sequence[str] | None, audit: Audited
    ) -> InboxSetUp:
        """`values` of `name`, `origins` and `settings`; `serving` teams instead of those that did."""

        def work(connection: Connection) -> InboxSetUp:
            must_be(connection, inboxes, what)
            _update(connection, inboxes, what[1], values)
            told = to_builtins(dict(values))
            if serving is not None:
                unlink(connection, inbox_teams, {"inbox": what[1]})
                for team in dict.fromkeys(serving):
                    must_be(connection, teams, (what[0], team))
                    link(connection, inbox_teams, {"inbox": what[1], "team": team})
                told["teams"] = list(serving)
            audit(connection, "inbox.change", what[1], told)
            return next(each for each in _inboxes(connection, what[0]) if each.id == what[1])

        return await self._store.administer(work)

    # --- Teams ----------------------------------------------------------------------------------------------------

    async def teams(self, account: str) -> list[TeamSetUp]:
        """The oldest first."""
        return await self._store.inspect(lambda found: _teams(found, account))

    async def team(self, what: Scoped) -> TeamSetUp:
        found = [each for each in await self.teams(what[0]) if each.id == what[1]]
        if not found:
            raise NotFound(field="team")
        return found[0]

    async def change_team(self, what: Scoped, values: Mapping[str, Any], audit: Audited) -> TeamSetUp:
        """`values` of `name` and `settings`. The teams it overflows to must be the account's."""

        def work(connection: Connection) -> TeamSetUp:
            must_be(connection, teams, what)
            for other in values["settings"].overflow if "settings" in values else ():
                must_be(connection, teams, (what[0], other))
            _update(connection, teams, what[1], values)
            audit(connection, "team.change", what[1], to_builtins(dict(values)))
            return next(each for each in _teams(connection, what[0]) if each.id == what[1])

        return await self._store.administer(work)

    async def delete_team(self, what: Scoped, audit: Audited) -> None:
        """InvalidState while a conversation that isn't resolved is the team's."""

        def work(connection: Connection) -> None:
            key = must_be(connection, teams, what)["account"]
            still = select(conversations.c.key).where(
                conversations.c.account == key,
                conversations.c.status.in_(("queued", "open", "snoozed")),
                conversations.c.team == what[1],
            )
            if connection.execute(still.limit(1)).first() is not None:
                raise InvalidState("The team still has conversations: give them to another one first.")
            for table in (team_members, inbox_teams):
                unlink(connection, table, {"team": what[1]})
            for team in _teams(connection, what[0]):
                if what[1] in team.settings.overflow:
                    left = tuple(each for each in team.settings.overflow if each != what[1])
                    _update(connection, teams, team.id, {"settings": replace(team.settings, overflow=left)})
            connection.execute(delete(teams).where(teams.c.id == what[1]))
            audit(connection, "team.delete", what[1], {})

        await self._store.administer(work)

    async def remove_member(self, team: Scoped, member: str, audit: Audited) -> None:
        """NotFound unless both are the account's and the one is in the other."""

        def work(connection: Connection) -> None:
            must_be(connection, teams, team)
            must_be_staff(connection, (team[0], member))
            if not unlink(connection, team_members, {"team": team[1], "member": member}):
                raise NotFound(field="member")
            audit(connection, "team.remove_member", team[1], {"member": member})

        await self._store.administer(work)


def _account(connection: Connection, account: str) -> AccountSetUp:
    statement: Select[Any] = select(accounts.c.name, accounts.c.settings).where(accounts.c.id == account)
    row = connection.execute(statement).one_or_none()
    if row is None:
        raise NotFound(field="account")
    return AccountSetUp(account, row[0], chosen(row[1], AccountSettings))


def _inboxes(connection: Connection, account: str) -> list[InboxSetUp]:
    own = {"account": account}
    serving = connection.execute(_SERVING, own).all()
    return [
        InboxSetUp(
            row.id,
            row.name,
            row.public_key,
            row.origins,
            chosen(row.settings, InboxSettings),
            [team for inbox, team in serving if inbox == row.id],
        )
        for row in connection.execute(_INBOXES, own)
    ]


def _teams(connection: Connection, account: str) -> list[TeamSetUp]:
    own = {"account": account}
    serving, members = connection.execute(_SERVING, own).all(), connection.execute(_MEMBERS, own).all()
    return [
        TeamSetUp(
            id_,
            name,
            chosen(settings, TeamSettings),
            [member for team, member in members if team == id_],
            [inbox for inbox, team in serving if team == id_],
        )
        for id_, name, settings in connection.execute(_TEAMS, own)
    ]


def _update(connection: Connection, table: Any, id_: str, values: Mapping[str, Any]) -> None:
    if values:
        connection.execute(update(table).where(table.c.id == id_).values(**to_builtins(dict(values))))
