"""Every engine of every seam, for the suites in `contracts/`: the next engine joins by one line in a table here."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Protocol

from chat.clock import Clock, SystemClock
from chat.store import Store
from chat.store.commits import CommitPlace
from chat.store.migrate import migrate
from chat.store.sqlite import SqliteStore
from gateway.bus import Bus
from gateway.bus.memory import Exchange, MemoryBus
from presence import Presence
from presence.memory import Leases, MemoryPresence
from tests.builders import StillClock


class StoreEngine(Protocol):
    """Opens the same database again and again, and can hurt it from outside as the world would."""

    def open(self) -> Store: ...

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


class SqliteEngine:
    """One file in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "chat.db"
        shutil.copy(migrated(), self.path)

    def open(self) -> SqliteStore:
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

    def open(self) -> SqliteStore:
        store = super().open()
        store.place = SlowDisk()
        return store


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


class PresenceEngine(Protocol):
    def open(self, node: str) -> Presence: ...

    def pass_time(self, seconds: float) -> None:
        """Let leases grow old."""
        ...


class MemoryPresenceEngine:
    def __init__(self) -> None:
        self._clock = StillClock()
        self._leases: Leases = {}

    def open(self, node: str) -> MemoryPresence:
        return MemoryPresence(self._clock.ticks, node, self._leases)

    def pass_time(self, seconds: float) -> None:
        self._clock.move(seconds)


STORES: dict[str, Callable[[Path], StoreEngine]] = {"sqlite": SqliteEngine, "sqlite-slow": SlowSqliteEngine}
BUSES: dict[str, Callable[[], BusEngine]] = {"memory": MemoryBusEngine}
PRESENCES: dict[str, Callable[[], PresenceEngine]] = {"memory": MemoryPresenceEngine}
CLOCKS: dict[str, Callable[[], Clock]] = {"system": SystemClock, "still": StillClock}
