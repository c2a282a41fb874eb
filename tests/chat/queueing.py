"""A week in front of a queue, in virtual time: people come unevenly, shifts end, each who waits is told how long."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from math import exp
from random import Random
from typing import Any

from msgspec import Struct, field

from chat.correction import NONE, WAITS, Correction, Past, correction
from chat.forecast import Estimate, Handling, estimates, handling

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
HANDLES = 1_000  # the latest, which the estimates are made from
Steps = list[tuple[int, int]]


def estimate(place: int, *facts: Any, **more: Any) -> Estimate | None:
    """What is told to who stands there, as if nobody else did: of `chat.forecast.estimates`."""
    return estimates((place,), *facts, **more)[place]


class Week(Struct):
    """What is played. Moments and times in ms."""

    per_hour: float
    """How many come, on average."""
    slots: Steps
    takes: Callable[[Random], float]
    days: int = 7
    patience: float = 0.0
    """How long people wait, on average; 0: for ever."""
    urgent: float = 0.0
    """The share that goes before others."""
    unanswered: float = 0.0
    """The share of assignments that nobody takes up for half a minute."""
    seen: float = 1.0
    """How much of a handle time is measured."""


class Wait(Struct):
    """Somebody who waited. `told` is None where nobody was to come."""

    queued_at: int
    place: int
    told: Estimate | None
    mean: float
    slots: int
    ended_at: int = -1
    answered: bool = False

    @property
    def took(self) -> int:
        return self.ended_at - self.queued_at


def daily(*hours: tuple[float, int], days: int = 9) -> Steps:
    """Slots from an hour of the day on, every day alike."""
    found: Steps = []
    for day in range(days):
        for hour, slots in hours:
            if not found or found[-1][1] != slots:
                found.append((round(day * DAY + hour * HOUR), slots))
    return found


def shopping(at: float) -> float:
    """How many come at a moment, beside the average: two peaks a day, less towards the end of the week."""
    hour = at / HOUR % 24
    curve = 0.15 + exp(-(((hour - 11) / 2.5) ** 2)) + 0.9 * exp(-(((hour - 20) / 2) ** 2))
    return 2.2 * curve * (1.3, 1.0, 0.9, 0.9, 1.1, 0.8, 0.6)[int(at // DAY) % 7]


class Play(Struct):
    """One week, played through by `run`."""

    week: Week
    random: Random
    returning: float = 1.0
    waits: dict[int, Wait] = field(default_factory=dict)
    line: list[tuple[int, int, int]] = field(default_factory=list)
    """What waits: rank, since when, which."""
    hands: dict[int, int] = field(default_factory=dict)
    """What is in hand, and since when."""
    events: list[tuple[int, int, int, int]] = field(default_factory=list)
    """When, what, of which, and how often that was taken up before."""
    taken: dict[int, int] = field(default_factory=dict)
    queued_at: dict[int, int] = field(default_factory=dict)
    handles: deque[int] = field(default_factory=lambda: deque(maxlen=HANDLES))
    past: deque[Past] = field(default_factory=lambda: deque(maxlen=WAITS))
    known: Handling | None = None
    learnt: Correction = NONE
    unlearnt: int = 0

    def run(self) -> list[Wait]:
        """Everybody who had to wait, in the order in which they came."""
        at, nth, peak = 0.0, 0, 6.5
        while (at := at + self.random.expovariate(peak * self.week.per_hour / HOUR)) < self.week.days * DAY:
            if self.random.random() < shopping(at) / peak:
                self.events.append((int(at), 0, nth, 0))
                nth += 1
        self.events += [(at, 1, 0, 0) for at, _ in self.week.slots[1:]]
        heapify(self.events)
        while self.events:
            at_, what, which, times = heappop(self.events)
            (self.comes, self.shift_changes, self.ends, self.gives_up, self.goes_back)[what](at_, which, times)
        return list(self.waits.values())

    def comes(self, at: int, which: int, _: int) -> None:
        self.queued_at[which] = at
        rank = -1 if self.random.random() < self.week.urgent else 0
        heappush(self.line, (rank, at, which))
        self.serve(at)
        if which in self.hands:
            return
        place = 1 + sum(other < (rank, at, which) for other in self.line)
        self.waits[which] = self.tell(at, place)
        if self.week.patience:
            heappush(self.events, (at + int(self.random.expovariate(1 / self.week.patience)), 3, which, 0))

    def tell(self, at: int, place: int) -> Wait:
        if self.known is None:
            self.known = handling(list(self.handles))
        now = bisect_right(self.week.slots, (at, 10**9)) - 1
        elapsed = [round((at - since) * self.week.seen) for since in self.hands.values()]
        shifts = self.week.slots[now : now + 20]
        told = estimate(place, at, shifts, elapsed, self.known, self.learnt)
        return Wait(at, place, told, self.known.mean, shifts[0][1])

    def shift_changes(self, at: int, _: int, __: int) -> None:
        """What is open with those who go comes first."""
        over = max(0, len(self.hands) - self.slots(at))
        for which in self.random.sample(sorted(self.hands), over):
            del self.hands[which]
            heappush(self.line, (-2, self.queued_at[which], which))
        self.serve(at)

    def ends(self, at: int, which: int, times: int) -> None:
        if which in self.hands and self.taken[which] == times:
            self.handles.append(round((at - self.hands.pop(which)) * self.week.seen))
            self.known = None
            self.serve(at)

    def gives_up(self, at: int, which: int, _: int) -> None:
        if self.waits[which].ended_at < 0:
            self.line = [other for other in self.line if other[2] != which]
            heapify(self.line)
            self.over(at, which, answered=False)

    def goes_back(self, at: int, which: int, times: int) -> None:
        if which in self.hands and self.taken[which] == times:
            del self.hands[which]
            heappush(self.line, (0, self.queued_at[which], which))
            self.serve(at)

    def serve(self, at: int) -> None:
        while self.line and len(self.hands) < self.slots(at):
            *_, which = heappop(self.line)
            self.hands[which] = at
            self.taken[which] = times = self.taken.get(which, 0) + 1
            if self.random.random() < self.week.unanswered:
                heappush(self.events, (at + 30_000, 4, which, times))
                continue
            heappush(self.events, (at + max(1_000, int(self.week.takes(self.random))), 2, which, times))
            if which in self.waits and self.waits[which].ended_at < 0:
                self.over(at, which, answered=True)

    def over(self, at: int, which: int, *, answered: bool) -> None:
        wait = self.waits[which]
        wait.ended_at, wait.answered = at, answered
        if (told := wait.told) is not None:
            self.past.append(
                Past(
                    wait.queued_at,
                    wait.took,
                    answered,
                    told.low,
                    told.high,
                    told.estimate,
                    told.tail,
                    told.closes_at,
                    told.opens_at,
                )
            )
            self.unlearnt += 1
            if self.unlearnt >= 20:
                self.learnt, self.unlearnt = correction(self.past), 0

    def slots(self, at: int) -> int:
        return self.week.slots[bisect_right(self.week.slots, (at, 10**9)) - 1][1]
