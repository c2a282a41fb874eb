"""The roll: an account's agents hear who of its staff is here, as a whole value, when it changes."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass, field

import pytest

from chat.model import Actor
from gateway import roll as module
from gateway.bus.memory import Exchange, MemoryBus
from gateway.metrics import new_metrics
from gateway.roll import Roll
from gateway.switchboard import PRESENCE, Switchboard
from presence import Times
from presence.memory import Memory, MemoryPresence
from presence.rounds import Rounds
from tests.builders import DANA, ECHO, MINE, NOA, RIVAL, SOMCHAI, StillClock, an_agent

TIMES = Times()


@dataclass(eq=False)
class Ear:
    """An agent's or bot's socket."""

    actor: Actor
    watching: set[str] = field(default_factory=set)
    told: list[set[str]] = field(default_factory=list)
    is_slow: bool = False

    def overhear(self, payload: bytes) -> bool:
        frame = json.loads(payload)
        assert frame["type"] == "presence"
        if not self.is_slow:
            self.told.append(set(frame["present"]))
        return not self.is_slow

    def hear(self, conversation: str, seq: int, payload: bytes) -> None: ...
    def notice(self, payload: bytes) -> None: ...
    def grow(self, conversations: list[str]) -> None: ...
    def shrink(self, conversation: str) -> None: ...

    def renew(self, conversation: str) -> None: ...

    def come_back(self) -> None: ...


class Place:
    """A node with its own roll; nodes may share their leases and hear each other."""

    def __init__(
        self,
        node: str = "here",
        memory: Memory | None = None,
        clock: StillClock | None = None,
        exchange: Exchange | None = None,
        minutes_ahead: float = 0.0,
    ) -> None:
        self.clock = clock or StillClock()
        self.bus = MemoryBus(exchange)
        engine = MemoryPresence(self.clock.ticks, node, memory)
        self.rounds = Rounds(engine, lambda: self.clock.ticks() + 60 * minutes_ahead)
        switchboard = self.switchboard = Switchboard(self.bus, lambda: None, new_metrics().bus_unknown)
        self.roll = Roll(self.rounds, switchboard, lambda: None, self.clock.ticks)

    async def comes(self, actor: Actor) -> Ear:
        ear = Ear(actor)
        await self.bus.subscribe(actor.account)
        self.roll.enter(ear)
        await self.wait(1)
        return ear

    async def goes(self, ear: Ear, *, for_good: bool = False) -> None:
        self.roll.leave(ear, for_good=for_good)
        await self.wait(1)

    async def wait(self, seconds: float) -> None:
        """As the tasks would do it."""
        for n in range(round(2 * seconds)):
            self.clock.move(0.5)
            if n % 4 == 0:
                await self.rounds.beat()
            await self.rounds.talk()
            self.rounds.look()
            self.roll.tell()
            await asyncio.sleep(0)  # the bus


def two_places(minutes_apart: float = 0.0) -> tuple[Place, Place]:
    clock, memory, exchange = StillClock(), Memory(), Exchange()
    here, there = (
        Place(name, memory, clock, exchange, sign * minutes_apart / 2) for name, sign in (("here", 1), ("there", -1))
    )
    return here, there


async def both_wait(places: tuple[Place, Place], seconds: float) -> None:
    for _ in range(round(seconds)):
        await places[0].wait(0.5)
        await places[1].wait(0.5)


async def test_who_comes_is_told_who_is_here_once_and_the_others_hear_of_it() -> None:
    place = Place()

    noa = await place.comes(NOA)
    somchai = await place.comes(SOMCHAI)
    await place.wait(5)

    assert noa.told == [{NOA.id}, {NOA.id, SOMCHAI.id}]
    assert somchai.told == [{NOA.id, SOMCHAI.id}]


async def test_bots_are_on_the_roll_and_are_told_nothing() -> None:
    place = Place()
    noa = await place.comes(NOA)

    echo = await place.comes(ECHO)

    assert noa.told[-1] == {NOA.id, ECHO.id}
    assert echo.told == []


async def test_a_second_device_is_nothing_new_to_the_others() -> None:
    place = Place()
    noa = await place.comes(NOA)
    await place.comes(SOMCHAI)

    second = await place.comes(SOMCHAI)

    assert noa.told == [{NOA.id}, {NOA.id, SOMCHAI.id}]
    assert second.told == [{NOA.id, SOMCHAI.id}]


async def test_somebody_is_gone_a_while_after_the_last_device_has_dropped() -> None:
    place = Place()
    noa = await place.comes(NOA)
    devices = [await place.comes(SOMCHAI), await place.comes(SOMCHAI)]

    await place.goes(devices[0])
    await place.goes(devices[1])
    await place.wait(TIMES.grace - 2)
    assert noa.told[-1] == {NOA.id, SOMCHAI.id}
    await place.wait(2)

    assert noa.told[-1] == {NOA.id}


async def test_who_loads_the_page_anew_never_left() -> None:
    place = Place()
    noa = await place.comes(NOA)
    somchai = await place.comes(SOMCHAI)

    for _ in range(5):
        await place.goes(somchai)
        await place.wait(TIMES.grace - 3)
        somchai = await place.comes(SOMCHAI)
        assert somchai.told == [{NOA.id, SOMCHAI.id}]

    assert noa.told == [{NOA.id}, {NOA.id, SOMCHAI.id}]


async def test_who_signs_out_is_gone_at_once() -> None:
    place = Place()
    noa = await place.comes(NOA)
    somchai = await place.comes(SOMCHAI)

    await place.goes(somchai, for_good=True)

    assert noa.told == [{NOA.id}, {NOA.id, SOMCHAI.id}, {NOA.id}]


async def test_a_socket_that_closes_before_it_has_entered_takes_nobody_away() -> None:
    """Its actor may be here on another one."""
    place = Place()
    noa = await place.comes(NOA)

    await place.goes(Ear(NOA), for_good=True)
    await place.goes(Ear(SOMCHAI), for_good=True)
    await place.wait(60)

    assert noa.told == [{NOA.id}]


async def test_another_account_hears_nothing() -> None:
    place = Place()
    rival = await place.comes(RIVAL)

    await place.comes(NOA)

    assert rival.told == [{RIVAL.id}]


async def test_who_stays_stays_present() -> None:
    places = two_places()
    noa, somchai = await places[0].comes(NOA), await places[1].comes(SOMCHAI)
    await both_wait(places, 1)

    await both_wait(places, 5 * TIMES.lease)

    assert noa.told == [{NOA.id}, {NOA.id, SOMCHAI.id}]
    assert somchai.told == [{NOA.id, SOMCHAI.id}]


@pytest.mark.parametrize("minutes_apart", [0.0, 20.0])
async def test_who_moves_to_another_node_never_left_whatever_their_clocks_say(minutes_apart: float) -> None:
    places = two_places(minutes_apart)
    noa, somchai = await places[0].comes(NOA), await places[1].comes(SOMCHAI)
    await both_wait(places, 1)

    for number in (0, 1, 0, 1):
        places[1 - number].roll.leave(somchai, for_good=False)
        await both_wait(places, TIMES.grace - 3)
        somchai = await places[number].comes(SOMCHAI)
        await both_wait(places, 2 * TIMES.grace)

    assert noa.told == [{NOA.id}, {NOA.id, SOMCHAI.id}]
    somchai.told.clear()
    places[1].roll.leave(somchai, for_good=True)
    await both_wait(places, 2)
    assert noa.told[-1] == {NOA.id}


async def test_a_node_that_died_takes_its_people_with_it_after_their_grace_and_before_their_leases_end() -> None:
    places = two_places()
    here, _ = places
    noa, _ = await here.comes(NOA), await places[1].comes(SOMCHAI)
    await both_wait(places, 20)

    await here.wait(TIMES.grace)
    assert noa.told[-1] == {NOA.id, SOMCHAI.id}
    await here.wait(TIMES.node_lease + TIMES.beat + 1 - TIMES.grace)

    assert noa.told == [{NOA.id}, {NOA.id, SOMCHAI.id}, {NOA.id}]


async def test_who_was_sent_away_by_a_node_that_stops_never_left() -> None:
    places = two_places()
    here, there = places
    noa, somchai = await here.comes(NOA), await there.comes(SOMCHAI)
    await both_wait(places, 20)

    there.roll.drain()
    there.roll.leave(somchai, for_good=False)
    await there.roll.close()
    await here.wait(TIMES.drain_grace - 5)
    await here.comes(SOMCHAI)
    await here.wait(TIMES.drain_grace)

    assert noa.told == [{NOA.id}, {NOA.id, SOMCHAI.id}]


async def test_who_could_not_take_it_is_told_when_it_can() -> None:
    place = Place()
    noa = await place.comes(NOA)
    noa.is_slow = True
    await place.comes(SOMCHAI)
    await place.comes(ECHO)
    assert noa.told == [{NOA.id}]

    noa.is_slow = False
    await place.wait(1)

    assert noa.told == [{NOA.id}, {NOA.id, SOMCHAI.id, ECHO.id}]


async def test_a_crowd_that_comes_at_once_is_told_in_a_few_tellings() -> None:
    """Everybody is told of everybody: a telling for each who comes would be a million frames for a thousand."""
    place = Place()
    crowd = [Ear(an_agent(f"agt_{n:04}")) for n in range(1_000)]
    for ear in crowd:
        place.roll.enter(ear)
        if int(ear.actor.id[4:]) % 100 == 0:
            place.roll.tell()
            await place.rounds.talk()

    await place.wait(3)

    assert all(len(ear.told[-1]) == 1_000 for ear in crowd)
    assert sum(len(ear.told) for ear in crowd) <= 3 * len(crowd)


async def test_the_more_is_told_to_the_more_the_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BYTES_PER_SECOND", 10)
    place = Place()
    noa = await place.comes(NOA)
    await place.comes(SOMCHAI)
    assert len(noa.told) == 1

    await place.wait(10)

    assert noa.told == [{NOA.id}, {NOA.id, SOMCHAI.id}]


async def test_after_a_gap_on_the_bus_everybody_is_asked_for_again() -> None:
    """Bells may have been lost, and the next refresh is ten seconds away."""
    places = two_places()
    noa = await places[0].comes(NOA)
    await both_wait(places, 3)  # each knows that the other node is alive
    places[1].bus.publish = lambda channel, payload: None  # type: ignore[method-assign]
    await places[1].comes(SOMCHAI)
    await places[0].wait(2)
    assert noa.told == [{NOA.id}]

    places[0].switchboard._lose()
    await places[0].wait(1)

    assert noa.told == [{NOA.id}, {NOA.id, SOMCHAI.id}]


async def test_what_a_newer_node_says_of_presence_is_a_bell() -> None:
    places = two_places()
    noa, _ = await places[0].comes(NOA), await places[1].comes(SOMCHAI)
    noa.told.clear()

    places[1].bus.publish(MINE, bytes([PRESENCE, 9]) + b"whatever\xff")
    await places[0].wait(1)

    assert noa.told == [{NOA.id, SOMCHAI.id}]


async def test_the_tasks_tell_by_themselves_and_leave_nothing_behind(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    place = Place()
    running = asyncio.create_task(place.roll.run())
    noa = Ear(NOA)
    place.roll.enter(noa)
    async with asyncio.timeout(5):
        while not noa.told:  # noqa: ASYNC110  # nobody tells a test
            await asyncio.sleep(0.005)
    place.roll.leave(noa, for_good=True)
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await place.roll.close()

    assert noa.told == [{NOA.id}]
    assert (place.roll._boards, place.rounds._pages) == ({}, {})
    assert caplog.messages == []


def test_contacts_are_not_staff() -> None:
    assert not DANA.is_staff
