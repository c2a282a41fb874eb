"""What is particular to the bus in memory. What every bus promises is in contracts/test_bus.py."""

from __future__ import annotations

import asyncio

from gateway.bus.memory import Exchange, MemoryBus


async def test_a_node_alone_is_not_asked_to_encode_anything() -> None:
    bus = MemoryBus()
    await bus.subscribe("acc_1")

    assert not bus.wants("acc_1")
    assert not bus.wants("acc_2")


async def test_buses_of_two_exchanges_do_not_hear_each_other() -> None:
    heard: list[bytes] = []
    near, far = MemoryBus(Exchange()), MemoryBus(Exchange())
    far.listen(lambda channel, payload: heard.append(payload), lambda: None)
    await far.subscribe("acc_1")

    near.publish("acc_1", b"payload")
    await asyncio.sleep(0)

    assert heard == []


async def test_publishing_does_not_call_a_listener_before_the_publisher_is_done() -> None:
    heard: list[bytes] = []
    exchange = Exchange()
    sender, listener = MemoryBus(exchange), MemoryBus(exchange)
    listener.listen(lambda channel, payload: heard.append(payload), lambda: None)
    await listener.subscribe("acc_1")

    sender.publish("acc_1", b"payload")
    assert heard == []
    await asyncio.sleep(0)

    assert heard == [b"payload"]
