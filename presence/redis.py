"""Presence across nodes: leases in Redis, on Redis's own clock, so that nodes' clocks don't matter."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from hashlib import sha1
from pathlib import Path
from typing import Any

from msgspec import DecodeError
from msgspec.json import decode, encode
from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster
from redis.exceptions import NoScriptError, RedisClusterException, RedisError

from presence import About, Away, Lease, Nodes, Presence, Table, Times

COMMAND_SECONDS = 1.0
# The last is what uvloop says of writing to a connection that was reset just now.
_AWAY = (RedisError, RedisClusterException, OSError, TimeoutError, RuntimeError)
BETWEEN = "/"  # of an actor and its node in a member; ids have none
_HERE = Path(__file__).parent


class Script:
    """Lua that Redis keeps; it is sent again where it isn't known, as after a restart."""

    def __init__(self, name: str) -> None:
        self._text = (_HERE / name).read_text()
        self._digest = sha1(self._text.encode(), usedforsecurity=False).hexdigest()

    async def run(self, redis: Redis | RedisCluster, keys: list[str], arguments: list[str | int]) -> Any:
        try:
            return await redis.evalsha(self._digest, len(keys), *keys, *arguments)
        except NoScriptError:
            return await redis.eval(self._text, len(keys), *keys, *arguments)


class RedisPresence:
    """See `presence.Presence` for the promises. The client is whoever's who made it: closing is theirs.

    `now` gives ms, for a simulation; without it Redis's clock counts, which it should.
    """

    def __init__(
        self,
        redis: Redis | RedisCluster,
        node: str,
        prefix: str = "shopbell",
        times: Times | None = None,
        now: Callable[[], int] | None = None,
    ) -> None:
        self.node = node
        self._redis = redis
        self._prefix = prefix
        self._times = times or Times()
        self._now = now
        self._touch, self._beat = Script("touch.lua"), Script("beat.lua")

    async def touch(
        self, account: str, here: Collection[str], gone: Mapping[str, float | None] | None = None, known: str = ""
    ) -> Table:
        arguments: list[str | int] = [self._moment(), secrets.token_hex(4), known, self.node, _ms(self._times.lease)]
        arguments += [len(here), *here]
        for actor, seconds in (gone or {}).items():
            arguments += [actor, -1 if seconds is None else _ms(seconds)]
        key = f"{self._prefix}:{{{account}}}:presence"
        version, now, born, changes, flat = await self._run(self._touch, [key], arguments)
        leases = None if flat is None else tuple(_leases(flat, now))
        return Table(version.decode(), (now - born) / 1000, changes > 0, leases)

    async def beat(self, about: About) -> Nodes:
        return await self._say(_ms(self._times.node_lease), about)

    async def close(self) -> None:
        with suppress(Away):  # then its lease ends by itself
            await self._say(0, About())

    async def _say(self, lease_ms: int, about: About) -> Nodes:
        keys = [f"{self._prefix}:{{nodes}}:presence", f"{self._prefix}:{{nodes}}:about"]
        arguments = [self._moment(), self.node, lease_ms, encode(about).decode()]
        age, alive, abouts = await self._run(self._beat, keys, arguments)
        said = zip(alive, abouts, strict=True)
        return Nodes(age / 1000, {node.decode(): _about(each) for node, each in said})

    async def _run(self, script: Script, keys: list[str], arguments: list[str | int]) -> Any:
        try:
            async with asyncio.timeout(COMMAND_SECONDS):
                return await script.run(self._redis, keys, arguments)
        except _AWAY as error:
            if isinstance(self._redis, Redis):  # a Cluster's client does it by itself
                await self._redis.connection_pool.disconnect(inuse_connections=False)  # the others are dead too
            raise Away(f"{type(error).__name__} {error}".strip()) from error

    def _moment(self) -> str | int:
        return "" if self._now is None else self._now()


def _leases(flat: list[bytes], now: int) -> list[Lease]:
    leases = []
    for member, end in zip(flat[::2], flat[1::2], strict=True):
        actor, _, node = member.decode().partition(BETWEEN)
        leases.append(Lease(actor, node, (float(end) - now) / 1000))
    return leases


def _about(said: bytes | None) -> About:
    """What it says, if this version understands it."""
    try:
        return decode(said or b"{}", type=About)
    except DecodeError:
        return About()


def _ms(seconds: float) -> int:
    """At least one of whatever isn't nothing."""
    return max(1, round(seconds * 1000)) if seconds else 0


_: type[Presence] = RedisPresence
