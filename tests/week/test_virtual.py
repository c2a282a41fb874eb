"""A week of virtual time takes no time, and none of it passes while something outside is waited for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

from tests.week.virtual import Outside, VirtualClock, VirtualLoop

WEEK_SECONDS = 7 * 24 * 3600.0


def play(clock: VirtualClock, outside: Outside, scene: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(clock, outside)) as runner:
        runner.run(scene)


def test_a_week_of_sleep_is_over_at_once() -> None:
    clock, heard = VirtualClock(1_000), []

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds)
        heard.append((seconds, clock.now()))

    async def scene() -> None:
        await asyncio.gather(sleep(WEEK_SECONDS), sleep(0.25), sleep(3600))

    began = time.monotonic()
    play(clock, Outside(), scene())

    assert heard == [(0.25, 1_250), (3600, 3_601_000), (WEEK_SECONDS, 604_801_000)]
    assert time.monotonic() - began < 5


def test_no_time_passes_while_something_outside_is_under_way() -> None:
    clock, outside = VirtualClock(0), Outside()
    seen = []

    async def ask() -> None:
        with outside.work():
            await asyncio.to_thread(time.sleep, 0.02)
            seen.append(clock.now())

    async def scene() -> None:
        asking = asyncio.create_task(ask())
        await asyncio.sleep(10)
        seen.append(clock.now())
        await asking

    play(clock, outside, scene())

    assert seen == [0, 10_000]


def test_a_timeout_comes_in_virtual_time() -> None:
    clock = VirtualClock(0)

    async def scene() -> None:
        try:
            async with asyncio.timeout(30):
                await asyncio.get_running_loop().create_future()
        except TimeoutError:
            return
        raise AssertionError("nobody came")

    play(clock, Outside(), scene())

    assert clock.now() == 30_000
