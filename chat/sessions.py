"""Contacts and sessions: who a browser is, proven by a secret of which only the fingerprint is stored."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Select, and_, bindparam, delete, exists, func, insert, or_, select, union_all, update

from chat import keys
from chat.clock import Clock
from chat.directory import Agent, Door
from chat.errors import NotFound
from chat.model import KIND_OF_PREFIX, Actor
from chat.store import Store
from chat.store.tables import accounts, agents, bot_tokens, bots, contacts, identities, sessions

KEPT_MS = 30 * 24 * 3600 * 1000  # a session that is over stays so long, for whoever looks into what happened
SWEPT = 5_000  # rows looked at in one go: a few milliseconds
NEVER = 2**53 - 1  # ms


class Session(Struct, frozen=True):
    """A session that still counts: it isn't over, and its actor is there and active. A bot's is its API token."""

    id: str
    actor: Actor
    inbox: str | None
    expires_at: int
    """ms since 1970"""
    is_vouched: bool = False
    """It is a contact that a shop's backend has signed for."""


_SESSIONS = (
    select(
        sessions.c.id,
        sessions.c.inbox,
        sessions.c.expires_at,
        accounts.c.id,
        sessions.c.actor,
        func.coalesce(agents.c.name, contacts.c.name),
        agents.c.role,
        agents.c.picture,
        exists().where(identities.c.contact == sessions.c.actor),
    )
    .join_from(sessions, accounts)
    .outerjoin(agents, and_(agents.c.id == sessions.c.actor, agents.c.account == sessions.c.account, agents.c.active))
    .outerjoin(
        contacts,
        and_(
            contacts.c.id == sessions.c.actor,
            contacts.c.account == sessions.c.account,
            contacts.c.merged_into.is_(None),
            ~contacts.c.erased,
        ),
    )
    .where(
        sessions.c.ended_at.is_(None),
        sessions.c.expires_at > bindparam("now"),
        accounts.c.suspended_at.is_(None),
        func.coalesce(agents.c.id, contacts.c.id).is_not(None),
    )
)
_TOKENS = (
    select(bot_tokens.c.id, bots.c.id, accounts.c.id, bots.c.name, bots.c.picture)
    .join_from(bot_tokens, bots, bots.c.id == bot_tokens.c.bot)
    .join(accounts, accounts.c.key == bots.c.account)
    .where(bots.c.active, accounts.c.suspended_at.is_(None))
)
# Made once: SQLAlchemy finds the compiled form by the statement, and making one costs as much as running it.
_ACCOUNT_KEY = select(accounts.c.key).where(accounts.c.id == bindparam("account"))
_BY_SECRET = _SESSIONS.where(sessions.c.secret == bindparam("secret"))
_BY_IDS = _SESSIONS.where(sessions.c.id.in_(bindparam("ids", expanding=True)))
_BY_TOKEN = _TOKENS.where(bot_tokens.c.hash == bindparam("hash"))
_STANDING = union_all(
    _SESSIONS.with_only_columns(sessions.c.id, sessions.c.actor, maintain_column_froms=True).where(
        sessions.c.id.in_(bindparam("ids", expanding=True))
    ),
    _TOKENS.with_only_columns(bot_tokens.c.id, bots.c.id).where(bot_tokens.c.id.in_(bindparam("ids", expanding=True))),
)
_LAST = select(func.coalesce(func.max(sessions.c.key), 0))
_SWEEP = delete(sessions).where(
    sessions.c.key > bindparam("after"),
    sessions.c.key <= bindparam("upto"),
    or_(sessions.c.expires_at < bindparam("before"), sessions.c.ended_at < bindparam("before")),
)


class Sessions:
    """Every method may raise Unavailable. Lives are in seconds."""

    def __init__(self, store: Store, clock: Clock, *, contact_life: int, agent_life: int) -> None:
        self._store = store
        self._clock = clock
        self._contact_life = contact_life * 1000
        self._agent_life = agent_life * 1000
        self._swept = 0

    async def open_for_contact(self, door: Door, contact: str | None = None) -> tuple[str, Session]:
        """A new session at this door, and the secret by which its browser will be known: of a new anonymous contact,
        or of this one, who is there already."""
        if contact is not None:
            return await self._open(Actor(door.account, "contact", contact), door.id, self._contact_life)
        return await self._open_for_a_new_contact(door)

    async def _open_for_a_new_contact(self, door: Door) -> tuple[str, Session]:
        contact = Actor(door.account, "contact", keys.fresh_id("con"))

        def work(connection: Connection, account: int, now: int) -> None:
            connection.execute(insert(contacts).values(account=account, id=contact.id, created_at=now))

        return await self._open(contact, door.id, self._contact_life, work)

    async def open_for_agent(self, agent: Agent) -> tuple[str, Session]:
        """A new session of an agent who has proven the password, and its secret."""
        return await self._open(agent.actor, None, self._agent_life)

    async def by_secret(self, secret: str) -> Session | None:
        """The session that this secret opens."""
        parameters = {"secret": keys.fingerprint(secret), "now": self._clock.now()}
        found = await self._find(_BY_SECRET, parameters)
        return next(iter(found.values()), None)

    async def by_ids(self, ids: Collection[str]) -> dict[str, Session]:
        """Those of these sessions that still count, by one statement."""
        return await self._find(_BY_IDS, {"ids": list(ids), "now": self._clock.now()})

    async def by_api_token(self, token: str) -> Session | None:
        """The bot that holds this API token, as a session that lasts until it is revoked."""
        row = await self._store.inspect(
            lambda connection: connection.execute(_BY_TOKEN, {"hash": keys.fingerprint(token)}).one_or_none()
        )
        if row is None:
            return None
        token_id, bot, account, name, picture = row
        return Session(token_id, Actor(account, "bot", bot, name, None, picture), None, NEVER)

    async def standing(self, ids: Collection[str]) -> dict[str, str]:
        """Of these sessions and API tokens those that still count, and whose they are now: one statement."""
        parameters = {"ids": list(ids), "now": self._clock.now()}
        return await self._store.inspect(
            lambda connection: {row[0]: row[1] for row in connection.execute(_STANDING, parameters)}
        )

    async def extend(self, session: Session) -> None:
        """A contact came back: its session begins anew. Written only when half of it is over."""
        now = self._clock.now()
        if session.expires_at - now < self._contact_life / 2:
            await self._set(session, expires_at=now + self._contact_life)

    async def end(self, session: Session) -> None:
        """From now on its secret and its tokens open nothing."""
        await self._set(session, ended_at=self._clock.now())

    async def sweep(self) -> int:
        """Delete some of those that were over 30 days ago, where the last call stopped; returns how many."""
        parameters = {"after": self._swept, "upto": self._swept + SWEPT, "before": self._clock.now() - KEPT_MS}

        def work(connection: Connection) -> tuple[int, int]:
            return connection.execute(_SWEEP, parameters).rowcount, connection.execute(_LAST).scalar_one()

        count, last = await self._store.administer(work)
        self._swept = 0 if self._swept + SWEPT >= last else self._swept + SWEPT
        return count

    async def _open(
        self, actor: Actor, inbox: str | None, life: int, before: Callable[[Connection, int, int], None] | None = None
    ) -> tuple[str, Session]:
        secret = keys.fresh_secret(keys.SESSION_PREFIX)
        now = self._clock.now()
        session = Session(keys.fresh_id("ses"), actor, inbox, now + life)

        def work(connection: Connection) -> None:
            account = connection.execute(_ACCOUNT_KEY, {"account": actor.account}).scalar_one_or_none()
            if account is None:
                raise NotFound(field="account")
            if before:
                before(connection, account, now)
            connection.execute(
                insert(sessions).values(
                    account=account,
                    id=session.id,
                    secret=keys.fingerprint(secret),
                    actor=actor.id,
                    inbox=inbox,
                    created_at=now,
                    expires_at=session.expires_at,
                )
            )

        await self._store.administer(work)
        return secret, session

    async def _find(self, statement: Select[Any], parameters: dict[str, object]) -> dict[str, Session]:
        return await self._store.inspect(
            lambda connection: {row[0]: _session(row) for row in connection.execute(statement, parameters)}
        )

    async def _set(self, session: Session, **values: int) -> None:
        statement = update(sessions).where(sessions.c.id == session.id).values(**values)
        await self._store.administer(lambda connection: connection.execute(statement))


def _session(row: Sequence[Any]) -> Session:
    session, inbox, expires_at, account, actor, name, role, picture, is_vouched = row
    kind = KIND_OF_PREFIX[actor[:3]]
    return Session(session, Actor(account, kind, actor, name, role, picture), inbox, expires_at, bool(is_vouched))
