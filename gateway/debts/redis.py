"""What is owed, counted in Redis: one number per key, on Redis's own clock, so that nodes' clocks don't matter."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster
from redis.exceptions import RedisError

from chat.errors import Unavailable
from gateway.debts import MOST, Debts, Taken

ASK_SECONDS = 1.0  # Redis answers within a millisecond; who waits longer had better count alone
AT_ONCE = 4  # commands: the client has only so many connections, and others want some
# The text and not its hash: pipelines on a Cluster take no other, and a Redis that is empty again knows no hash.
_ADD = (Path(__file__).parent / "add.lua").read_text()


class RedisDebts:
    """See `gateway.debts.Debts` for the promises. The client is whoever's who made it: closing is theirs."""

    is_shared = True

    def __init__(self, redis: Redis | RedisCluster, prefix: str = "shopbell") -> None:
        self._redis = redis
        self._prefix = prefix
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def add(self, taken: Sequence[Taken]) -> list[float]:
        try:
            async with asyncio.timeout(ASK_SECONDS), self._turns:
                if not taken:
                    await self._redis.ping()
                    return []
                pipeline = self._redis.pipeline(transaction=False)
                for each in taken:
                    _ = pipeline.eval(_ADD, 1, self._name(each.key), *map(_us, _numbers(each)))
                return [int(owed) / 1_000_000 for owed in await pipeline.execute()]
        except (RedisError, OSError, TimeoutError) as error:
            raise Unavailable(f"{type(error).__name__} {error}") from error

    def _name(self, key: str) -> str:
        """Each key has its own hash tag: of a limit, no two have to be on the same node of a Cluster."""
        return f"{self._prefix}:{{{key}}}:owed"


def _numbers(taken: Taken) -> tuple[float, ...]:
    return (taken.seconds, taken.alone, taken.burst, MOST * taken.burst)


def _us(seconds: float) -> int:
    return round(seconds * 1_000_000)


_: type[Debts] = RedisDebts
