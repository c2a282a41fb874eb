"""A small world: people with devices, nodes that crash, freeze and are cut off, an engine that forgets. It knows the
truth, and complains when a node tells something else."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from presence import About, Away, Nodes, Table, Times
from presence.memory import Memory, MemoryPresence
from presence.rounds import Rounds
from tests.builders import StillClock

SHOP = "acc_shop"
TIMES = Times()
STEP = 0.25
SOON = 2.5  # seconds within which others hear of it, while nothing is wrong
CALM = 2 * TIMES.lease  # seconds after the last fault: by then nothing of it is left
LATE = 70.0  # seconds after which nobody may be taken for present, whatever happened
DIED = TIMES.node_lease + TIMES.beat + SOON


class Cable:
    """Between a node and the engine."""

    def __init__(self, presence: MemoryPresence) -> None:
        self.node = presence.node
        self._presence = presence
        self.is_cut = False
        self.swallows_answers = False

    async def touch(
        self, account: str, here: Collection[str], gone: Mapping[str, float | None] | None = None, known: str = ""
    ) -> Table:
        self._go()
        table = await self._presence.touch(account, here, gone, known)
        self._come()
        return table

    async def beat(self, about: About) -> Nodes:
        self._go()
        nodes = await self._presence.beat(about)
        self._come()
        return nodes

    async def close(self) -> None:
        if not self.is_cut:
            await self._presence.close()

    def _go(self) -> None:
        if self.is_cut and not self.swallows_answers:
            raise Away("cut")

    def _come(self) -> None:
        if self.is_cut:
            raise Away("nothing comes back")


@dataclass(eq=False)
class Device:
    person: str
    node: Place
    came_at: float
    known_to: set[str] = field(default_factory=set)
    """Nodes that have had the time to hear of it."""


@dataclass(eq=False)
class Place:
    """A node. `unwell_since` is when the engine last heard of it, if it doesn't at the moment."""

    name: str
    cable: Cable
    rounds: Rounds
    beat_at: float = 0.0
    is_alive: bool = True
    is_frozen: bool = False
    is_draining: bool = False
    unwell_since: float | None = None
    started_at: float = 0.0
    well_since: float = 0.0
    dropped: list[Device] = field(default_factory=list)
    """While it was frozen."""
    known: frozenset[str] = frozenset()

    @property
    def is_well(self) -> bool:
        return self.is_alive and not self.is_frozen and not self.cable.is_cut


@dataclass
class Person:
    name: str
    devices: list[Device] = field(default_factory=list)
    came_at: float = -1e9
    left_at: float = -1e9
    signed_out_at: float = -1e9
    left: Place | None = None
    grace: float = 0.0
    longest_grace: float = 0.0
    """From then on, as promised to those who can know."""


class World:
    """Every node has a member of the staff of its own, so that it always wants to know who is here."""

    def __init__(self, people: Collection[str], nodes: int) -> None:
        self.clock = StillClock()
        self.memory = Memory()
        self.people = {name: Person(name) for name in people}
        self.slots: list[Place] = []
        self.bells_ring = True
        self._silent_at = -1e9
        self.fault_at = -1e9
        self._number = 0
        self._acts: list[tuple[Any, ...]] = []
        self.leaves = self.joins = 0
        for _ in range(nodes):
            self.slots.append(self._place())

    # --- what may happen ---------------------------------------------------------------------------------------

    async def act(self, what: str, *how: Any) -> None:
        """One of the following."""
        self._acts.append((what, *how))
        done = getattr(self, what)(*how)
        if inspect.isawaitable(done):
            await done
        self.check()

    def connect(self, name: str, slot: int) -> None:
        place, person = self.slots[slot], self.people[name]
        if not place.is_alive or place.is_frozen or place.is_draining:
            return
        device = Device(name, place, self.now)
        if not person.devices:
            person.came_at = self.now
        person.devices.append(device)
        place.rounds.enter(SHOP, name, device)

    def drop(self, name: str, which: int, *, for_good: bool = False) -> None:
        """One of its devices."""
        person = self.people[name]
        if not person.devices:
            return
        device = person.devices.pop(which % len(person.devices))
        place = device.node
        if for_good:
            person.signed_out_at = self.now
        if not person.devices:
            grace = TIMES.drain_grace if place.is_draining else TIMES.grace
            self._left(person, place, 0.0 if for_good else grace)
            if self.now - person.signed_out_at <= SOON:  # which of two devices was the last isn't clear to everybody
                person.grace = 0.0
        if place.is_frozen:
            place.dropped.append(device)
        else:
            place.rounds.leave(SHOP, name, device, for_good=for_good)

    def sign_out(self, name: str, which: int) -> None:
        self.drop(name, which, for_good=True)

    def crash(self, slot: int) -> None:
        """And another process takes its place."""
        place = self.slots[slot]
        self._fault()
        self._silence(place)
        self._end(place, TIMES.grace)
        self.slots[slot] = self._place()

    def drain(self, slot: int) -> None:
        place = self.slots[slot]
        if place.is_alive and not place.is_frozen:
            place.is_draining = True
            place.rounds.drain()

    async def stop(self, slot: int) -> None:
        """After the drain; then another process takes its place."""
        place = self.slots[slot]
        if place.is_frozen:
            return
        if not place.is_well:
            self._fault()
        place.is_draining = True
        place.rounds.drain()
        self._end(place, TIMES.drain_grace if place.is_well else TIMES.grace)
        await place.rounds.close()
        self.slots[slot] = self._place()

    def freeze(self, slot: int) -> None:
        place = self.slots[slot]
        self._fault()
        place.is_frozen = True
        self._mark(place)

    async def wake(self, slot: int) -> None:
        """It first hears who has gone meanwhile."""
        place = self.slots[slot]
        if not place.is_frozen:
            return
        self._fault()
        place.is_frozen = False
        for device in place.dropped:
            place.rounds.leave(SHOP, device.person, device)
        place.dropped.clear()
        await place.rounds.beat()
        await place.rounds.talk()
        self._mark(place)

    def cut(self, slot: int, swallows_answers: bool) -> None:
        cable = self.slots[slot].cable
        cable.is_cut, cable.swallows_answers = True, swallows_answers
        self._fault()
        self._mark(self.slots[slot])

    def mend(self, slot: int) -> None:
        if self.slots[slot].cable.is_cut:
            self._fault()
        self.slots[slot].cable.is_cut = False
        self._mark(self.slots[slot])

    def wipe(self) -> None:
        """The engine forgets everything, also how long somebody may have to come back after a drain."""
        self._fault()
        for person in self.people.values():
            person.grace = min(person.grace, self.now + TIMES.hold - person.left_at)
        self.memory.accounts.clear()
        self.memory.nodes.clear()
        self.memory.born = None

    def ring(self, yes: bool) -> None:
        """Whether nodes hear each other."""
        self.bells_ring = yes

    async def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.clock.move(STEP)
            for place in self.slots:
                await self._turn(place)
            self.check()

    # --- how ---------------------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        return self.clock.ticks()

    def _place(self) -> Place:
        self._number += 1
        cable = Cable(MemoryPresence(self.clock.ticks, f"node_{self._number}", self.memory))
        rounds = Rounds(cable, self.clock.ticks)
        place = Place(cable.node, cable, rounds, started_at=self.now, well_since=self.now)
        rounds.listen(lambda account, version: self._ring(place, version), lambda account: self._moved(place))
        rounds.enter(SHOP, f"agt_of_{place.name}", place)
        return place

    async def _turn(self, place: Place) -> None:
        if place.is_frozen:
            return
        if self.now >= place.beat_at:
            place.beat_at = self.now + TIMES.beat
            await place.rounds.beat()
        await place.rounds.talk()
        place.rounds.look()

    def _ring(self, by: Place, version: str) -> None:
        if self.bells_ring:
            for place in self.slots:
                if place is not by and not place.is_frozen:
                    place.rounds.hear(SHOP, version)

    def _end(self, place: Place, grace: float) -> None:
        place.is_alive = False
        for person in self.people.values():
            had = bool(person.devices)
            person.devices = [device for device in person.devices if device.node is not place]
            if had and not person.devices:
                self._left(person, place, grace)

    def _left(self, person: Person, place: Place, grace: float) -> None:
        """Of a node that nobody hears it can't be known when it was."""
        if place.unwell_since is not None and grace:
            grace = max(0.0, place.unwell_since + TIMES.grace - self.now)
        person.left_at, person.left, person.grace, person.longest_grace = self.now, place, grace, grace

    def _fault(self) -> None:
        self.fault_at = self.now

    def _mark(self, place: Place) -> None:
        if place.is_well:
            if place.unwell_since is not None:
                place.well_since = self.now
            place.unwell_since = None
        elif place.unwell_since is None:
            place.unwell_since = self.now
            self._silence(place)

    def _silence(self, place: Place) -> None:
        """What it was about to say isn't heard: neither that somebody may have longer than usual to come back."""
        for person in self.people.values():
            if person.left is place and self.now - person.left_at < SOON:
                person.grace = min(person.grace, TIMES.grace)

    # --- the truth ---------------------------------------------------------------------------------------------

    def _moved(self, place: Place) -> None:
        here = place.rounds.here(SHOP)
        for name in sorted(place.known - here):
            self.leaves += 1
            if name in self.people:
                assert not self._must_be_here(self.people[name], place), f"{place.name} says that {name} left: {self}"
        for name in sorted(here - place.known):
            self.joins += 1
            if name in self.people:
                assert self._may_come(self.people[name]), f"{place.name} says that {name} came: {self}"
        place.known = here

    def _must_be_here(self, person: Person, by: Place) -> bool:
        """Whether nobody has a reason to say that it left."""
        if any(device.node is by or self._is_heard(device, by) for device in person.devices):
            return True
        return self.now < person.left_at + person.grace

    def _is_heard(self, device: Device, by: Place) -> bool:
        since = device.node.unwell_since
        return by.name in device.known_to and (since is None or self.now < since + TIMES.grace)

    @property
    def _soon(self) -> float:
        """With the next refresh when no bell rings."""
        return SOON if self.now - self._silent_at > CALM else TIMES.refresh + TIMES.jitter + SOON

    def _may_come(self, person: Person) -> bool:
        """A node that has just begun to look also takes somebody in grace for one who comes."""
        if person.devices:
            return True
        is_calm = self.now - self.fault_at > CALM
        return self.now <= person.left_at + (person.longest_grace + SOON if is_calm else LATE)

    def check(self) -> None:
        if not self.bells_ring:
            self._silent_at = self.now
        for person in self.people.values():
            for device in person.devices:
                self._spread(device)
        for place in self.slots:
            if place.is_frozen:
                continue
            here = place.rounds.here(SHOP)
            for person in self.people.values():
                if any(device.node is place for device in person.devices):
                    assert person.name in here, f"{place.name} doesn't know its own {person.name}: {self}"
                if not place.is_well or self.now - place.well_since < LATE:
                    continue
                if not person.devices and self.now > max(person.left_at, self.fault_at) + LATE:
                    assert person.name not in here, f"{person.name} is here for ever on {place.name}: {self}"
            if self._is_calm(place):
                self._check_calm(place, here)

    def _spread(self, device: Device) -> None:
        for place in self.slots:
            since = max(device.came_at, device.node.well_since, place.well_since)
            if device.node.is_well and place.is_well and self.now - since > self._soon:
                device.known_to.add(place.name)

    def _is_calm(self, place: Place) -> bool:
        return self.now - max(self.fault_at, place.started_at) > CALM and all(each.is_well for each in self.slots)

    def _check_calm(self, place: Place, here: frozenset[str]) -> None:
        """Without faults everything is known soon."""
        soon = self._soon
        for person in self.people.values():
            if person.devices and self.now - person.came_at > soon:
                assert person.name in here, f"{place.name} doesn't know of {person.name}: {self}"
            if not person.devices and self.now - person.left_at - person.longest_grace > soon:
                assert person.name not in here, f"{place.name} still believes in {person.name}: {self}"

    def converged(self) -> bool:
        """Whether every node tells the whole truth."""
        truth = {name for name, person in self.people.items() if person.devices}
        truth |= {f"agt_of_{place.name}" for place in self.slots}
        return all(place.rounds.here(SHOP) == truth for place in self.slots)

    def __str__(self) -> str:
        people = [
            f"{p.name} on {[d.node.name for d in p.devices]} left {self.now - p.left_at:.2f} ago grace {p.grace:.2f}"
            for p in self.people.values()
        ]
        nodes = [f"{p.name} well={p.is_well} knows {sorted(p.rounds.here(SHOP))}" for p in self.slots]
        return "\n".join(
            [f"after {self._acts}", f"at {self.now:.2f}, fault {self.now - self.fault_at:.2f} ago", *people, *nodes]
        )
