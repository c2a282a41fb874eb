"""Accounts and who and what belongs to them: inboxes, agents, teams, bots. Cold reads and writes, in SQLAlchemy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from msgspec import Struct
from sqlalchemy import Connection, Select, Table, bindparam, insert, select
from sqlalchemy.exc import IntegrityError

from chat import keys
from chat.audit import Audited, unheard
from chat.belonging import account_key, kind_of, link, must_be, must_be_staff
from chat.clock import Clock
from chat.errors import BadRequest
from chat.model import Actor, Role, Team
from chat.store import Scoped, Store
from chat.store.tables import accounts, agents, bot_tokens, bots, inbox_teams, inboxes, ledgers, team_members, teams

T = TypeVar("T")


class Account(Struct, frozen=True):
    """A merchant."""

    id: str
    name: str


class Door(Struct, frozen=True):
    """An inbox as whoever knocks at it needs it: found by its public key, embedded by these origins alone."""

    account: str
    id: str
    name: str
    public_key: str
    origins: tuple[str, ...]


class Agent(Struct, frozen=True):
    """An agent with what only the own account may see."""

    account: str
    id: str
    email: str
    name: str
    picture: str | None
    role: Role
    active: bool

    @property
    def actor(self) -> Actor:
        return Actor(self.account, "agent", self.id, self.name, self.role, self.picture, self.active)


class Bot(Struct, frozen=True):
    account: str
    id: str
    name: str
    picture: str | None
    active: bool

    @property
    def actor(self) -> Actor:
        return Actor(self.account, "bot", self.id, self.name, None, self.picture, self.active)


class Staff(Struct, frozen=True):
    """Everybody who answers for an account, and where: what its agents may know of each other."""

    agents: list[Agent]
    bots: list[Bot]
    teams: list[Team]
    inboxes: list[Door]


_OF_ACCOUNT = accounts.c.id == bindparam("account")
_AGENTS = select(
    accounts.c.id, agents.c.id, agents.c.email, agents.c.name, agents.c.picture, agents.c.role, agents.c.active
).join_from(agents, accounts)
_BOTS = select(accounts.c.id, bots.c.id, bots.c.name, bots.c.picture, bots.c.active).join_from(bots, accounts)
_TEAMS = select(accounts.c.id, teams.c.id, teams.c.name).join_from(teams, accounts)
_DOORS = select(accounts.c.id, inboxes.c.id, inboxes.c.name, inboxes.c.public_key, inboxes.c.origins).join_from(
    inboxes, accounts
)

_ACCOUNT = select(accounts.c.id, accounts.c.name).where(_OF_ACCOUNT)
_ACCOUNTS = select(accounts.c.id, accounts.c.name).order_by(accounts.c.key)
_GOES_ON = accounts.c.suspended_at.is_(None)
_DOOR_BY_KEY = _DOORS.where(inboxes.c.public_key == bindparam("public_key"), _GOES_ON)
_AGENT_BY_EMAIL = _AGENTS.add_columns(agents.c.password).where(agents.c.email == bindparam("email"), _GOES_ON)
_AGENT = _AGENTS.where(_OF_ACCOUNT, agents.c.id == bindparam("id"))
_BOT_BY_TOKEN = _BOTS.join(bot_tokens, bot_tokens.c.bot == bots.c.id).where(
    bot_tokens.c.hash == bindparam("hash"), bots.c.active, _GOES_ON
)
_TEAMS_OF = (
    select(team_members.c.team)
    .join(teams, teams.c.id == team_members.c.team)
    .join(accounts, accounts.c.key == teams.c.account)
    .where(_OF_ACCOUNT, team_members.c.member == bindparam("member"))
    .order_by(teams.c.key)
)


_ALL_AGENTS = _AGENTS.where(_OF_ACCOUNT, agents.c.active).order_by(agents.c.key)
_ALL_BOTS = _BOTS.where(_OF_ACCOUNT, bots.c.active).order_by(bots.c.key)
_ALL_TEAMS = _TEAMS.where(_OF_ACCOUNT).order_by(teams.c.key)
_ALL_DOORS = _DOORS.where(_OF_ACCOUNT).order_by(inboxes.c.key)


class Directory:
    """Every method may raise Unavailable; those that add raise NotFound for an account that isn't there."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    # --- Finding --------------------------------------------------------------------------------------------------

    async def accounts(self) -> list[Account]:
        """Every account, the oldest first."""
        return await self._store.inspect(lambda found: [Account(*row) for row in found.execute(_ACCOUNTS)])

    async def account(self, account: str) -> Account | None:
        return await self._one(_ACCOUNT, Account, account=account)

    async def door(self, public_key: str) -> Door | None:
        """The inbox with this public key, whose ever it is."""

        def work(connection: Connection) -> Door | None:
            row = connection.execute(_DOOR_BY_KEY, {"public_key": public_key}).one_or_none()
            return _door(row) if row else None

        return await self._store.inspect(work)

    async def agent(self, who: Scoped) -> Agent | None:
        return await self._one(_AGENT, Agent, account=who[0], id=who[1])

    async def agent_by_email(self, email: str) -> tuple[Agent, str] | None:
        """The agent who logs in with this address, active or not, and what is stored of the password."""

        def work(connection: Connection) -> tuple[Agent, str] | None:
            row = connection.execute(_AGENT_BY_EMAIL, {"email": normal_email(email)}).one_or_none()
            return (Agent(*row[:-1]), row[-1]) if row else None

        return await self._store.inspect(work)

    async def bot_by_token(self, token: str) -> Bot | None:
        """The active bot that holds this API token."""
        return await self._one(_BOT_BY_TOKEN, Bot, hash=keys.fingerprint(token))

    async def teams_of(self, who: Scoped) -> list[str]:
        """The ids of the teams that an agent or bot belongs to."""
        parameters = {"account": who[0], "member": who[1]}
        return await self._store.inspect(lambda found: list(found.execute(_TEAMS_OF, parameters).scalars()))

    async def staff(self, account: str) -> Staff:
        """Everybody active, every team and every inbox, in the order in which they came."""

        def work(connection: Connection) -> Staff:
            own = {"account": account}
            return Staff(
                [Agent(*row) for row in connection.execute(_ALL_AGENTS, own)],
                [Bot(*row) for row in connection.execute(_ALL_BOTS, own)],
                [Team(*row) for row in connection.execute(_ALL_TEAMS, own)],
                [_door(row) for row in connection.execute(_ALL_DOORS, own)],
            )

        return await self._store.inspect(work)

    # --- Adding ---------------------------------------------------------------------------------------------------

    async def add_account(self, name: str) -> Account:
        account = Account(keys.fresh_id("acc"), name)

        def work(connection: Connection) -> None:
            values = {"id": account.id, "name": name, "created_at": self._clock.now()}
            key = connection.execute(insert(accounts).values(values)).inserted_primary_key
            # Every account begins with an empty ledger. From here on only the ledger touches this row.
            connection.execute(insert(ledgers).values(account=key[0] if key else None))

        await self._store.administer(work)
        return account

    async def add_inbox(
        self,
        account: str,
        name: str,
        *,
        public_key: str | None = None,
        origins: Sequence[str] = (),
        settings: Mapping[str, object] | None = None,
        audit: Audited = unheard,
    ) -> Door:
        """A new inbox. `origins` may embed it. BadRequest if the public key is taken."""
        door = Door(account, keys.fresh_id("inb"), name, public_key or keys.fresh_id("inb")[4:], tuple(origins))
        await self._add(
            account,
            inboxes,
            {
                "id": door.id,
                "name": name,
                "public_key": door.public_key,
                "origins": list(origins),
                "settings": dict(settings or {}),
            },
            audit,
            taken="public_key",
        )
        return door

    async def add_agent(
        self, account: str, *, email: str, name: str, role: Role, password: str, picture: str | None = None
    ) -> Agent:
        """A new agent; `password` is what `Passwords.hash` gave. BadRequest if somebody has the e-mail address."""
        agent = Agent(account, keys.fresh_id("agt"), normal_email(email), name, picture, role, True)
        values = {"id": agent.id, "email": agent.email, "name": name, "picture": picture, "role": role}
        await self._add(account, agents, {**values, "password": password}, unheard, taken="email")
        return agent

    async def add_team(
        self, account: str, name: str, audit: Audited = unheard, settings: Mapping[str, Any] | None = None
    ) -> Team:
        """`settings` as `chat.preferences` has them; left out, the usual ones hold."""
        team = Team(account, keys.fresh_id("tem"), name)
        said = {} if settings is None else {"settings": dict(settings)}
        await self._add(account, teams, {"id": team.id, "name": name, **said}, audit)
        return team

    async def add_bot(self, account: str, name: str, picture: str | None = None, audit: Audited = unheard) -> Bot:
        bot = Bot(account, keys.fresh_id("bot"), name, picture, True)
        await self._add(account, bots, {"id": bot.id, "name": name, "picture": picture}, audit)
        return bot

    async def add_member(self, team: Scoped, member: str, audit: Audited = unheard) -> None:
        """Put an agent or bot into a team; NotFound unless both are the account's. Again does no harm."""

        def work(connection: Connection) -> None:
            must_be(connection, teams, team)
            must_be_staff(connection, (team[0], member))
            link(connection, team_members, {"team": team[1], "member": member})
            audit(connection, "team.add_member", team[1], {"member": member})

        await self._store.administer(work)

    async def serve_inbox(self, inbox: Scoped, team: str) -> None:
        """Make a team answer for an inbox; NotFound unless both are the account's. Again does no harm."""

        def work(connection: Connection) -> None:
            must_be(connection, inboxes, inbox)
            must_be(connection, teams, (inbox[0], team))
            link(connection, inbox_teams, {"inbox": inbox[1], "team": team})

        await self._store.administer(work)

    async def add_api_token(self, bot: Scoped, audit: Audited = unheard) -> str:
        """A new API token of a bot, which nobody can show again. NotFound if the bot isn't the account's."""
        return (await self.add_token(bot, audit))[1]

    async def add_token(self, bot: Scoped, audit: Audited = unheard) -> tuple[str, str]:
        """The same with the token's id before it."""
        id_, token = keys.fresh_id("tok"), keys.fresh_secret(keys.API_TOKEN_PREFIX)

        def work(connection: Connection) -> None:
            must_be(connection, bots, bot)
            values = {"hash": keys.fingerprint(token), "id": id_, "bot": bot[1], "created_at": self._clock.now()}
            connection.execute(insert(bot_tokens).values(values))
            audit(connection, "bot_token.create", id_, {"bot": bot[1]})

        await self._store.administer(work)
        return id_, token

    async def _one(self, statement: Select[Any], shape: Callable[..., T], **parameters: object) -> T | None:
        def work(connection: Connection) -> T | None:
            row = connection.execute(statement, parameters).one_or_none()
            return shape(*row) if row else None

        return await self._store.inspect(work)

    async def _add(
        self,
        account: str,
        table: Table,
        values: dict[str, object],
        audit: Audited,
        *,
        taken: str | None = None,
    ) -> None:
        told = {name: value for name, value in values.items() if name not in ("id", "password")}

        def work(connection: Connection) -> None:
            connection.execute(insert(table).values(account=account_key(connection, account), **values))
            audit(connection, f"{kind_of(table)}.create", str(values["id"]), told)

        try:
            await self._store.administer(work)
        except IntegrityError as error:
            raise BadRequest(f"This {taken} is taken.", field=taken) from error


def normal_email(email: str) -> str:
    """The form in which addresses are stored and compared."""
    return email.strip().lower()


def _door(row: Sequence[Any]) -> Door:
    account, inbox, name, public_key, origins = row
    return Door(account, inbox, name, public_key, tuple(origins))
