"""A node with weak spots: `python -m tests.chaos.weak_node serve`. A signal says at which of them it dies, or sleeps.

SIGUSR1: after the next COMMIT, before anybody is told. SIGUSR2: when everybody here is told, before the bus is.
SIGHUP: the event loop stands still for STALL_SECONDS.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time

STALL_SECONDS = 2.0
COMMITTED, TOLD, STALL = signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP

_due: set[int] = set()


def _die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _weaken() -> None:
    from chat.store.postgres import PostgresTransaction
    from gateway.bus.redis import RedisBus

    commit, publish = PostgresTransaction.commit, RedisBus.publish

    async def commit_and_die(self: PostgresTransaction) -> None:
        await commit(self)
        if COMMITTED in _due:
            _die()

    def publish_too_late(self: RedisBus, channel: str, payload: bytes) -> None:
        if TOLD in _due and payload:  # the empty one is the bus's own
            asyncio.get_running_loop().call_soon(_die)  # before the bus has its turn
        publish(self, channel, payload)

    PostgresTransaction.commit = commit_and_die  # type: ignore[method-assign]  # for this process
    RedisBus.publish = publish_too_late  # type: ignore[method-assign]


if __name__ == "__main__":
    for weak_spot in (COMMITTED, TOLD):
        signal.signal(weak_spot, lambda number, _: _due.add(number))
    signal.signal(STALL, lambda *_: time.sleep(STALL_SECONDS))
    from gateway.__main__ import main

    _weaken()
    sys.exit(main())
