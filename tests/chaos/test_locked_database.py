"""Another process holds the database's lock: `unavailable` after two seconds, and all is right when it lets go."""

import asyncio
import random
import sqlite3
import time
from collections.abc import Callable

from tests.chaos.people import Crowd, busy, crowd
from tests.chaos.server import Server
from tests.history import Verdict

LOCKED_SECONDS = 4.5
PATIENCE_SECONDS = 2.0  # design, section 5: then the store is `unavailable`


def test_a_locked_database_is_waited_for_and_then_unavailable(
    server: Server, dice: random.Random, tell: Callable[[object], None]
) -> None:
    locked: list[float] = []

    async def play() -> tuple[Verdict, Crowd]:
        await server.start()
        async with crowd(server, dice) as people:
            async with busy(people):
                await asyncio.sleep(0.3)  # some history first
                await _hold_the_lock(server, locked)
                for client, log in people.clients.values():
                    if log.kind == "contact":
                        await client.start(people.inbox, "It is open again")
            return people.verdict(faults=1), people

    verdict, people = asyncio.run(play())
    refused = sorted(
        event.at
        for log in people.logs
        for event in log.events
        if event.what == "refused" and event.detail == "unavailable"
    )

    tell(f"first refusal {refused[0] - locked[0]:.2f} s after the lock, {len(refused)} in all; {verdict}")
    assert verdict.violations == []
    assert verdict.counts["asleep"] == 0
    assert PATIENCE_SECONDS - 0.2 < refused[0] - locked[0] < PATIENCE_SECONDS + 1


async def _hold_the_lock(server: Server, locked: list[float]) -> None:
    other = sqlite3.connect(server.database, isolation_level=None, timeout=10)
    try:
        other.execute("BEGIN EXCLUSIVE")
        locked.append(time.monotonic())
        await asyncio.sleep(LOCKED_SECONDS)
        other.execute("ROLLBACK")
    finally:
        other.close()
