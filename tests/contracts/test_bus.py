"""What every bus promises: see the docstrings of `gateway.bus`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.bus import Bus
from tests.engines import BusEngine

WAIT_SECONDS = 2.0  # for what is on its way


class Node:
    """A bus and what was heard on it."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.heard: list[tuple[str, bytes]] = []
        self.gaps = 0
        self._news = asyncio.Event()
        bus.listen(self._hear, self._gap)

    async def hears(self, count: int) -> list[tuple[str, bytes]]:
        """What was heard, as soon as it is so much."""
        async with asyncio.timeout(WAIT_SECONDS):
            while len(self.heard) < count:
                self._news.clear()
                await self._news.wait()
        return self.heard

    def _hear(self, channel: str, payload: bytes) -> None:
        self.heard.append((channel, payload))
        self._news.set()

    def _gap(self) -> None:
        self.gaps += 1


@asynccontextmanager
async def nodes(engine: BusEngine, count: int) -> AsyncIterator[list[Node]]:
    """As many that run and are healthy."""
    all_of_them = [Node(engine.open()) for _ in range(count)]
    running = [asyncio.create_task(node.bus.run()) for node in all_of_them]
    async with asyncio.timeout(WAIT_SECONDS):
        while not all(node.bus.is_healthy for node in all_of_them):  # noqa: ASYNC110  # a bus has no event for this
            await asyncio.sleep(0.005)
    yield all_of_them
    for node, task in zip(all_of_them, running, strict=True):
        await node.bus.close()
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def test_what_is_published_is_heard_by_every_other_node_that_subscribed(buses: BusEngine) -> None:
    async with nodes(buses, 3) as (sender, first, second):
        await first.bus.subscribe("acc_1")
        await second.bus.subscribe("acc_1")

        sender.bus.publish("acc_1", b"841")

        assert await first.hears(1) == [("acc_1", b"841")]
        assert await second.hears(1) == [("acc_1", b"841")]


async def test_a_publisher_hears_no_echo(buses: BusEngine) -> None:
    async with nodes(buses, 2) as (sender, other):
        await sender.bus.subscribe("acc_1")
        await other.bus.subscribe("acc_1")

        sender.bus.publish("acc_1", b"mine")
        other.bus.publish("acc_1", b"theirs")

        assert await sender.hears(1) == [("acc_1", b"theirs")]
        assert await other.hears(1) == [("acc_1", b"mine")]


async def test_payloads_come_once_each_and_in_the_order_of_publishing(buses: BusEngine) -> None:
    async with nodes(buses, 2) as (sender, listener):
        await listener.bus.subscribe("acc_1")

        for number in range(500):
            sender.bus.publish("acc_1", b"%d" % number)

        assert await listener.hears(500) == [("acc_1", b"%d" % number) for number in range(500)]


async def test_only_what_was_subscribed_is_heard(buses: BusEngine) -> None:
    async with nodes(buses, 2) as (sender, listener):
        await listener.bus.subscribe("acc_1")
        await listener.bus.subscribe("acc_2")
        await listener.bus.unsubscribe("acc_1")
        await listener.bus.unsubscribe("acc_never")

        for channel in ("acc_1", "acc_3", "acc_2"):
            sender.bus.publish(channel, b"payload")

        assert await listener.hears(1) == [("acc_2", b"payload")]


async def test_subscribing_twice_is_hearing_once(buses: BusEngine) -> None:
    async with nodes(buses, 2) as (sender, listener):
        await listener.bus.subscribe("acc_1")
        await listener.bus.subscribe("acc_1")

        sender.bus.publish("acc_1", b"first")
        sender.bus.publish("acc_1", b"second")

        assert await listener.hears(2) == [("acc_1", b"first"), ("acc_1", b"second")]


async def test_it_is_known_whether_anybody_else_wants_a_payload(buses: BusEngine) -> None:
    async with nodes(buses, 2) as (sender, listener):
        await sender.bus.subscribe("acc_1")
        await listener.bus.subscribe("acc_1")

        assert sender.bus.wants("acc_1")


async def test_payloads_are_opaque_bytes(buses: BusEngine) -> None:
    payload = bytes(range(256)) * 40
    async with nodes(buses, 2) as (sender, listener):
        await listener.bus.subscribe("acc_1")

        sender.bus.publish("acc_1", payload)
        sender.bus.publish("acc_1", b"")

        assert await listener.hears(2) == [("acc_1", payload), ("acc_1", b"")]


async def test_publishing_to_nobody_or_after_a_node_has_left_does_no_harm(buses: BusEngine) -> None:
    async with nodes(buses, 3) as (sender, leaver, listener):
        await leaver.bus.subscribe("acc_1")
        await listener.bus.subscribe("acc_1")
        await leaver.bus.close()

        sender.bus.publish("acc_nobody", b"payload")
        sender.bus.publish("acc_1", b"payload")

        assert await listener.hears(1) == [("acc_1", b"payload")]
        assert leaver.heard == []


async def test_a_bus_that_hears_others_hears_itself(buses: BusEngine) -> None:
    bus = buses.open()
    async with nodes(buses, 2) as (first, second):
        assert first.bus.is_here
        assert second.bus.is_here
        assert bus.is_here == bus.is_healthy  # whether it runs or not


async def test_a_bus_that_was_never_away_reports_no_gap(buses: BusEngine) -> None:
    async with nodes(buses, 2) as (sender, listener):
        await listener.bus.subscribe("acc_1")
        sender.bus.publish("acc_1", b"payload")
        await listener.hears(1)

        assert sender.gaps == listener.gaps == 0
