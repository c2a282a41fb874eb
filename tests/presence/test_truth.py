"""Whatever people, nodes and the engine do, in any order: nobody leaves too early, and nobody is here for ever."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.presence.crowd import MENDED, Crowd
from tests.presence.world import LATE, World

EXAMPLES = int(os.environ.get("SHOPBELL_EXAMPLES", "60"))
SEED = int(os.environ.get("SHOPBELL_SEED") or random.randrange(2**32))
MINUTES = max(4, EXAMPLES // 25)  # that a crowd lives through; with faults in every second one
PEOPLE = ("agt_ann", "agt_ben", "bot_cat")
NODES = 3

Act = tuple[Any, ...]

person, slot, which = st.sampled_from(PEOPLE), st.integers(0, NODES - 1), st.integers(0, 4)
seconds = st.sampled_from([0.25, 1.0, 5.0, 14.0, 16.0, 31.0])
OF_PEOPLE: list[st.SearchStrategy[Act]] = [
    st.tuples(st.just("connect"), person, slot),
    st.tuples(st.just("drop"), person, which),
    st.tuples(st.just("sign_out"), person, which),
]
OF_NODES: list[st.SearchStrategy[Act]] = [
    *(st.tuples(st.just(act), slot) for act in ("crash", "drain", "stop", "freeze", "wake", "mend")),
    st.tuples(st.just("cut"), slot, st.booleans()),
    st.tuples(st.just("wipe")),
    st.tuples(st.just("ring"), st.booleans()),
]
WAIT: st.SearchStrategy[Act] = st.tuples(st.just("wait"), seconds)


async def play(acts: list[Act]) -> World:
    """In the end all is well again, and everybody must know the truth."""
    world = World(PEOPLE, NODES)
    await world.wait(1.0)
    for act in acts:
        await world.act(*act)
    for each in range(NODES):
        await world.wake(each)
        world.mend(each)
    await world.wait(LATE + 1)
    assert world.converged(), str(world)
    return world


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
@given(acts=st.lists(st.one_of(*OF_PEOPLE, *OF_PEOPLE, *OF_NODES, WAIT, WAIT, WAIT), max_size=60))
def test_every_node_tells_the_truth_whatever_happens(acts: list[Act]) -> None:
    asyncio.run(play(acts))


@settings(max_examples=EXAMPLES // 2, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
@given(acts=st.lists(st.one_of(*OF_PEOPLE, WAIT), max_size=60))
def test_without_faults_everybody_knows_within_seconds(acts: list[Act]) -> None:
    """All devices of all people in any order, everything checked at every quarter of a second."""
    asyncio.run(play(acts))


def test_two_hundred_people_on_three_nodes_are_told_right_in_time() -> None:
    """2 s after what happened while nothing is wrong there, 30 s after a node died or came back; and whoever still has
    a device on a node that is well is never said to have gone, whichever other device closes or node dies."""
    crowd = Crowd([f"agt_{number}" for number in range(200)], NODES)
    dice = random.Random(f"{SEED} crowd")

    async def live() -> None:
        await crowd.wait(1.0)
        for minute in range(MINUTES):
            await crowd.live(dice, 60.0, with_faults=minute % 2 == 1)
            for slot in range(NODES):
                await crowd.recover(slot)
        await crowd.wait(MENDED + 20.0)

    asyncio.run(live())

    figures = f"seed {SEED}: {len(crowd.happened)} faults, latest {crowd.latest:g} s, shaken {crowd.latest_shaken:g} s"
    assert crowd.converged(), f"{figures}: {crowd}"
    assert crowd.joins > 10 * MINUTES, figures
    sys.stdout.write(f"{figures}\n")  # pytest -s shows it
