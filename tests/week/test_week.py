"""A week in virtual time on the real ledger: nobody gets what they couldn't take, nothing is lost, promises hold.

SHOPBELL_WEEKS is how many whole weeks are played on SQLite, and one more on two nodes with PostgreSQL and Redis. Where
it isn't set it is five and one, and of each week only the day on which clocks change.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor

import pytest

from tests.week.plan import DAYS
from tests.week.week import CONVERSATIONS, Outcome, play

pytestmark = pytest.mark.chaos  # it takes all processors itself

WHOLE = "SHOPBELL_WEEKS" in os.environ
WEEKS = int(os.environ.get("SHOPBELL_WEEKS", "5"))
SEED = int(os.environ.get("SHOPBELL_SEED") or random.randrange(2**32))
LENGTH = DAYS if WHOLE else 1
SIZE = CONVERSATIONS * LENGTH // DAYS

# In one day little is learnt, and all who wait in one rush are right or wrong together.
BY_LOW = (0.45, 0.55) if WHOLE else (0.38, 0.62)
BY_HIGH = (0.85, 0.95) if WHOLE else (0.78, 0.98)

Played = Callable[[int], Outcome]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """Each week once, as many at a time as there are processors."""
    spawned = multiprocessing.get_context("spawn")  # none of this process's threads and connections
    with ProcessPoolExecutor(min(WEEKS, os.cpu_count() or 1), spawned) as pool:
        weeks: list[Future[Outcome]] = [
            pool.submit(play, SEED + number, tmp_path_factory.mktemp("week"), "sqlite", SIZE, LENGTH)
            for number in range(WEEKS)
        ]
        yield lambda number: weeks[number].result()


def test_the_same_holds_on_two_nodes_with_postgresql_and_redis(
    tmp_path_factory: pytest.TempPathFactory, played: Played
) -> None:
    judge(play(SEED, tmp_path_factory.mktemp("week"), "servers", SIZE, LENGTH))


@pytest.mark.parametrize("number", range(WEEKS))
def test_nobody_gets_what_they_could_not_take_and_nothing_is_lost(number: int, played: Played) -> None:
    judge(played(number))


def judge(outcome: Outcome) -> None:
    sys.stdout.write(f"{outcome}\n")  # pytest -s shows it

    assert outcome.complaints[:20] == [], f"SHOPBELL_SEED={outcome.seed}: {len(outcome.complaints)} in all"
    assert outcome.neglected[:20] == [], f"SHOPBELL_SEED={outcome.seed}: {len(outcome.neglected)} in all"
    assert outcome.conversations > 0.99 * SIZE


def test_half_of_the_waits_end_by_the_lower_figure_and_nine_of_ten_by_the_upper(played: Played) -> None:
    found = [played(number).report.calibration for number in range(WEEKS)]
    waits = sum(each.waits for each in found)
    by_low = sum((each.by_low or 0.0) * each.waits for each in found) / waits
    by_high = sum((each.by_high or 0.0) * each.waits for each in found) / waits
    sys.stdout.write(f"{waits} waits, {by_low:.3f} by the lower figure, {by_high:.3f} by the upper\n")

    assert waits > 0.05 * SIZE * WEEKS, "next to nobody had to wait"
    assert BY_LOW[0] <= by_low <= BY_LOW[1], f"SHOPBELL_SEED={SEED}: {by_low}"
    assert BY_HIGH[0] <= by_high <= BY_HIGH[1], f"SHOPBELL_SEED={SEED}: {by_high}"
