"""Moving on the service's own request: the new socket is up to date before the old one goes."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from bots.connection import End, Ready
from bots.reconnect import CHANGED, Course, manner

log = logging.getLogger("shopbell.moving")


class Moving:
    """`arrive` opens a socket and brings it up to date beside the one in use; `leave` is called when that succeeded."""

    def __init__(self, arrive: Callable[[], Awaitable[Ready | End]], leave: Callable[[], None], course: Course) -> None:
        self._arrive = arrive
        self._leave = leave
        self._course = course
        self._task: asyncio.Task[None] | None = None
        self._is_arriving = False
        self._ready: Ready | None = None

    def begin(self, tasks: asyncio.TaskGroup, after: Sequence[float]) -> None:
        """Asked to come back after a random time between these milliseconds. Asked twice, it is still one move."""
        if self._task is None:
            low, high = after
            self._task = tasks.create_task(self._move(self._course.dice.uniform(low, high) / 1000))

    async def finish(self, end: End) -> None:
        """The old socket is gone. A new one on its way is waited for, if this end lets us come back just so."""
        if self._task is None:
            return
        is_unwanted = end.code == CHANGED or manner(end.code) in ("stop", "renew")
        if is_unwanted or not self._is_arriving:
            self._task.cancel()
        await asyncio.wait([self._task])
        self._task = None
        if is_unwanted:
            self.give_up()

    def take(self) -> Ready | None:
        """The new socket, if there is one; the caller has it now."""
        ready, self._ready = self._ready, None
        return ready

    def give_up(self) -> None:
        """Nobody comes back any more."""
        if self._task is not None:
            self._task.cancel()
        if (ready := self.take()) is not None:
            ready.socket.transport.abort()

    async def _move(self, delay: float) -> None:
        """Try again and again, for as long as the old socket lives: then `finish` ends this."""
        tries = 0
        while True:
            await asyncio.sleep(delay)
            arrived = await self._try()
            if isinstance(arrived, Ready):
                self._ready = arrived
                return self._leave()
            log.info("no new socket yet (%s %s)", arrived.code, arrived.reason)
            delay, tries = self._course.pace.delay(tries, self._course.dice), tries + 1

    async def _try(self) -> Ready | End:
        self._is_arriving = True
        try:
            return await self._arrive()
        finally:
            self._is_arriving = False
