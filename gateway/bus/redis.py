"""The bus between nodes: Redis pub/sub. A doorbell: whatever it loses is read from the store.

The reader loop is ours. redis-py would reconnect by itself and say nothing, and a node that doesn't know what it missed
is deaf: here every new connection is a gap, silence is broken by a ping, and a node must hear its own heartbeat.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import time
from collections import deque
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any, cast

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from gateway.bus import Bus, Gap, Hear

log = logging.getLogger("gateway.bus.redis")

VERSION = 1  # first byte of every payload; of another version only the bell is heard
NODE_BYTES = 8
CONNECT_SECONDS = 3.0
CONFIRM_SECONDS = 3.0  # for a subscription
PUBLISH_SECONDS = 1.0
LISTEN_SECONDS = 1.0  # of waiting for one message
PING_SECONDS = 5.0
SILENCE_SECONDS = 12.0  # without a byte, though pinged: the connection is half open
CANARY_SECONDS = 5.0
DEAF_SECONDS = 15.0  # without hearing our own canary
BACKOFF_SECONDS = (0.1, 2.0)
TOGETHER = 512  # channels of one subscribe
PENDING = 10_000  # payloads that wait for Redis; the oldest go first, as the store has them all
PENDING_BYTES = 16 * 1024 * 1024

_RedisTrouble = (RedisError, OSError, TimeoutError)


class Deaf(Exception):
    """The connection stands and brings nothing."""


class RedisBus:
    """See `gateway.bus.Bus` for the promises. `run` must run as a task while the bus is used."""

    def __init__(self, url: str, prefix: str = "shopbell") -> None:
        self._url = url
        self._prefix = prefix
        self._node = secrets.token_bytes(NODE_BYTES)
        self._canary = f"{prefix}:canary:{self._node.hex()}"
        self._hear: Hear = lambda channel, payload: None
        self._on_gap: Gap = lambda: None
        self._wanted: set[str] = set()
        self._confirmed: dict[str, asyncio.Future[None]] = {}
        self._pubsub: PubSub | None = None
        self._pending: deque[tuple[str, bytes]] = deque()
        self._pending_bytes = 0
        self._rung = asyncio.Event()
        self._is_healthy = False
        self._is_told_away = False
        self._heard_at = self._canary_at = 0.0
        self.dropped = 0
        """Payloads that were given up because Redis was away."""

    @property
    def is_healthy(self) -> bool:
        """Whether what others publish arrives here."""
        return self._is_healthy

    def listen(self, hear: Hear, on_gap: Gap) -> None:
        self._hear, self._on_gap = hear, on_gap

    async def subscribe(self, channel: str) -> None:
        """Without Redis this returns at once: what is missed until it is back is a gap, and reported then."""
        self._wanted.add(channel)
        pubsub = self._pubsub
        if pubsub is None:
            return
        name = self._name(channel)
        confirmed = self._confirmed.setdefault(name, asyncio.get_running_loop().create_future())
        try:
            async with asyncio.timeout(CONFIRM_SECONDS):
                await cast("Awaitable[Any]", pubsub.subscribe(name))
                await asyncio.shield(confirmed)
        except _RedisTrouble as error:
            log.warning("a subscription isn't confirmed: %s", error)
            self._is_healthy = False  # the reader begins anew

    async def unsubscribe(self, channel: str) -> None:
        self._wanted.discard(channel)
        if self._pubsub is not None:
            with suppress(*_RedisTrouble):
                async with asyncio.timeout(CONFIRM_SECONDS):
                    await self._pubsub.unsubscribe(self._name(channel))

    def wants(self, channel: str) -> bool:
        return True  # who else listens is known to Redis alone

    def publish(self, channel: str, payload: bytes) -> None:
        self._pending.append((channel, payload))
        self._pending_bytes += len(payload)
        while len(self._pending) > PENDING or self._pending_bytes > PENDING_BYTES:
            self._drop(self._pending.popleft())
        self._rung.set()

    async def run(self) -> None:
        """Read, publish and sing until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read_for_ever())
            group.create_task(self._publish_for_ever())

    async def close(self) -> None:
        self._wanted.clear()
        self._is_healthy = False

    # --- reading ---------------------------------------------------------------------------------------------

    async def _read_for_ever(self) -> None:
        attempt = 0
        while True:
            began = time.monotonic()
            client = self._client()
            pubsub = client.pubsub()
            try:
                await self._read(pubsub)
            except (*_RedisTrouble, Deaf) as error:
                self._tell_away(error)
            finally:
                self._is_healthy = False
                self._pubsub = None
                for confirmed in self._confirmed.values():
                    confirmed.cancel()
                self._confirmed.clear()
                with suppress(*_RedisTrouble):
                    async with asyncio.timeout(CONNECT_SECONDS):
                        await pubsub.aclose()  # type: ignore[no-untyped-call]
                        await client.aclose()
            attempt = 0 if time.monotonic() - began > BACKOFF_SECONDS[1] else attempt + 1
            least, most = BACKOFF_SECONDS
            await asyncio.sleep(random.uniform(least, min(most, least * 2**attempt)))

    async def _read(self, pubsub: PubSub) -> None:
        """One connection's life. Raises when it is over."""
        await self._begin(pubsub)
        if self._wanted:  # whatever was published until now may be lost
            self._on_gap()
        self._is_healthy = True
        self._tell_here()
        pinged_at = sung_at = self._canary_at = self._heard_at
        while self._is_healthy:
            await self._take(pubsub, LISTEN_SECONDS)
            now = time.monotonic()
            if now - self._heard_at > SILENCE_SECONDS:
                raise Deaf("nothing was heard, though it was pinged")
            if now - self._canary_at > DEAF_SECONDS:
                raise Deaf("it doesn't hear itself")
            if now - pinged_at > PING_SECONDS:
                pinged_at = now
                await cast("Awaitable[Any]", pubsub.ping())
            if now - sung_at > CANARY_SECONDS:
                sung_at = now
                self.publish(self._canary, b"")

    def _tell_away(self, error: Exception) -> None:
        """Once, however often it is tried in vain."""
        if not self._is_told_away:
            log.warning("the bus is away, the store is polled: %s %s", type(error).__name__, error)
        self._is_told_away = True

    def _tell_here(self) -> None:
        if self._is_told_away:
            log.info("the bus is here again")
        self._is_told_away = False

    async def _begin(self, pubsub: PubSub) -> None:
        """Subscribe to all that is wanted, and wait until that is confirmed."""
        async with asyncio.timeout(CONNECT_SECONDS):
            await pubsub.connect()  # type: ignore[no-untyped-call]
        self._pubsub = pubsub
        names = [self._canary, *map(self._name, self._wanted)]
        for name in names:
            self._confirmed[name] = asyncio.get_running_loop().create_future()
        async with asyncio.timeout(CONFIRM_SECONDS + len(names) / TOGETHER):
            for start in range(0, len(names), TOGETHER):
                await cast("Awaitable[Any]", pubsub.subscribe(*names[start : start + TOGETHER]))
            while not all(self._confirmed[name].done() for name in names if name in self._confirmed):
                await self._take(pubsub, LISTEN_SECONDS)

    async def _take(self, pubsub: PubSub, seconds: float) -> None:
        message = await pubsub.get_message(timeout=seconds)
        if message is None:
            return
        self._heard_at = time.monotonic()
        if message["type"] == "message":
            self._take_payload(message["channel"].decode(), message["data"])
        elif message["type"] == "subscribe":
            confirmed = self._confirmed.pop(message["channel"].decode(), None)
            if confirmed is not None and not confirmed.done():
                confirmed.set_result(None)

    def _take_payload(self, name: str, data: bytes) -> None:
        if name == self._canary:
            self._canary_at = self._heard_at
            return
        if data[1 : 1 + NODE_BYTES] == self._node:
            return
        channel = name[len(self._prefix) + 2 : -len("}:ledger")]
        if channel not in self._wanted:
            return
        try:
            if data[:1] == bytes([VERSION]):
                self._hear(channel, data[1 + NODE_BYTES :])
            else:
                self._on_gap()  # of a newer version: that something happened is all we know
        except Exception:  # the boundary: one payload that makes no sense doesn't make the node deaf
            log.exception("a payload on %s could not be taken", channel)
            self._on_gap()

    # --- publishing ------------------------------------------------------------------------------------------

    async def _publish_for_ever(self) -> None:
        client = self._client()
        try:
            while True:
                await self._rung.wait()
                self._rung.clear()
                if not await self._publish_pending(client):
                    # A command that was given up leaves its answer in the connection: nobody may read that.
                    await self._end(client)
                    client = self._client()
                    await asyncio.sleep(BACKOFF_SECONDS[0])
        finally:
            if self._pending:
                await self._publish_pending(client)
            await self._end(client)

    async def _publish_pending(self, client: Redis) -> bool:
        """Whether it could be; otherwise it is given up."""
        batch = list(self._pending)
        self._pending.clear()
        self._pending_bytes = 0
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                pipeline = client.pipeline(transaction=False)
                for channel, payload in batch:
                    name = channel if channel == self._canary else self._name(channel)
                    _ = pipeline.publish(name, bytes([VERSION]) + self._node + payload)
                await pipeline.execute()
        except _RedisTrouble as error:
            for dropped in batch:
                self._drop(dropped)
            if self._is_healthy:
                log.warning("%d payloads couldn't be published: %s %s", len(batch), type(error).__name__, error)
            return False
        return True

    def _drop(self, payload: tuple[str, bytes]) -> None:
        self._pending_bytes = max(0, self._pending_bytes - len(payload[1]))
        self.dropped += 1

    async def _end(self, client: Redis) -> None:
        with suppress(*_RedisTrouble):
            async with asyncio.timeout(CONNECT_SECONDS):
                await client.aclose()

    def _client(self) -> Redis:
        """Without retries: a connection that breaks must be known to be broken."""
        return Redis.from_url(
            self._url,
            retry=Retry(NoBackoff(), 0),
            socket_connect_timeout=CONNECT_SECONDS,
            socket_keepalive=True,
            health_check_interval=0,
            single_connection_client=False,
            max_connections=4,
        )

    def _name(self, channel: str) -> str:
        """An account's keys share a hash tag, so that they are on one node of a cluster."""
        return f"{self._prefix}:{{{channel}}}:ledger"


_: type[Bus] = RedisBus
