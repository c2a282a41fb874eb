"""SIGTERM under load: everybody is told to come back, sockets close with 4200, and nothing is lost."""

import asyncio
import random
from collections.abc import Callable

from bots.reconnect import LOST
from tests.chaos.people import Crowd, busy, crowd
from tests.chaos.server import Server
from tests.history import Verdict

DRAIN = 4200
STOPS = 3


def test_a_stop_under_load_loses_nothing(server: Server, dice: random.Random, tell: Callable[[object], None]) -> None:
    ways: list[tuple[bool, int]] = []

    async def play() -> Verdict:
        await server.start()
        async with crowd(server, dice) as people:
            async with busy(people):
                for _ in range(STOPS):
                    await asyncio.sleep(dice.uniform(0.2, 0.6))  # the moment is the experiment
                    assert await server.stop() == 0
                    await server.start()
            ways.extend(_ways_out(people))
            return people.verdict(faults=STOPS)

    verdict = asyncio.run(play())

    tell(verdict)
    assert verdict.violations == []
    assert verdict.counts["asleep"] == 0
    # Who was connected was told first, and then saw the code. (A client may be just about to move by itself: 1000.)
    assert {told for told, _ in ways} == {True}
    assert LOST not in {code for _, code in ways}
    assert sum(code == DRAIN for _, code in ways) >= STOPS


def _ways_out(people: Crowd) -> list[tuple[bool, int]]:
    """Of each connection that ended: was it told to reconnect, and its close code."""
    ways = []
    for log in people.logs:
        told = False
        for event in log.events:
            told = (told or event.what == "reconnect") and event.what != "connected"
            if event.what == "disconnected":
                ways.append((told, event.seq))
    return ways
