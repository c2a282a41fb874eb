"""The line of strangers: in order, and in each turn of the loop no longer than their time."""

from __future__ import annotations

import asyncio
import logging

import pytest

from gateway.line import TURN_SECONDS, Line
from tests.builders import StillClock


class Work:
    """Pieces of work that each take half a turn's time, on a clock that only they move."""

    def __init__(self) -> None:
        self.clock = StillClock()
        self.line = Line(self.clock)
        self.done: list[int] = []
        self._time = 0.0
        self.clock.ticks = lambda: self._time  # type: ignore[method-assign]  # finer than milliseconds

    def piece(self, n: int) -> None:
        self._time += TURN_SECONDS / 2
        self.done.append(n)

    def come(self, n: int) -> bool:
        """Returns whether it was done at once."""
        if self.line.take(lambda: self.piece(n)):
            return True
        self.line.wait(lambda: self.piece(n))
        return False


async def test_what_comes_is_done_at_once_while_the_turn_has_time() -> None:
    work = Work()

    assert [work.come(n) for n in range(3)] == [True, True, False]
    assert work.done == [0, 1]


async def test_the_rest_is_done_in_later_turns_in_order() -> None:
    work = Work()
    for n in range(7):
        work.come(n)

    done_by_turn = []
    for _ in range(4):
        await asyncio.sleep(0)
        done_by_turn.append(len(work.done))

    assert done_by_turn == [4, 6, 7, 7]
    assert work.done == list(range(7))


async def test_nobody_overtakes_who_waits() -> None:
    work = Work()
    for n in range(5):
        work.come(n)
    await asyncio.sleep(0)

    assert not work.come(5)
    for _ in range(3):
        await asyncio.sleep(0)
    assert work.done == list(range(6))


async def test_others_of_the_loop_have_their_turn_between() -> None:
    work = Work()
    seen = []
    for n in range(6):
        work.come(n)
    for _ in range(2):
        asyncio.get_running_loop().call_soon(lambda: seen.append(len(work.done)))
        await asyncio.sleep(0)

    assert seen == [4, 6]


async def test_a_bug_in_one_piece_doesnt_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    work = Work()
    for n in range(2):
        work.come(n)

    def fails() -> None:
        raise RuntimeError("a bug")

    work.line.wait(fails)
    work.line.wait(lambda: work.piece(9))
    with caplog.at_level(logging.ERROR):
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    assert work.done == [0, 1, 9]
    assert "a bug" in caplog.text
