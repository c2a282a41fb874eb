"""How SQLite reads: by an index each time, and without keeping anything open."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from chat.store.sqlite_view import SqliteView
from tests.builders import DANA, MINE, NOA, a_conversation, a_message, a_move, populate, store_moves
from tests.engines import SqliteEngine, migrated

Read = Callable[[SqliteView], Awaitable[Any]]

READS: dict[str, Read] = {
    "head": lambda view: view.head(MINE),
    "cursors": lambda view: view.cursors([MINE]),
    "conversation": lambda view: view.conversation(MINE, "cnv_1"),
    "of_contacts": lambda view: view.of_contacts([(MINE, DANA.id)], 20),
    "assigned": lambda view: view.assigned(MINE, NOA.id, 50),
    "moved": lambda view: view.moved(MINE, 100, 2000),
    "listed": lambda view: view.listed(MINE, resolved=False, limit=2000),
    "latest": lambda view: view.latest(MINE, "cnv_1", 50, staff=True),
    "latest for contacts": lambda view: view.latest(MINE, "cnv_1", 50, staff=False),
    "before": lambda view: view.before(MINE, "cnv_1", 100, 50, staff=True),
    "after_seq": lambda view: view.after_seq({(MINE, "cnv_1"): 100}, 50, staff=False),
    "after_cursor": lambda view: view.after_cursor(MINE, ["cnv_1"], 100, 50),
}


class Explaining:
    """A connection that notes down what was asked, to ask SQLite how it would do that."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.plans: list[str] = []

    def execute(self, statement: str, values: Any = ()) -> sqlite3.Cursor:
        rows = self._connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)
        self.plans += [row[-1] for row in rows]
        return self._connection.execute(statement, values)


@pytest.mark.parametrize("name", READS)
async def test_no_read_goes_through_a_whole_table(name: str) -> None:
    connection = sqlite3.connect(migrated())
    explaining = Explaining(connection)

    await READS[name](SqliteView(explaining))  # type: ignore[arg-type]  # all that a view uses of a connection

    # json_each is the list of what was asked for.
    scans = [plan for plan in explaining.plans if plan.startswith("SCAN") and "json_each" not in plan]
    connection.close()
    assert scans == []


@pytest.mark.parametrize("name", ["latest", "before", "after_seq"])
async def test_entries_come_from_the_index_in_their_order(name: str) -> None:
    connection = sqlite3.connect(migrated())
    explaining = Explaining(connection)

    await READS[name](SqliteView(explaining))  # type: ignore[arg-type]

    connection.close()
    assert not [plan for plan in explaining.plans if "TEMP B-TREE" in plan]


async def test_views_keep_nothing_open_that_would_starve_checkpoints(tmp_path: Path) -> None:
    engine = SqliteEngine(tmp_path)
    store = await engine.open()
    await populate(store)
    await store_moves(store, a_move(a_conversation(), a_message()))
    async with store.view() as view:
        for read in READS.values():
            await read(view)

    with sqlite3.connect(engine.path, isolation_level=None) as outside:
        busy, pages, moved = outside.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    outside.close()

    assert (busy, pages, moved) == (0, 0, 0)
    await store.close()


async def test_a_view_that_is_left_by_an_exception_is_closed_as_well(tmp_path: Path) -> None:
    store = await SqliteEngine(tmp_path).open()
    with pytest.raises(LookupError):
        async with store.view():
            raise LookupError

    async with store.view() as view:
        assert await view.head(MINE) == 0
    await store.close()


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("of_contacts", "ix_conversations_contact"),
        ("assigned", "ix_conversations_account_status_assignee"),
        ("moved", "ix_conversations_account_cursor"),
        ("after_cursor", "ix_entries_conversation_seq"),
    ],
)
async def test_a_large_account_costs_no_more_to_come_back_to(name: str, index: str) -> None:
    connection = sqlite3.connect(migrated())
    explaining = Explaining(connection)

    await READS[name](SqliteView(explaining))  # type: ignore[arg-type]  # all that a view uses of a connection

    connection.close()
    assert any(index in plan for plan in explaining.plans)
