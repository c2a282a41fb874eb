"""The switchboard: each kind of payload goes to its taker, what nobody takes is counted, and it is written out once."""

from __future__ import annotations

import asyncio

import pytest

from gateway.bus.memory import Exchange, MemoryBus
from gateway.metrics import new_metrics
from gateway.switchboard import LEDGER, SIGNAL, Switchboard


class Place:
    """A node's switchboard, and what came to it."""

    def __init__(self, exchange: Exchange) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.flushes: list[int] = []
        self.gaps: list[int] = []
        self.bus = MemoryBus(exchange)
        self.unknown = new_metrics().bus_unknown
        self.switchboard = Switchboard(self.bus, lambda: self.flushes.append(len(self.heard)), self.unknown)
        self.switchboard.on_gap(lambda: self.gaps.append(1))
        self.switchboard.connect(LEDGER, lambda account, payload: self.heard.append((account, payload)))

    @property
    def let_pass(self) -> float:
        return float(self.unknown._value.get())


async def two_places() -> tuple[Place, Place]:
    exchange = Exchange()
    here, there = Place(exchange), Place(exchange)
    await there.bus.subscribe("acc_1")
    return here, there


async def a_turn() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_a_payload_goes_whole_to_the_taker_of_its_kind() -> None:
    here, there = await two_places()
    signals: list[bytes] = []
    there.switchboard.connect(SIGNAL, lambda account, payload: signals.append(payload))

    here.switchboard.tell("acc_1", bytes([SIGNAL]) + b"typing")
    here.switchboard.tell("acc_1", bytes([LEDGER]) + b"change")
    await a_turn()

    assert signals == [bytes([SIGNAL]) + b"typing"]
    assert there.heard == [("acc_1", bytes([LEDGER]) + b"change")]


async def test_whatever_is_heard_in_one_turn_is_written_out_once_behind_it() -> None:
    here, there = await two_places()

    for number in range(5):
        here.switchboard.tell("acc_1", bytes([LEDGER, number]))
    await a_turn()
    assert there.flushes == [5]

    here.switchboard.tell("acc_1", bytes([LEDGER]))
    await a_turn()
    assert there.flushes == [5, 6]


@pytest.mark.parametrize("payload", [b"", b"\xff", bytes([SIGNAL]), b"\x00" * 100_000])
async def test_a_kind_of_a_newer_version_is_counted_and_let_pass(payload: bytes) -> None:
    here, there = await two_places()

    here.switchboard.tell("acc_1", payload)
    await a_turn()

    assert (there.heard, there.flushes, there.gaps, there.let_pass) == ([], [], [], 1)


async def test_it_is_known_whether_anybody_wants_a_payload() -> None:
    here, there = await two_places()

    assert here.switchboard.wants("acc_1")
    assert not there.switchboard.wants("acc_1")
