"""What PostgreSQL adds to a store's promises: several nodes write, and the server may go away at any moment."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from tempfile import mkdtemp

import pytest
from alembic.config import Config
from msgspec.structs import replace
from sqlalchemy import Connection, insert, update

from chat.clock import SystemClock
from chat.errors import Unavailable
from chat.gather import BatchLimits
from chat.model import Conversation
from chat.rules.conversations import Resolve
from chat.rules.messages import Send, Start
from chat.search import Doc, Filters
from chat.store import Head, Wanted, postgres_pool
from chat.store import migrate as migrations
from chat.store import postgres as module
from chat.store.migrate import migrate, revisions, schema
from chat.store.postgres import PostgresStore
from chat.store.tables import accounts, contacts
from chat.ticket import Done
from tests.builders import (
    DANA,
    DOOR,
    MINE,
    MOMENT,
    NOA,
    OTHER,
    STRANGER,
    a_conversation,
    a_message,
    a_move,
    an_id,
    populate,
    store_moves,
)
from tests.engines import PostgresEngine
from tests.office import Office, open_office
from tests.servers import PostgresServer, a_free_port, postgres

WANTED = Wanted(conversations={(MINE, "cnv_parcel")})


@pytest.fixture
def engine(tmp_path: Path) -> PostgresEngine:
    return PostgresEngine(tmp_path)


@asynccontextmanager
async def stores(engine: PostgresEngine, count: int) -> AsyncIterator[list[PostgresStore]]:
    """As many nodes' stores of one database, with the people in it."""
    opened = [await engine.open() for _ in range(count)]
    await populate(opened[0])
    try:
        yield opened
    finally:
        for store in opened:
            await store.close()


async def state_of(store: PostgresStore) -> Conversation:
    transaction = await store.begin([MINE])
    loaded = await transaction.load(WANTED)
    await transaction.rollback()
    return loaded.conversations[MINE, "cnv_parcel"]


async def test_what_another_node_wrote_is_loaded_and_not_what_was_remembered(engine: PostgresEngine) -> None:
    async with stores(engine, 2) as (first, second):
        conversation = a_conversation()
        await store_moves(first, a_move(conversation, a_message()))
        assert await state_of(first) == await state_of(second) == conversation  # both remember it now

        moved = replace(conversation, seq=2, cursor=2, preview="by the second")
        await store_moves(second, a_move(moved, before=conversation))

        assert await state_of(first) == moved


async def test_of_several_accounts_none_is_waited_for(engine: PostgresEngine) -> None:
    async with stores(engine, 2) as (first, second):
        held = await first.begin([MINE])

        transaction = await second.begin([MINE, OTHER, "acc_nowhere"])

        assert (set(transaction.heads), set(transaction.skipped)) == ({OTHER}, {MINE})
        await transaction.rollback()
        await held.rollback()


async def test_asks_of_accounts_that_are_all_held_go_back_and_are_answered_once(engine: PostgresEngine) -> None:
    async with stores(engine, 2) as (first, second), an_office(second) as office:
        held = await first.begin([MINE, OTHER])
        starts = [
            (DANA, Start(id=an_id(1), inbox=DOOR, text="Hi")),
            (STRANGER, Start(id=an_id(2), inbox="", text="Hi")),
        ]

        asks = [office.hand_in(actor, start) for actor, start in starts]
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        while not await first._readers.fetchval(waiting):  # noqa: ASYNC110 - PostgreSQL has no event for that
            await asyncio.sleep(0.01)
        await held.rollback()
        await asyncio.gather(*asks)

        assert [len(batch) for batch in office.batches] == [1, 1]


async def test_sixteen_writers_of_one_account_leave_no_hole(engine: PostgresEngine) -> None:
    """Four nodes of four lanes; each message is committed once, and cursors and seqs have no gap."""
    async with stores(engine, 4) as opened, AsyncExitStack() as stack:
        offices = [await stack.enter_async_context(an_office(store)) for store in opened]
        starts = [Start(id=an_id(0xA000 + n), inbox=DOOR, text="Hello?") for n in range(4)]
        conversations = [
            (await office.done(DANA, start)).conversation for office, start in zip(offices, starts, strict=True)
        ]
        asks = [
            office.hand_in(NOA, Send(id=f"{n:08x}-0000-7000-8000-{i:012x}", conversation=each, text=f"{n}"))
            for n in range(25)
            for i, office in enumerate(offices)
            for each in conversations
            if (n + i) % 4 == conversations.index(each)
        ]
        results = [await ask for ask in asks]

        assert all(isinstance(result, Done) for result in results), results
        commits = sorted((commit for office in offices for commit in office.commits), key=lambda commit: commit.cursor)
        assert [commit.since for commit in commits] == [0, *(commit.cursor for commit in commits[:-1])]
        async with opened[0].view() as view:
            head = await view.head(MINE)
            assert head == len(asks) + len(conversations)
            for each in conversations:
                state = await view.conversation(MINE, each)
                entries = await view.latest(MINE, each, 200, staff=True)
                assert state is not None
                assert sorted({entry.seq for entry in entries}) == list(range(1, state.seq + 1))


async def test_a_frozen_node_holds_its_account_for_a_few_seconds(
    engine: PostgresEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(postgres_pool.WRITER_SETTINGS, "idle_in_transaction_session_timeout", "500")
    async with stores(engine, 2) as (frozen, other):
        transaction = await frozen.begin([MINE])
        began = time.monotonic()

        await (await other.begin([MINE])).rollback()

        assert time.monotonic() - began < 1.9
        with pytest.raises(Unavailable):  # when it wakes it does no harm
            await transaction.write([a_move(a_conversation(), a_message())], {MINE: Head(1, MOMENT)})
        await transaction.rollback()
        await store_moves(frozen, a_move(a_conversation(), a_message()))


async def test_a_pool_without_room_is_unavailable_in_time(
    engine: PostgresEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stores(engine, 1) as (store,):
        held = [await store.begin([f"acc_{n}"]) for n in range(module.LANES)]
        monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.1)  # connecting may take longer on a busy machine

        with pytest.raises(Unavailable):
            await store.begin([MINE])

        for transaction in held:
            await transaction.rollback()
        await (await store.begin([MINE])).rollback()


LATER = """
from alembic import op

revision = "9999"
down_revision = oldest = {newest!r}
branch_labels = depends_on = None
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"


def upgrade() -> None:
    for (table,) in op.get_bind().exec_driver_sql(TABLES).all():
        op.execute(f"ALTER TABLE {{table}} ADD COLUMN of_a_later_version text")
        op.execute(f"ALTER TABLE {{table}} ADD COLUMN with_a_default integer NOT NULL DEFAULT 1")
    op.execute("CREATE TABLE of_a_later_version (key bigint PRIMARY KEY)")
"""


def migrate_as_a_later_version(url: str, folder: Path) -> None:
    """Everything has something more then, as such a version may have it while this one serves."""
    (folder / "9999_later.py").write_text(LATER.format(newest=revisions()[0]))
    config = migrations._config

    def later(url: str) -> Config:
        made = config(url)
        made.set_main_option("version_locations", f"{made.get_main_option('script_location')}/versions {folder}")
        made.set_main_option("path_separator", "space")
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(migrations, "_config", later)
        migrate(url)


async def test_a_version_serves_while_a_later_one_migrates_and_afterwards(
    engine: PostgresEngine, tmp_path: Path
) -> None:
    async with stores(engine, 2) as (first, second), an_office(first) as office:
        conversation = await office.start(DANA)
        migrating = asyncio.create_task(asyncio.to_thread(migrate_as_a_later_version, engine.url, tmp_path))
        while not migrating.done():
            await office.send(NOA, conversation)
        await migrating

        assert await asyncio.to_thread(schema, engine.url) == "newer"
        await (third := await engine.open()).close()
        assert third.epoch == first.epoch
        async with an_office(second) as other:
            await other.done(DANA, Send(id=an_id(0xB1), conversation=conversation, text="Hello"))
            await other.done(NOA, Resolve(id=an_id(0xB2), conversation=conversation))
        await second.administer(_add_an_account)
        async with first.search.turn(MINE) as turn:
            await turn.put([Doc(an_id(1), "message", conversation, MOMENT, "parcel")])
        assert len((await second.search.candidates(MINE, ["parcel"], Filters(), 10)).docs) == 1


async def test_after_a_scrub_no_old_version_of_a_row_is_left(engine: PostgresEngine) -> None:
    """Though some of its bytes may be, on the disk: it never says that all is gone."""
    async with stores(engine, 1) as (store,):
        postgres().sql("CREATE EXTENSION pgstattuple", engine.name)
        for name in ("Zwiebelkuchen", ""):
            await store.administer(partial(_rename_all, name))
        assert await dead_contacts(store) > 0

        async with store.view() as before:  # whoever reads what was, keeps it
            await before.head(MINE)
            await store.administer(partial(_rename_all, "Brot"))
            assert not await store.scrub()
            assert await dead_contacts(store) > 0
        assert not await store.scrub()

        assert await dead_contacts(store) == 0


async def dead_contacts(store: PostgresStore) -> int:
    return int(await store._readers.fetchval("SELECT dead_tuple_count FROM pgstattuple('contacts')"))


def _rename_all(name: str, connection: Connection) -> None:
    connection.execute(update(contacts).values(name=name))


def _add_an_account(connection: Connection) -> None:
    connection.execute(insert(accounts).values(id="acc_late", name="Late", created_at=0))


@pytest.mark.chaos
async def test_a_server_that_is_killed_is_unavailable_and_everything_is_right_afterwards(tmp_path: Path) -> None:
    """Asks go on while it dies five times; whoever is refused asks again with the same id."""
    server = PostgresServer(_folder(), a_free_port())
    try:
        server.sql("CREATE DATABASE shop")
        await asyncio.to_thread(migrate, server.url("shop"))
        store = await PostgresStore.open(server.url("shop"), tmp_path / "head")
        await populate(store)
        async with an_office(store) as office:
            conversation = await office.start(DANA)
            sent = [Send(id=office.new_id(), conversation=conversation, text=str(number)) for number in range(200)]
            done: set[str] = set()
            refusals = 0
            killer = asyncio.create_task(asyncio.to_thread(_kill_again_and_again, server, 5))
            while len(done) < len(sent) or not killer.done():
                assert not killer.done() or killer.exception() is None
                for ask in sent:
                    (result,) = await office.ask(DANA, ask)
                    if isinstance(result, Done):
                        done.add(ask.id)
                    else:
                        assert result.code == "unavailable", result
                        refusals += 1
                        await asyncio.sleep(0.01)  # as clients do, though they wait longer
            await killer
            async with store.view() as view:
                entries = await view.latest(MINE, conversation, 1000, staff=True)
                assert sorted(entry.id for entry in entries[1:]) == [ask.id for ask in sent]  # each once
                assert [entry.seq for entry in entries] == list(range(1, len(sent) + 2))
                assert await view.head(MINE) == len(sent) + 1
            assert refusals > 0
        await store.close()
    finally:
        server.stop()


def _folder() -> Path:
    folder = Path(mkdtemp(prefix="shopbell-pg-", dir="/tmp"))  # the server's user can't enter pytest's own
    return folder


def _kill_again_and_again(server: PostgresServer, times: int) -> None:
    for _ in range(times):
        time.sleep(0.3)
        server.kill()
        time.sleep(0.1)
        server.start()


def an_office(store: PostgresStore) -> AbstractAsyncContextManager[Office]:
    """With lanes, as a node of many has them."""
    return open_office(store, SystemClock(), BatchLimits(asks=8), lanes=module.LANES)
