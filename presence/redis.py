"""Presence across nodes: a lease per actor and node in Redis, on Redis's own clock, so that nodes' clocks don't matter.

Without Redis a node goes on with what it knew last and with who is here itself; when Redis is back, empty or not, the
next refresh says everything again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from presence import LEASE_SECONDS, Presence

log = logging.getLogger("presence.redis")

COMMAND_SECONDS = 1.0
SILENT_SECONDS = 5.0  # after Redis didn't answer: not every account waits for COMMAND_SECONDS
# The last is what uvloop says of writing to a connection that was reset just now.
_AWAY = (RedisError, OSError, TimeoutError, RuntimeError)
BETWEEN = "/"  # of an actor and its node in a member; ids have none
_HERE = Path(__file__).parent


class RedisPresence:
    """See `presence.Presence` for the promises. The client is whoever's who made it: closing is theirs."""

    def __init__(self, redis: Redis | RedisCluster, node: str, prefix: str = "shopbell") -> None:
        self._node = node
        self._prefix = prefix
        self._redis = redis
        self._touch = redis.register_script((_HERE / "touch.lua").read_text())
        self._present = redis.register_script((_HERE / "present.lua").read_text())
        self._mine: dict[str, set[str]] = defaultdict(set)
        self._known: dict[str, frozenset[str]] = {}
        self._silent_until = 0.0
        self._is_told_away = False

    async def touch(self, account: str, actors: Collection[str]) -> None:
        self._mine[account].update(actors)
        if actors:
            members = [self._member(actor) for actor in actors]
            arguments: list[str | int] = [round(LEASE_SECONDS * 1000), *members]
            await self._run(lambda: self._touch(keys=[self._key(account)], args=arguments))

    async def leave(self, account: str, actor: str) -> None:
        self._mine[account].discard(actor)
        await self._run(lambda: self._redis.zrem(self._key(account), self._member(actor)))

    async def present(self, account: str) -> frozenset[str]:
        found = await self._run(lambda: self._present(keys=[self._key(account)]))
        if found is None:
            return self._known.get(account, frozenset()) | self._mine[account]
        here = frozenset(member.decode().partition(BETWEEN)[0] for member in found)
        self._known[account] = here
        return here

    async def close(self) -> None:
        """Let go of this node's leases."""
        for account, actors in self._mine.items():
            if actors:
                await self._let_go(account, actors)
        self._mine.clear()

    async def _let_go(self, account: str, actors: Collection[str]) -> None:
        await self._run(lambda: self._redis.zrem(self._key(account), *map(self._member, actors)))

    async def _run(self, command: Callable[[], Awaitable[Any]]) -> Any:
        """Its answer; None while Redis is away."""
        if time.monotonic() < self._silent_until:
            return None
        try:
            async with asyncio.timeout(COMMAND_SECONDS):
                answer = await command()
        except _AWAY as error:
            self._tell_away(error)
            if isinstance(self._redis, Redis):  # a Cluster's client does it by itself
                await self._redis.connection_pool.disconnect(inuse_connections=False)  # the others are dead too
            return None
        self._tell_here()
        return answer

    def _tell_away(self, error: Exception) -> None:
        """Once, however often it is tried in vain."""
        if not self._is_told_away:
            log.warning("presence isn't shared at the moment: %s %s", type(error).__name__, error)
        self._is_told_away = True
        if isinstance(error, TimeoutError | RedisTimeoutError):
            self._silent_until = time.monotonic() + SILENT_SECONDS

    def _tell_here(self) -> None:
        if self._is_told_away:
            log.info("presence is shared again")
        self._is_told_away = False

    def _key(self, account: str) -> str:
        return f"{self._prefix}:{{{account}}}:presence"

    def _member(self, actor: str) -> str:
        return f"{actor}{BETWEEN}{self._node}"


_: type[Presence] = RedisPresence
