"""Bring a database to the schema of this version, by Alembic."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from chat.errors import Unavailable
from chat.store.urls import for_sqlalchemy, is_postgres

_HERE = Path(__file__).parent / "migrations"


def migrate(url: str) -> None:
    """Run every migration that the database at this URL hasn't seen. Raises Unavailable when its server is away."""
    with _as_unavailable(url):
        command.upgrade(_config(url), "head")


def is_current(url: str) -> bool:
    """Whether the database has exactly the schema that this version wants. Raises Unavailable like `migrate`."""
    with _as_unavailable(url):
        return _revision(url) == ScriptDirectory.from_config(_config(url)).get_current_head()


def _revision(url: str) -> str | None:
    if is_postgres(url):
        return asyncio.run(_revision_by_asyncpg(for_sqlalchemy(url)))
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return _of(connection)
    finally:
        engine.dispose()


async def _revision_by_asyncpg(url: str) -> str | None:
    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_of)
    finally:
        await engine.dispose()


def _of(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.set_main_option("sqlalchemy.url", for_sqlalchemy(url).replace("%", "%%"))
    return config


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
