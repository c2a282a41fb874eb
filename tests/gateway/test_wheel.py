"""The wheel: every rider is pinged once per turn and checked soon after; the hurried are looked at every second."""

import asyncio
from dataclasses import dataclass, field
from itertools import pairwise

from gateway.wheel import AT_ONCE, Wheel


@dataclass(eq=False)
class Bike:
    """A rider that writes down at which tick it was asked what."""

    pinged: list[int] = field(default_factory=list)
    checked: list[int] = field(default_factory=list)
    looked_at: list[float] = field(default_factory=list)
    tick: int = 0

    def ping(self, n: int) -> None:
        self.pinged.append(self.tick)

    def check_pong(self) -> None:
        self.checked.append(self.tick)

    def check_deadline(self, now: float) -> None:
        self.looked_at.append(now)


class Turning:
    """A wheel, and how often it flushed."""

    def __init__(self, ping_seconds: float, pong_seconds: float) -> None:
        self.flushes = 0
        self.wheel = Wheel(ping_seconds, pong_seconds, self._flush)

    def turn(self, ticks: int, *bikes: Bike) -> None:
        for tick in range(1, ticks + 1):
            for bike in bikes:
                bike.tick = tick
            asyncio.run(self.wheel.tick(float(tick)))

    def _flush(self) -> None:
        self.flushes += 1


def test_each_rider_is_pinged_once_per_turn_and_checked_in_time() -> None:
    turning, bikes = Turning(25, 10), [Bike() for _ in range(60)]
    for bike in bikes:
        turning.wheel.mount(bike)

    turning.turn(100, *bikes)

    for bike in bikes:
        assert len(bike.pinged) == 4
        assert {later - sooner for sooner, later in pairwise(bike.pinged)} == {25}
        assert {tick + 10 for tick in bike.pinged if tick + 10 <= 100} <= set(bike.checked)


def test_a_crowd_that_comes_at_once_is_spread_over_the_turn() -> None:
    turning, bikes = Turning(25, 10), [Bike() for _ in range(100)]
    for bike in bikes:
        turning.wheel.mount(bike)

    turning.turn(25, *bikes)

    pings = [bike.pinged[0] for bike in bikes]
    assert {pings.count(tick) for tick in range(1, 26)} == {4}


def test_who_has_dismounted_is_left_in_peace() -> None:
    turning, bike = Turning(5, 2), Bike()
    slot = turning.wheel.mount(bike)
    turning.wheel.hurried.add(bike)

    turning.wheel.dismount(bike, slot)
    turning.turn(20, bike)

    assert (bike.pinged, bike.checked, bike.looked_at) == ([], [], [])


def test_the_hurried_are_looked_at_every_second_with_the_moment() -> None:
    turning, bike = Turning(25, 10), Bike()
    turning.wheel.hurried.add(bike)

    turning.turn(3, bike)

    assert bike.looked_at == [1.0, 2.0, 3.0]


def test_riders_may_dismount_while_they_are_asked() -> None:
    turning = Turning(2, 1)

    class Jumper(Bike):
        def check_deadline(self, now: float) -> None:
            turning.wheel.hurried.discard(self)

    jumpers = [Jumper() for _ in range(3)]
    turning.wheel.hurried.update(jumpers)

    turning.turn(1)

    assert turning.wheel.hurried == set()


def test_what_a_tick_puts_out_is_flushed() -> None:
    turning, bike = Turning(25, 10), Bike()
    turning.wheel.mount(bike)

    turning.turn(25, bike)

    assert turning.flushes == len(bike.pinged) + len(bike.checked)


async def test_a_crowd_is_looked_at_in_several_turns_of_the_loop() -> None:
    turning, bikes = Turning(25, 10), [Bike() for _ in range(AT_ONCE * 2 + 1)]
    turning.wheel.hurried.update(bikes)
    tick = asyncio.ensure_future(turning.wheel.tick(1.0))
    looked_at = []
    while not tick.done():
        await asyncio.sleep(0)
        looked_at.append(sum(len(bike.looked_at) for bike in bikes))

    assert {AT_ONCE, AT_ONCE * 2, AT_ONCE * 2 + 1} <= set(looked_at)


async def test_who_has_gone_meanwhile_isnt_looked_at() -> None:
    turning, bikes = Turning(25, 10), [Bike() for _ in range(AT_ONCE * 2)]
    turning.wheel.hurried.update(bikes)
    tick = asyncio.ensure_future(turning.wheel.tick(1.0))
    await asyncio.sleep(0)
    late = [bike for bike in bikes if not bike.looked_at]
    for bike in late:
        turning.wheel.hurried.discard(bike)
    await tick

    assert len(late) == AT_ONCE
    assert not any(bike.looked_at for bike in late)


def test_the_shortest_turn_still_leaves_time_for_a_pong() -> None:
    turning, bike = Turning(0.05, 0.02), Bike()
    turning.wheel.mount(bike)

    turning.turn(10, bike)

    assert not set(bike.pinged) & set(bike.checked)
    assert len(bike.pinged) == 5
