"""A week in virtual time on the real ledger: nobody gets what they couldn't take, nothing is lost, promises hold.

SHOPBELL_WEEKS is how many weeks are played on SQLite: 5 by default, 100 in `make chaos`. One more is on two nodes with
PostgreSQL and Redis.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable
from functools import cache

import pytest

from tests.week.week import CONVERSATIONS, Outcome, play

WEEKS = int(os.environ.get("SHOPBELL_WEEKS", "5"))
SEED = int(os.environ.get("SHOPBELL_SEED") or random.randrange(2**32))

Played = Callable[[int], Outcome]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Each week once."""

    @cache
    def of(number: int) -> Outcome:
        outcome = play(SEED + number, tmp_path_factory.mktemp("week"))
        sys.stdout.write(f"{outcome}\n")  # pytest -s shows it
        return outcome

    return of


@pytest.mark.parametrize("number", range(WEEKS))
def test_nobody_gets_what_they_could_not_take_and_nothing_is_lost(number: int, played: Played) -> None:
    outcome = played(number)

    assert outcome.complaints[:20] == [], f"SHOPBELL_SEED={outcome.seed}: {len(outcome.complaints)} in all"
    assert outcome.neglected[:20] == [], f"SHOPBELL_SEED={outcome.seed}: {len(outcome.neglected)} in all"
    assert outcome.conversations > 0.99 * CONVERSATIONS


def test_half_of_the_waits_end_by_the_lower_figure_and_nine_of_ten_by_the_upper(played: Played) -> None:
    found = [played(number).report.calibration for number in range(WEEKS)]
    waits = sum(each.waits for each in found)
    by_low = sum((each.by_low or 0.0) * each.waits for each in found) / waits
    by_high = sum((each.by_high or 0.0) * each.waits for each in found) / waits

    assert waits > 200 * WEEKS, "next to nobody had to wait"
    assert 0.45 <= by_low <= 0.55, f"SHOPBELL_SEED={SEED}: {by_low}"
    assert 0.85 <= by_high <= 0.95, f"SHOPBELL_SEED={SEED}: {by_high}"


def test_the_same_holds_on_two_nodes_with_postgresql_and_redis(tmp_path_factory: pytest.TempPathFactory) -> None:
    outcome = play(SEED, tmp_path_factory.mktemp("week"), "servers")
    sys.stdout.write(f"{outcome}\n")

    assert outcome.complaints[:20] == [], f"SHOPBELL_SEED={outcome.seed}: {len(outcome.complaints)} in all"
    assert outcome.neglected[:20] == [], f"SHOPBELL_SEED={outcome.seed}: {len(outcome.neglected)} in all"
