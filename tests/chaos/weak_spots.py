"""Weak spots of a node under test: a signal says at which of them it dies, or stands still."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time

from chat.store.postgres import PostgresTransaction
from gateway import app
from gateway.bus.redis import RedisBus
from presence import Times

COMMITTED = signal.SIGUSR1
"""It dies after the next COMMIT, before anybody is told."""
TOLD = signal.SIGUSR2
"""It dies when everybody here is told of a commit, before the bus is."""
HOLDING = signal.SIGWINCH
"""It freezes before the next COMMIT, with all written and the account held, until SIGCONT."""
STALL = signal.SIGHUP
"""Its event loop stands still for STALL_SECONDS."""
STALL_SECONDS = 2.0

_due: set[int] = set()


def weaken() -> None:
    """Give this process its weak spots, for good; and the times of presence that CHAOS_PRESENCE names."""
    commit, publish = PostgresTransaction.commit, RedisBus.publish

    async def commit_weakly(self: PostgresTransaction) -> None:
        if HOLDING in _due:
            _due.remove(HOLDING)
            os.kill(os.getpid(), signal.SIGSTOP)
        await commit(self)
        if COMMITTED in _due:
            _die()

    def publish_too_late(self: RedisBus, channel: str, payload: bytes) -> None:
        if TOLD in _due and payload:  # the empty one is the bus's own
            asyncio.get_running_loop().call_soon(_die)  # before the bus has its turn
        publish(self, channel, payload)

    PostgresTransaction.commit = commit_weakly  # type: ignore[method-assign]  # that is the point
    RedisBus.publish = publish_too_late  # type: ignore[method-assign]
    app.PRESENCE = Times(**json.loads(os.environ.get("CHAOS_PRESENCE", "{}")))
    for number in (COMMITTED, TOLD, HOLDING):
        signal.signal(number, lambda number, _: _due.add(number))
    signal.signal(STALL, lambda *_: time.sleep(STALL_SECONDS))


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
