"""What fails beneath a ledger on PostgreSQL costs a refusal that says to try again; afterwards everything is right."""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp

import asyncpg
import pytest

from chat.clock import SystemClock
from chat.gather import BatchLimits
from chat.model import Actor
from chat.rules.messages import Send, Start
from chat.store import postgres_pool
from chat.store.migrate import migrate
from chat.store.postgres import LANES, PostgresStore
from chat.ticket import Done
from tests.builders import DANA, DOOR, MINE, NOA, STRANGER, an_id, populate
from tests.engines import PostgresEngine
from tests.office import Office, open_office
from tests.servers import PostgresServer, a_free_port

pytestmark = pytest.mark.chaos

SEED = int(os.environ.get("SHOPBELL_SEED", "1"))
SENDS = int(os.environ.get("SHOPBELL_SENDS", "1600"))  # by sixteen writers; more in `make chaos`
LOCKED_SECONDS = float(os.environ.get("SHOPBELL_LOCKED_SECONDS", "2"))
COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"


@asynccontextmanager
async def an_office(store: PostgresStore) -> AsyncIterator[Office]:
    async with open_office(store, SystemClock(), BatchLimits(asks=8), lanes=LANES) as office:
        yield office


def asyncpg_url(engine: PostgresEngine) -> str:
    return engine.url.replace("+asyncpg", "")


# --- a COMMIT of which nobody knows what became of it ---------------------------------------------------------------


class Cutter:
    """Between a store and its server. The next COMMIT is the last word of its connection: it reaches the server, or it
    doesn't; the answer never comes back."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.is_armed = False
        self.lets_commit = True
        self.cuts = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._port)
        back = asyncio.create_task(self._pump(up_reader, writer))
        with suppress(OSError):
            while data := await reader.read(65536):
                if self.is_armed and data.endswith(COMMIT):
                    self.is_armed = False
                    self.cuts += 1
                    back.cancel()
                    await asyncio.wait([back])
                    if self.lets_commit:
                        up_writer.write(data)
                        await up_reader.read(1)  # it has done it
                    break
                up_writer.write(data)
        for each in (writer, up_writer):
            each.transport.abort()
        back.cancel()
        await asyncio.wait([back])

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.transport.abort()


@pytest.mark.parametrize("lets_commit", [True, False], ids=["it was done", "it wasn't"])
async def test_after_a_commit_of_unknown_outcome_a_resend_finds_out(tmp_path: Path, lets_commit: bool) -> None:
    engine = PostgresEngine(tmp_path)
    port = int(engine.url.rpartition(":")[2].partition("/")[0])
    cutter = Cutter(port)
    cutter.lets_commit = lets_commit
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(await asyncio.start_server(cutter.serve, "127.0.0.1", 0))
        own_port = server.sockets[0].getsockname()[1]
        store = await PostgresStore.open(engine.url.replace(f":{port}/", f":{own_port}/"), tmp_path / "head")
        stack.push_async_callback(store.close)
        await populate(store)
        office = await stack.enter_async_context(an_office(store))
        conversation = await office.start(DANA)
        ask = Send(id=an_id(0xC0), conversation=conversation, text="once")

        cutter.is_armed = True
        assert await office.refused(DANA, ask) == "unavailable"
        assert cutter.cuts == 1
        done = await office.done(DANA, ask)
        assert done.again == lets_commit
        assert (await office.done(DANA, ask)).again
        assert (await office.send(NOA, conversation)).seq > done.seq

        async with store.view() as view:
            entries = await view.latest(MINE, conversation, 10, staff=True)
        assert [entry.text for entry in entries if entry.kind == "message"].count("once") == 1
        assert sorted({entry.seq for entry in entries}) == list(range(1, max(entry.seq for entry in entries) + 1))


# --- who waits, and who doesn't --------------------------------------------------------------------------------------


async def test_a_locked_account_is_refused_in_time_and_others_go_on(tmp_path: Path) -> None:
    engine = PostgresEngine(tmp_path)
    store = await engine.open()
    await populate(store)
    async with an_office(store) as office:
        mine, other = await office.start(DANA), await office.start(STRANGER)
        intruder = await asyncpg.connect(asyncpg_url(engine))
        lock = intruder.transaction()
        await lock.start()
        await intruder.execute(
            "SELECT * FROM ledgers l JOIN accounts a ON a.key = l.account WHERE a.id = $1 FOR UPDATE OF l", MINE
        )
        locked_at = time.monotonic()
        refusals = 0
        ask = Send(id=an_id(0xC1), conversation=mine, text="late")
        while time.monotonic() - locked_at < LOCKED_SECONDS:
            began = time.monotonic()
            late = office.hand_in(DANA, ask)
            while not late.done():
                sent_at = time.monotonic()
                await office.send(STRANGER, other)
                assert time.monotonic() - sent_at < 1
                await asyncio.sleep(0.05)
            assert getattr(late.result(), "code", None) == "unavailable"
            assert time.monotonic() - began < 3
            refusals += 1
        await lock.rollback()
        await intruder.close()

        assert refusals > 0
        assert not (await office.done(DANA, ask)).again
    await store.close()


async def test_a_statement_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(postgres_pool.WRITER_SETTINGS, "statement_timeout", "200")
    engine = PostgresEngine(tmp_path)
    store = await engine.open()
    await populate(store)
    async with an_office(store) as office:
        conversation = await office.start(DANA)
        ask = Send(id=an_id(0xC2), conversation=conversation, text="late")
        intruder = await asyncpg.connect(asyncpg_url(engine))
        async with intruder.transaction():
            await intruder.execute("LOCK TABLE entries IN ACCESS EXCLUSIVE MODE")
            began = time.monotonic()
            assert await office.refused(DANA, ask) == "unavailable"
            assert time.monotonic() - began < 1.5
        await intruder.close()

        assert not (await office.done(DANA, ask)).again
    await store.close()


# --- sixteen writers -------------------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """One that may be killed."""
    server = PostgresServer(Path(mkdtemp(prefix="shopbell-pg-", dir="/tmp")), a_free_port())
    server.sql("CREATE DATABASE shop")
    migrate(server.url("shop"))
    yield server
    server.stop()


def test_sixteen_writers_leave_no_hole_through_aborts_and_kills(server: PostgresServer, tmp_path: Path) -> None:
    """One account over two nodes of four lanes. Transactions are ended anywhere, and the server dies."""
    sys.stdout.write(f"seed {SEED}, {SENDS} sends\n")
    asyncio.run(sixteen_write(server, tmp_path))


async def sixteen_write(server: PostgresServer, tmp_path: Path) -> None:
    chance = random.Random(SEED)
    async with AsyncExitStack() as stack:
        offices = []
        for n in range(2):
            store = await PostgresStore.open(server.url("shop"), tmp_path / f"head{n}")
            stack.push_async_callback(store.close)
            if n == 0:
                await populate(store)
            offices.append(await stack.enter_async_context(an_office(store)))
        starts = [Start(id=an_id(0xA000 + n), inbox=DOOR, text="Hello?") for n in range(4)]
        conversations = [(await offices[0].done(DANA, start)).conversation for start in starts]
        counts = {"again": 0, "refused": 0, "aborts": 0, "kills": 0}
        writers = [
            write(offices[n % 2], DANA if n % 3 else NOA, conversations[n % 4], n, SENDS // 16, counts)
            for n in range(16)
        ]
        writing = asyncio.ensure_future(asyncio.gather(*writers))
        await sabotage(server, chance, counts, writing.done)
        await writing
        sys.stdout.write(f"{counts}\n")

        rows = await _rows(server)
        messages = [row["id"] for row in rows if row["kind"] == "message"]
        assert len(messages) == len(set(messages)) == SENDS // 16 * 16 + len(starts)
        changes = list(dict.fromkeys((row["cursor"], row["conversation"], row["seq"]) for row in rows))
        assert [cursor for cursor, _, _ in changes] == list(range(1, len(changes) + 1))
        for conversation in {each for _, each, _ in changes}:
            seqs = [seq for _, each, seq in changes if each == conversation]
            assert seqs == list(range(1, len(seqs) + 1))
        for office in offices:
            assert (await office.store.heads({MINE: len(changes)})) == {MINE: len(changes)}
    assert all(counts[name] > 0 for name in ("aborts", "kills", "refused"))


async def write(
    office: Office, actor: Actor, conversation: str, number: int, count: int, counts: dict[str, int]
) -> None:
    """One after the other, each until it is done, as a client does."""
    for n in range(count):
        ask = Send(id=f"{number:08x}-0000-7000-8000-{n:012x}", conversation=conversation, text=f"{number} {n}")
        while True:
            (result,) = await office.ask(actor, ask)
            if isinstance(result, Done):
                counts["again"] += result.again
                break
            assert (result.code, result.retry) == ("unavailable", True)
            counts["refused"] += 1
            await asyncio.sleep(0.02)


async def sabotage(
    server: PostgresServer, chance: random.Random, counts: dict[str, int], is_over: Callable[[], bool]
) -> None:
    """Until nobody writes any more, and at least two kills."""
    while not is_over() or counts["kills"] < 2:
        if chance.random() < 0.12:
            counts["kills"] += 1
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
        with suppress(asyncpg.PostgresError, OSError):
            connection = await asyncpg.connect(server.url("shop").replace("+asyncpg", ""))
            ended = await connection.fetch(
                """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE application_name = 'shopbell' AND state <> 'idle' ORDER BY random() LIMIT 2"""
            )
            counts["aborts"] += len(ended)
            await connection.close()
        await asyncio.sleep(chance.uniform(0.01, 0.2))


async def _rows(server: PostgresServer) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(server.url("shop").replace("+asyncpg", ""))
    try:
        return await connection.fetch("SELECT id, kind, conversation, cursor, seq FROM entries ORDER BY cursor")
    finally:
        await connection.close()
