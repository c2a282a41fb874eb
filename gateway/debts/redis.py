"""What is owed, counted in Redis: one number per key, on Redis's own clock, so that nodes' clocks don't matter."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

from msgspec import msgpack
from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster

from chat.errors import Unavailable
from gateway.debts import MOST, Debts, Taken
from gateway.redis_client import Trouble

ASK_SECONDS = 1.0  # Redis answers within a millisecond; who waits longer had better count alone
US = 1_000_000
AT_ONCE = 4  # commands: the client has only so many connections, and others want some
TAGS = 32  # so that keys are spread over a Cluster, and many of them still go in one command
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
                if isinstance(self._redis, RedisCluster):
                    return await self._add_by_tag(self._redis, taken)
                return _seconds(await self._redis.eval(*self._command(taken)))
        except Trouble as error:
            raise Unavailable(f"{type(error).__name__} {error}") from error

    async def _add_by_tag(self, redis: RedisCluster, taken: Sequence[Taken]) -> list[float]:
        """One command takes keys of one hash tag."""
        by_tag: dict[int, list[int]] = {}
        for index, each in enumerate(taken):
            by_tag.setdefault(_tag(each.key), []).append(index)
        pipeline = redis.pipeline()
        for indexes in by_tag.values():
            _ = pipeline.eval(*self._command([taken[index] for index in indexes]))
        owed = [0.0] * len(taken)
        for indexes, answer in zip(by_tag.values(), await pipeline.execute(), strict=True):
            for index, seconds in zip(indexes, _seconds(answer), strict=True):
                owed[index] = seconds
        return owed

    def _command(self, taken: Sequence[Taken]) -> list[Any]:
        numbers: list[int] = []
        for each in taken:
            burst = round(each.burst * US)
            numbers += (round(each.seconds * US), round(each.alone * US), burst, MOST * burst)
        return [_ADD, len(taken), *(self._name(each.key) for each in taken), msgpack.encode(numbers)]

    def _name(self, key: str) -> str:
        return f"{self._prefix}:{{limits{_tag(key)}}}:{key}"


def _tag(key: str) -> int:
    return crc32(key.encode()) % TAGS


def _seconds(answer: Iterable[int]) -> list[float]:
    return [us / US for us in answer]


_: type[Debts] = RedisDebts
