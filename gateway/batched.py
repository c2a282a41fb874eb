"""Look-ups that arrive together are one look-up: thousands of peers coming back at once cost a few statements."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Generic, TypeVar, cast

from chat.errors import Unavailable

log = logging.getLogger("gateway.batched")

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

AT_MOST = 500  # keys of one statement


class Batched(Generic[K, V]):
    """What is wanted while look-ups run, or in the same turn of the loop, is looked up by the next one: so many keys
    `at_most`, and so many look-ups `at_once`."""

    def __init__(
        self,
        look_up: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]],
        *,
        at_most: int | None = None,
        at_once: int = 1,
    ) -> None:
        self._look_up = look_up
        self._at_most = at_most or AT_MOST
        self._at_once = at_once
        self._waiting: dict[K, list[asyncio.Future[V | None]]] = {}
        self._workers: set[asyncio.Task[None]] = set()  # they live while somebody waits

    async def get(self, key: K) -> V | None:
        """What was found under the key, read after this call. Raises what the look-up raised."""
        answer: asyncio.Future[V | None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, []).append(answer)
        if len(self._workers) < self._at_once:
            worker = asyncio.create_task(self._work())
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)
        return await answer

    async def close(self) -> None:
        """Whoever still waits is cancelled."""
        for worker in self._workers:
            worker.cancel()
        if self._workers:
            await asyncio.wait(self._workers)
        _cancel(self._waiting)

    async def _work(self) -> None:
        try:
            while self._waiting:
                await self._answer(self._taken())
        finally:
            self._workers.discard(
                cast("asyncio.Task[None]", asyncio.current_task())
            )  # now: whoever comes next needs one

    def _taken(self) -> dict[K, list[asyncio.Future[V | None]]]:
        return {key: self._waiting.pop(key) for key in list(self._waiting)[: self._at_most]}

    async def _answer(self, taken: dict[K, list[asyncio.Future[V | None]]]) -> None:
        try:
            found = await self._look_up(list(taken))
        except asyncio.CancelledError:
            _cancel(taken)
            raise
        except Exception as error:  # those who wait hear of it; the worker goes on for the others
            if len(taken) == 1 or isinstance(error, Unavailable):
                _fail(taken, error)
                return
            log.warning("a look-up of %d failed, now each by itself: %s", len(taken), error)
            await self._one_by_one(taken)
        else:
            _settle(taken, found)

    async def _one_by_one(self, taken: dict[K, list[asyncio.Future[V | None]]]) -> None:
        """One of them is the cause, and the others shall not suffer for it."""
        try:
            while taken:
                key = next(iter(taken))
                await self._answer({key: taken.pop(key)})
        finally:
            _cancel(taken)


def _settle(taken: dict[K, list[asyncio.Future[V | None]]], found: Mapping[K, V]) -> None:
    for key, answers in taken.items():
        for answer in answers:
            if not answer.done():  # its peer left
                answer.set_result(found.get(key))


def _fail(taken: dict[K, list[asyncio.Future[V | None]]], error: Exception) -> None:
    for answers in taken.values():
        for answer in answers:
            if not answer.done():
                answer.set_exception(error)


def _cancel(waiting: dict[K, list[asyncio.Future[V | None]]]) -> None:
    for answers in waiting.values():
        for answer in answers:
            answer.cancel()
    waiting.clear()
