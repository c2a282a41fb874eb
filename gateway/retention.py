"""Forgets what the logs of routing have kept long enough, all the time and a little at a time."""

from __future__ import annotations

import logging

from chat.clock import Clock
from chat.errors import Unavailable
from chat.retention import Retention

log = logging.getLogger("gateway.retention")

RETENTION_SECONDS = 3600.0  # between two rounds: nobody counts the hours of a line that is a year old


class Forgetting:
    """`run` is one round, for whoever calls it every `RETENTION_SECONDS`."""

    def __init__(self, retention: Retention, clock: Clock) -> None:
        self._retention = retention
        self._clock = clock

    async def run(self) -> None:
        """What is too old goes. A store that is away is tried again in the next round."""
        try:
            count = await self._retention.sweep(self._clock.now())
        except Unavailable as error:
            log.warning("the logs can't be swept: %s", error)
            return
        if count:
            log.info("%d old lines of the logs are gone", count)
