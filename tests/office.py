"""A ledger at work on a real store: hand in tickets, get the answers, look at what was committed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chat.batch import Commit
from chat.clock import Clock
from chat.duty import Duty
from chat.errors import Refused
from chat.gather import BatchLimits
from chat.ledger import Ledger
from chat.model import Actor, Ask
from chat.rules.messages import Send, Start
from chat.store import Store
from chat.ticket import Answer, Done
from tests.builders import DOOR, MINE, OTHER, a_ticket, an_id

PATIENCE_SECONDS = 20.0
Result = Done | Refused


class Office:
    """The peers of its tickets are futures, each resolved by the ticket's answer."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        limits: BatchLimits | None = None,
        *,
        lanes: int = 1,
        duty: Duty | None = None,
    ) -> None:
        self.store = store
        self.ledger = Ledger(store, clock, self._settle, limits, lanes=lanes, duty=duty)
        self.batches: list[list[Answer]] = []
        self.commits: list[Commit] = []
        self._numbers = iter(range(0x1000, 0xFFFFFF))

    def new_id(self) -> str:
        return an_id(next(self._numbers))

    def hand_in(self, actor: Actor, ask: Ask) -> asyncio.Future[Result]:
        """Join the next batch; everything that is handed in without waiting in between is one."""
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self.ledger.submit(a_ticket(actor, ask, answer))
        return answer

    async def ask(self, actor: Actor, *asks: Ask) -> list[Result]:
        """All of them in one batch, by one actor."""
        return await self.settled(*(self.hand_in(actor, ask) for ask in asks))

    async def settled(self, *answers: asyncio.Future[Result]) -> list[Result]:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return [await answer for answer in answers]

    async def done(self, actor: Actor, ask: Ask) -> Done:
        """Carry out one ask that must succeed."""
        (result,) = await self.ask(actor, ask)
        assert isinstance(result, Done), repr(result)
        return result

    async def refused(self, actor: Actor, ask: Ask) -> str:
        """The code with which one ask is refused, as it must be."""
        (result,) = await self.ask(actor, ask)
        assert isinstance(result, Refused), repr(result)
        return result.code

    async def start(self, contact: Actor, text: str = "Where is my parcel?") -> str:
        """A new conversation of this contact's."""
        inbox = DOOR if contact.account == MINE else f"{DOOR}_{OTHER}"
        return (await self.done(contact, Start(id=self.new_id(), inbox=inbox, text=text))).conversation

    async def send(self, actor: Actor, conversation: str, text: str = "Hello") -> Done:
        return await self.done(actor, Send(id=self.new_id(), conversation=conversation, text=text))

    def _settle(self, answers: list[Answer], commits: list[Commit]) -> None:
        self.batches.append(answers)
        self.commits += commits
        for answer in answers:
            answer.ticket.peer.set_result(answer.result)


@asynccontextmanager
async def open_office(
    store: Store, clock: Clock, limits: BatchLimits | None = None, *, lanes: int = 1, duty: Duty | None = None
) -> AsyncIterator[Office]:
    """An office whose ledger runs until the block ends."""
    office = Office(store, clock, limits, lanes=lanes, duty=duty)
    working = asyncio.create_task(office.ledger.run())
    try:
        yield office
    finally:
        office.ledger.stop()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await working
