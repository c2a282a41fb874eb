"""A little shop on a real SQLite store, with a second shop beside it that must never matter."""

from __future__ import annotations

import asyncio
import inspect
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property, wraps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from argon2 import PasswordHasher
from starlette.routing import BaseRoute

from chat.audit import Audit
from chat.directory import Agent, Bot, Directory, Door
from chat.finder import Finder
from chat.identities import Identities
from chat.ledger import Ledger
from chat.model import Actor, Ask, Author, Conversation, Entry, Role, Team, author_of, encode
from chat.passwords import Passwords
from chat.reading import Reading
from chat.sealing import Sealer
from chat.sessions import Sessions
from chat.store import Head, Move, Written
from chat.store.migrate import migrate
from chat.store.sqlite import SqliteStore
from chat.ticket import Answer
from chat.totp import Totps
from gateway import http, pages
from gateway.api import backoffice, conversations, health, keys, login, me, search, session, staff, token, totp
from gateway.api.asker import Askers
from gateway.api.login import Logins
from gateway.asking import Asking
from gateway.auth import Doorkeeper, Tokens
from gateway.limits import Meter, Rate
from gateway.metrics import Metrics, new_metrics
from gateway.origins import Origin, Origins
from gateway.sign_in import SignIns
from gateway.throttle import Throttle

OWN = Origin("http", "shop.test", 80)
SECRET = b"a secret that only tests may know, of some length"
PASSWORD = "correct horse"
CONTACT_LIFE = 1000
AGENT_LIFE = 500
TOKEN_LIFE = 60
FAILED_LOGINS = Rate(1 / 60, 10)


class MovableClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.moment = 1_795_287_000_000

    def now(self) -> int:
        return self.moment

    def ticks(self) -> float:
        return self.moment / 1000

    def move(self, seconds: float) -> None:
        self.moment += round(seconds * 1000)


async def alone(key: str) -> float:
    """What a throttle asks other nodes, where there are none."""
    return 0.0


@dataclass
class Account:
    """One account with one of each."""

    id: str
    door: Door
    agent: Agent
    team: Team
    bot: Bot
    bot_token: str


@dataclass
class Shop:
    """Everything that the cold path is made of. `mine` is the account that tests are about."""

    store: SqliteStore
    clock: MovableClock
    directory: Directory
    sessions: Sessions
    passwords: Passwords
    tokens: Tokens
    doorkeeper: Doorkeeper
    mine: Account
    other: Account
    built: pages.Built
    folder: Path
    asking: Asking
    metrics: Metrics = field(default_factory=new_metrics)
    is_draining: bool = False
    is_store_away: bool = False
    asked: list[Ask] = field(default_factory=list)
    """What the service itself asked for; nobody carries it out here."""
    closed: list[str] = field(default_factory=list)
    """The sessions and actors whose sockets were closed."""
    forgotten: list[tuple[str, str]] = field(default_factory=list)
    """The contacts whose files were deleted."""
    changed: list[str] = field(default_factory=list)
    """The accounts of which routing was told that they have changed, once for each time."""

    @property
    def totps(self) -> Totps:
        return Totps(self.store, self.clock, Sealer(SECRET))

    @cached_property
    def logins(self) -> Logins:
        return Logins(self.directory, self.passwords, self.totps, Throttle(Meter(FAILED_LOGINS), alone, self.clock))

    @property
    def identities(self) -> Identities:
        return Identities(self.store, self.clock, Sealer(SECRET))

    @property
    def sign_ins(self) -> SignIns:
        async def ask(account: str, actor: str, ask: Ask) -> None:
            self.asked.append(ask)

        def close(account: str, *, session: str, code: int) -> None:
            self.closed.append(session)

        return SignIns(self.identities, self.sessions, self.clock, ask, close)

    @property
    def client(self) -> httpx.AsyncClient:
        """A browser or program without any cookie yet."""
        transport = httpx.ASGITransport(self._app(), raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url=str(OWN))

    async def agents_client(self, agent: Agent | None = None) -> httpx.AsyncClient:
        """The browser of an agent who is logged in."""
        client = self.client
        secret, _ = await self.sessions.open_for_agent(agent or self.mine.agent)
        client.cookies.set("shopbell", secret)
        return client

    async def contact(self, account: Account | None = None) -> tuple[dict[str, str], Actor]:
        """The headers by which a new contact is known, and the contact."""
        secret, found = await self.sessions.open_for_contact((account or self.mine).door)
        return {"authorization": f"Bearer {secret}"}, found.actor

    async def conversation(self, account: Account, contact: str, texts: int = 1, **state: Any) -> Conversation:
        """A conversation with some messages of the contact's and one note, written straight into the store."""
        transaction = await self.store.begin([account.id])
        head = Head(transaction.heads[account.id].cursor + 1, self.clock.now())
        made = Conversation(
            id=f"cnv_{secrets.token_hex(12)}",
            inbox=account.door.id,
            contact=contact,
            created_at=head.at,
            messages=texts,
            seq=texts + 1,
            cursor=head.cursor,
            **{"waiting_since": head.at, **state},
        )
        entries = [an_entry(head, n, author_of(contact), f"text {n}") for n in range(1, texts + 1)]
        entries.append(an_entry(head, texts + 1, author_of(account.agent.id), "for staff only", is_note=True))
        written = [Written(entry, head.cursor) for entry in entries]
        try:
            await transaction.write([Move(account.id, None, made, written, encode(made))], {account.id: head})
        except BaseException:
            await transaction.rollback()
            raise
        await transaction.commit()
        return made

    async def act(self, method: str, path: str, body: object = None, *, agent: Agent | None = None) -> httpx.Response:
        """What an agent's console does: with its cookie, from its own page, in JSON."""
        client = await self.agents_client(agent)
        return await client.request(method, path, json=body, headers={"origin": str(OWN)})

    async def colleague(self, role: Role, name: str = "Dara") -> Agent:
        """Another agent of this account."""
        email = f"{name}-{secrets.token_hex(4)}@mine.example"
        return await self.directory.add_agent(self.mine.id, email=email, name=name, role=role, password="none")

    def close_sockets(self, account: str, *, session: str | None = None, actor: str | None = None) -> None:
        assert account in (self.mine.id, self.other.id)
        self.closed.extend(each for each in (session, actor) if each)

    async def forget_files(self, account: str, contact: str) -> None:
        self.forgotten.append((account, contact))

    def routes(self) -> list[BaseRoute]:
        origins = Origins([OWN])
        askers = Askers(self.sessions, self.directory, origins)
        return [
            *session.routes(self.directory, self.sessions, self.sign_ins, self.tokens, origins),
            *login.routes(
                self.directory,
                self.sessions,
                self.logins,
                askers,
                origins,
                lambda ended: self.close_sockets(ended.actor.account, session=ended.id),
                life=AGENT_LIFE,
                is_https=False,
            ),
            *totp.routes(self.directory, self.totps, self.logins, askers, Audit(self.store, self.clock)),
            *keys.routes(self.identities, askers, Audit(self.store, self.clock)),
            *me.routes(self.directory, askers),
            *token.routes(askers, self.tokens, origins),
            *staff.routes(self.directory, askers),
            *search.routes(Finder(self.store), askers),
            *conversations.routes(Reading(self.store), self.directory, askers),
            *backoffice.routes(
                self.store,
                self.clock,
                askers,
                self.directory,
                self.logins,
                self.passwords,
                self.asking,
                self.close_sockets,
                self.forget_files,
                OWN,
                origins,
                self.changed.append,
            ),
            *health.routes(lambda: self.is_draining, self._probe, self.metrics.render, is_bus_healthy=lambda: True),
            *pages.routes(self.directory, [OWN], self.built),
        ]

    def _app(self) -> Any:
        return http.application(self.routes(), self.metrics)

    async def _probe(self) -> None:
        if self.is_store_away:
            await asyncio.sleep(60)


def an_entry(head: Head, born: int, author: Author, text: str, *, is_note: bool = False) -> Entry:
    id_ = f"01930000-0000-7000-8000-{head.cursor:06x}{born:06x}"
    if is_note:
        return Entry(id_, born, born, "note", author, head.at, text, audience="staff")
    return Entry(id_, born, born, "message", author, head.at, text)


@cache
def migrated() -> bytes:
    """An empty database at this version's schema: migrating takes longer than most tests."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "empty.db"
        migrate(f"sqlite:///{path}")
        return path.read_bytes()


@asynccontextmanager
async def a_shop(folder: Path) -> AsyncIterator[Shop]:
    """A shop in this folder, open until the block ends."""
    path = folder / "shop.db"
    path.write_bytes(migrated())
    store = SqliteStore.open(path)
    clock = MovableClock()
    directory = Directory(store, clock)
    sessions = Sessions(store, clock, contact_life=CONTACT_LIFE, agent_life=AGENT_LIFE)
    passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    tokens = Tokens(SECRET, clock, TOKEN_LIFE)
    doorkeeper = Doorkeeper(tokens, sessions)
    mine = await an_account(directory, passwords, "mine")
    other = await an_account(directory, passwords, "other")
    built = pages.Built(folder / "static")
    ledger = Ledger(store, clock, settle)
    asking = Asking(ledger.submit)
    running = asyncio.create_task(ledger.run())
    try:
        yield Shop(store, clock, directory, sessions, passwords, tokens, doorkeeper, mine, other, built, folder, asking)
    finally:
        ledger.stop()
        await running
        await doorkeeper.close()
        await store.close()


def settle(answers: list[Answer], commits: object) -> None:
    """Nobody listens here; who asked is answered."""
    for answer in answers:
        answer.ticket.peer.answered(None, answer.result)


async def an_account(directory: Directory, passwords: Passwords, name: str) -> Account:
    account = await directory.add_account(name)
    door = await directory.add_inbox(account.id, f"{name} inbox", public_key=name, origins=[f"https://{name}.example"])
    agent = await directory.add_agent(
        account.id, email=f"agent@{name}.example", name="Noa", role="admin", password=await passwords.hash(PASSWORD)
    )
    team = await directory.add_team(account.id, f"{name} team")
    bot = await directory.add_bot(account.id, f"{name} bot")
    return Account(account.id, door, agent, team, bot, await directory.add_api_token((account.id, bot.id)))


def in_a_shop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run an async test with a fresh shop as its first argument; further ones come from pytest."""
    parameters = list(inspect.signature(test).parameters.values())

    @wraps(test)
    def run(tmp_path: Path, **arguments: Any) -> None:
        async def play() -> None:
            async with a_shop(tmp_path) as shop:
                await test(shop, **arguments)

        asyncio.run(play())

    folder = inspect.Parameter("tmp_path", inspect.Parameter.KEYWORD_ONLY)
    own = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in parameters[1:]]
    run.__signature__ = inspect.Signature([folder, *own])  # type: ignore[attr-defined]  # pytest reads it
    return run
