"""Bring a database to the schema of this version, by Alembic."""

from __future__ import annotations

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine
from sqlalchemy.ext.asyncio import create_async_engine

_HERE = Path(__file__).parent / "migrations"


def migrate(url: str) -> None:
    """Run every migration that the database at this SQLAlchemy URL hasn't seen."""
    command.upgrade(_config(url), "head")


def is_current(url: str) -> bool:
    """Whether the database has exactly the schema that this version wants."""
    return _revision(url) == ScriptDirectory.from_config(_config(url)).get_current_head()


def _revision(url: str) -> str | None:
    if url.startswith("postgresql"):
        return asyncio.run(_revision_by_asyncpg(url))
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
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config
