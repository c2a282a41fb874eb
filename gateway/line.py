"""Strangers stand in line: in each turn of the loop only so much time is theirs, however many come at one moment.

A stranger is whoever hasn't said who it is: a request, a handshake, a socket before its hello is answered.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from chat.clock import Clock

log = logging.getLogger("gateway.line")

TURN_SECONDS = 0.0005  # of each turn; a request or a handshake takes up to 0.3 ms


class Line:
    """Bounded by the number of connections: whoever waits in it isn't read until its turn has come."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: deque[Callable[[], None]] = deque()
        self._left = TURN_SECONDS
        self._is_open = False

    def take(self, work: Callable[[], None]) -> bool:
        """Does it at once, if nobody waits and this turn has time left. Else returns False: `wait` is to be called."""
        if self._waiting or self._left <= 0:
            return False
        self._open()
        self._do(work)
        return True

    def wait(self, work: Callable[[], None]) -> None:
        """It is done in a later turn, in order."""
        self._waiting.append(work)
        self._open()

    def _open(self) -> None:
        if not self._is_open:
            self._is_open = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._is_open = False
        self._left = TURN_SECONDS
        while self._waiting and self._left > 0:
            try:
                self._do(self._waiting.popleft())
            except Exception:  # the boundary: what one stranger sends can't stop the others
                log.exception("what a stranger sent could not be handled")
        if self._waiting:
            self._open()

    def _do(self, work: Callable[[], None]) -> None:
        began = self._clock.ticks()
        try:
            work()
        finally:
            self._left -= self._clock.ticks() - began
