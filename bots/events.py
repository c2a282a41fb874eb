"""Bounded queues between the socket and whoever consumes its frames: when the consumer is slow, reading stops."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Self

from bots.errors import Closed
from bots.frames import Frame

ROOM = 1024  # frames; where reading stops
HARD_FACTOR = 8  # while asks wait for their answers reading goes on up to this many times the room


class Subscription:
    """One consumer's frames, in order, none left out: `with client.events() as frames: async for frame in frames`."""

    def __init__(self, room: int, took: Callable[[], None], left: Callable[["Subscription"], None]) -> None:
        self._room = room
        self._took = took
        self._left = left
        self._frames: deque[Frame] = deque()
        self._ended: Closed | None = None
        self._came = asyncio.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._left(self)
        self._took()

    def put(self, frame: Frame) -> None:
        self._frames.append(frame)
        self._came.set()

    def end(self, why: Closed) -> None:
        """No more frames: the consumer gets what is queued, then the end (a Closed when the service shut us out)."""
        self._ended = why
        self._came.set()

    def is_full(self, hard: bool) -> bool:
        """Must the socket wait for the consumer?"""
        return len(self._frames) >= self._room * (HARD_FACTOR if hard else 1)

    async def __aiter__(self) -> AsyncIterator[Frame]:
        while True:
            while self._frames:
                frame = self._frames.popleft()
                self._took()
                yield frame
            if self._ended is not None:
                if self._ended.code is not None:
                    raise self._ended
                return
            self._came.clear()
            await self._came.wait()
