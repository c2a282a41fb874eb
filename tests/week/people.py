"""Who lives through the simulated week: agents who come, answer, rest, drop and go, and shoppers who write and wait."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from math import exp
from random import Random
from typing import TYPE_CHECKING

from chat.model import Actor, Ask, Conversation
from chat.rules.availability import SetAvailability
from chat.rules.conversations import Resolve
from chat.rules.messages import Send, Start
from chat.rules.signals import Typing
from chat.rules.snooze import Snooze
from chat.rules.transfer import Transfer
from chat.ticket import Done
from tests.week.diary import Stay
from tests.week.node import Ear, WeekNode
from tests.week.plan import ACCOUNT, CONTACTS, DOORS, SHARES, TEAMS, Agent

if TYPE_CHECKING:
    from tests.week.town import Town

TRIES = 60  # a second apart: a node may be gone, or the ask's answer
SILENCE_SECONDS = 240.0  # after which an agent believes that the shopper has gone
MINUTES = 60.0

Run = tuple[int, int]
"""Of duty, from when to when (ms)."""


class Shopper:
    """One matter of one contact. `turns` is how often it writes in it."""

    def __init__(self, town: Town, number: int) -> None:
        self.random = Random(f"shopper {town.plan.seed} {number}")
        self.contact = f"con_{self.random.randrange(CONTACTS):04}"
        self.turns = 1 + min(6, int(self.random.expovariate(0.6)))
        self.patience = self.random.expovariate(1 / (40 * MINUTES))
        self.was_answered = asyncio.Event()
        self._town = town
        self._door = self.random.choices(DOORS, SHARES)[0]

    async def live(self) -> None:
        """From the first word to the last."""
        begin = Start(id=self._town.new_id(), inbox=self._door, text="Where is it?")
        done = await self._town.ask(self.contact, begin)
        assert isinstance(done, Done), f"a shopper was refused: {done!r}"
        conversation = done.conversation
        self._town.shoppers[conversation] = self
        self.turns -= 1
        with suppress(TimeoutError):
            async with asyncio.timeout(self.patience):
                await self.was_answered.wait()
        if not self.was_answered.is_set():
            self.turns = 0  # nobody will hear of it again
            return
        while self.turns > 0:
            await self.was_answered.wait()
            await asyncio.sleep(_about(self.random, 25, most=200))
            if self.random.random() < 0.04:
                self.turns = 0
                return
            await self._say(conversation)
        if self.random.random() < 0.04:  # one more question, long after it was settled
            await asyncio.sleep(self.random.uniform(5, 90) * MINUTES)
            self.turns = 1
            await self._say(conversation)

    async def _say(self, conversation: str) -> None:
        self.turns -= 1
        self.was_answered.clear()
        await self._town.ask(self.contact, Send(id=self._town.new_id(), conversation=conversation, text="And now?"))


class Clerk:
    """An agent. `runs` is when it is on duty, as a clock on the wall says."""

    def __init__(self, town: Town, agent: Agent, runs: list[Run]) -> None:
        self.agent = agent
        self.actor = Actor(ACCOUNT, "agent", agent.id, agent.id, "agent")
        self.random = Random(f"clerk {town.plan.seed} {agent.id}")
        self._town = town
        self._runs = runs
        self._ear: Ear | None = None
        self._node: WeekNode | None = None
        self._serving: dict[str, asyncio.Task[None]] = {}

    async def live(self) -> None:
        """All shifts of the week: not always on time, and sometimes longer than wanted."""
        for begin, end in self._runs:
            comes = begin + self.random.uniform(-12, 6) * 60_000
            goes = end + self.random.uniform(-2, 20) * 60_000
            if goes <= self._town.clock.now():
                continue
            await self._town.until(comes)
            work = asyncio.create_task(self._work())
            try:
                await self._town.until(goes)
            finally:
                await ended(work)
            await self._go_home()

    def hear(self, node: WeekNode, conversation: Conversation) -> None:
        """What the node that it is connected to tells."""
        if node is self._node and conversation.assignee == self.agent.id and conversation.status == "open":
            self._take_up(conversation.id)

    # --- being there ----------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        resting = asyncio.create_task(self._rest_now_and_then())
        try:
            while True:
                await self._stay()
        finally:
            await ended(resting)

    async def _stay(self) -> None:
        """Until the connection is gone, by its node's doing or by chance; and a while without one."""
        node = await self._town.a_node(self.random)
        ear = self._connect(node)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(self.random.expovariate(1 / (150 * MINUTES))):
                    await ear.lost.wait()
        finally:
            self._disconnect(for_good=False)
        if ear.lost.is_set():
            await asyncio.sleep(self.random.uniform(0.5, 8))
            return
        await asyncio.sleep(self.random.choices((self._blink, self._stumble, self._vanish), (7, 2, 1))[0]())

    def _blink(self) -> float:
        return self.random.uniform(0.3, 10)

    def _stumble(self) -> float:
        return self.random.uniform(12, 150)

    def _vanish(self) -> float:
        return self.random.uniform(5, 20) * MINUTES

    def _connect(self, node: WeekNode) -> Ear:
        self._ear, self._node = ear, node = Ear(self.actor), node
        self._town.diary.stays[self.agent.id].append(Stay(node.name, self._town.clock.now()))
        node.enter(ear)
        for conversation, holder in self._town.diary.open.items():  # what a console shows first
            if holder == self.agent.id:
                self._take_up(conversation)
        return ear

    def _disconnect(self, *, for_good: bool) -> None:
        if self._ear is None or self._node is None:
            return
        stay = self._town.diary.stays[self.agent.id][-1]
        stay.ended_at, stay.is_for_good = self._town.clock.now(), for_good
        self._node.leave(self._ear, for_good=for_good)
        self._ear = self._node = None

    async def _go_home(self) -> None:
        """Half of them sign out, and some forget to close the lid."""
        for task in list(self._serving.values()):
            await ended(task)
        if self.random.random() < 0.5:
            # A device that drops on one node in the very moment of a sign-out on another may still be waited for.
            await asyncio.sleep(self.random.uniform(1, 20))
            node = await self._town.a_node(self.random)
            self._connect(node)
            self._disconnect(for_good=True)

    # --- resting --------------------------------------------------------------------------------------------------

    async def _rest_now_and_then(self) -> None:
        """A sign of life every few minutes, but when asleep; a pause; and back again, whoever said that it is away."""
        finishes = self.random.random() < 0.2  # what is open at the end of this shift
        await self._ask(SetAvailability(availability="available", finish=finishes))
        pause_at = self._town.clock.ticks() + self.random.uniform(1, 5) * 60 * MINUTES
        while True:
            await asyncio.sleep(self.random.uniform(1, 5) * MINUTES)
            if self.random.random() < 0.01:
                await asyncio.sleep(self.random.uniform(8, 25) * MINUTES)
            if self._town.clock.ticks() >= pause_at:
                pause_at = float("inf")
                await self._choose(self.random.choice(("away", "away", "busy")), "lunch")
                await asyncio.sleep(self.random.uniform(15, 45) * MINUTES)
            self._act()
            member = self._town.diary.members.get(self.agent.id)
            if member is not None and member.availability != "available":
                await self._choose("available")

    async def _choose(self, availability: str, reason: str = "") -> None:
        await self._ask(SetAvailability(availability=availability, reason=reason))  # type: ignore[arg-type]

    def _act(self) -> None:
        if self._node is not None and not self._node.is_over:
            self._node.dispatch.act(ACCOUNT, self.agent.id, Typing(conversation="", on=True))

    # --- serving --------------------------------------------------------------------------------------------------

    def _take_up(self, conversation: str) -> None:
        if conversation not in self._serving:
            task = self._serving[conversation] = asyncio.create_task(self._serve(conversation))
            task.add_done_callback(lambda _: self._serving.pop(conversation, None))
            self._town.watch(task)

    async def _serve(self, conversation: str) -> None:
        if self._town.diary.states[conversation].routing is not None and self.random.random() < 0.03:
            await asyncio.sleep(self.random.uniform(50, 120))  # looks elsewhere
        await asyncio.sleep(self.random.uniform(3, 22))
        fate = self.random.random()
        shopper = await self._town.shopper(conversation)
        while self._holds(conversation):
            if not await self._ask(Send(id=self._town.new_id(), conversation=conversation, text="Let me see.")):
                return
            if fate < 0.05 and await self._hand_on(conversation, fate):
                return
            if shopper.turns <= 0 or not await self._hears_from(conversation):
                break
            await asyncio.sleep(_about(self.random, 75, most=600))
        await asyncio.sleep(_about(self.random, 75, most=600))
        if self._holds(conversation):
            await self._ask(Resolve(id=self._town.new_id(), conversation=conversation))

    async def _hand_on(self, conversation: str, fate: float) -> bool:
        """To another team, to a colleague, or to later."""
        new_id = self._town.new_id()
        if fate < 0.02:
            other = self.random.choice([team for team in TEAMS if team not in self.agent.teams])
            return await self._ask(Transfer(id=new_id, conversation=conversation, to=other, note="See above"))
        if fate < 0.035:
            to = self.random.choice([id_ for id_ in self._town.plan.agents if id_ != self.agent.id])
            return await self._ask(Transfer(id=new_id, conversation=conversation, to=to, when_full="refuse"))
        until = self._town.clock.now() + round(self.random.uniform(10, 180) * 60_000)
        return await self._ask(Snooze(id=new_id, conversation=conversation, until=until))

    async def _hears_from(self, conversation: str) -> bool:
        """Whether the shopper writes again while it is waited for."""
        with suppress(TimeoutError):
            async with asyncio.timeout(SILENCE_SECONDS):
                while self._town.diary.states[conversation].waiting_since is None:
                    await self._town.moved(conversation)
        return self._town.diary.states[conversation].waiting_since is not None

    def _holds(self, conversation: str) -> bool:
        state = self._town.diary.states[conversation]
        return state.assignee == self.agent.id and state.status == "open"

    async def _ask(self, ask: Ask) -> bool:
        """As soon as it is connected. Whether it was done."""
        done = await self._town.ask(self.agent.id, ask, lambda: self._node)
        return isinstance(done, Done)


async def ended(task: asyncio.Task[None]) -> None:
    """End it. Raises what it has died of before."""
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error


def _about(random: Random, seconds: float, *, most: float) -> float:
    """Mostly about so long, sometimes much longer."""
    return min(most, seconds * exp(random.gauss(0, 0.7)))
