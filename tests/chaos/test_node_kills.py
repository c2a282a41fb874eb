"""Kill one of two nodes again and again while everybody writes through both: nothing lost, doubled or out of order."""

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Callable

from tests.chaos.nodes import Nodes
from tests.chaos.people import busy, crowd
from tests.chaos.weak_spots import COMMITTED, TOLD
from tests.history import Verdict

KILLS = int(os.environ.get("SHOPBELL_KILLS", "20"))
WAYS = {"at once": signal.SIGKILL, "committed, nobody told": COMMITTED, "told, the bus not": TOLD}


def test_kills_of_any_node_lose_nothing(nodes: Nodes, dice: random.Random, tell: Callable[[object], None]) -> None:
    died: Counter[str] = Counter()

    async def play() -> Verdict:
        async with nodes.running(), crowd(nodes, dice, tabs=2) as people:
            async with busy(people):
                for number in range(KILLS):
                    way = [*WAYS][number % len(WAYS)]
                    await asyncio.sleep(dice.uniform(0.0, 0.6))  # the moment of the kill is the experiment
                    await nodes.kill(dice.choice(nodes.servers), WAYS[way])
                    died[way] += 1
            return people.verdict(faults=KILLS)

    verdict = asyncio.run(play())

    tell(f"{verdict}, holes healed {nodes.holes:g}, died {dict(died)}")
    assert verdict.violations == []
    assert verdict.counts["asleep"] == 0
    assert verdict.counts["resumes"] >= KILLS
    assert KILLS < 10 or verdict.counts["again"] > 0, "no kill hit an ask between its commit and its answer"
