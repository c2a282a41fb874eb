"""Bring a database to the schema of this version, by Alembic; and which versions can serve which schema.

Each migration says which is the oldest version that can still work with what it leaves. That is kept in the database,
so that a version knows it of migrations that came after it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, create_engine, inspect, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from chat.errors import Unavailable
from chat.store.sqlite_file import lock_file
from chat.store.tables import meta
from chat.store.urls import for_sqlalchemy, is_postgres

_HERE = Path(__file__).parent / "migrations"

Schema = Literal["current", "older", "newer", "too new"]
"""`older` wants to be migrated first. A `newer` one is a later version's, and can be served by this one; one that is
`too new` can't."""


def migrate(url: str) -> None:
    """Run every migration that the database at this URL hasn't seen, alone: who comes at the same time waits. Raises
    Unavailable when its server is away, or when another process has the file."""
    with _as_unavailable(url), _alone(url):
        if schema(url) != "older":
            return
        try:
            command.upgrade(_config(url), "head")
        except CommandError:
            if schema(url) == "older":  # else a later version was at it first
                raise


def schema(url: str) -> Schema:
    """What this version can do with the database as it is. Raises Unavailable like `migrate`."""
    with _as_unavailable(url):
        return judge(*_stored(url), revisions())


def judge(found: str | None, oldest: str | None, known: Collection[str]) -> Schema:
    """By the revision of a database, the oldest one whose version can serve it, and what this version knows, newest
    first."""
    if found is not None and found not in known:
        return "newer" if oldest in known else "too new"
    return "current" if [found] == list(known)[:1] else "older"


def revisions() -> tuple[str, ...]:
    """Every schema that this version knows, the newest first. A database with another is of a later version."""
    return tuple(script.revision for script in ScriptDirectory.from_config(_config("")).walk_revisions())


def _stored(url: str) -> tuple[str | None, str | None]:
    if is_postgres(url):
        return asyncio.run(_stored_by_asyncpg(for_sqlalchemy(url)))
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return _of(connection)
    finally:
        engine.dispose()


async def _stored_by_asyncpg(url: str) -> tuple[str | None, str | None]:
    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_of)
    finally:
        await engine.dispose()


def _of(connection: Connection) -> tuple[str | None, str | None]:
    found = MigrationContext.configure(connection).get_current_revision()
    if not inspect(connection).has_table("meta"):
        return found, None
    return found, connection.execute(select(meta.c.value).where(meta.c.name == "oldest")).scalar()


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.set_main_option("sqlalchemy.url", for_sqlalchemy(url).replace("%", "%%"))
    return config


@contextmanager
def _alone(url: str) -> Iterator[None]:
    """With a file to oneself; PostgreSQL has a lock for it, see `migrations/env.py`."""
    if is_postgres(url):
        yield
        return
    lock = lock_file(Path(url.removeprefix("sqlite:///")))
    try:
        yield
    finally:
        os.close(lock)


@contextmanager
def _as_unavailable(url: str) -> Iterator[None]:
    """A file is there or it isn't; a server may be away, or not let us in."""
    if not is_postgres(url):
        yield
        return
    from chat.store.postgres_pool import as_unavailable  # here, as the embedded engine needs no driver of another

    try:
        with as_unavailable():
            yield
    except DBAPIError as error:
        raise Unavailable(f"the database can't be used: {error.orig}") from error
