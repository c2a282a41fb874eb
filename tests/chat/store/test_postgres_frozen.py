"""Whoever freezes while it holds an account is ended by who needs it: also where no timeout of PostgreSQL's reaches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from chat.errors import Unavailable
from chat.store import postgres_pool
from chat.store.postgres import PostgresStore, PostgresTransaction
from tests.builders import MINE, populate
from tests.engines import PostgresEngine

pytestmark = pytest.mark.chaos

GO_ON_SECONDS = 2.5  # silence for 1.5 s, and one more try


@pytest.fixture(autouse=True)
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(postgres_pool.WRITER_SETTINGS, "lock_timeout", "200")


async def two_stores(folder: Path) -> tuple[PostgresStore, PostgresStore]:
    engine = PostgresEngine(folder)
    first, second = await engine.open(), await engine.open()
    await populate(first)
    return first, second


async def begins_within(store: PostgresStore, seconds: float) -> PostgresTransaction:
    """A transaction, after as many tries as an ask's sender makes."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                return await store.begin([MINE])
            except Unavailable:
                continue


async def test_a_node_that_is_frozen_between_two_statements_holds_nobody_up(tmp_path: Path) -> None:
    frozen, other = await two_stores(tmp_path)
    held = await frozen.begin([MINE])

    await (await begins_within(other, GO_ON_SECONDS)).rollback()

    with pytest.raises(Unavailable):
        await held.commit()
    for store in (frozen, other):
        await store.close()


async def test_a_node_that_is_frozen_in_a_copy_holds_nobody_up(tmp_path: Path) -> None:
    frozen, other = await two_stores(tmp_path)
    held = await frozen.begin([MINE])
    wakes = asyncio.Event()

    async def lines() -> AsyncIterator[bytes]:
        await wakes.wait()
        yield b"\n"

    copy = asyncio.create_task(held._writer.copy_to_table("search_docs", source=lines()))
    await (await begins_within(other, GO_ON_SECONDS)).rollback()

    wakes.set()
    with pytest.raises(asyncpg.PostgresError):
        await copy
    with pytest.raises(Unavailable):
        await held.commit()
    for store in (frozen, other):
        await store.close()


async def test_a_node_that_is_only_slow_is_left_alone(tmp_path: Path) -> None:
    slow, other = await two_stores(tmp_path)
    held = await slow.begin([MINE])
    busy = asyncio.create_task(held._writer.execute("SELECT pg_sleep(2)"))

    with pytest.raises(TimeoutError):
        await begins_within(other, 1.9)

    await busy
    await held.commit()
    for store in (slow, other):
        await store.close()
