"""The roll: an account's agents hear who of its staff is here, as a whole value, when it changes."""

import json
from dataclasses import dataclass, field

from chat.model import Actor
from gateway.hub import Hub
from gateway.roll import Roll
from presence import LEASE_SECONDS
from presence.memory import Leases, MemoryPresence
from tests.builders import DANA, ECHO, MINE, NOA, RIVAL, SOMCHAI, StillClock


@dataclass(eq=False)
class Ear:
    """An agent's or bot's socket."""

    actor: Actor
    watching: set[str] = field(default_factory=set)
    told: list[set[str]] = field(default_factory=list)

    def overhear(self, payload: bytes) -> None:
        frame = json.loads(payload)
        assert frame["type"] == "presence"
        self.told.append(set(frame["present"]))

    def hear(self, conversation: str, seq: int, payload: bytes) -> None: ...
    def notice(self, payload: bytes) -> None: ...
    def grow(self, conversations: list[str]) -> None: ...
    def shrink(self, conversation: str) -> None: ...

    def renew(self, conversation: str) -> None: ...

    def come_back(self) -> None: ...


class Place:
    """A node with its own roll; nodes may share their leases."""

    def __init__(self, node: str = "", leases: Leases | None = None, clock: StillClock | None = None) -> None:
        self.clock = clock or StillClock()
        self.presence = MemoryPresence(self.clock.ticks, node, leases)
        self.hub = Hub(lambda seconds, call: None, lambda: None)
        self.roll = Roll(self.presence, self.hub, lambda: None)

    async def comes(self, actor: Actor) -> Ear:
        ear = Ear(actor)
        self.hub.join(ear)
        await self.roll.enter(ear)
        return ear

    async def goes(self, ear: Ear) -> None:
        self.hub.leave(ear)
        await self.roll.leave(ear.actor)


async def test_who_comes_is_told_who_is_here_once_and_the_others_hear_of_it() -> None:
    place = Place()

    noa = await place.comes(NOA)
    somchai = await place.comes(SOMCHAI)

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


async def test_somebody_is_gone_with_the_last_device() -> None:
    place = Place()
    noa = await place.comes(NOA)
    devices = [await place.comes(SOMCHAI), await place.comes(SOMCHAI)]

    await place.goes(devices[0])
    assert noa.told[-1] == {NOA.id, SOMCHAI.id}
    await place.goes(devices[1])

    assert noa.told[-1] == {NOA.id}


async def test_who_never_entered_takes_nobody_away() -> None:
    place = Place()
    noa = await place.comes(NOA)

    await place.roll.leave(SOMCHAI)
    await place.roll.leave(SOMCHAI)

    assert noa.told == [{NOA.id}]
    assert await place.presence.present(MINE) == {NOA.id}


async def test_another_account_hears_nothing() -> None:
    place = Place()
    rival = await place.comes(RIVAL)

    await place.comes(NOA)

    assert rival.told == [{RIVAL.id}]


async def test_who_stays_stays_present() -> None:
    place = Place()
    noa = await place.comes(NOA)

    for _ in range(5):
        place.clock.move(LEASE_SECONDS - 1)
        await place.roll.refresh()

    assert noa.told == [{NOA.id}]
    assert await place.presence.present(MINE) == {NOA.id}


async def test_a_node_that_died_takes_its_people_with_it_when_their_leases_end() -> None:
    clock, leases = StillClock(), Leases()
    here, dead = Place("here", leases, clock), Place("dead", leases, clock)
    await dead.comes(SOMCHAI)
    noa = await here.comes(NOA)
    assert noa.told[-1] == {NOA.id, SOMCHAI.id}

    clock.move(LEASE_SECONDS / 2)
    await here.roll.refresh()
    clock.move(LEASE_SECONDS / 2)
    await here.roll.refresh()

    assert noa.told[-1] == {NOA.id}


def test_contacts_are_not_staff() -> None:
    assert not DANA.is_staff
