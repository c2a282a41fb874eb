"""Opens the engines that the settings name by URL. Each is imported when it is wanted: a node on a file needs none."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

from chat.store import Store
from chat.store.sqlite import SqliteStore
from gateway.bus import Bus
from gateway.bus.memory import MemoryBus
from gateway.debts import Debts
from gateway.debts.memory import MemoryDebts
from gateway.metrics import Metrics
from gateway.settings import Settings
from presence import Presence, Times
from presence.memory import MemoryPresence

if TYPE_CHECKING:  # an embedded node has no use for the driver
    from gateway.redis_client import Client

HEAD_ASIDE = "postgres.head"


async def open_store(settings: Settings) -> Store:
    """The store, migrated already. Raises Unavailable when it is away, or when another process has the file."""
    if not settings.is_on_postgres:
        return SqliteStore.open(settings.store_path)
    from chat.store.postgres import PostgresStore

    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    return await PostgresStore.open(settings.store, settings.data / HEAD_ASIDE, settings.lanes)


def new_bus(url: str, metrics: Metrics) -> Bus:
    """A bus that nothing is heard on until it runs."""
    if url == "memory":
        return MemoryBus()
    from gateway.bus.redis import RedisBus

    return RedisBus(url, metrics=metrics)


def new_redis(url: str) -> Client | None:
    """A client for all that is kept in Redis, to be closed by whoever asks for it; None where the URL is `memory`."""
    if url == "memory":
        return None
    from gateway.redis_client import new_client

    return new_client(url)


def new_presence(redis: Client | None, ticks: Callable[[], float], times: Times | None = None) -> Presence:
    """`ticks` are seconds that never go back. Each start is another node: leases of the last one just run out."""
    if redis is None:
        return MemoryPresence(ticks, times=times)
    from presence.redis import RedisPresence

    return RedisPresence(redis, secrets.token_hex(8), times=times)


def new_debts(redis: Client | None, ticks: Callable[[], float]) -> Debts:
    """Where limits are counted: together with other nodes, or alone."""
    if redis is None:
        return MemoryDebts(ticks)
    from gateway.debts.redis import RedisDebts

    return RedisDebts(redis)
