"""The database: whether it can be reached, is migrated, takes writes, keeps them, and has room for this node."""

from __future__ import annotations

import os
import socket
import sqlite3
import ssl
import time
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
from msgspec import Struct

from chat.store import migrate
from chat.store.postgres import READERS, SEARCHERS
from chat.store.postgres_pool import SERVER_SETTINGS
from chat.store.urls import for_asyncpg
from gateway.doctor.clocks import Clock, read
from gateway.doctor.finding import Finding, fail, note, well
from gateway.settings import Settings

CONNECT_SECONDS = 5.0
COLD = 4  # connections of a node beside its pools
OLDEST = 13  # PostgreSQL 12 is out of support
FAR_MS = 20.0  # a way there and back that senders feel, as a message takes some of them
WAYS = 3  # the shortest of so many counts


class Stored(Struct, frozen=True, kw_only=True):
    """What a PostgreSQL server says of itself. `refuses` is its answer to a write that changes nothing."""

    ms: float
    version: int
    revision: str | None
    oldest: str | None
    refuses: str
    loses: str
    free: int
    clock: Clock


def connections(lanes: int) -> int:
    """How many a node opens at most."""
    return lanes + READERS + SEARCHERS + COLD


async def ask_postgres(url: str) -> Stored:
    """Ask the server. Raises what asyncpg raises, OSError and TimeoutError."""
    connection: Any = await asyncpg.connect(
        for_asyncpg(url), timeout=CONNECT_SECONDS, command_timeout=CONNECT_SECONDS, server_settings=SERVER_SETTINGS
    )
    try:
        ways = []
        for _ in range(WAYS):
            before = time.time()
            theirs = await connection.fetchval("SELECT extract(epoch FROM clock_timestamp())::float8")
            ways.append((time.time() - before, read("the database", before, theirs, time.time())))
        shortest, clock = min(ways, key=lambda way: way[0])
        return Stored(
            ms=shortest * 1000,
            version=int(await connection.fetchval("SHOW server_version_num")) // 10_000,
            revision=await _value(connection, _REVISION),
            oldest=await _value(connection, _OLDEST),
            refuses=await _refusal(connection),
            loses=await connection.fetchval(_LOSES),
            free=await connection.fetchval(_FREE),
            clock=clock,
        )
    finally:
        await connection.close(timeout=CONNECT_SECONDS)


_REVISION = "SELECT version_num FROM alembic_version"
_OLDEST = "SELECT value FROM meta WHERE name = 'oldest'"
_LOSES = """
    SELECT coalesce(string_agg(name || '=' || setting, ', '), '') FROM pg_settings
    WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off'"""
_FREE = """
    SELECT (SELECT sum(setting::int) FILTER (WHERE name = 'max_connections')
                 - coalesce(sum(setting::int) FILTER (WHERE name = 'superuser_reserved_connections'), 0)
            FROM pg_settings)
         - (SELECT count(*) FROM pg_stat_activity
            WHERE backend_type = 'client backend' AND pid <> pg_backend_pid())"""
# They change nothing, and are refused where a change would be: on a replica, and without the rights.
_WRITES = ("UPDATE ledgers SET cursor = cursor WHERE false", "INSERT INTO entries SELECT * FROM entries WHERE false")


async def _value(connection: Any, statement: str) -> str | None:
    try:
        return await connection.fetchval(statement)  # type: ignore[no-any-return]
    except asyncpg.UndefinedTableError:  # it isn't migrated
        return None


async def _refusal(connection: Any) -> str:
    try:
        for write in _WRITES:
            await connection.execute(write)
    except asyncpg.UndefinedTableError:
        return ""  # it isn't migrated, which is said already
    except asyncpg.PostgresError as error:
        return str(error)
    return ""


def judge_postgres(stored: Stored, lanes: int) -> list[Finding]:
    """A line for each fault; one line where there is none."""
    findings = list(_faults(stored, connections(lanes)))
    if not any(finding.level == "fail" for finding in findings):
        text = f"PostgreSQL {stored.version} answers in {stored.ms:.1f} ms, is migrated and takes writes."
        findings.insert(0, well("store", text))
    return findings


def _faults(stored: Stored, wanted: int) -> list[Finding]:
    found = []
    if stored.version < OLDEST:
        found.append(
            fail("store", f"PostgreSQL {stored.version} is too old: {OLDEST} or newer is needed, 15 is what is tested.")
        )
    if schema := judge_schema(stored.revision, stored.oldest):
        found.append(schema)
    if "read-only" in stored.refuses:
        found.append(
            fail("store", "this server takes no writes: it is a replica. SHOPBELL_STORE must lead to the primary.")
        )
    elif stored.refuses:
        found.append(fail("store", f"a write is refused: {stored.refuses}. Let the user own the database."))
    if stored.loses:
        found.append(
            note("store", f"{stored.loses}: a power cut may lose messages that were answered `ok`. Set them to on.")
        )
    if stored.free < wanted:
        found.append(
            note(
                "store",
                f"{stored.free} connections are free, and one node opens up to {wanted}. A node that runs has its own "
                "already; for another one raise max_connections, or lower SHOPBELL_LANES.",
            )
        )
    if stored.ms > FAR_MS:
        found.append(
            note(
                "store",
                f"it is {stored.ms:.0f} ms away, and each message waits for several ways there and back. "
                "Put the nodes near their database.",
            )
        )
    return found


def judge_schema(revision: str | None, oldest: str | None) -> Finding | None:
    """None where the schema is this version's. `oldest` is the oldest one whose version can serve it."""
    schema = migrate.judge(revision, oldest, migrate.revisions())
    if schema == "newer":
        return note("store", f"its schema ({revision}) is a later version's, which this one can serve: upgrade soon.")
    if schema == "too new":
        return fail("store", f"its schema ({revision}) is of a later version, which this one can't serve. Upgrade it.")
    if schema == "older":
        what = f"is an older version's ({revision})" if revision else "isn't there"
        return fail("store", f"its schema {what}. Run `shopbell migrate`.")
    return None


_MESSAGES: tuple[tuple[type[BaseException], str], ...] = (
    (asyncpg.InvalidPasswordError, "the password isn't right: look at SHOPBELL_STORE."),
    (asyncpg.InvalidAuthorizationSpecificationError, "the server doesn't let this user in: look at pg_hba.conf."),
    (asyncpg.InvalidCatalogNameError, "there is no such database: `createdb` makes it."),
    (asyncpg.TooManyConnectionsError, "it has no connection left: raise max_connections, or lower SHOPBELL_LANES."),
    (asyncpg.CannotConnectNowError, "it is starting or stopping: try again in a moment."),
    (
        asyncpg.ProtocolViolationError,
        "it doesn't know our session settings. A pooler such as PgBouncer seems to be between: let the nodes connect "
        "to PostgreSQL itself, as each has a small pool of its own.",
    ),
    (ssl.SSLError, "TLS fails: look at sslmode in SHOPBELL_STORE and at the server's certificate."),
    (socket.gaierror, "its name can't be resolved: look at the host in SHOPBELL_STORE."),
    (ConnectionRefusedError, "nothing listens there: is PostgreSQL running, and are host and port right?"),
    (TimeoutError, "no answer in time: a firewall may drop the packets, or the host is wrong."),
)


def explain(error: BaseException) -> Finding:
    """Why the server can't be asked."""
    for kind, text in _MESSAGES:
        if isinstance(error, kind):
            return fail("store", f"PostgreSQL can't be used: {text}")
    return fail("store", f"PostgreSQL can't be used: {type(error).__name__} {error}")


async def look(settings: Settings) -> tuple[list[Finding], Clock | None]:
    """Everything about the store, and its clock where it has one of its own."""
    if not settings.is_on_postgres:
        return [look_at_file(settings.store_path)], None
    try:
        stored = await ask_postgres(settings.store)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, ValueError) as error:
        return [explain(error)], None
    return judge_postgres(stored, settings.lanes), stored.clock


def look_at_file(path: Path) -> Finding:
    """Reads it only, so that a server may have it meanwhile."""
    if not path.exists():
        return fail("store", f"{path} isn't there. Run `shopbell migrate`.")
    if not (os.access(path, os.R_OK | os.W_OK) and os.access(path.parent, os.W_OK | os.X_OK)):
        return fail(
            "store", f"{path} or its folder can't be written by this user. Give both to who runs `shopbell serve`."
        )
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)) as connection:
            found = judge_schema(_value_in_file(connection, _REVISION), _value_in_file(connection, _OLDEST))
    except sqlite3.Error as error:
        return fail("store", f"{path} can't be read: {error}. Put a backup back: docs/operations.md.")
    return found or well("store", f"{path} can be read and written, and is migrated.")


def _value_in_file(connection: sqlite3.Connection, statement: str) -> str | None:
    table = statement.partition(" FROM ")[2].split()[0]
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone() is None:
        return None
    row = connection.execute(statement).fetchone()
    return row[0] if row else None
