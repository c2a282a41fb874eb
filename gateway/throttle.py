"""Guesses at one e-mail address's password or code are few, whether anybody has that address or not."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from hashlib import blake2b

from chat.clock import Clock
from chat.directory import normal_email
from chat.errors import RateLimited
from gateway.limits import Meter


class Throttle:
    """Failures are counted, as one who logs in often does no harm. `confirm` tells the other nodes of one more of this
    key, and returns how long (s) to wait if that is too many for all of them together, else 0."""

    def __init__(self, meter: Meter, confirm: Callable[[str], Awaitable[float]], clock: Clock) -> None:
        self._meter = meter
        self._confirm = confirm
        self._clock = clock

    @asynccontextmanager
    async def guess(self, email: str) -> AsyncIterator[None]:
        """Inside the block a guess is made; it counts unless the block ends without an exception.

        RateLimited instead when there were too many, on any node. Counted before, so that many guesses at once help
        nobody.
        """
        key = blake2b(normal_email(email).encode("utf-8", "replace"), digest_size=16).hexdigest()
        wait = self._meter.take(key, self._clock.ticks()) or await self._confirm(key)
        if wait:
            raise RateLimited("Too many attempts: wait a while.", after_ms=math.ceil(wait * 1000))
        yield
        self._meter.give_back(key)
