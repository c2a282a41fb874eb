"""Invites: who has the secret of one becomes an agent, once."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy import Connection, bindparam, delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from chat import keys
from chat.audit import Audited, by
from chat.belonging import account_key, link, must_be
from chat.clock import Clock
from chat.directory import normal_email
from chat.errors import BadRequest, InvalidState, NotFound
from chat.model import Actor, Role
from chat.store import Scoped, Store
from chat.store.tables import accounts, agents, invites, team_members, teams

INVITE_PREFIX = "sbi_"
INVITE_MS = 7 * 24 * 3600 * 1000  # a week: long enough for somebody who is away, short enough for a forgotten letter
INVITES = 200  # open ones of an account


class Invite(Struct, frozen=True):
    """Somebody who may become an agent until `expires_at` (ms)."""

    id: str
    email: str
    name: str
    role: Role
    teams: list[str]
    created_at: int
    expires_at: int


_OF_ACCOUNT = accounts.c.id == bindparam("account")
_INVITE = select(
    invites.c.id,
    invites.c.email,
    invites.c.name,
    invites.c.role,
    invites.c.teams,
    invites.c.created_at,
    invites.c.expires_at,
).join_from(invites, accounts)
_INVITES = _INVITE.where(_OF_ACCOUNT, invites.c.expires_at > bindparam("now")).order_by(
    invites.c.created_at, invites.c.id
)
_BY_SECRET = _INVITE.add_columns(accounts.c.id.label("account")).where(
    invites.c.hash == bindparam("hash"), invites.c.expires_at > bindparam("now"), accounts.c.suspended_at.is_(None)
)


class Invites:
    """Every method may raise Unavailable, and NotFound for what isn't there or is another account's.

    What changes something writes one line by `audit`, in the same transaction.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def open(self, account: str) -> list[Invite]:
        """Those that can still be accepted, the oldest first."""
        parameters = {"account": account, "now": self._clock.now()}
        return await self._store.inspect(lambda found: [Invite(*row) for row in found.execute(_INVITES, parameters)])

    async def invite(
        self, account: str, *, email: str, name: str, role: Role, into: Sequence[str], audit: Audited
    ) -> tuple[Invite, str]:
        """An invite and the secret that accepts it once. An earlier one for the address ends.

        BadRequest if an agent of the account has the address already.
        """
        now = self._clock.now()
        secret = keys.fresh_secret(INVITE_PREFIX)
        made = Invite(keys.fresh_id("inv"), normal_email(email), name, role, list(into), now, now + INVITE_MS)

        def work(connection: Connection) -> None:
            key = account_key(connection, account)
            taken = select(agents.c.key).where(agents.c.account == key, agents.c.email == made.email)
            if connection.execute(taken).first() is not None:
                raise BadRequest("An agent has this address.", field="email")
            for team in made.teams:
                must_be(connection, teams, (account, team))
            over = (invites.c.email == made.email) | (invites.c.expires_at <= now)
            connection.execute(delete(invites).where(invites.c.account == key, over))
            count = select(func.count()).select_from(invites).where(invites.c.account == key)
            if connection.execute(count).scalar_one() >= INVITES:
                raise InvalidState(f"There are {INVITES} open invites: revoke some first.")
            row = {"hash": keys.fingerprint(secret), "account": key, "id": made.id, "email": made.email, "name": name}
            row |= {"role": role, "teams": made.teams, "created_at": now, "expires_at": made.expires_at}
            connection.execute(insert(invites).values(row))
            audit(connection, "invite.create", made.id, {"email": made.email, "role": role, "teams": made.teams})

        await self._store.administer(work)
        return made, secret

    async def revoke_invite(self, what: Scoped, audit: Audited) -> None:
        def work(connection: Connection) -> None:
            key = account_key(connection, what[0])
            statement = delete(invites).where(invites.c.account == key, invites.c.id == what[1])
            if not connection.execute(statement).rowcount:
                raise NotFound(field="invite")
            audit(connection, "invite.revoke", what[1], {})

        await self._store.administer(work)

    async def invited(self, secret: str) -> Invite:
        """The invite that this secret accepts. NotFound once it is accepted, revoked or over."""
        return (await self._store.inspect(lambda found: self._by_secret(found, secret)))[0]

    async def accept(self, secret: str, stored: str) -> Scoped:
        """Whoever has the secret is an agent from now on. `stored` is what `Passwords.hash` gave. NotFound as above;
        BadRequest if an agent somewhere has the address meanwhile."""

        def work(connection: Connection) -> Scoped:
            invite, account = self._by_secret(connection, secret)
            connection.execute(delete(invites).where(invites.c.hash == keys.fingerprint(secret)))
            key = account_key(connection, account)
            agent = keys.fresh_id("agt")
            values = {"account": key, "id": agent, "email": invite.email, "name": invite.name, "role": invite.role}
            connection.execute(insert(agents).values(**values, password=stored))
            there = set(connection.execute(select(teams.c.id).where(teams.c.account == key)).scalars())
            for team in there.intersection(invite.teams):  # one may have been deleted since
                link(connection, team_members, {"team": team, "member": agent})
            audit = by(Actor(account, "agent", agent), self._clock)
            audit(connection, "invite.accept", invite.id, {"email": invite.email, "role": invite.role})
            return account, agent

        try:
            return await self._store.administer(work)
        except IntegrityError as error:
            raise BadRequest("This address can't be used.", field="email") from error

    def _by_secret(self, connection: Connection, secret: str) -> tuple[Invite, str]:
        parameters = {"hash": keys.fingerprint(secret), "now": self._clock.now()}
        row = connection.execute(_BY_SECRET, parameters).one_or_none()
        if row is None:
            raise NotFound(field="secret")
        return Invite(*row[:-1]), row[-1]
