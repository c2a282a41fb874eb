"""How PostgreSQL reads: a long conversation from where it is asked for, not from one end to the other."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from chat.store.postgres_view import PostgresView
from tests.engines import PostgresEngine

Read = Callable[[PostgresView], Awaitable[Any]]

READS: dict[str, Read] = {
    "latest": lambda view: view.latest("acc", "cnv_1", 50, staff=True),
    "latest for contacts": lambda view: view.latest("acc", "cnv_1", 50, staff=False),
    "before": lambda view: view.before("acc", "cnv_1", 4000, 50, staff=True),
    "after_seq": lambda view: view.after_seq({("acc", "cnv_1"): 4000}, 50, staff=False),
    "after_seq of many": lambda view: view.after_seq(
        {("acc", f"cnv_{n}"): 4000 for n in range(1, 30)}, 50, staff=False
    ),
    "after_cursor": lambda view: view.after_cursor("acc", ["cnv_1"], 4000, 50),
    "after_cursor of what is new": lambda view: view.after_cursor("acc", ["cnv_1"], 4995, 50),
}
LONG_AND_SHORT = """
    INSERT INTO accounts (key, id, name, created_at) VALUES (1, 'acc', 'Shop', 0);
    INSERT INTO conversations (key, account, id, contact, status, seq, cursor, state)
        SELECT n, 1, 'cnv_' || n, 'con_' || n, 'open', n, n, '' FROM generate_series(1, 100) n;
    INSERT INTO entries (account, conversation, id, seq, born, cursor, kind, audience, author, at, text, activity)
        SELECT 1, CASE WHEN n <= 5000 THEN 1 ELSE 1 + n % 100 END, 'ent_' || n, n, n, n, 'message', 'everyone', 'con_1',
        0, 'Hello', '' FROM generate_series(1, 15000) n WHERE n <= 5000 OR n % 100 > 0;
    ANALYZE"""


MANY_RESOLVED = """
    INSERT INTO accounts (key, id, name, created_at) VALUES (2, 'many', 'Shop', 0), (3, 'else', 'Shop', 0);
    INSERT INTO conversations (key, account, id, contact, status, seq, cursor, state)
        SELECT 1000 + n, 2 + n % 2, 'many_' || n, 'con_' || n, 'resolved', n, n,
        convert_to('{"id":"c","inbox":"i","contact":"c","created_at":0}', 'utf8')
        FROM generate_series(1, 40000) n;
    ANALYZE"""
LISTS: dict[str, Read] = {
    "resolved": lambda view: view.listed("many", resolved=True, limit=50),
    "moved": lambda view: view.moved("many", 39_000, 50),
}


class Explaining:
    """A connection that notes down how PostgreSQL did what it was asked."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.plans: list[str] = []

    async def fetch(self, statement: str, *values: Any) -> Any:
        rows = await self._connection.fetch(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {statement}", *values)
        self.plans.append("\n".join(row[0] for row in rows))
        return await self._connection.fetch(statement, *values)

    async def execute(self, statement: str) -> None:
        await self._connection.execute(statement)

    async def row(self, statement: str) -> Any:
        return await self._connection.fetchrow(statement)

    def transaction(self) -> Any:
        return self._connection.transaction()


@pytest.fixture
def explaining(tmp_path: Path, runner: asyncio.Runner) -> Iterator[Explaining]:
    """On an account of one conversation of 5000 entries, and of many short ones."""
    connection = runner.run(asyncpg.connect(PostgresEngine(tmp_path).url.replace("+asyncpg", "")))
    runner.run(connection.execute(LONG_AND_SHORT))
    yield Explaining(connection)
    runner.run(connection.close())


@pytest.mark.parametrize("name", READS)
async def test_entries_come_from_the_index_in_their_order(name: str, explaining: Explaining) -> None:
    await READS[name](PostgresView(explaining))  # type: ignore[arg-type]  # all that a view uses of a connection

    (plan,) = explaining.plans
    assert "using ix_entries_conversation_seq" in plan
    assert "Sort" not in plan


@pytest.mark.parametrize("name", LISTS)
async def test_of_many_conversations_only_those_at_the_end_are_looked_at(name: str, explaining: Explaining) -> None:
    await explaining.execute(MANY_RESOLVED)

    await LISTS[name](PostgresView(explaining))  # type: ignore[arg-type]  # all that a view uses of a connection

    (plan,) = explaining.plans
    assert "ix_conversations_account_stretch" in plan
    # A stretch is 4,096 changes, half of which are the other account's.
    assert max(int(rows) for rows in re.findall(r"actual rows=(\d+)", plan)) <= 2100


async def test_a_change_of_a_conversation_writes_no_index(explaining: Explaining) -> None:
    """HOT, as PostgreSQL calls it: counted by its statistics, which come a moment later."""
    counted = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_xact_user_tables WHERE relname = 'conversations'"
    async with explaining.transaction():
        await explaining.execute("UPDATE conversations SET cursor = cursor + 1, seq = seq + 1 WHERE key < 50")

        updated, hot = await explaining.row(counted)

    assert updated == 49
    assert hot >= 45  # a few have their stretch behind them, or no room on their page
