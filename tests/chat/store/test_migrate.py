"""Migrations bring a database to the schema that the tables describe, and say which versions can serve it."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from importlib import import_module
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from msgspec.json import encode
from sqlalchemy import create_engine, inspect

from chat.errors import Unavailable
from chat.store.migrate import Schema, _config, judge, migrate, revisions, schema
from chat.store.migrations import versions
from chat.store.tables import metadata
from tests.builders import a_conversation
from tests.engines import SqliteEngine
from tests.servers import postgres


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'a 100% new.db'}"


@pytest.fixture
def empty() -> Iterator[str]:
    """The URL of an empty database on the run's PostgreSQL."""
    postgres().sql("CREATE DATABASE migrations")
    yield postgres().url("migrations")
    postgres().sql("DROP DATABASE migrations WITH (FORCE)")


def test_a_new_database_is_older_until_it_is_migrated(url: str) -> None:
    assert schema(url) == "older"

    migrate(url)

    assert schema(url) == "current"


def test_migrating_twice_does_no_harm(url: str) -> None:
    migrate(url)
    migrate(url)

    assert schema(url) == "current"


def test_what_migrations_make_is_what_the_tables_say(url: str) -> None:
    migrate(url)

    engine = create_engine(url)
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
        found = set(inspect(connection).get_table_names())
    engine.dispose()

    assert differences == []
    assert found == set(metadata.tables) | {"alembic_version"}


@pytest.mark.parametrize(
    ("found", "oldest", "answer"),
    [
        (None, None, "older"),
        ("0001", "0001", "older"),
        ("0001", None, "older"),
        ("0002", "0001", "current"),
        ("0002", None, "current"),
        ("0003", "0002", "newer"),
        ("0003", "0001", "newer"),
        ("0003", "0003", "too new"),
        ("0003", None, "too new"),
    ],
)
def test_a_version_knows_which_schema_it_can_serve(found: str | None, oldest: str | None, answer: Schema) -> None:
    assert judge(found, oldest, ("0002", "0001")) == answer


def test_each_migration_says_which_versions_can_serve_it() -> None:
    known = revisions()
    for path in Path(str(versions.__path__[0])).glob("0*.py"):
        migration = import_module(f"{versions.__name__}.{path.stem}")
        assert known.index(migration.oldest) >= known.index(migration.revision), path


def test_a_file_that_a_server_has_is_not_migrated_beneath_it(tmp_path: Path) -> None:
    async def meanwhile() -> None:
        store = await SqliteEngine(tmp_path).open()
        try:
            with pytest.raises(Unavailable, match="another process is using"):
                await asyncio.to_thread(migrate, f"sqlite:///{tmp_path / 'chat.db'}")
        finally:
            await store.close()

    asyncio.run(meanwhile())


async def test_two_who_migrate_at_once_do_it_one_after_the_other(empty: str, tmp_path: Path) -> None:
    async with someone_migrating(empty) as (connection, turn):
        both = [start_migrating(empty, tmp_path) for _ in range(2)]
        while await connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted") < 2:
            assert all(each.poll() is None for each in both)
            await asyncio.sleep(0.02)
        await turn.rollback()

        said = [await asyncio.to_thread(each.communicate, timeout=30) for each in both]

    assert [each.returncode for each in both] == [0, 0], said
    assert all("is now at this version's schema" in out for out, _ in said)
    assert await asyncio.to_thread(schema, empty) == "current"


async def test_a_version_does_not_migrate_what_a_later_one_was_at_first(empty: str) -> None:
    await asyncio.to_thread(migrate, empty)
    await asyncio.to_thread(postgres().sql, "UPDATE alembic_version SET version_num = '0001'", "migrations")
    async with someone_migrating(empty) as (connection, turn):
        older = asyncio.create_task(asyncio.to_thread(migrate, empty))
        while not await connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            assert not older.done()
            await asyncio.sleep(0.02)
        await connection.execute("UPDATE alembic_version SET version_num = '9999'")
        await turn.commit()
        await older

    assert await asyncio.to_thread(schema, empty) == "newer"


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
async def test_what_waited_before_there_was_a_column_for_it_is_as_urgent_after(
    engine: str, url: str, empty: str
) -> None:
    of = url if engine == "sqlite" else empty
    await asyncio.to_thread(command.upgrade, _config(of), "0008")
    await carry_out(of, "INSERT INTO accounts (key, id, name, created_at) VALUES (1, 'acc', 'Shop', 0)")
    for key, (status, priority) in enumerate([("queued", 0), ("queued", 2), ("open", 3)]):
        state = encode(a_conversation(priority=priority)).hex()
        await carry_out(
            of,
            "INSERT INTO conversations (key, account, id, contact, status, seq, cursor, state)"
            f" VALUES ({key}, 1, 'cnv_{key}', 'con', '{status}', 1, {key},"
            + (f" x'{state}')" if engine == "sqlite" else f" decode('{state}', 'hex'))"),
        )

    await asyncio.to_thread(migrate, of)

    found = await carry_out(of, "SELECT priority FROM conversations ORDER BY key")
    assert [row[0] for row in found] == [0, 2, 0]  # the last one's is written when it waits again


async def carry_out(url: str, statement: str) -> list[Any]:
    """Run one statement on a database of either kind; what it returns."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as file:
            return file.execute(statement).fetchall()
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        return list(await connection.fetch(statement))
    finally:
        await connection.close()


@asynccontextmanager
async def someone_migrating(
    url: str,
) -> AsyncIterator[tuple[asyncpg.Connection[asyncpg.Record], asyncpg.transaction.Transaction]]:
    """Somebody has the lock that migrations run under, until its transaction ends."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    turn = connection.transaction()
    await turn.start()
    await connection.execute("SELECT pg_advisory_xact_lock(23307)")
    try:
        yield connection, turn
    finally:
        await connection.close()


def start_migrating(url: str, folder: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "SHOPBELL_STORE": url, "SHOPBELL_DATA": str(folder)}
    return subprocess.Popen(
        [sys.executable, "-m", "gateway", "migrate"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
