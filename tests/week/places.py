"""Where a simulated week is played: two nodes on one SQLite store in this process, or on PostgreSQL and Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Protocol, cast

from chat.store import Store, Transaction, View
from chat.store.postgres import PostgresStore
from chat.store.sqlite import SqliteStore
from gateway.redis_client import new_client
from presence import Presence, Times
from presence.memory import Memory, MemoryPresence
from presence.redis import RedisPresence
from tests.engines import PostgresEngine, SqliteEngine
from tests.servers import RedisServer, a_free_port
from tests.week.virtual import Outside, VirtualClock

SLOTS = 2  # nodes at once


class Places(Protocol):
    """What the nodes of a week share. `stores` has one for each slot."""

    stores: list[Store]
    times: Times

    def presence(self, node: str) -> Presence: ...

    def lose_redis(self) -> None: ...

    def bring_redis_back(self) -> None:
        """With nothing in it."""
        ...

    async def close(self) -> None: ...


class OnSqlite:
    """Both nodes have one store, which lets one of them write at a time, as locks do elsewhere."""

    # As seldom as may be: they make most of the turns of the loop.
    times = Times(lease=60.0, refresh=20.0, beat=10.0, node_lease=30.0, hold=25.0)

    def __init__(self, store: SqliteStore, clock: VirtualClock) -> None:
        store._writer.execute("PRAGMA synchronous=OFF")  # nobody pulls the plug of a simulation
        with store._cold.connect() as cold:
            cold.exec_driver_sql("PRAGMA synchronous=OFF")
        self.stores: list[Store] = [store] * SLOTS
        self._clock = clock
        self._memory = Memory()

    @classmethod
    async def open(cls, folder: Path, clock: VirtualClock, outside: Outside) -> OnSqlite:
        return cls(await SqliteEngine(folder).open(), clock)

    def presence(self, node: str) -> Presence:
        return MemoryPresence(self._clock.ticks, node, self._memory, self.times)

    def lose_redis(self) -> None:
        self._memory.accounts.clear()
        self._memory.nodes.clear()
        self._memory.born = None

    def bring_redis_back(self) -> None: ...

    async def close(self) -> None:
        await self.stores[0].close()


class OnServers:
    """Each node has its own store on one database of PostgreSQL; Redis is told what time it is."""

    times = Times(lease=45.0, refresh=15.0, beat=10.0, node_lease=30.0, hold=20.0)

    def __init__(self, stores: list[Store], clock: VirtualClock) -> None:
        self.stores = stores
        self._clock = clock
        self._server = RedisServer(Path(mkdtemp(prefix="shopbell-redis-")), a_free_port())
        self._redis = new_client(self._server.url)

    @classmethod
    async def open(cls, folder: Path, clock: VirtualClock, outside: Outside) -> OnServers:
        url = PostgresEngine(folder).url
        with outside.work():
            opened = [await PostgresStore.open(url, folder / f"{slot}.head") for slot in range(SLOTS)]
        return cls([cast("Store", Counted(store, outside)) for store in opened], clock)

    def presence(self, node: str) -> Presence:
        return RedisPresence(self._redis, node, times=self.times, now=self._clock.now)

    def lose_redis(self) -> None:
        self._server.kill()

    def bring_redis_back(self) -> None:
        self._server.start()

    async def close(self) -> None:
        for store in self.stores:
            await store.close()
        await self._redis.aclose()
        self._server.stop()


class Counted:
    """A store whose work is waited for: no time passes meanwhile. A transaction is its ledger's to tell."""

    def __init__(self, store: Store, outside: Outside) -> None:
        self._store = store
        self._outside = outside

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def begin(self, accounts: Collection[str]) -> Transaction:
        with self._outside.work():
            return await self._store.begin(accounts)

    @asynccontextmanager
    async def view(self) -> AsyncIterator[View]:
        with self._outside.work():
            async with self._store.view() as view:
                yield view

    async def heads(self, known: Mapping[str, int]) -> dict[str, int]:
        with self._outside.work():
            return await self._store.heads(known)

    async def inspect(self, work: Callable[[Any], Any]) -> Any:
        with self._outside.work():
            return await self._store.inspect(work)

    async def administer(self, work: Callable[[Any], Any]) -> Any:
        with self._outside.work():
            return await self._store.administer(work)

    async def close(self) -> None:
        with self._outside.work():
            await self._store.close()
