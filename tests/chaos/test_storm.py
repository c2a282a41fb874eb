"""A node dies and all of its people come to the other one at once, each many changes behind.

SHOPBELL_STORM is how many they are: 5,000 in `make chaos`.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from bots import Client, Pace, Shopper
from bots.reconnect import Course
from tests.chaos.figures import allow_files, part, spread
from tests.chaos.front import Front
from tests.chaos.lurkers import Lurker, settle_in
from tests.chaos.nodes import Nodes
from tests.chaos.server import Server
from tests.chaos.town import town
from tests.history import Log, Verdict, check

STORM = int(os.environ.get("SHOPBELL_STORM", "300"))
BEHIND = 20
CAUGHT_UP_SECONDS = 20.0
A_SECOND = max(100, STORM // 5)  # handshakes that the node takes: fewer than come
PATIENCE = 60.0
NEIGHBOUR_SECONDS = 0.05  # between the messages of somebody who isn't concerned


@dataclass
class Storm:
    """What it came to."""

    seconds: list[float] = field(default_factory=list)
    """Until each was up to date."""
    turned_away: int = 0
    answers: dict[str, list[float]] = field(default_factory=dict)
    """Of the neighbour's messages, before and in the storm."""

    @property
    def beyond(self) -> float:
        """How many more had come by any moment than the node may take: what was saved up, and so many a second."""
        return max(number - A_SECOND * (1 + end) for number, end in enumerate(sorted(self.seconds), 1))

    def __str__(self) -> str:
        answers = "; ".join(f"{when} {spread(seconds)}" for when, seconds in self.answers.items())
        return (
            f"{STORM} sockets, each {BEHIND} changes behind: half of them up to date after "
            f"{part(self.seconds, 0.5):.2f} s, all after {max(self.seconds):.2f} s; {self.turned_away} times turned "
            f"away, {self.beyond:.0f} beyond the limit of {A_SECOND}/s; a neighbour's answers: {answers}"
        )


def test_all_who_come_back_at_once_are_caught_up_in_time(
    nodes: Nodes, dice: random.Random, tmp_path: Path, tell: Callable[[object], None]
) -> None:
    allow_files(2 * STORM + 1000)
    nodes.balancer = front = Front(dice, nodes.balancer.ports)
    dying, living = nodes.servers
    living.settings["SHOPBELL_HANDSHAKES_PER_SECOND"] = str(A_SECOND)
    storm = Storm()

    async def play() -> Verdict:
        async with nodes.running(), town(nodes, tmp_path) as people:
            (agent,), shoppers = await people.agents(1), await people.shoppers(STORM)
            conversations = await people.begin(shoppers)
            front.ready = [dying.port]
            lurkers = [Lurker(person, front.door, dice, Course(Pace())) for person in shoppers]
            async with asyncio.TaskGroup() as tasks:
                lives = await settle_in(lurkers, tasks)
                for lurker in lurkers:
                    lurker.may_come.clear()
                front.ready = [living.port]
                await dying.kill()
                await people.write(agent, conversations, BEHIND)
                async with neighbour(living) as answers:
                    await asyncio.sleep(1.0)  # of peace
                    storm.answers["before"] = [*answers]
                    answers.clear()
                    await come_back(lurkers, storm)
                    storm.answers["in it"] = answers
                verdict = check(stopped(lurkers), nodes.read(), faults=1)
                for life in lives:
                    life.cancel()
        return verdict

    verdict = uvloop.run(play())

    tell(f"{storm}\n{verdict}")
    assert verdict.violations == []
    assert verdict.counts["asleep"] == 0
    assert verdict.counts["reset"] == 0
    assert max(storm.seconds) < CAUGHT_UP_SECONDS
    assert storm.turned_away > 0, "nobody was turned away: not much of a storm"
    assert storm.beyond <= 0


async def come_back(lurkers: Sequence[Lurker], storm: Storm) -> None:
    """All of them at once, as our clients do after a lost connection."""
    began = time.monotonic()
    for lurker in lurkers:
        lurker.may_come.set()
    await all_synced(lurkers)
    storm.seconds = [lurker.back_at - began for lurker in lurkers]
    storm.turned_away = sum(lurker.turned_away for lurker in lurkers)


async def all_synced(lurkers: Sequence[Lurker]) -> None:
    for lurker in lurkers:
        await lurker.until(lambda lurker: lurker.is_synced, PATIENCE)


@asynccontextmanager
async def neighbour(server: Server) -> AsyncIterator[list[float]]:
    """Somebody of another account who writes all the time; how long each answer took."""
    answers: list[float] = []

    async def write(client: Client, inbox: str) -> None:
        conversation = (await client.start(inbox, "Nothing to do with it"))["conversation"]
        while True:
            asked = time.monotonic()
            await client.send(conversation, "Here I am")
            answers.append(time.monotonic() - asked)
            await asyncio.sleep(NEIGHBOUR_SECONDS)

    shopper = await Shopper.open(server.url, "demo")
    async with shopper.client() as client, asyncio.TaskGroup() as tasks:
        writing = tasks.create_task(write(client, shopper.inbox))
        yield answers
        writing.cancel()


def stopped(lurkers: Sequence[Lurker]) -> list[Log]:
    """Their logs, in which nothing more is written."""
    for lurker in lurkers:
        lurker.log.stop()
    return [lurker.log for lurker in lurkers]
