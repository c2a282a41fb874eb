"""Guesses at one e-mail address's password or code are few, whether anybody has that address or not."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b

from chat.clock import Clock
from chat.directory import normal_email
from chat.errors import RateLimited
from gateway.limits import Meter, Rate


class Throttle:
    """Failures are counted, as one who logs in often does no harm. Kept in memory, for so many addresses at most."""

    def __init__(self, rate: Rate, clock: Clock) -> None:
        self._meter = Meter(rate)
        self._clock = clock

    @contextmanager
    def guess(self, email: str) -> Iterator[None]:
        """Inside the block a guess is made; it counts unless the block ends without an exception.

        RateLimited instead when there were too many. Counted before, so that many guesses at once help nobody.
        """
        key = blake2b(normal_email(email).encode("utf-8", "replace"), digest_size=16).hexdigest()
        wait = self._meter.take(key, self._clock.ticks())
        if wait:
            raise RateLimited("Too many attempts: wait a while.", after_ms=math.ceil(wait * 1000))
        yield
        self._meter.give_back(key)
