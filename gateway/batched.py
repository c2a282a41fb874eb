"""Look-ups that arrive together are one look-up: thousands of peers coming back at once cost a few statements."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

V = TypeVar("V")

AT_MOST = 500  # keys of one statement


class Batched(Generic[V]):
    """What is wanted while one look-up runs, or in the same turn of the loop, is looked up by the next one."""

    def __init__(self, look_up: Callable[[Sequence[str]], Awaitable[Mapping[str, V]]]) -> None:
        self._look_up = look_up
        self._waiting: dict[str, list[asyncio.Future[V | None]]] = {}
        self._worker: asyncio.Task[None] | None = None  # lives while somebody waits

    async def get(self, key: str) -> V | None:
        """What was found under the key, read after this call. Raises what the look-up raised."""
        answer: asyncio.Future[V | None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, []).append(answer)
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        return await answer

    async def close(self) -> None:
        """Whoever still waits is cancelled."""
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.wait([self._worker])

    async def _work(self) -> None:
        try:
            while self._waiting:
                await self._answer(self._taken())
        finally:
            self._worker = None
            _cancel(self._waiting)

    def _taken(self) -> dict[str, list[asyncio.Future[V | None]]]:
        return {key: self._waiting.pop(key) for key in list(self._waiting)[:AT_MOST]}

    async def _answer(self, taken: dict[str, list[asyncio.Future[V | None]]]) -> None:
        found: Mapping[str, V] = {}
        failed: Exception | None = None
        try:
            found = await self._look_up(list(taken))
        except asyncio.CancelledError:
            _cancel(taken)
            raise
        except Exception as error:  # those who wait hear of it; the worker goes on for the others
            failed = error
        for key, answers in taken.items():
            for answer in answers:
                if answer.done():
                    continue  # its peer left
                if failed:
                    answer.set_exception(failed)
                else:
                    answer.set_result(found.get(key))


def _cancel(waiting: dict[str, list[asyncio.Future[V | None]]]) -> None:
    for answers in waiting.values():
        for answer in answers:
            answer.cancel()
    waiting.clear()
