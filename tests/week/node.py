"""A node of the simulated week: the real parts as `gateway.app` puts them together, without sockets and HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from random import Random
from typing import Any

from msgspec.json import Decoder

from chat.batch import Commit
from chat.floors import Floors
from chat.ledger import Ledger
from chat.model import Actor, Ask, Conversation
from chat.promises import Promises
from chat.reading import Reading
from chat.store import Store
from chat.ticket import Answer, Done
from chat.timers import Timers
from gateway.asking import Asking
from gateway.bulletin import Bulletin
from gateway.dispatch import Dispatch
from gateway.duty import NodeDuty
from gateway.hub import Hub
from gateway.metrics import new_metrics
from gateway.prospects import Prospects
from gateway.queues import Queues
from gateway.relay import Follower, Relay
from gateway.roll import Roll
from gateway.stream import Streams
from gateway.switchboard import Switchboard
from gateway.timers import Alarms
from presence import Presence, Times
from presence.rounds import Rounds
from tests.week.diary import Diary
from tests.week.plan import ACCOUNT
from tests.week.roads import PostBus
from tests.week.virtual import VirtualClock

LOOK_SECONDS = 30.0  # between two looks at what passes by itself: whoever wants to know it looks anyway
RING_SECONDS = 60.0  # between two looks for timers that nobody was told of; who hasn't answered is looked at in time
SWEEP_SECONDS = 60.0  # between two looks at the store's head; each second while the nodes don't hear each other
DROP_SECONDS = 3.0  # over which a node that stops sends its people away

Hears = Callable[["WeekNode", Conversation], None]
_decode = Decoder(Conversation).decode


class Ear:
    """An agent's device. It hears what is said to agents, and forgets it."""

    def __init__(self, actor: Actor) -> None:
        self.actor = actor
        self.lost = asyncio.Event()
        """The connection is gone, and not by the agent's own doing."""

    def overhear(self, payload: bytes) -> bool:
        return True


class Heard:
    """The dispatch, and behind it everybody who is connected here."""

    def __init__(self, node: WeekNode, dispatch: Dispatch, hears: Hears) -> None:
        self._node = node
        self._dispatch = dispatch
        self._hears = hears
        self.begin = dispatch.begin
        self.end = dispatch.end
        self.employ = dispatch.employ
        self.act = dispatch.act
        self.wants = dispatch.wants

    def hear(self, bulletin: Bulletin, *, is_own: bool) -> None:
        self._dispatch.hear(bulletin, is_own=is_own)
        for item in bulletin.items:
            self._hears(self._node, _decode(item.document))


class PreciseRounds(Rounds):
    """Sleeps until the next moment at which there is something to do, and doesn't look twice a second whether it has
    come: most of a week would be such looks."""

    def _idle_seconds(self) -> float:
        due = min((min(page.due, page.look_at) for page in self._pages.values()), default=float("inf"))
        return min(LOOK_SECONDS, max(0.0, due - self._ticks()))

    async def _look_for_ever(self) -> None:
        await asyncio.get_running_loop().create_future()


class WeekNode:
    """`hears` is called with everything that happens, as this node hears of it."""

    def __init__(
        self,
        name: str,
        store: Store,
        presence: Presence,
        bus: PostBus,
        clock: VirtualClock,
        times: Times,
        diary: Diary,
        hears: Hears,
        random: Random,
    ) -> None:
        self.name = name
        self.is_alive = True
        """Whether it takes new people."""
        self.is_over = False
        self.ears: set[Ear] = set()
        self._clock = clock
        self._diary = diary
        self._random = random
        self._bus = bus
        self._hears = hears
        metrics = new_metrics()
        switchboard = Switchboard(bus, _nothing, metrics.bus_unknown)
        hub = Hub(lambda seconds, call: asyncio.get_running_loop().call_later(seconds, call), _nothing)
        self._relay = Relay(hub, bus, switchboard, Reading(store), _nothing, metrics)
        self._rounds = PreciseRounds(presence, clock.ticks, times=times)
        duty = NodeDuty(self._rounds)
        self.ledger = Ledger(store, clock, self._settle, duty=duty)
        self._relay.connect(self.ledger)
        self.asking = Asking(self._relay.submit)
        self._roll = Roll(self._rounds, switchboard, _nothing, clock.ticks)
        prospects = Prospects(Promises(store), duty, clock)
        self.dispatch = Dispatch(
            floors=Floors(store),
            duty=duty,
            rounds=self._rounds,
            switchboard=switchboard,
            queues=Queues(prospects.show, prospects.look, hub.contacts),
            prospects=prospects,
            ask=self.asking.ask,
            follow=self._relay.follow,
            is_bus_healthy=lambda: bus.is_healthy,
            flush=_nothing,
            clock=clock,
        )
        follower: Follower = Heard(self, self.dispatch, self._hear)
        self._relay.follower = follower
        self._rounds.watch(self._note)
        self._alarms = Alarms(Timers(store), self.dispatch.ring, clock)
        self._rung = asyncio.Event()
        self._swept = asyncio.Event()
        self._emptied = asyncio.Event()
        self._emptied.set()
        switchboard.on_gap(self._swept.set)
        self._tasks: dict[str, asyncio.Task[None]] = {}

    # --- its life -------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        works: dict[str, Coroutine[Any, Any, None]] = {
            "ledger": self.ledger.run(),
            "roll": self._roll.run(),
            "dispatch": self.dispatch.run(),
            "alarms": self._ring_for_ever(),
            "streams": self._sweep_for_ever(self._relay.streams),
        }
        self._tasks = {name: asyncio.create_task(work, name=f"{name} of {self.name}") for name, work in works.items()}
        await self._relay.follow(ACCOUNT)

    async def crash(self) -> None:
        """It says nothing more to anybody."""
        self.is_alive = False
        await self._bus.close()
        await self._end(*self._tasks)
        self._be_over()
        await self._relay.streams.aclose()
        for ear in list(self.ears):
            ear.lost.set()

    async def stop(self) -> None:
        """As at a deploy: who is connected is sent away, what was begun is finished, and it says goodbye."""
        self.is_alive = False
        self._roll.drain()
        self.dispatch.drain()
        for ear in list(self.ears):
            await asyncio.sleep(self._random.uniform(0, 2 * DROP_SECONDS / (1 + len(self.ears))))
            ear.lost.set()
        async with asyncio.timeout(60):
            await self._emptied.wait()
        self.ledger.stop()
        await self._tasks.pop("ledger")
        await self._end("roll")
        await self._roll.close()
        await self._end(*self._tasks)
        self._be_over()
        await self._relay.streams.aclose()
        await self._bus.close()

    def check(self) -> None:
        """Raise what has ended one of its tasks."""
        for task in self._tasks.values():
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise error

    async def _end(self, *names: str) -> None:
        tasks = [self._tasks.pop(name) for name in names]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    def _be_over(self) -> None:
        self.is_alive, self.is_over = False, True
        self._diary.note_here(self.name, self._clock.now(), None)

    # --- who is connected -----------------------------------------------------------------------------------------

    def enter(self, ear: Ear) -> None:
        self.ears.add(ear)
        self._emptied.clear()
        self._rounds.enter(ACCOUNT, ear.actor.id, ear)
        self.dispatch.enter(ear, None)  # type: ignore[arg-type]  # agents are only told what isn't kept

    def leave(self, ear: Ear, *, for_good: bool) -> None:
        self.ears.discard(ear)
        if not self.ears:
            self._emptied.set()
        if self.is_over:
            return
        self.dispatch.leave(ear)  # type: ignore[arg-type]
        self._rounds.leave(ACCOUNT, ear.actor.id, ear, for_good=for_good)

    async def ask(self, actor: str, ask: Ask) -> Done:
        """Raises Refused."""
        return await self.asking.ask(ACCOUNT, actor, ask)

    # --- what it hears --------------------------------------------------------------------------------------------

    def _settle(self, answers: list[Answer], commits: list[Commit]) -> None:
        self._diary.record(commits, self._clock.now())
        self._relay.settle(answers, commits)

    def _hear(self, node: WeekNode, conversation: Conversation) -> None:
        self._hears(node, conversation)
        routing = conversation.routing
        if routing is not None and routing.unanswered and routing.answer_by:
            late = self._random.uniform(0.0, 1.0)  # timers are looked at each second
            wait = (routing.answer_by - self._clock.now()) / 1000 + late
            asyncio.get_running_loop().call_later(wait, self._ring_if_unanswered, conversation.id, routing.answer_by)

    def _ring_if_unanswered(self, id_: str, answer_by: int) -> None:
        routing = self._diary.states[id_].routing
        if routing is not None and routing.unanswered and routing.answer_by == answer_by:
            self._rung.set()

    def _note(self, account: str) -> None:
        """Called when somebody came or went, and when that was found out by looking."""
        if not self.is_over and self._rounds.is_known(account):
            self._diary.note_here(self.name, self._clock.now(), self._rounds.here(account))

    # --- its tasks ------------------------------------------------------------------------------------------------

    async def _ring_for_ever(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(RING_SECONDS):
                    await self._rung.wait()
            self._rung.clear()
            await self._alarms.ring()

    async def _sweep_for_ever(self, streams: Streams) -> None:
        """As `Streams.run`, which looks each second whether there is something to do."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(SWEEP_SECONDS if self._bus.is_healthy else 1.0):
                    await self._swept.wait()
            self._swept.clear()
            await streams.sweep()


def _nothing() -> None: ...
