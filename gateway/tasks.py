"""The owner of a node's short tasks: holds them, limits how many run, and ends them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Coroutine
from typing import Any

log = logging.getLogger("gateway.tasks")

AGAIN_SECONDS = 0.5
AT_ONCE = 64  # reads of the store that may be under way; the others wait for their turn


async def end(tasks: Collection[asyncio.Task[None]]) -> None:
    """Cancel these, and return when all have ended. Again and again, as `asyncio.wait_for` of Python 3.11, which the
    client of Redis waits by, takes a cancellation for nothing if what it waits for comes in the same moment
    (python/cpython 86296)."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=AGAIN_SECONDS)


class Tasks:
    """Start tasks with `start`; `close` cancels and awaits what is left."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns = asyncio.Semaphore(AT_ONCE)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(self._in_turn(work))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def close(self) -> None:
        await end(self._tasks)

    async def _in_turn(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            async with self._turns:
                await work
        finally:
            work.close()  # it never began if the task was cancelled while it waited

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a task failed", exc_info=error)
