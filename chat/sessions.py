"""Contacts and sessions: who a browser is, proven by a secret of which only the fingerprint is stored."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Select, and_, bindparam, func, insert, select, update

from chat import keys
from chat.clock import Clock
from chat.directory import Agent, Door
from chat.errors import NotFound
from chat.model import KIND_OF_PREFIX, Actor
from chat.store import Store
from chat.store.tables import accounts, agents, contacts, sessions


class Session(Struct, frozen=True):
    """A session that still counts: it isn't over, and its actor is there and active."""

    id: str
    actor: Actor
    inbox: str | None
    expires_at: int
    """ms since 1970"""


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
    )
    .join_from(sessions, accounts)
    .outerjoin(agents, and_(agents.c.id == sessions.c.actor, agents.c.account == sessions.c.account, agents.c.active))
    .outerjoin(contacts, and_(contacts.c.id == sessions.c.actor, contacts.c.account == sessions.c.account))
    .where(
        sessions.c.ended_at.is_(None),
        sessions.c.expires_at > bindparam("now"),
        func.coalesce(agents.c.id, contacts.c.id).is_not(None),
    )
)
# Made once: SQLAlchemy finds the compiled form by the statement, and making one costs as much as running it.
_ACCOUNT_KEY = select(accounts.c.key).where(accounts.c.id == bindparam("account"))
_BY_SECRET = _SESSIONS.where(sessions.c.secret == bindparam("secret"))
_BY_IDS = _SESSIONS.where(sessions.c.id.in_(bindparam("ids", expanding=True)))


class Sessions:
    """Every method may raise Unavailable. Lives are in seconds."""

    def __init__(self, store: Store, clock: Clock, *, contact_life: int, agent_life: int) -> None:
        self._store = store
        self._clock = clock
        self._contact_life = contact_life * 1000
        self._agent_life = agent_life * 1000

    async def open_for_contact(self, door: Door) -> tuple[str, Session]:
        """A new anonymous contact at this door, and the secret by which its browser will be known."""
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

    async def extend(self, session: Session) -> None:
        """A contact came back: its session begins anew. Written only when half of it is over."""
        now = self._clock.now()
        if session.expires_at - now < self._contact_life / 2:
            await self._set(session, expires_at=now + self._contact_life)

    async def end(self, session: Session) -> None:
        """From now on its secret and its tokens open nothing."""
        await self._set(session, ended_at=self._clock.now())

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
    session, inbox, expires_at, account, actor, name, role, picture = row
    kind = KIND_OF_PREFIX[actor[:3]]
    return Session(session, Actor(account, kind, actor, name, role, picture), inbox, expires_at)
