"""One simulated week, played: its people, its nodes, and what happens to them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

from chat.errors import Refused
from chat.model import Ask, Conversation
from chat.ticket import Done
from tests.builders import an_id
from tests.week.diary import Diary
from tests.week.node import WeekNode
from tests.week.oracle import Wall, kept, neglected
from tests.week.people import TRIES, Clerk, Shopper, ended
from tests.week.places import SLOTS, Places
from tests.week.plan import Plan, populate
from tests.week.roads import Cable, Post, PostBus
from tests.week.virtual import Outside, VirtualClock

DEPLOYS, CRASHES, RESTARTS = 3, 4, 1
AFTER_SECONDS = 180.0  # that the nodes go on when everybody has gone
LOOK_SECONDS = 20.0  # between two looks whether all is well

Where = Callable[[], WeekNode | None]


class Town:
    """`live` plays it through; the diary has what happened."""

    def __init__(self, plan: Plan, places: Places, clock: VirtualClock, outside: Outside) -> None:
        self.plan = plan
        self.clock = clock
        self.diary = Diary()
        self.shoppers: dict[str, Shopper] = {}
        self.nodes: list[WeekNode] = []
        self.neglected: list[str] = []
        """What waited though somebody could have taken it, and what stayed in the hands of who couldn't serve it."""
        self._wall = Wall(plan)
        self._random = Random(f"town {plan.seed}")
        self._places = places
        self._outside = outside
        self._post = Post(self._random)
        self._clerks = {id_: Clerk(self, agent, self._wall.duty(id_)) for id_, agent in plan.agents.items()}
        self._events: dict[str, asyncio.Event] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._failed: BaseException | None = None
        self._has_node = asyncio.Event()
        self._asks = self._starts = 0
        outside.is_busy_elsewhere = lambda: any(not node.is_over and node.ledger.is_busy for node in self.nodes)

    async def live(self) -> None:
        """The whole week. Raises what goes wrong in any task of it."""
        await populate(self._places.stores[0], self.plan)
        self.nodes = [await self._a_new_node(slot) for slot in range(SLOTS)]
        self._has_node.set()
        for clerk in self._clerks.values():
            self.watch(asyncio.create_task(clerk.live()))
        self.watch(asyncio.create_task(self._let_shoppers_come()))
        self.watch(asyncio.create_task(self._let_things_happen()))
        while self.clock.now() < self.plan.ends:
            await asyncio.sleep(LOOK_SECONDS)
            self._check()
        for task in list(self._tasks):
            await ended(task)
        await asyncio.sleep(AFTER_SECONDS)
        for node in self.nodes:
            node.check()
            await node.stop()

    # --- what its people use --------------------------------------------------------------------------------------

    async def until(self, at: float) -> None:
        """A moment (ms)."""
        await asyncio.sleep(max(0.0, (at - self.clock.now()) / 1000))

    def new_id(self) -> str:
        self._asks += 1
        return an_id(self._asks)

    async def ask(self, actor: str, ask: Ask, where: Where | None = None) -> Done | Refused | None:
        """Again and again, also at another node, until it is done or refused for good. None: nobody answered."""
        for _ in range(TRIES):
            node = where() if where is not None else await self.a_node(self._random)
            if node is not None:
                try:
                    return await node.ask(actor, ask)
                except Refused as refused:
                    if not refused.retry:
                        return refused
            await asyncio.sleep(1.0)
        return None

    async def a_node(self, random: Random) -> WeekNode:
        """One that takes people."""
        while not (alive := [node for node in self.nodes if node.is_alive]):
            self._has_node.clear()
            await self._has_node.wait()
        return random.choice(alive)

    async def shopper(self, conversation: str) -> Shopper:
        """Whose it is: who began it may not have been answered yet."""
        while conversation not in self.shoppers:
            await self.moved(conversation)
        return self.shoppers[conversation]

    async def moved(self, conversation: str) -> None:
        """Wait until something happens to it, or for a while."""
        event = self._events.setdefault(conversation, asyncio.Event())
        try:
            async with asyncio.timeout(30):
                await event.wait()
        except TimeoutError:
            return

    def watch(self, task: asyncio.Task[None]) -> None:
        """What it dies of ends the week."""
        self._tasks.add(task)
        task.add_done_callback(self._forget)

    # --- what happens ---------------------------------------------------------------------------------------------

    def _hears(self, node: WeekNode, conversation: Conversation) -> None:
        """A node has heard of something."""
        id_ = conversation.id
        self.diary.hear(conversation, self.clock.now())
        if (event := self._events.pop(id_, None)) is not None:
            event.set()
        shopper, state = self.shoppers.get(id_), self.diary.states.get(id_, conversation)
        if shopper is not None and state.waiting_since is None and state.status == "open":
            shopper.was_answered.set()
        if conversation.assignee in self._clerks:
            self._clerks[conversation.assignee].hear(node, conversation)

    async def _let_shoppers_come(self) -> None:
        for number, at in enumerate(self.plan.arrivals):
            await self.until(at)
            self.watch(asyncio.create_task(Shopper(self, number).live()))

    async def _let_things_happen(self) -> None:
        """One after the other, so that never both nodes are gone."""
        happenings = [self._deploy] * DEPLOYS + [self._crash] * CRASHES + [self._restart_redis] * RESTARTS
        length = self.plan.ends - self.plan.begins
        moments = sorted(self.plan.begins + self._random.uniform(0.02, 0.98) * length for _ in happenings)
        for at, happen in zip(moments, self._random.sample(happenings, len(happenings)), strict=True):
            await self.until(at)
            await happen()

    async def _deploy(self) -> None:
        for slot in range(SLOTS):
            self._note("deploy")
            await self.nodes[slot].stop()
            await self._replace(slot)
            await asyncio.sleep(self._random.uniform(20, 120))

    async def _crash(self) -> None:
        self._note("crash")
        slot = self._random.randrange(SLOTS)
        await self.nodes[slot].crash()
        await asyncio.sleep(self._random.uniform(2, 60))
        await self._replace(slot)

    async def _restart_redis(self) -> None:
        self._note("redis")
        self._post.go_away()
        self._places.lose_redis()
        await asyncio.sleep(self._random.uniform(2, 8))
        self._places.bring_redis_back()
        self._post.come_back()
        self._note("redis")

    async def _replace(self, slot: int) -> None:
        self.nodes[slot] = await self._a_new_node(slot)
        self._has_node.set()
        self._note("start")

    async def _a_new_node(self, slot: int) -> WeekNode:
        self._starts += 1
        name = f"node_{self._starts}"
        cable = Cable(self._places.presence(name), self._post, self._outside)
        things: dict[str, Any] = {"clock": self.clock, "times": self._places.times, "diary": self.diary}
        bus, random = PostBus(self._post), Random(f"{name} {self.plan.seed}")
        node = WeekNode(name, self._places.stores[slot], cable, bus, hears=self._hears, random=random, **things)
        await node.start()
        return node

    def _note(self, what: str) -> None:
        self.diary.faults.append((self.clock.now(), what))

    # --- whether all is well --------------------------------------------------------------------------------------

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed = self._failed or error

    def _check(self) -> None:
        if self._failed is not None:
            raise self._failed
        for node in self.nodes:
            node.check()
        now = self.clock.now()
        self.neglected += neglected(self.plan, self.diary, self._wall, now)
        self.neglected += kept(self.plan, self.diary, self._wall, self._places.times, now)
