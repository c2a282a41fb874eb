"""Plays a week of a seed from end to end, and says what came of it."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path
from typing import Literal

import pytest
from msgspec import Struct

from chat.waits import Waits, WaitsReport
from gateway import agenda, case
from tests.week.node import LOOK_SECONDS
from tests.week.oracle import Oracle, stored
from tests.week.places import OnServers, OnSqlite, Places
from tests.week.plan import ACCOUNT, DAYS, a_plan
from tests.week.town import Town
from tests.week.virtual import Outside, VirtualClock, VirtualLoop

CONVERSATIONS = 5_000  # of a whole week

# What finds only what got lost comes seldom: it would hide it from the oracle, and takes most of the time.
POLL_SECONDS = 60.0
FRESH_SECONDS = (1200.0, 1800.0)

Where = Literal["sqlite", "servers"]


class Outcome(Struct, frozen=True):
    """What came of a week. `cpu` is in seconds."""

    seed: int
    complaints: list[str]
    neglected: list[str]
    report: WaitsReport
    conversations: int
    decisions: int
    cpu: float

    def __str__(self) -> str:
        report, calibration = self.report, self.report.calibration
        return (
            f"week {self.seed}: {self.conversations} conversations, {self.decisions} decisions, {report.total} waited, "
            f"{report.answered} of them answered; by the lower figure {calibration.by_low}, by the upper "
            f"{calibration.by_high}; median error {calibration.median_error} ms, Rocket.Chat's formula "
            f"{calibration.rocket_median_error} ms; {self.cpu:.0f} s of CPU"
        )


def play(
    seed: int, folder: Path, where: Where = "sqlite", conversations: int = CONVERSATIONS, days: int = DAYS
) -> Outcome:
    """The same seed gives the same week on SQLite, but for what threads and real servers do."""
    plan, outside = a_plan(seed, conversations, days), Outside()
    clock = VirtualClock(plan.begins)
    began, state = time.process_time(), random.getstate()
    random.seed(seed)  # the jitter of what is played is drawn from there

    async def scene() -> Outcome:
        places: Places = await (OnSqlite if where == "sqlite" else OnServers).open(folder, clock, outside)
        try:
            town = Town(plan, places, clock, outside)
            await town.live()
            found = await stored(places.stores[0])
            report = await Waits(places.stores[0]).report(ACCOUNT, plan.begins, plan.ends)
        finally:
            await places.close()
        complaints = Oracle(plan, town.diary, found, places.times).complaints()
        cpu = time.process_time() - began
        return Outcome(seed, complaints, town.neglected, report, len(found.states), len(found.lines), cpu)

    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(case, "LOOK_SECONDS", LOOK_SECONDS)
            patch.setattr(agenda, "POLL_SECONDS", POLL_SECONDS)
            patch.setattr(agenda, "FRESH_SECONDS", FRESH_SECONDS)
            with asyncio.Runner(loop_factory=lambda: VirtualLoop(clock, outside)) as runner:
                return runner.run(scene())
    finally:
        random.setstate(state)
