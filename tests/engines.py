"""Every engine of every seam, for the suites in `contracts/`: the next engine joins by one line in a table here."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Protocol

import asyncpg

from chat.clock import Clock, SystemClock
from chat.store import Store
from chat.store.commits import CommitPlace
from chat.store.migrate import migrate
from chat.store.postgres import PostgresStore
from chat.store.sqlite import SqliteStore
from gateway.bus import Bus
from gateway.bus.memory import Exchange, MemoryBus
from gateway.bus.redis import RedisBus
from gateway.debts import Debts
from gateway.debts.memory import MemoryDebts
from gateway.debts.redis import RedisDebts
from gateway.redis_client import Client, new_client
from presence import Presence
from presence.memory import Memory, MemoryPresence
from presence.redis import RedisPresence
from tests.builders import StillClock
from tests.servers import RedisServer, postgres, redis, redis_cluster, redis_sentinel


class StoreEngine(Protocol):
    """Opens the same database again and again, and can hurt it from outside as the world would."""

    scrubs_at_once: bool
    """Whether nothing is left in its files after a scrub that nobody disturbs."""

    async def open(self) -> Store: ...

    def locked(self) -> AbstractContextManager[None]:
        """Somebody else holds what a writer needs."""
        ...

    def broken(self) -> AbstractContextManager[None]:
        """Ledgers can be neither read nor written."""
        ...

    def failing_commits(self, store: Store) -> AbstractContextManager[None]:
        """The last step of every transaction of this open store fails."""
        ...

    def keep_copy(self) -> None:
        """Take a copy of the closed database."""
        ...

    def bring_copy_back(self) -> None: ...

    def remove(self) -> None:
        """Nobody needs the closed database any more."""
        ...


class SqliteEngine:
    """One file in a folder of its own."""

    scrubs_at_once = True

    def __init__(self, folder: Path) -> None:
        self.path = folder / "chat.db"
        shutil.copy(migrated(), self.path)

    async def open(self) -> SqliteStore:
        return SqliteStore.open(self.path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        with self._intruder() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")

    @contextmanager
    def broken(self) -> Iterator[None]:
        with self._intruder() as connection:
            connection.execute("ALTER TABLE ledgers RENAME TO hidden")
            yield
            connection.execute("ALTER TABLE hidden RENAME TO ledgers")

    @contextmanager
    def failing_commits(self, store: Store) -> Iterator[None]:
        assert isinstance(store, SqliteStore)
        store._writer.set_authorizer(_no_commit)
        yield
        store._writer.set_authorizer(None)

    def keep_copy(self) -> None:
        shutil.copy(self.path, self.path.with_suffix(".copy"))

    def bring_copy_back(self) -> None:
        shutil.copy(self.path.with_suffix(".copy"), self.path)

    def remove(self) -> None:
        shutil.rmtree(self.path.parent)

    @contextmanager
    def _intruder(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self.path, isolation_level=None)
        try:
            yield connection
        finally:
            connection.close()


class SlowDisk(CommitPlace):
    """Says that commits are slow, whatever they take."""

    def __init__(self) -> None:
        super().__init__()
        self.is_thread = True

    def took(self, seconds: float) -> None:
        pass


class SlowSqliteEngine(SqliteEngine):
    """As it is on a slow disk: commits run in a thread."""

    async def open(self) -> SqliteStore:
        store = await super().open()
        store.place = SlowDisk()
        return store


_FAIL = "CREATE OR REPLACE FUNCTION fail() RETURNS trigger AS $$BEGIN {}; END$$ LANGUAGE plpgsql;"
_FAILING = """
    DROP TRIGGER IF EXISTS fail ON ledgers; DROP TRIGGER IF EXISTS fail ON search_heads;
    CREATE CONSTRAINT TRIGGER fail AFTER UPDATE ON ledgers DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION fail();
    CREATE CONSTRAINT TRIGGER fail AFTER UPDATE ON search_heads DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION fail()"""


class PostgresEngine:
    """A database of its own in the run's cluster."""

    scrubs_at_once = False
    _numbers = iter(range(1, 1_000_000))

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.name = f"test_{next(self._numbers)}"
        self._server = postgres()
        self._make(self.name, migrated_postgres())

    @property
    def url(self) -> str:
        return self._server.url(self.name)

    async def open(self) -> PostgresStore:
        return await PostgresStore.open(self.url, self._folder / "postgres.head")

    @contextmanager
    def locked(self) -> Iterator[None]:
        with self._intruder("BEGIN; LOCK TABLE ledgers, search_heads IN EXCLUSIVE MODE"):
            yield

    @contextmanager
    def broken(self) -> Iterator[None]:
        self._server.sql("ALTER TABLE ledgers RENAME TO hidden", self.name)
        yield
        self._server.sql("ALTER TABLE hidden RENAME TO ledgers", self.name)

    @contextmanager
    def failing_commits(self, store: Store) -> Iterator[None]:
        self._server.sql(_FAIL.format("RAISE EXCEPTION 'on purpose'") + _FAILING, self.name)
        yield
        self._server.sql(_FAIL.format("RETURN NULL"), self.name)  # dropping the triggers would wait for who is at it

    def keep_copy(self) -> None:
        self._make(f"{self.name}_copy", self.name)

    def bring_copy_back(self) -> None:
        self._server.sql(f"DROP DATABASE {self.name}")
        self._make(self.name, f"{self.name}_copy")

    def remove(self) -> None:
        self._server.sql(f"DROP DATABASE {self.name} WITH (FORCE)")

    def _make(self, name: str, template: str) -> None:
        self._server.sql(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")

    @contextmanager
    def _intruder(self, statement: str) -> Iterator[None]:
        """A connection in a thread of its own, as the test's loop is the test's."""
        done, ready = threading.Event(), threading.Event()

        async def intrude() -> None:
            connection = await asyncpg.connect(self.url.replace("+asyncpg", ""))
            await connection.execute(statement)
            ready.set()
            await asyncio.to_thread(done.wait)
            await connection.close()

        thread = threading.Thread(target=lambda: asyncio.run(intrude()))
        thread.start()
        assert ready.wait(10)
        try:
            yield
        finally:
            done.set()
            thread.join()


@cache
def migrated_postgres() -> str:
    """The name of an empty database of today's schema, made once per run."""
    postgres().sql("CREATE DATABASE empty_shop")
    with ThreadPoolExecutor(1) as aside:  # it runs a loop of its own, and the first to ask may be in one
        aside.submit(migrate, postgres().url("empty_shop")).result()
    return "empty_shop"


def _no_commit(action: int, what: str | None, *_: str | None) -> int:
    return sqlite3.SQLITE_DENY if (action, what) == (sqlite3.SQLITE_TRANSACTION, "COMMIT") else sqlite3.SQLITE_OK


@cache
def migrated() -> Path:
    """An empty database of today's schema, made once per run."""
    path = Path(mkdtemp(prefix="shopbell-")) / "empty.db"
    migrate(f"sqlite:///{path}")
    return path


class BusEngine(Protocol):
    def open(self) -> Bus:
        """A node's bus; all nodes of one engine reach each other."""
        ...


class MemoryBusEngine:
    def __init__(self) -> None:
        self._exchange = Exchange()

    def open(self) -> MemoryBus:
        return MemoryBus(self._exchange)


class RedisBusEngine:
    """A prefix of its own on the run's server."""

    _numbers = iter(range(1, 1_000_000))

    def __init__(self) -> None:
        self._prefix = f"test{next(self._numbers)}"

    def open(self) -> RedisBus:
        return RedisBus(self._url(), self._prefix)

    def _url(self) -> str:
        return redis().url


class SentinelBusEngine(RedisBusEngine):
    """The same on the primary that the run's Sentinel names."""

    def _url(self) -> str:
        return redis_sentinel().url


class ClusterBusEngine(RedisBusEngine):
    """The same on the run's Cluster: channels are on any of its primaries."""

    def _url(self) -> str:
        return redis_cluster().url


class PresenceEngine(Protocol):
    """All nodes of one engine share their leases, on a clock that a test moves."""

    clock: StillClock

    def open(self, node: str) -> Presence: ...

    async def close(self) -> None: ...


class MemoryPresenceEngine:
    def __init__(self) -> None:
        self.clock = StillClock()
        self._memory = Memory()

    def open(self, node: str) -> MemoryPresence:
        return MemoryPresence(self.clock.ticks, node, self._memory)

    async def close(self) -> None:
        pass


class RedisPresenceEngine:
    """A prefix of its own on the run's server, which is told what time it is."""

    _numbers = iter(range(1, 1_000_000))

    def __init__(self) -> None:
        self.clock = StillClock()
        self._prefix = f"presence{next(self._numbers)}"
        self._redis = new_client(self._url())

    def open(self, node: str) -> RedisPresence:
        return RedisPresence(self._redis, node, self._prefix, now=self.clock.now)

    async def close(self) -> None:
        await self._redis.aclose()

    def _url(self) -> str:
        return redis().url


class ClusterPresenceEngine(RedisPresenceEngine):
    """The same on the run's Cluster: accounts and the list of nodes are on different primaries."""

    def _url(self) -> str:
        return redis_cluster().url


class DebtsEngine(Protocol):
    def open(self) -> Debts:
        """A node's; all nodes of one engine count together."""
        ...

    def pass_time(self, seconds: float) -> None: ...

    async def close(self) -> None: ...


class MemoryDebtsEngine:
    def __init__(self) -> None:
        self._clock = StillClock()
        self._free: dict[str, float] = {}

    def open(self) -> MemoryDebts:
        return MemoryDebts(self._clock.ticks, self._free)

    def pass_time(self, seconds: float) -> None:
        self._clock.move(seconds)

    async def close(self) -> None: ...


class RedisDebtsEngine:
    """A prefix of its own on the run's server, where keys are free earlier when the test says so."""

    _numbers = iter(range(1, 1_000_000))

    def __init__(self) -> None:
        self.prefix = f"debts{next(self._numbers)}"
        self._clients: list[Client] = []

    def open(self) -> RedisDebts:
        self._clients.append(new_client(self._url()))
        return RedisDebts(self._clients[-1], self.prefix)

    def pass_time(self, seconds: float) -> None:
        script = """
            for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
              redis.call('SET', key, string.format('%.0f', redis.call('GET', key) - ARGV[2]), 'KEEPTTL')
            end"""
        for server in self.servers:
            server.ask("EVAL", script, "0", f"{self.prefix}:*", str(round(seconds * 1_000_000)))

    async def close(self) -> None:
        for client in self._clients:
            await client.aclose()

    @property
    def servers(self) -> Sequence[RedisServer]:
        return [redis()]

    def _url(self) -> str:
        return redis().url


class ClusterDebtsEngine(RedisDebtsEngine):
    """The same on the run's Cluster."""

    @property
    def servers(self) -> Sequence[RedisServer]:
        return redis_cluster().servers

    def _url(self) -> str:
        return redis_cluster().url


STORES: dict[str, Callable[[Path], StoreEngine]] = {
    "sqlite": SqliteEngine,
    "sqlite-slow": SlowSqliteEngine,
    "postgres": PostgresEngine,
}
BUSES: dict[str, Callable[[], BusEngine]] = {
    "memory": MemoryBusEngine,
    "redis": RedisBusEngine,
    "redis-sentinel": SentinelBusEngine,
    "redis-cluster": ClusterBusEngine,
}
PRESENCES: dict[str, Callable[[], PresenceEngine]] = {
    "memory": MemoryPresenceEngine,
    "redis": RedisPresenceEngine,
    "redis-cluster": ClusterPresenceEngine,
}
DEBTS: dict[str, Callable[[], DebtsEngine]] = {
    "memory": MemoryDebtsEngine,
    "redis": RedisDebtsEngine,
    "redis-cluster": ClusterDebtsEngine,
}
CLOCKS: dict[str, Callable[[], Clock]] = {"system": SystemClock, "still": StillClock}
