"""The small world full of people, with a bound for each of them: what happens to one node excuses nobody elsewhere."""

from __future__ import annotations

import random
from collections.abc import Collection

from tests.presence.world import DIED, SHOP, STEP, TIMES, Device, Person, Place, World

RIGHT = 2.0  # seconds after which the truth is known everywhere, when nothing is wrong where the person is or was
MENDED = DIED  # after a node died, or after one that was cut off or frozen is well again; promised are 30 s
BACK = TIMES.beat + 2.0 + RIGHT  # until a node that is well again has tried to reach the engine, and has beaten
NEVER = -1e9


class Crowd(World):
    """Compares what each node says of each person with the truth, on every turn."""

    def __init__(self, people: Collection[str], nodes: int) -> None:
        self.latest = 0.0
        """Seconds that the truth took at most, where nothing was wrong."""
        self.latest_shaken = 0.0
        """And where something was: since it happened last."""
        self.happened: list[str] = []
        self._shaken: dict[str, float] = {}
        self._dropped: dict[str, float] = {}
        self._promised: dict[str, float] = {}
        """Until when whoever was sent away by a node that stopped may come back, whatever its other devices do."""
        super().__init__(people, nodes)
        self.born = self.now

    # --- what happens --------------------------------------------------------------------------------------------

    async def live(self, dice: random.Random, seconds: float, *, with_faults: bool) -> None:
        """Somebody comes or goes some times a second; now and then, if wanted, something happens to a node."""
        for _ in range(round(seconds)):
            for _ in range(dice.randrange(8)):
                await self._do_something(dice)
            if with_faults and dice.random() < 0.05:
                await self._break_something(dice)
            await self.wait(1.0)

    async def _do_something(self, dice: random.Random) -> None:
        name, slot = dice.choice(list(self.people)), dice.randrange(len(self.slots))
        what = dice.choices(("connect", "drop", "sign_out"), (10, 8, 1))[0]
        await self.act(what, name, slot)

    def drop(self, name: str, which: int, *, for_good: bool = False) -> None:
        """Who signs out on one device just after another one dropped has the grace of that, if the others hear of it
        last."""
        if not self.people[name].devices:
            return
        if not for_good:
            self._dropped[name] = self.now
        elif self.now - self._dropped.get(name, NEVER) <= RIGHT:
            self._promised[name] = max(self._promised.get(name, NEVER), self._dropped[name] + TIMES.grace)
        super().drop(name, which, for_good=for_good)

    async def _break_something(self, dice: random.Random) -> None:
        slot = dice.randrange(len(self.slots))
        place, what = self.slots[slot], dice.choice(("crash", "stop", "freeze", "cut", "cut", "wipe"))
        self.happened.append(f"{what} {place.name} at {self.now - self.born:g}")
        self._shake(None if what == "wipe" else place)
        if what == "wipe":
            self.wipe()
        elif not place.is_well:
            await self.recover(slot)
        elif what == "cut":
            self.cut(slot, dice.random() < 0.5)
        elif what in ("crash", "freeze"):
            getattr(self, what)(slot)
        else:
            sent_away = {device.person for device in self._devices() if device.node is place}
            self._promised.update(dict.fromkeys(sent_away, self.now + TIMES.drain_grace))
            await self.stop(slot)

    async def recover(self, slot: int) -> None:
        if not self.slots[slot].is_well:
            self._shake(self.slots[slot])
            await self.wake(slot)
            self.mend(slot)

    def _shake(self, place: Place | None) -> None:
        """From now on the truth about those who are on this node, or on any, may take longer."""
        shaken = {device.person for device in self._devices() if place in (None, device.node)}
        left = {person.name for person in self.people.values() if place in (None, person.left)}
        left |= {device.person for device in place.dropped} if place is not None else set()
        self._shaken.update(dict.fromkeys(shaken | left, self.now))

    def _devices(self) -> list[Device]:
        return [device for person in self.people.values() for device in person.devices]

    # --- what is said ----------------------------------------------------------------------------------------------

    def check(self) -> None:
        for place in self.slots:
            if not place.is_well:
                self._shake(place)
        for place in self.slots:
            if self._is_settled(place):
                here = place.rounds.here(SHOP)
                for person in self.people.values():
                    if (person.name in here) != bool(person.devices):
                        self._judge(place, person)

    def _judge(self, place: Place, person: Person) -> None:
        """What this node says of this person isn't true. It may take a while, unless the person is safely somewhere."""
        assert not self._is_safe(person), f"{place.name} says that {person.name} has gone, who is elsewhere: {self}"
        left_at = max(person.left_at + person.longest_grace, self._promised.get(person.name, NEVER))
        late = self.now - min((device.came_at for device in person.devices), default=left_at)
        shaken = self._calm_for(person, place)
        if shaken > MENDED:
            self.latest = max(self.latest, late + STEP)
            assert late <= RIGHT, f"{place.name} is {late:g} s late with {person.name}: {self}"
        elif late > RIGHT:
            self.latest_shaken = max(self.latest_shaken, shaken + STEP)

    def _must_be_here(self, person: Person, by: Place) -> bool:
        """Whether this node has no reason to say that somebody left."""
        if any(device.node is by for device in person.devices) or (self._is_settled(by) and self._is_safe(person)):
            return True
        return self._calm_for(person, by) > MENDED and self.now < person.left_at + person.grace

    def _may_come(self, person: Person) -> bool:
        """Whoever is said to be here in vain is judged anyway."""
        return True

    def _is_safe(self, person: Person) -> bool:
        """Whether one of its devices has been on a node that is well for so long that everybody knows."""
        return any(self._is_settled(each.node) and self.now - each.came_at > RIGHT for each in person.devices)

    def _calm_for(self, person: Person, place: Place) -> float:
        """Seconds since something happened to either, or to a node of the person's."""
        back = (device.node.well_since for device in person.devices)
        return self.now - max(self._shaken.get(person.name, NEVER), place.well_since, place.started_at, *back)

    def _is_settled(self, place: Place) -> bool:
        """Whether it has been well for so long that it knows everybody, and the others know it."""
        is_well = place.is_well and place.unwell_since is None
        return is_well and self.now - place.well_since > BACK and self.now - place.started_at > RIGHT

    def __str__(self) -> str:
        """What two hundred do is too much to read."""
        return f"after {self.now - self.born:g} s: " + ", ".join(map(str, self.happened))
