"""A node that is frozen while everybody writes: the others go on, and when it wakes it does no harm."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Callable

from tests.chaos.nodes import Nodes
from tests.chaos.people import busy, crowd
from tests.chaos.weak_spots import HOLDING
from tests.history import Log, Verdict, answers

ROUNDS = int(os.environ.get("SHOPBELL_KILLS", "20")) // 40
# How it freezes, and for how many seconds: also for longer than its people's patience.
SHORT = [(HOLDING, 5.5), (signal.SIGSTOP, 3.0)]
LONG = [(HOLDING, 8.0), (signal.SIGSTOP, 8.0)] * ROUNDS + [(HOLDING, 40.0), (signal.SIGSTOP, 40.0)]
GO_ON_SECONDS = 5.0  # at most, until whoever is on another node has an answer


def test_while_a_node_is_frozen_the_others_go_on(
    nodes: Nodes, dice: random.Random, tell: Callable[[object], None]
) -> None:
    nodes.is_balanced = False
    frozen: list[tuple[str, float, float]] = []  # whose door, from when to when
    waited: list[float] = []

    async def play() -> Verdict:
        async with nodes.running(), crowd(nodes, dice, tabs=2) as people:
            async with busy(people):
                for way, seconds in LONG if ROUNDS else SHORT:
                    await asyncio.sleep(dice.uniform(0.2, 0.8))  # the moment is the experiment
                    server = dice.choice(nodes.servers)
                    await server.freeze(way)
                    began = time.monotonic()
                    await asyncio.sleep(seconds)
                    server.thaw()
                    frozen.append((server.url, began, time.monotonic()))
            waited.extend(_waited(people.logs, frozen))
            return people.verdict(faults=len(frozen))

    verdict = asyncio.run(play())

    tell(
        f"{len(waited)} answers from the other node while one was frozen, at most after {max(waited):.2f} s; {verdict}"
    )
    assert verdict.violations == []
    assert verdict.counts["asleep"] == 0
    assert max(waited) < GO_ON_SECONDS


def _waited(logs: list[Log], frozen: list[tuple[str, float, float]]) -> list[float]:
    """The seconds that people on the other node waited for answers that they wanted meanwhile.

    The nodes freeze in turn: who wanted an answer before their own node woke up has waited for that one.
    """
    waited = []
    for log, at, seconds in answers(logs):
        meanwhile = [door for door, began, ended in frozen if began < at + seconds and at < ended]
        if meanwhile and log.door not in meanwhile:
            waited.append(seconds)
    return waited
