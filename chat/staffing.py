"""Who works in an account: its agents, its bots and the tokens by which those are known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from msgspec import Struct
from sqlalchemy import Connection, Table, bindparam, delete, select, update

from chat.audit import Audited
from chat.belonging import must_be
from chat.clock import Clock
from chat.errors import InvalidState, NotFound
from chat.model import Role
from chat.store import Scoped, Store
from chat.store.tables import accounts, agents, bot_tokens, bots, sessions, team_members, teams

T = TypeVar("T", "AgentShown", "BotShown")


class AgentShown(Struct, frozen=True):
    """An agent as the admins of its account know it."""

    id: str
    email: str
    name: str
    picture: str | None
    role: Role
    active: bool
    teams: list[str]


class BotShown(Struct, frozen=True):
    id: str
    name: str
    picture: str | None
    active: bool
    teams: list[str]


class TokenShown(Struct, frozen=True):
    """An API token without the token."""

    id: str
    created_at: int


_OF_ACCOUNT = accounts.c.id == bindparam("account")
_AGENTS = (
    select(agents.c.id, agents.c.email, agents.c.name, agents.c.picture, agents.c.role, agents.c.active)
    .join_from(agents, accounts)
    .where(_OF_ACCOUNT)
    .order_by(agents.c.key)
)
_BOTS = (
    select(bots.c.id, bots.c.name, bots.c.picture, bots.c.active)
    .join_from(bots, accounts)
    .where(_OF_ACCOUNT)
    .order_by(bots.c.key)
)
_MEMBERS = (
    select(team_members.c.member, team_members.c.team)
    .join(teams, teams.c.id == team_members.c.team)
    .join(accounts, accounts.c.key == teams.c.account)
    .where(_OF_ACCOUNT)
    .order_by(teams.c.key)
)
_TOKENS = (
    select(bot_tokens.c.id, bot_tokens.c.created_at)
    .where(bot_tokens.c.bot == bindparam("bot"))
    .order_by(bot_tokens.c.created_at, bot_tokens.c.id)
)


class Staffing:
    """Every method may raise Unavailable, and NotFound for what isn't there or is another account's.

    What changes something writes one line by `audit`, in the same transaction.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    # --- Agents ---------------------------------------------------------------------------------------------------

    async def agents(self, account: str) -> list[AgentShown]:
        """All there ever were, the oldest first."""
        return await self._store.inspect(lambda found: _agents(found, account))

    async def agent(self, who: Scoped) -> AgentShown:
        return await self._store.inspect(lambda found: _one(_agents(found, who[0]), who[1], "agent"))

    async def change_agent(self, who: Scoped, values: Mapping[str, Any], audit: Audited) -> AgentShown:
        """`values` of `name`, `role` and `picture`. InvalidState if the account were left without an admin."""

        def work(connection: Connection) -> AgentShown:
            must_be(connection, agents, who)
            if values:
                connection.execute(update(agents).where(agents.c.id == who[1]).values(**values))
            _must_have_admin(connection, who[0])
            audit(connection, "agent.change", who[1], dict(values))
            return _one(_agents(connection, who[0]), who[1], "agent")

        return await self._store.administer(work)

    async def set_active(self, who: Scoped, active: bool, audit: Audited) -> None:
        """Let an agent or a bot work here, or not any more: then its sessions end with the same stroke.

        InvalidState for the last admin.
        """
        is_bot = who[1].startswith("bot_")
        table: Table = bots if is_bot else agents

        def work(connection: Connection) -> None:
            must_be(connection, table, who)
            connection.execute(update(table).where(table.c.id == who[1]).values(active=active))
            if not active and not is_bot:
                _must_have_admin(connection, who[0])
                _end_sessions(connection, who[1], self._clock.now())
            action = "activate" if active else "deactivate"
            audit(connection, f"{'bot' if is_bot else 'agent'}.{action}", who[1], {})

        await self._store.administer(work)

    async def set_password(self, who: Scoped, stored: str, session: str, audit: Audited) -> list[str]:
        """`stored` is what `Passwords.hash` gave. All other sessions end; returns their ids."""

        def work(connection: Connection) -> list[str]:
            must_be(connection, agents, who)
            connection.execute(update(agents).where(agents.c.id == who[1]).values(password=stored))
            audit(connection, "agent.password", who[1], {})
            return _end_sessions(connection, who[1], self._clock.now(), but=session)

        return await self._store.administer(work)

    # --- Bots -----------------------------------------------------------------------------------------------------

    async def bots(self, account: str) -> list[BotShown]:
        """All there ever were, the oldest first."""
        return await self._store.inspect(lambda found: _bots(found, account))

    async def bot(self, who: Scoped) -> BotShown:
        return await self._store.inspect(lambda found: _one(_bots(found, who[0]), who[1], "bot"))

    async def change_bot(self, who: Scoped, values: Mapping[str, Any], audit: Audited) -> BotShown:
        """`values` of `name` and `picture`."""

        def work(connection: Connection) -> BotShown:
            must_be(connection, bots, who)
            if values:
                connection.execute(update(bots).where(bots.c.id == who[1]).values(**values))
            audit(connection, "bot.change", who[1], dict(values))
            return _one(_bots(connection, who[0]), who[1], "bot")

        return await self._store.administer(work)

    async def tokens(self, bot: Scoped) -> list[TokenShown]:
        """The bot's API tokens, the oldest first, without what opens anything."""

        def work(connection: Connection) -> list[TokenShown]:
            must_be(connection, bots, bot)
            return [TokenShown(*row) for row in connection.execute(_TOKENS, {"bot": bot[1]})]

        return await self._store.inspect(work)

    async def revoke_token(self, bot: Scoped, token: str, audit: Audited) -> None:
        """From now on this token opens nothing."""

        def work(connection: Connection) -> None:
            must_be(connection, bots, bot)
            statement = delete(bot_tokens).where(bot_tokens.c.bot == bot[1], bot_tokens.c.id == token)
            if not connection.execute(statement).rowcount:
                raise NotFound(field="token")
            audit(connection, "bot_token.revoke", token, {"bot": bot[1]})

        await self._store.administer(work)


def _agents(connection: Connection, account: str) -> list[AgentShown]:
    of = _teams_of(connection, account)
    return [AgentShown(*row, of.get(row.id, [])) for row in connection.execute(_AGENTS, {"account": account})]


def _bots(connection: Connection, account: str) -> list[BotShown]:
    of = _teams_of(connection, account)
    return [BotShown(*row, of.get(row.id, [])) for row in connection.execute(_BOTS, {"account": account})]


def _teams_of(connection: Connection, account: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for member, team in connection.execute(_MEMBERS, {"account": account}):
        found.setdefault(member, []).append(team)
    return found


def _one(among: list[T], id_: str, kind: str) -> T:
    for each in among:
        if each.id == id_:
            return each
    raise NotFound(field=kind)


def _must_have_admin(connection: Connection, account: str) -> None:
    if not any(agent.active and agent.role == "admin" for agent in _agents(connection, account)):
        raise InvalidState("An account needs an admin who is active.")


def _end_sessions(connection: Connection, actor: str, now: int, *, but: str = "") -> list[str]:
    live = select(sessions.c.id).where(
        sessions.c.actor == actor, sessions.c.ended_at.is_(None), sessions.c.expires_at > now, sessions.c.id != but
    )
    ended = list(connection.execute(live).scalars())
    connection.execute(update(sessions).where(sessions.c.id.in_(ended)).values(ended_at=now))
    return ended
