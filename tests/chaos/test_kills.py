"""Kill the server again and again while everybody writes: nothing is lost, nothing doubled, nothing out of order."""

import asyncio
import os
import random
from collections.abc import Callable

import pytest

from tests.chaos.people import busy, crowd
from tests.chaos.server import Server
from tests.history import Verdict

KILLS = int(os.environ.get("SHOPBELL_KILLS", "20"))
SLOW_DISK = ["-m", "tests.chaos.slow_disk", "serve"]


@pytest.mark.parametrize(("disk", "kills"), [("quick", KILLS), ("slow", max(5, KILLS // 4))])
def test_kills_at_random_moments_lose_nothing(
    disk: str, kills: int, server: Server, dice: random.Random, tell: Callable[[object], None]
) -> None:
    async def play() -> Verdict:
        server.command = SLOW_DISK if disk == "slow" else server.command
        await server.start()
        async with crowd(server, dice, tabs=2) as people:
            async with busy(people):
                for _ in range(kills):
                    await asyncio.sleep(dice.uniform(0.0, 0.6))  # the moment of the kill is the experiment
                    await server.kill()
                    await server.start()
            verdict = people.verdict(faults=kills)
        await server.stop()
        return verdict

    verdict = asyncio.run(play())

    tell(verdict)
    assert verdict.violations == []
    assert verdict.counts["asleep"] == 0
    assert verdict.counts["resumes"] >= kills
    assert kills < 10 or verdict.counts["again"] > 0, (
        "no kill hit an ask between its commit and its answer: not much of a test"
    )
