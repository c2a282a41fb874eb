"""Many people at once, made in the database past any node, and what they say there while nobody is connected."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, insert, select

from bots.ids import new_id
from chat import keys
from chat.batch import Commit
from chat.clock import SystemClock
from chat.directory import Directory
from chat.ledger import Ledger
from chat.model import Actor, Ask
from chat.rules.messages import Send, Start
from chat.sessions import Session, Sessions
from chat.store.postgres import PostgresStore
from chat.store.tables import accounts, contacts, sessions
from chat.ticket import Answer, Done
from gateway.asking import Asking
from gateway.auth import Tokens
from tests.chaos.nodes import SECRET, Nodes

TOKEN_SECONDS = 3600
AT_ONCE = 2_000  # asks that wait for one ledger
LANES = 4


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may connect, by a token that outlasts the test."""

    name: str
    actor: Actor
    token: str


class Town:
    """One account more in the nodes' database. What is written here the nodes aren't told of."""

    def __init__(self, store: PostgresStore, ledger: Ledger, account: str, inbox: str) -> None:
        self._store = store
        self._asking = Asking(ledger.submit)
        self._clock = SystemClock()
        self._sessions = Sessions(store, self._clock, contact_life=TOKEN_SECONDS, agent_life=TOKEN_SECONDS)
        self._tokens = Tokens(SECRET.encode(), self._clock, TOKEN_SECONDS)
        self.account = account
        self.inbox = inbox

    async def agents(self, count: int) -> list[Person]:
        directory = Directory(self._store, self._clock)
        people = []
        for number in range(count):
            email = f"{number}@{self.account}.example"
            agent = await directory.add_agent(
                self.account, email=email, name=f"Agent {number}", role="agent", password="nobody logs in"
            )
            people.append(self._person(f"agent {number}", (await self._sessions.open_for_agent(agent))[1]))
        return people

    async def shoppers(self, count: int) -> list[Person]:
        """All of them by two statements: one by one they would take longer than the test."""
        now = self._clock.now()
        made = [
            Session(keys.fresh_id("ses"), Actor(self.account, "contact", keys.fresh_id("con")), self.inbox, now + 10**9)
            for _ in range(count)
        ]

        def work(connection: Connection) -> None:
            key = connection.execute(select(accounts.c.key).where(accounts.c.id == self.account)).scalar_one()
            common = {"account": key, "created_at": now}
            connection.execute(insert(contacts), [common | {"id": session.actor.id} for session in made])
            rows = [
                {"id": session.id, "actor": session.actor.id, "inbox": self.inbox, "expires_at": session.expires_at}
                | {"secret": keys.fingerprint(session.id)}
                for session in made
            ]
            connection.execute(insert(sessions), [common | row for row in rows])

        await self._store.administer(work)
        return [self._person(f"shopper {number}", session) for number, session in enumerate(made)]

    async def begin(self, shoppers: Sequence[Person]) -> list[str]:
        """Each starts a conversation; returns their ids."""
        starts = [Start(id=new_id(), inbox=self.inbox, text=f"{shopper.name} begins") for shopper in shoppers]
        done = await self._ask([*zip(shoppers, starts, strict=True)])
        return [answer.conversation for answer in done]

    async def write(self, by: Person, conversations: Sequence[str], count: int) -> None:
        """So many messages into each."""
        await self._ask(
            [
                (by, Send(id=new_id(), conversation=name, text=f"missed {n}"))
                for n in range(count)
                for name in conversations
            ]
        )

    async def _ask(self, asks: Sequence[tuple[Person, Ask]]) -> list[Done]:
        done: list[Done] = []
        for start in range(0, len(asks), AT_ONCE):
            some = asks[start : start + AT_ONCE]
            done += await asyncio.gather(*(self._asking.ask(self.account, by.actor.id, ask) for by, ask in some))
        return done

    def _person(self, name: str, session: Session) -> Person:
        return Person(name, session.actor, self._tokens.mint(session))


def settle(answers: list[Answer], commits: list[Commit]) -> None:
    """Whoever asked is told, and nobody else."""
    for answer in answers:
        answer.ticket.peer.answered(answer.ticket.ask.ref, answer.result)


@asynccontextmanager
async def town(nodes: Nodes, folder: Path) -> AsyncIterator[Town]:
    """A town whose ledger runs in this process until the block ends."""
    store = await PostgresStore.open(nodes.postgres.url(nodes.database), folder / "town.head", LANES)
    clock = SystemClock()
    directory = Directory(store, clock)
    account = await directory.add_account("A town")
    inbox = await directory.add_inbox(account.id, "A town")
    ledger = Ledger(store, clock, settle, lanes=LANES)
    try:
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(ledger.run())
            yield Town(store, ledger, account.id, inbox.id)
            ledger.stop()
            await running
    finally:
        await store.close()
