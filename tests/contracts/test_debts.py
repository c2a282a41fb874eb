"""What every engine of shared limits promises: see the docstrings of `gateway.debts`."""

from __future__ import annotations

import asyncio

import pytest

from gateway.debts import MOST, Debts, Taken
from tests.engines import DebtsEngine

SOON = 0.5  # seconds that a test may take: what is owed passes meanwhile


async def adds(
    debts: Debts, seconds: float, *, alone: float | None = None, key: str = "m:a", burst: float = 100
) -> float:
    """So many taken at once, by default; what is owed then."""
    return (await debts.add([Taken(key, seconds, seconds if alone is None else alone, burst)]))[0]


def about(seconds: float) -> object:
    return pytest.approx(seconds - SOON / 2, abs=SOON / 2)


async def test_what_one_node_adds_every_node_owes(debts: DebtsEngine) -> None:
    first, second = debts.open(), debts.open()
    assert first.is_shared

    assert await adds(first, 20) == about(20)
    assert await adds(second, 5) == about(25)
    assert await adds(first, 0, alone=-1000) == about(25)


async def test_keys_do_not_know_each_other(debts: DebtsEngine) -> None:
    node = debts.open()

    owed = await node.add([Taken(f"m:{number}", number, number, 100) for number in range(1, 40)])
    again = await node.add([Taken("m:7", 1, 1, 100), Taken("m:9", 1, 1, 100), Taken("n:7", 1, 1, 100)])

    assert owed == [about(number) for number in range(1, 40)]
    assert again == [about(8), about(10), about(1)]


async def test_what_is_owed_passes_with_time(debts: DebtsEngine) -> None:
    first, second = debts.open(), debts.open()
    await adds(first, 50)

    debts.pass_time(30)
    assert await adds(second, 10) == about(30)
    debts.pass_time(60)
    assert await adds(first, 10) == about(10)


async def test_what_is_told_late_counts_from_when_it_was_taken(debts: DebtsEngine) -> None:
    """Ten were taken a second each, of which seven are paid off; and on top of what others owe they count in full."""
    first, second = debts.open(), debts.open()

    assert await adds(first, 10, alone=3) == about(3)
    assert await adds(second, 10, alone=3) == about(13)


async def test_what_was_owed_a_little_while_ago_still_counts(debts: DebtsEngine) -> None:
    """What was taken before that and is told only now stands behind it."""
    first, second = debts.open(), debts.open()
    await adds(first, 50)
    debts.pass_time(60)

    assert await adds(second, 40, alone=-20) == about(30)


async def test_what_is_given_back_is_owed_no_more(debts: DebtsEngine) -> None:
    node = debts.open()
    await adds(node, 20)

    assert await adds(node, -5, alone=-1000) == about(15)
    assert await adds(node, -500, alone=-1000) < 0
    assert await adds(node, 3) == about(3)


async def test_no_more_is_owed_than_makes_sense(debts: DebtsEngine) -> None:
    node = debts.open()

    assert await adds(node, 1e9, burst=10) == about(10 * MOST)
    debts.pass_time(-1e9)  # a clock that was set back
    assert await adds(node, 1, burst=10) == about(10 * MOST)


async def test_nodes_that_add_at_the_same_time_lose_nothing(debts: DebtsEngine) -> None:
    nodes = [debts.open() for _ in range(3)]

    await asyncio.gather(*(adds(node, 0.5, alone=0.5) for node in nodes * 10))

    assert await adds(nodes[0], 0, alone=-1000) == pytest.approx(15, abs=2)


async def test_nothing_can_be_added_to_see_whether_it_answers(debts: DebtsEngine) -> None:
    assert await debts.open().add([]) == []


@pytest.mark.parametrize("key", ["requests:2001:db8::", "connects:}{x", "m:\u05d0 \u2603", "m:" + "x" * 300])
async def test_keys_may_be_anything(debts: DebtsEngine, key: str) -> None:
    first, second = debts.open(), debts.open()
    await adds(first, 5, key=key)

    assert await adds(second, 5, key=key) == about(10)
