"""The throttle: failures of one address are counted, successes aren't, and its memory has an end."""

from collections.abc import Awaitable, Callable

import pytest

from chat.errors import RateLimited
from gateway.limits import KEYS, Meter, Rate
from gateway.throttle import Throttle
from tests.builders import StillClock


class Wrong(Exception):
    """What a wrong guess raises."""


async def fails(throttle: Throttle, email: str = "noa@mine.example") -> int:
    """0 when one more guess was allowed, and failed; else the wait in ms."""
    try:
        async with throttle.guess(email):
            raise Wrong
    except Wrong:
        return 0
    except RateLimited as limited:
        return limited.after_ms or 0


async def alone(key: str) -> float:
    return 0.0


def a_throttle(confirm: Callable[[str], Awaitable[float]] = alone) -> tuple[Throttle, StillClock]:
    clock = StillClock()
    return Throttle(Meter(Rate(1 / 60, 3)), confirm, clock), clock


async def test_after_so_many_failures_one_waits() -> None:
    throttle, clock = a_throttle()
    assert [await fails(throttle) for _ in range(4)] == [0, 0, 0, 60_000]

    clock.move(59)
    assert await fails(throttle) == 1000
    clock.move(1)
    assert [await fails(throttle), await fails(throttle)] == [0, 60_000]


async def test_success_costs_nothing() -> None:
    throttle, _ = a_throttle()
    for _ in range(50):
        async with throttle.guess("noa@mine.example"):
            pass

    assert [await fails(throttle) for _ in range(4)] == [0, 0, 0, 60_000]


async def test_success_is_not_let_through_either_while_one_waits() -> None:
    throttle, _ = a_throttle()
    for _ in range(3):
        await fails(throttle)

    with pytest.raises(RateLimited):
        async with throttle.guess("noa@mine.example"):
            pytest.fail("a guess was made")


async def test_guesses_at_once_are_counted_before_they_are_made() -> None:
    throttle, _ = a_throttle()
    async with (
        throttle.guess("noa@mine.example"),
        throttle.guess("noa@mine.example"),
        throttle.guess("noa@mine.example"),
    ):
        assert await fails(throttle) > 0


async def test_an_address_is_the_same_however_it_is_written_and_no_other() -> None:
    throttle, _ = a_throttle()
    for email in ("noa@mine.example", " Noa@Mine.Example ", "NOA@MINE.EXAMPLE"):
        await fails(throttle, email)

    assert await fails(throttle) > 0
    assert await fails(throttle, "dara@mine.example") == 0


async def test_nonsense_is_an_address_like_others() -> None:
    throttle, _ = a_throttle()

    assert [await fails(throttle, text) for text in ("", "\ud800", "\0", "x" * 100_000)] == [0] * 4


async def test_strangers_do_not_make_it_forget_or_grow() -> None:
    throttle, _ = a_throttle()
    for _ in range(3):
        await fails(throttle)
    for number in range(KEYS + 100):
        await fails(throttle, str(number))

    assert await fails(throttle) > 0
    assert len(throttle._meter) <= KEYS


async def test_what_other_nodes_have_refused_is_not_guessed() -> None:
    waits = [0.0, 30.0]

    async def confirm(key: str) -> float:
        return waits.pop(0)

    throttle, _ = a_throttle(confirm)

    assert [await fails(throttle), await fails(throttle)] == [0, 30_000]


async def test_what_this_node_refuses_the_others_are_not_asked_about() -> None:
    asked: list[str] = []

    async def confirm(key: str) -> float:
        asked.append(key)
        return 0.0

    throttle, _ = a_throttle(confirm)
    for _ in range(10):
        await fails(throttle)

    assert len(asked) == 3
