"""A stream's whole life: three nodes write, bells and bulletins get lost, come twice, late and in any order, the store
goes away; what is delivered has no hole and no step back, and in the end it is all there."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat.errors import Unavailable
from gateway import stream as stream_module
from gateway.bulletin import Bulletin
from gateway.stream import Streams

ACCOUNT = "acc_mine"
EXAMPLES = int(os.environ.get("SHOPBELL_EXAMPLES", "100"))
PUBLISHERS = 3  # the first is this node, whose bulletins don't go over the bus


class Life:
    """One account's ledger, what of it is on its way to this node, and what its listeners have heard."""

    def __init__(self) -> None:
        self.head = 0
        self.cursor = 0
        self.on_its_way: list[Bulletin] = []
        self.is_away = False
        self.is_bus_healthy = True
        self.is_reading = False
        self.reads = self.sweeps = 0
        self.faults: list[str] = []
        """What was wrong: whoever heals does that in a task of its own."""
        self.streams = Streams(self._deliver, self._missed, self._heads, lambda: None, lambda: self.is_bus_healthy)

    def commit(self, publisher: int, changes: int) -> None:
        """A node writes: its own listeners hear that at once, and the others when they do."""
        since, self.head = self.head, self.head + changes
        bulletin = Bulletin(ACCOUNT, since, self.head, ())
        if publisher == 0:
            self.streams.offer(bulletin)
        else:
            self.on_its_way.append(bulletin)

    def arrive(self, which: int, *, stays: bool) -> None:
        if self.on_its_way:
            which %= len(self.on_its_way)
            self.streams.offer(self.on_its_way[which])
            if not stays:
                del self.on_its_way[which]

    def ring(self, which: int) -> None:
        """Only that something has happened arrives: it was too long, or of a newer version."""
        if self.on_its_way:
            self.streams.expect(ACCOUNT, self.on_its_way.pop(which % len(self.on_its_way)).cursor)

    def lose(self, which: int) -> None:
        if self.on_its_way:
            del self.on_its_way[which % len(self.on_its_way)]

    async def sweep(self) -> None:
        try:
            await self.streams.sweep()
        except Unavailable:
            assert self.is_away

    async def turns(self, number: int) -> None:
        for _ in range(number):
            await asyncio.sleep(0)

    def _deliver(self, bulletin: Bulletin) -> None:
        if not bulletin.since <= self.cursor < bulletin.cursor <= self.head:
            self.faults.append(f"{bulletin} at {self.cursor}")
        self.cursor = bulletin.cursor

    async def _missed(self, account: str, since: int) -> Bulletin:
        if self.is_reading:
            self.faults.append("two read")
        if since >= self.head:
            self.faults.append("there was no hole")
        self.is_reading, self.reads = True, self.reads + 1
        await self.turns(2)
        self.is_reading = False
        if self.is_away:
            raise Unavailable("on purpose")
        head = self.head
        await self.turns(1)
        return Bulletin(account, since, head, ())

    async def _heads(self, accounts: Iterable[str]) -> dict[str, int]:
        self.sweeps += 1
        await self.turns(1)
        if self.is_away:
            raise Unavailable("on purpose")
        return dict.fromkeys(accounts, self.head)


which = st.integers(0, 30)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("commit"), st.integers(0, PUBLISHERS - 1), st.integers(1, 3)),
        st.tuples(st.just("arrive"), which),
        st.tuples(st.just("arrive"), which),
        st.tuples(st.just("arrive twice"), which),
        st.tuples(st.just("ring"), which),
        st.tuples(st.just("lose"), which),
        st.tuples(st.just("turns"), st.integers(1, 8)),
        st.tuples(st.sampled_from(["sweep", "away", "back"])),
    ),
    min_size=30,  # short lives rarely have more than one trouble
    max_size=100,
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(steps)
def test_whatever_is_lost_doubled_late_or_out_of_order_is_heard_once_and_in_order(steps: list[tuple[str, int]]) -> None:
    async def live() -> None:
        life = Life()
        await life.streams.open(ACCOUNT)
        for step, *numbers in steps:
            match step:
                case "commit":
                    life.commit(*numbers)
                case "arrive" | "arrive twice":
                    life.arrive(*numbers, stays=step == "arrive twice")
                case "ring":
                    life.ring(*numbers)
                case "lose":
                    life.lose(*numbers)
                case "turns":
                    await life.turns(*numbers)
                case "sweep":
                    await life.sweep()
                case _:
                    life.is_away = step == "away"
        life.is_away = False
        life.on_its_way.clear()
        await life.turns(20)  # whoever reads while the store comes back
        await life.sweep()
        await life.turns(20)

        assert (life.cursor, life.faults) == (life.head, [])
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream_module, "HOLE_SECONDS", 0)
        asyncio.run(live())


@asynccontextmanager
async def swept(monkeypatch: pytest.MonkeyPatch, *, poll: float, sweep: float, hole: float) -> AsyncIterator[Life]:
    monkeypatch.setattr(stream_module, "POLL_SECONDS", poll)
    monkeypatch.setattr(stream_module, "SWEEP_SECONDS", sweep)
    monkeypatch.setattr(stream_module, "HOLE_SECONDS", hole)
    life = Life()
    await life.streams.open(ACCOUNT)
    life.sweeps = 0
    sweeping = asyncio.create_task(life.streams.run())
    yield life
    sweeping.cancel()
    await asyncio.wait([sweeping])


async def test_a_process_that_stood_still_sweeps_as_soon_as_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async with swept(monkeypatch, poll=0.02, sweep=0.3, hole=0) as life:
        await asyncio.sleep(0.03)
        assert life.sweeps == 0

        time.sleep(0.4)  # noqa: ASYNC251  # as if it was stopped
        life.head = 5
        await asyncio.sleep(0.05)

        assert (life.cursor, life.sweeps) == (5, 1)


async def test_however_often_something_may_be_lost_heads_are_compared_only_so_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with swept(monkeypatch, poll=60, sweep=60, hole=0.02) as life:
        for _ in range(100):
            life.streams.lose()
            await asyncio.sleep(0.001)

        assert 2 <= life.sweeps <= 12


async def test_a_bell_for_each_of_many_changes_is_one_read_for_many_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """So nodes of two versions tell each other: at full load each other's bulletins are bells alone."""
    async with swept(monkeypatch, poll=60, sweep=60, hole=0.02) as life:
        for number in range(100):
            life.commit(1, 1)
            life.ring(0)
            if number % 3 == 0:
                life.commit(0, 1)
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)

        assert life.cursor == life.head == 134
        assert 2 <= life.reads <= 16
