"""Connections to PostgreSQL: how patient they are, how they are given back, and what says that the server is away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import asyncpg

from chat.errors import Unavailable

if TYPE_CHECKING:  # generic for the type checker alone
    Pool = asyncpg.Pool[asyncpg.Record]

PATIENCE_SECONDS = 2.0  # for a connection or a lock; then the asks waiting are told `unavailable`
COMMAND_SECONDS = 10.0  # for one statement
# A node that is frozen in the middle of a batch must not hold its accounts: 5 s later the database lets them go.
SERVER_SETTINGS = {
    "application_name": "shopbell",
    "statement_timeout": "10000",
    "lock_timeout": "1900",  # what is left of PATIENCE_SECONDS is for the way there and back
    "idle_in_transaction_session_timeout": "5000",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "jit": "off",  # statements of milliseconds, of which a compiler would make seconds
}
# Of a batch every statement goes by an index. On a young database, whose tables were empty when a plan was made, the
# server would read them from one end to the other until it has looked at them again.
WRITER_SETTINGS = {**SERVER_SETTINGS, "enable_seqscan": "off"}
# The internal error is what asyncpg raises on a connection that the server closed while it stood idle.
_OF_THE_ENGINE = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)
_OF_THE_DATA = (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError)


async def make_pool(
    url: str,
    size: int,
    meet: Callable[[Any], Coroutine[Any, Any, None]],
    settings: Mapping[str, str] = SERVER_SETTINGS,
) -> Pool:
    """`meet` is called with each new connection before it is used; where it raises, there is no connection."""
    return await asyncpg.create_pool(
        url,
        min_size=0,  # where the server is away, the pool's own look after more of them fills the log
        max_size=size,
        timeout=PATIENCE_SECONDS,
        command_timeout=COMMAND_SECONDS,
        max_inactive_connection_lifetime=300,
        init=meet,
        reset=_nothing_to_reset,
        server_settings=dict(settings),
    )


async def undo(pool: Pool, connection: Any) -> None:
    """Roll back, and give the connection back. One that is in an unknown state is not used again."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await connection.execute("ROLLBACK")
    except BaseException as error:
        with suppress(asyncpg.InterfaceError):  # it is gone already
            connection.terminate()
        if not isinstance(error, Exception):
            raise
    finally:
        with suppress(Exception):  # of a connection that is gone: there is nothing to give back
            await pool.release(connection)


@contextmanager
def as_unavailable() -> Any:
    """Turn what says that the engine is away into Unavailable; what the data is to blame for goes through."""
    try:
        yield
    except _OF_THE_DATA:
        raise
    except _OF_THE_ENGINE as error:
        raise Unavailable(f"the database can't be used: {type(error).__name__} {error}") from error


async def _nothing_to_reset(connection: Any) -> None:
    """We leave nothing behind in a session, and asking the server to clean up costs a way there and back per batch."""
