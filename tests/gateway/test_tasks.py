"""Tasks have an owner: it limits how many run at once, says aloud which failed, and ends them all."""

import asyncio
import gc

import pytest

from gateway import tasks as tasks_module
from gateway.tasks import Tasks, end


async def test_what_is_started_runs() -> None:
    tasks, done = Tasks(), asyncio.Event()

    async def work() -> None:
        done.set()

    tasks.start(work())

    await asyncio.wait_for(done.wait(), 1)
    await tasks.close()


async def test_what_nobody_else_knows_of_is_held_until_it_is_done() -> None:
    tasks, waiting, ended = Tasks(), asyncio.Event(), []

    async def work() -> None:
        never = asyncio.get_running_loop().create_future()  # known to this task alone, and this task to it
        waiting.set()
        try:
            await never
        finally:
            ended.append("collected")

    tasks.start(work())
    await waiting.wait()
    gc.collect()  # the loop itself holds tasks weakly

    assert ended == []
    await tasks.close()


async def test_no_more_than_so_many_run_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks_module, "AT_ONCE", 3)
    tasks, running, most, go = Tasks(), 0, 0, asyncio.Event()

    async def work() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await go.wait()
        running -= 1

    for _ in range(10):
        tasks.start(work())
    await asyncio.sleep(0.01)
    assert running == 3

    go.set()
    await asyncio.sleep(0.01)

    assert (running, most) == (0, 3)
    await tasks.close()


async def test_close_ends_what_runs_and_what_still_waits_for_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks_module, "AT_ONCE", 1)
    tasks, ended = Tasks(), []

    async def work(number: int) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(number)

    for number in range(3):
        tasks.start(work(number))
    await asyncio.sleep(0)

    await tasks.close()

    assert ended == [0]  # the others never began; a coroutine that nobody awaits would be a warning, and so an error


async def test_a_cancellation_that_is_taken_for_nothing_is_said_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks_module, "AGAIN_SECONDS", 0.01)
    comes = asyncio.get_running_loop().create_future()

    async def work() -> None:
        await asyncio.wait_for(comes, 60)
        await asyncio.sleep(60)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    comes.set_result(None)  # in the moment in which it is cancelled

    async with asyncio.timeout(1):
        await end([task])

    assert task.cancelled()
    await end([])


async def test_a_task_that_fails_is_logged_and_no_other_is_hurt(caplog: pytest.LogCaptureFixture) -> None:
    tasks, done = Tasks(), asyncio.Event()

    async def fail() -> None:
        raise RuntimeError("on purpose")

    async def work() -> None:
        done.set()

    tasks.start(fail())
    tasks.start(work())
    await asyncio.wait_for(done.wait(), 1)
    await asyncio.sleep(0)

    assert [(record.name, record.exc_info is not None) for record in caplog.records] == [("gateway.tasks", True)]
    await tasks.close()
