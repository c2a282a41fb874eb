"""Does what is due: asks it in the service's own name, once, even if the node dies in between or was down for long.

The ask has the timer's id, so that one that was asked and not yet deleted is a resend: it is answered and does nothing.
After an hour of downtime 2,000 timers are done in 0.2 s on one core (tests/gateway/test_timers.py).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Literal

from chat.access import SYSTEM
from chat.catalog import COMMANDS
from chat.clock import Clock
from chat.errors import Internal, Refused, Unavailable
from chat.model import Ask, Timer
from chat.ticket import Done
from chat.timers import BEGINNING, Due, Timers

log = logging.getLogger("gateway.timers")

PAGE = 500  # timers that are read, asked and deleted together
AT_ONCE = 128  # asks under way: they share batches, and leave room in them for those of people

Result = Literal["done", "later", "stays"]

_SHAPES = {command.name: command.shape for command in COMMANDS}


class Alarms:
    """Call `ring` again and again. `ask` carries out an ask as an actor of an account, and raises Refused."""

    def __init__(self, timers: Timers, ask: Callable[[str, str, Ask], Awaitable[Done]], clock: Clock) -> None:
        self._timers = timers
        self._ask = ask
        self._clock = clock

    async def ring(self) -> int:
        """Do all that is due now, the oldest first; returns how many were done.

        What the service has no room for, and all while the store is away, stays for the next call.
        """
        count, place = 0, BEGINNING
        try:
            while page := await self._timers.due(self._clock.now(), PAGE, place):
                results = await self._do(page)
                done = [due for due, result in zip(page, results, strict=True) if result == "done"]
                if done:
                    await self._timers.delete(done)
                count, place = count + len(done), page[-1].place
                if "later" in results:  # nothing is won by asking for still more now
                    break
        except Unavailable as error:
            log.warning("timers must wait: %s", error)
        return count

    async def _do(self, page: list[Due]) -> list[Result]:
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(due: Due) -> Result:
            async with turns:
                return await self._done(due)

        return await asyncio.gather(*(one(due) for due in page))

    async def _done(self, due: Due) -> Result:
        ask = ask_of(due.timer)
        if ask is None:
            log.warning("this version can't do a %s", due.timer.kind)  # a newer one has set it: it stays for that one
            return "stays"
        try:
            await self._ask(due.account, SYSTEM, ask)
        except Internal:
            log.error("the timer %s failed and stays", due.timer.id)
            return "stays"
        except Refused as refused:
            if refused.retry:
                return "later"
            log.warning("nothing comes of the timer %s: %s", due.timer.id, refused)
        return "done"


def ask_of(timer: Timer) -> Ask | None:
    """The ask that the timer is for, under its id."""
    shape = _SHAPES.get(timer.kind)
    return None if shape is None else shape(id=timer.id, conversation=timer.conversation)  # type: ignore[call-arg]  # every timer's shape has both
