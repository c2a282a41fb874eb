"""Whoever freezes while it holds an account is ended by who needs it: also where no timeout of PostgreSQL's reaches."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from chat.errors import Unavailable
from chat.store.postgres import PostgresStore, PostgresTransaction
from tests.builders import MINE, populate
from tests.engines import PostgresEngine

GO_ON_SECONDS = 3.0  # a lock's patience, and one more try


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
    busy = asyncio.create_task(held._writer.execute("SELECT pg_sleep(3)"))
    began = time.monotonic()

    with pytest.raises(Unavailable):
        await other.begin([MINE])

    assert time.monotonic() - began > 1.5
    await busy
    await held.commit()
    for store in (slow, other):
        await store.close()
