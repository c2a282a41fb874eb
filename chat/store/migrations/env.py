"""Alembic's entry: run the migrations on the database that the caller named, and say in it who may serve it now."""

from __future__ import annotations

import asyncio
import time

from alembic import context
from sqlalchemy import Connection, create_engine, delete, insert, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from chat.store.tables import meta, metadata

ONE_AT_A_TIME = 23307  # the number of a lock that nobody else of this database takes
# Who comes second waits for the first, however long it takes, and finds nothing to do.
TURN_SECONDS = 3600
# Nodes go on meanwhile. A change of a table waits for who uses it, and everybody else behind it: it soon gives way with
# all that it has, before the server would call it a deadlock and end one of them (1 s), and begins again.
TABLE_MS = 800
BETWEEN_SECONDS = 0.5
GIVES_WAY_SECONDS = 60
IN_THE_WAY = ("55P03", "40P01")  # lock_not_available, deadlock_detected


def run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
        revision = context.script.get_revision(context.get_context().get_current_revision() or "head")
        connection.execute(delete(meta).where(meta.c.name == "oldest"))
        connection.execute(insert(meta).values(name="oldest", value=revision.module.oldest))


async def run_by_asyncpg(url: str) -> None:
    engine = create_async_engine(url)
    deadline = time.monotonic() + GIVES_WAY_SECONDS
    try:
        while True:
            try:
                async with engine.begin() as connection:
                    await connection.execute(text(f"SET LOCAL lock_timeout = '{TURN_SECONDS}s'"))
                    await connection.execute(text(f"SELECT pg_advisory_xact_lock({ONE_AT_A_TIME})"))
                    await connection.execute(text(f"SET LOCAL lock_timeout = '{TABLE_MS}ms'"))
                    return await connection.run_sync(run)
            except DBAPIError as error:
                if getattr(error.orig, "sqlstate", None) not in IN_THE_WAY or time.monotonic() > deadline:
                    raise
            await asyncio.sleep(BETWEEN_SECONDS)
    finally:
        await engine.dispose()


url = context.config.get_main_option("sqlalchemy.url") or ""
if url.startswith("postgresql"):
    asyncio.run(run_by_asyncpg(url))
else:
    engine = create_engine(url)
    with engine.connect() as connection:
        run(connection)
        connection.commit()
    engine.dispose()
