"""Who of one account is here, as one node knows it: leases in, joins and leaves out. Pure.

A person is here while any device is connected to any node, and in grace after the last one has dropped. This node's own
devices are known best here; whoever is on other nodes is known by their leases. A lease that is missing because the
leases were lost, or because they can't be read, is no leave.

All moments are seconds of a clock that never goes back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from msgspec import Struct
from msgspec.structs import replace

from presence import Lease, Nodes, Table, Times, epoch_of

NEVER = float("inf")
PROMPT_SECONDS = 2.0


class Living(Struct, frozen=True):
    """Which nodes were alive at a moment."""

    at: float
    nodes: frozenset[str]
    is_complete: bool
    """Whether every node has had the time to say that it is alive."""

    def missed(self, node: str, said: float) -> bool:
        """Whether what this node said then counts no more, as it has died since."""
        return self.is_complete and node not in self.nodes and said < self.at


NOBODY_DIED = Living(0.0, frozenset(), is_complete=False)


class Heartbeats:
    """Takes what is known of the nodes, and tells which are alive."""

    def __init__(self, times: Times) -> None:
        self._times = times
        self._since: float | None = None
        self.living = NOBODY_DIED

    def take(self, nodes: Nodes, asked: float) -> bool:
        """They were alive when it was asked. Whether somebody may have died or come."""
        if self._since is None:
            self._since = asked
        listened = min(asked - self._since, nodes.age)
        before = self.living
        self.living = Living(asked, frozenset(nodes.alive), listened >= self._times.node_lease)
        return (before.nodes, before.is_complete) != (self.living.nodes, self.living.is_complete)

    def lose(self) -> None:
        """It can't be asked at the moment; perhaps others couldn't either."""
        self._since = None


class Moves(Struct, frozen=True):
    """Who came and who went. Both are seldom more than one."""

    joined: frozenset[str]
    left: frozenset[str]

    def __bool__(self) -> bool:
        return bool(self.joined or self.left)


class Departure(Struct, frozen=True):
    """Somebody's last device has dropped."""

    end: float
    """Of the grace."""
    is_wanted: bool = True
    """Whether it was by chance; or else by its own will, and nobody waits."""
    is_late: bool = False
    """Whether the others have missed this whole node meanwhile, and the actor with it."""
    is_said: bool = False
    """Whether only this node waits, as the others don't."""

    def grace(self, now: float) -> float | None:
        """Seconds that are left for the others to wait; None if they shouldn't wait, whatever they have promised. Said
        too late, that would end what was promised after it."""
        if not self.is_wanted and now < self.end + PROMPT_SECONDS:
            return None
        return 0.0 if self.is_late else max(self.end - now, 0.0)


class Words(Struct, frozen=True):
    """What the other nodes are to be told."""

    here: frozenset[str]
    gone: Mapping[str, Departure]

    def graces(self, now: float) -> dict[str, float | None]:
        return {actor: departure.grace(now) for actor, departure in self.gone.items()}


class Roster:
    """`node` is the one whose roster this is."""

    def __init__(self, node: str, times: Times) -> None:
        self._node = node
        self._times = times
        self.here: frozenset[str] = frozenset()
        """As of the last look."""
        self.version = ""
        """Of the table that was taken last."""
        self.is_lost = False
        """Whether the others can't be heard: what is known of them is old."""
        self._devices: dict[str, set[object]] = {}
        self._unsaid: set[str] = set()
        self._gone: dict[str, Departure] = {}
        self._leases: dict[str, list[tuple[str, float, float]]] = {}  # by actor: node, said when, ends when
        self._living = NOBODY_DIED
        self._others: frozenset[str] = frozenset()
        self._hold_until = 0.0

    # --- this node's own devices -----------------------------------------------------------------------------

    def enter(self, actor: str, device: object) -> None:
        """A device is connected to this node."""
        devices = self._devices.setdefault(actor, set())
        if not devices:
            self._gone.pop(actor, None)
            self._unsaid.add(actor)
        devices.add(device)

    def leave(self, actor: str, device: object, now: float, grace: float) -> None:
        """It isn't any more. Without grace, as it says so itself, nobody waits for it to come back. Harmless when it
        never was."""
        devices = self._devices.get(actor, set())
        if device not in devices:
            return
        devices.remove(device)
        if devices:
            return
        del self._devices[actor]
        self._unsaid.discard(actor)
        self._gone[actor] = Departure(now + grace, is_wanted=grace > 0)
        if not grace:
            self._end_grace(actor, now)

    def leave_all(self, now: float, grace: float) -> None:
        """All devices of this node drop."""
        for actor, devices in list(self._devices.items()):
            for device in list(devices):
                self.leave(actor, device, now, grace)

    def is_own(self, actor: str) -> bool:
        """Whether this node knows by itself that the actor is here: a device of its own, or one that may come back."""
        return actor in self._devices or actor in self._gone

    def oversleep(self) -> None:
        """The others took this node for dead until now: who has dropped meanwhile doesn't come back to go once more."""
        for actor, departure in self._gone.items():
            self._gone[actor] = replace(departure, is_late=True)

    def _end_grace(self, actor: str, now: float) -> None:
        elsewhere = [lease for lease in self._leases.get(actor, ()) if lease[0]]
        if elsewhere:
            self._leases[actor] = elsewhere
        else:
            self._leases.pop(actor, None)
        may_be_unheard = now < self._hold_until  # a device elsewhere, whose node hasn't said it again yet
        if not may_be_unheard and all(node == self._node for node, _, _ in elsewhere):
            self._others -= {actor}

    # --- the other nodes -------------------------------------------------------------------------------------

    def words(self, *, everything: bool) -> Words:
        """What is to be said: what is new, or all of it. Give it to `take` when it was said."""
        gone = {actor: departure for actor, departure in self._gone.items() if not departure.is_said}
        return Words(frozenset(self._devices if everything else self._unsaid), gone)

    def take(self, table: Table, words: Words, now: float, living: Living = NOBODY_DIED) -> None:
        """What was answered to these words. `living` is what was known before: whoever was on a node that died since it
        said so may be on another one by now, and would stand in this table."""
        self._living = living
        self._unsaid -= words.here
        for actor, departure in words.gone.items():
            if self._gone.get(actor) is departure:
                self._gone[actor] = replace(departure, is_said=True)
                if not departure.is_late:
                    del self._gone[actor]
        if self.is_lost:
            self._hold(now, self._times.hold)
        elif self.version and epoch_of(self.version) != table.epoch:
            self._hold(now, self._times.hold - table.age)
        self.is_lost = False
        self.version = table.version
        if table.leases is not None:
            self._read(table.leases, now)

    def lose(self) -> None:
        """The others can't be reached."""
        self.is_lost = True

    def _hold(self, now: float, seconds: float) -> None:
        self._hold_until = max(self._hold_until, now + seconds)

    def _read(self, leases: Collection[Lease], now: float) -> None:
        self._leases = {}
        mine = set()
        for lease in leases:
            said = now + lease.seconds - self._times.lease
            self._leases.setdefault(lease.actor, []).append((lease.node, said, now + lease.seconds))
            if lease.node == self._node:
                mine.add(lease.actor)
        # Whatever stands there wrongly is put right: a word may have been lost, or come too late.
        self._unsaid.update(actor for actor in self._devices if actor not in mine)
        for actor in mine:
            if actor not in self._devices:
                self._gone.setdefault(actor, Departure(now, is_late=True))

    # --- what follows from both --------------------------------------------------------------------------------

    def look(self, now: float) -> Moves:
        """Look who is here now."""
        if not self.is_lost:
            seen = frozenset(actor for actor, leases in self._leases.items() if self._counts(leases))
            self._others = self._others | seen if now < self._hold_until else seen
        over = [actor for actor, departure in self._gone.items() if departure.is_said and departure.end <= now]
        for actor in over:
            del self._gone[actor]
        graced = {actor for actor, departure in self._gone.items() if departure.end > now}
        before, self.here = self.here, self._others.union(self._devices, graced)
        return Moves(self.here - before, before - self.here)

    def _counts(self, leases: list[tuple[str, float, float]]) -> bool:
        """A grace counts until the table has it no more: somebody who has come back is told by the same table."""
        living = self._living
        return any(not node or (node != self._node and not living.missed(node, said)) for node, said, _ in leases)

    # --- when to look and to speak again --------------------------------------------------------------------------

    @property
    def has_news(self) -> bool:
        """Whether the others should be told something soon."""
        return bool(self._unsaid) or not all(departure.is_said for departure in self._gone.values())

    def is_over(self, now: float) -> bool:
        """Whether nobody is on this node any more, and nothing is left to be said, or it has no sense any more."""
        return not self._devices and all(
            departure.is_said or departure.end + self._times.lease <= now for departure in self._gone.values()
        )

    def next_look(self, now: float) -> float:
        """The next moment at which somebody may leave without anything being heard."""
        moments = [self._hold_until, *(departure.end for departure in self._gone.values())]
        return min((moment for moment in moments if moment > now), default=NEVER)

    def next_end(self) -> float:
        """The next end of a grace: a moment to ask."""
        return min((end for leases in self._leases.values() for node, _, end in leases if not node), default=NEVER)
