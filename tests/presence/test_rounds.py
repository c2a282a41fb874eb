"""The rounds: nobody waits for them, they cost a call per account and refresh, and an engine may be away or hang."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from presence import About, Away, Nodes, Table, Times
from presence import rounds as module
from presence.memory import Memory, MemoryPresence
from presence.rounds import Rounds
from tests.builders import StillClock

SHOP = "acc_shop"
TIMES = Times()
NOA, DARA = "agt_noa", "agt_dara"


class Engine(MemoryPresence):
    """Counts what is asked of it, and may be away or hang."""

    def __init__(self, clock: StillClock, memory: Memory, node: str) -> None:
        super().__init__(clock.ticks, node, memory)
        self.calls: list[tuple[str, set[str]]] = []
        self.is_away = False
        self.hangs = False

    async def touch(
        self, account: str, here: Collection[str], gone: Mapping[str, float | None] | None = None, known: str = ""
    ) -> Table:
        self.calls.append((account, set(here)))
        await self._reach()
        return await super().touch(account, here, gone, known)

    async def beat(self, about: About) -> Nodes:
        self.calls.append(("beat", set()))
        await self._reach()
        return await super().beat(about)

    def taken(self) -> list[tuple[str, set[str]]]:
        """What was asked since this was last asked."""
        calls, self.calls = self.calls, []
        return calls

    async def _reach(self) -> None:
        if self.is_away:
            raise Away("on purpose")
        if self.hangs:
            await asyncio.get_running_loop().create_future()


@dataclass
class Place:
    """A node's rounds, turned by hand."""

    clock: StillClock
    memory: Memory
    name: str = "here"
    moved: list[str] = field(default_factory=list)
    rung: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.engine = Engine(self.clock, self.memory, self.name)
        self.rounds = Rounds(
            self.engine, self.clock.ticks, ring=lambda account, version: self.rung.append(version), moved=self._moved
        )
        self.enter, self.leave = self.rounds.enter, self.rounds.leave

    @property
    def here(self) -> set[str]:
        return set(self.rounds.here(SHOP))

    def _moved(self, account: str) -> None:
        self.moved.append(account)

    async def wait(self, seconds: float) -> None:
        """As the tasks would do it."""
        for _ in range(round(seconds / 0.5)):
            self.clock.move(0.5)
            await self.rounds.talk()
            self.rounds.look()


@pytest.fixture
def place(clock: StillClock) -> Place:
    return Place(clock, Memory())


def beside(place: Place) -> Place:
    """Another node, which hears the bell of this one."""
    return Place(place.clock, place.memory, "there")


def tell_bells(one: Place, other: Place) -> None:
    for version in one.rung:
        other.rounds.hear(SHOP, version)
    one.rung.clear()


async def test_who_comes_is_here_at_once_and_on_other_nodes_when_their_bell_has_rung(place: Place) -> None:
    other = beside(place)
    other.enter(SHOP, DARA, "laptop")
    await other.rounds.talk()

    place.enter(SHOP, NOA, "laptop")
    assert place.here == {NOA}
    await place.rounds.talk()
    assert place.here == {NOA, DARA}
    tell_bells(place, other)
    await other.wait(0.5)

    assert other.here == {NOA, DARA}


async def test_without_a_bell_the_next_refresh_tells(place: Place) -> None:
    other = beside(place)
    for each in (place, other):
        each.enter(SHOP, f"agt_{each.name}", "laptop")
        await each.rounds.talk()
    assert other.here == place.here | {"agt_there"}

    await place.wait(TIMES.refresh + TIMES.jitter)

    assert place.here == {"agt_here", "agt_there"}


async def test_a_bell_of_a_version_that_is_known_asks_nobody(place: Place) -> None:
    place.enter(SHOP, NOA, "laptop")
    await place.rounds.talk()
    place.engine.taken()

    place.rounds.hear(SHOP, place.rung[-1])
    place.rounds.hear("acc_unheard_of", "x:1")
    await place.wait(2)

    assert place.engine.taken() == []


async def test_a_bell_that_rings_while_an_answer_is_under_way_is_not_lost(place: Place) -> None:
    other = beside(place)
    place.enter(SHOP, NOA, "laptop")
    place.engine.hangs = True
    asking = asyncio.create_task(place.rounds.talk())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    place.rounds.hear(SHOP, "later:2")
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    place.engine.hangs = False
    other.enter(SHOP, DARA, "laptop")
    await other.rounds.talk()

    await place.wait(1)

    assert place.here == {NOA, DARA}


async def test_thousands_who_come_at_once_are_a_call_or_two(place: Place) -> None:
    crowd = {f"agt_{n}" for n in range(5_000)}
    for agent in crowd:
        place.enter(SHOP, agent, "laptop")
    await place.wait(1)
    assert place.engine.taken() == [(SHOP, crowd)]

    await place.wait(60)

    calls = place.engine.taken()
    assert 5 <= len(calls) <= 7
    assert all(here == crowd for _, here in calls)


async def test_what_is_new_is_said_alone_and_not_more_often_than_twice_a_second(place: Place) -> None:
    place.enter(SHOP, NOA, "laptop")
    await place.rounds.talk()
    place.engine.taken()

    for n in range(10):
        place.enter(SHOP, f"agt_{n}", "laptop")
        place.clock.move(0.1)
        await place.rounds.talk()

    calls = place.engine.taken()
    assert 2 <= len(calls) <= 3
    assert NOA not in set.union(*(here for _, here in calls))


async def test_each_account_is_refreshed_at_a_time_of_its_own(place: Place) -> None:
    random.seed(7)
    for n in range(50):
        place.enter(f"acc_{n}", NOA, "laptop")
    await place.rounds.talk()
    place.engine.taken()

    at: set[float] = set()
    for _ in range(24):
        place.clock.move(0.5)
        await place.rounds.talk()
        at |= {place.clock.ticks()} if place.engine.taken() else set()

    assert len(at) >= 4


async def test_who_drops_is_here_for_the_grace_and_others_are_told_when_it_is_over(place: Place) -> None:
    other = beside(place)
    place.enter(SHOP, NOA, "laptop")
    other.enter(SHOP, DARA, "laptop")
    for each in (place, other):
        await each.rounds.talk()
    tell_bells(place, other)
    await other.wait(1)

    place.leave(SHOP, NOA, "laptop")
    await place.wait(0.5)
    tell_bells(place, other)
    await other.wait(TIMES.grace - 1)
    assert other.here == {NOA, DARA}
    await other.wait(1.5)

    assert other.here == {DARA}
    assert place.rounds._pages == {}  # nobody is left there to be kept in mind


async def test_who_signs_out_is_gone_from_all_nodes_at_once(place: Place) -> None:
    other = beside(place)
    for each, who in ((place, NOA), (other, DARA), (place, DARA)):
        each.enter(SHOP, who, each.name)
        await each.wait(1)

    place.leave(SHOP, NOA, "here", for_good=True)
    place.leave(SHOP, DARA, "here", for_good=True)
    await place.wait(0.5)
    tell_bells(place, other)
    await other.wait(0.5)

    assert other.here == {DARA}


async def test_nobody_waits_for_an_engine_that_does_not_answer(place: Place) -> None:
    place.engine.hangs = True
    asking = asyncio.create_task(place.rounds.talk())
    place.enter(SHOP, NOA, "laptop")
    place.enter(SHOP, DARA, "laptop")
    place.leave(SHOP, DARA, "laptop", for_good=True)
    assert place.here == {NOA}
    assert not place.rounds.is_settled(SHOP)
    assert place.moved == []

    place.clock.move(module.FIRST_SECONDS)
    place.rounds.look()

    assert place.rounds.is_settled(SHOP)
    assert place.rounds.is_stale(SHOP)
    assert place.moved == [SHOP]
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)


async def test_that_the_engine_is_away_is_said_once_and_nobody_leaves(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    other = beside(place)
    for each in (place, other):
        each.enter(SHOP, f"agt_{each.name}", "laptop")
        await each.wait(1)
    both = {"agt_here", "agt_there"}
    await place.wait(11)
    assert (place.here, place.rounds.is_stale(SHOP)) == (both, False)

    place.engine.is_away = True
    await place.wait(300)
    assert (place.here, place.rounds.is_stale(SHOP)) == (both, True)
    place.engine.is_away = False
    await place.wait(1)
    assert place.here == both
    await place.wait(TIMES.hold)

    assert place.here == {"agt_here"}  # the other one's lease is over since long
    assert [line for line in caplog.messages if "shared" in line] == [
        "presence isn't shared at the moment: on purpose",
        "presence is shared again",
    ]


async def test_while_the_engine_is_away_few_accounts_try_it_and_all_are_said_when_it_is_back(place: Place) -> None:
    accounts = {f"acc_{n}" for n in range(100)}
    for account in accounts:
        place.enter(account, NOA, "laptop")
    await place.rounds.talk()
    place.engine.is_away = True
    await place.wait(2 * TIMES.refresh)  # each has found out by then
    place.engine.taken()

    await place.wait(10)
    assert len(place.engine.taken()) <= 20 * module.AT_ONCE
    place.engine.is_away = False
    await place.wait(1)

    assert {account for account, _ in place.engine.taken()} == accounts


async def test_a_node_that_slept_is_alive_again_before_it_says_anything_else(place: Place) -> None:
    @asynccontextmanager
    async def running() -> AsyncIterator[None]:
        task = asyncio.create_task(place.rounds.run())
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    place.enter(SHOP, NOA, "laptop")
    place.enter(SHOP, DARA, "laptop")
    async with running():
        await asyncio.sleep(0.05)
        place.engine.taken()
        place.clock.move(TIMES.lease + 1)
        place.leave(SHOP, DARA, "laptop")  # heard when it wakes, whenever it was
        async with asyncio.timeout(5):
            while (SHOP, {NOA}) not in place.engine.calls:  # noqa: ASYNC110  # nobody tells a test
                await asyncio.sleep(0.01)

    assert place.engine.calls[0] == ("beat", set())
    table = await place.engine.touch(SHOP, [])
    assert table.leases is not None
    assert {lease.actor for lease in table.leases} == {NOA}


async def test_who_is_on_a_node_that_drains_has_longer_to_come_back(place: Place) -> None:
    other = beside(place)
    for each, who in ((place, NOA), (place, "bot_echo"), (other, DARA)):
        each.enter(SHOP, who, each.name)
        await each.wait(1)

    place.rounds.drain()
    place.leave(SHOP, NOA, "here")
    await place.rounds.close()
    tell_bells(place, other)
    await other.rounds.beat()
    await other.wait(TIMES.drain_grace - 1)
    assert other.here == {NOA, "bot_echo", DARA}
    other.enter(SHOP, NOA, "other laptop")
    await other.wait(2)

    assert other.here == {NOA, DARA}


async def test_a_node_that_drains_says_so(place: Place) -> None:
    rounds = Rounds(place.engine, place.clock.ticks, version="1.2")
    await rounds.beat()
    rounds.drain()
    await rounds.beat()

    assert place.memory.nodes["here"][1] == About("1.2", is_draining=True)


async def test_the_end_waits_a_moment_for_an_engine_that_hangs(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CLOSE_SECONDS", 0.02)
    place.enter(SHOP, NOA, "laptop")
    await place.rounds.talk()
    place.engine.hangs = True

    async with asyncio.timeout(1):
        await place.rounds.close()

    assert place.rounds._pages == {}


async def test_an_account_that_is_attended_is_known_without_anybody_of_it_here(place: Place) -> None:
    other = beside(place)
    other.enter(SHOP, DARA, "laptop")
    await other.rounds.talk()
    assert not place.rounds.is_known(SHOP)

    place.rounds.attend(SHOP)
    assert not place.rounds.is_known(SHOP)  # nobody was asked yet
    await place.rounds.talk()
    assert (place.here, place.rounds.is_known(SHOP), place.moved) == ({DARA}, True, [SHOP])
    other.leave(SHOP, DARA, "laptop", for_good=True)
    await other.wait(0.5)
    tell_bells(other, place)
    await place.wait(1)

    assert (place.here, place.moved) == (set(), [SHOP, SHOP])
    assert place.rounds.is_known(SHOP)


async def test_an_account_that_is_attended_costs_a_call_per_refresh_and_then_nothing(place: Place) -> None:
    for _ in range(2):
        place.rounds.attend(SHOP)
    await place.wait(60)
    assert 6 <= len(place.engine.taken()) <= 8

    place.rounds.unattend(SHOP)
    await place.wait(60)

    assert place.engine.taken() == []
    assert not place.rounds.is_known(SHOP)
    assert place.rounds._pages == {}
    place.rounds.unattend(SHOP)


async def test_who_is_here_is_still_known_when_an_account_with_devices_is_no_more_attended(place: Place) -> None:
    place.rounds.attend(SHOP)
    place.enter(SHOP, NOA, "laptop")
    await place.rounds.talk()

    place.rounds.unattend(SHOP)
    await place.wait(30)

    assert place.here == {NOA}
    assert place.rounds.is_known(SHOP)


async def test_of_whom_an_engine_that_is_away_says_nothing_nothing_is_sure_after_a_lease(place: Place) -> None:
    other = beside(place)
    for each, who in ((place, NOA), (other, DARA)):
        each.enter(SHOP, who, "laptop")
        await each.rounds.talk()
    tell_bells(other, place)
    await place.wait(1)
    assert not place.rounds.is_sure("acc_unheard_of", NOA)

    place.engine.is_away = True
    await place.wait(TIMES.lease - 2)
    assert [place.rounds.is_sure(SHOP, who) for who in (NOA, DARA)] == [True, True]
    await place.wait(TIMES.refresh + 4)
    assert [place.rounds.is_sure(SHOP, who) for who in (NOA, DARA)] == [True, False]
    assert place.here == {NOA, DARA}
    place.engine.is_away = False
    await place.wait(2)

    assert place.rounds.is_sure(SHOP, DARA)


async def test_the_tasks_do_all_this_by_themselves() -> None:
    """In real time, with everything shorter."""
    loop = asyncio.get_running_loop()
    times = Times(lease=0.6, refresh=0.2, jitter=0.02, grace=0.1, beat=0.1, node_lease=0.4)
    memory = Memory()
    places = [Rounds(MemoryPresence(loop.time, name, memory, times), loop.time, times=times) for name in "ab"]
    tasks = [asyncio.create_task(rounds.run()) for rounds in places]
    places[0].enter(SHOP, NOA, "laptop")
    places[1].enter(SHOP, DARA, "laptop")

    async def until(who: set[str]) -> None:
        async with asyncio.timeout(5):
            while places[0].here(SHOP) != who:  # noqa: ASYNC110  # nobody tells a test
                await asyncio.sleep(0.01)

    await until({NOA, DARA})
    await asyncio.sleep(times.lease * 1.5)
    assert places[0].here(SHOP) == {NOA, DARA}
    tasks[1].cancel()  # as if killed
    await until({NOA})
    tasks[0].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
