"""Limits that all nodes have in common: what each has taken is told now and then, and what all have taken is learned.

Nobody waits for it: a meter decides by what this node knows. Without the engine each node counts for itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from itertools import islice

from chat.clock import Clock
from chat.errors import Unavailable
from gateway.debts import Debts, Taken
from gateway.limits import ROUNDING, Meter, Rate
from gateway.metrics import Metrics
from gateway.shared_meter import SharedMeter

log = logging.getLogger("gateway.sharing")

NewMeter = Callable[[str, Rate], Meter]
"""Makes the meter of a limit by its name, which is the same on all nodes."""

EVERY_SECONDS = 0.2  # after something is due, so that what many take is told together
AWAITED_SECONDS = 0.01  # between two tellings, when somebody waits for one
LATE_SECONDS = 0.2  # without an answer; who is within its limit here doesn't wait any longer then
AWAY_SECONDS = 1.0  # between two looks whether the engine is here again
TOGETHER = 200  # keys told at once, two milliseconds of the loop; the others come next


class Sharing:
    """`run` must run as a task while its meters are used."""

    def __init__(self, debts: Debts, clock: Clock, metrics: Metrics) -> None:
        self._debts = debts
        self._clock = clock
        self._told = metrics.limits_told
        self._is_shared = metrics.limits_shared
        self._meters: dict[str, tuple[SharedMeter, float]] = {}
        self._is_shared.set(debts.is_shared)
        self._rung, self._awaited = asyncio.Event(), asyncio.Event()
        self._is_here = True

    def meter(self, name: str, rate: Rate) -> Meter:
        """A meter whose keys are limited on all nodes together."""
        if not self._debts.is_shared:
            return Meter(rate)
        meter = SharedMeter(rate, self._ring)
        self._meters[name] = (meter, rate.burst / rate.per_second)
        return meter

    async def confirm(self, name: str, key: str) -> float:
        """Tell at once what was just taken of this key, for what is rare and mustn't be too often by a single one.

        0 if all nodes together may have taken it, or if nobody can be asked; else the seconds to wait, and it is given
        back.
        """
        if name not in self._meters or not self._is_here:
            return 0.0
        meter, burst = self._meters[name]
        wait = (await self._tell([(name, key)]))[0] - burst
        if wait <= ROUNDING:
            return 0.0
        meter.give_back(key)
        return wait

    async def run(self) -> None:
        """Tell and learn for ever."""
        while True:
            if not self._is_here:
                await asyncio.sleep(AWAY_SECONDS)
                await self._tell([])
                continue
            await self._rung.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(EVERY_SECONDS):
                    await self._awaited.wait()
            self._rung.clear()
            self._awaited.clear()
            await self._tell(self._due())
            await asyncio.sleep(AWAITED_SECONDS)

    def _ring(self, is_awaited: bool) -> None:
        self._rung.set()
        if is_awaited:
            self._awaited.set()

    def _due(self) -> list[tuple[str, str]]:
        """What is told next. Of more than that the rest follows at once."""
        due = ((name, key) for name, (meter, _) in self._meters.items() for key in meter.due)
        found = list(islice(due, TOGETHER + 1))
        if len(found) > TOGETHER:
            self._ring(is_awaited=True)
        return found[:TOGETHER]

    async def _tell(self, keys: list[tuple[str, str]]) -> list[float]:
        """What is owed of each by all nodes; 0 of each if nobody answers, and then they don't learn of it any more: it
        may be that they did."""
        now = self._clock.ticks()
        counts: list[int] = []
        taken: list[Taken] = []
        for name, key in keys:
            meter, burst = self._meters[name]
            count, seconds, alone = meter.tell(key, now)
            counts.append(count)
            taken.append(Taken(f"{name}:{key}", seconds, alone, burst))
        owed = [0.0] * len(keys)
        late = asyncio.get_running_loop().call_later(LATE_SECONDS, self._set_answered, False)
        try:
            owed = await self._debts.add(taken)
            self._told.inc(len(keys))
            self._tell_here()
        except Unavailable as error:
            self._tell_away(error)
        finally:  # also when whoever waits for it has gone
            late.cancel()
            for (name, key), count, each in zip(keys, counts, owed, strict=True):
                self._meters[name][0].learn(key, count, now + each, self._clock.ticks())
        return owed

    def _tell_away(self, error: Unavailable) -> None:
        """Once, however often it is tried in vain."""
        if self._is_here:
            log.warning("each node counts limits for itself until Redis is back: %s", error)
            self._set_here(False)

    def _tell_here(self) -> None:
        self._set_answered(True)
        if not self._is_here:
            log.info("limits are counted together again")
            self._set_here(True)
            self._ring(is_awaited=False)

    def _set_here(self, is_here: bool) -> None:
        self._is_here = is_here
        self._is_shared.set(is_here)
        self._set_answered(is_here)

    def _set_answered(self, is_answered: bool) -> None:
        for meter, _ in self._meters.values():
            meter.is_answered = is_answered
