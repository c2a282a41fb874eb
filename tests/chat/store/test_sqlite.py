"""What is particular to the embedded engine. What every store promises is in contracts/test_store.py."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from msgspec.structs import replace

from chat.errors import Unavailable
from chat.model import Conversation
from chat.store import Head, Wanted, sqlite
from chat.store.sqlite import SqliteStore
from tests.builders import (
    MINE,
    MOMENT,
    a_conversation,
    a_message,
    a_move,
    an_id,
    populate,
    store_moves,
)
from tests.engines import SlowDisk, SqliteEngine

ROOT = Path(__file__).parents[3]


@pytest.fixture
def file(tmp_path: Path) -> SqliteEngine:
    return SqliteEngine(tmp_path)


def pragma(store: SqliteStore, name: str) -> object:
    return store._writer.execute(f"PRAGMA {name}").fetchone()[0]


# --- opening ------------------------------------------------------------------------------------------------


async def test_a_second_opener_is_refused_until_the_first_has_closed(file: SqliteEngine) -> None:
    first = await file.open()
    with pytest.raises(Unavailable, match="another process"):
        await file.open()
    await first.close()

    second = await file.open()

    await second.close()


async def test_an_opener_that_is_refused_leaves_the_first_its_lock(file: SqliteEngine) -> None:
    first = await file.open()
    for _ in range(2):
        with pytest.raises(Unavailable):
            await file.open()

    await populate(first)
    await first.close()


def test_a_killed_process_leaves_no_lock_behind(file: SqliteEngine) -> None:
    program = (
        "import os, pathlib, signal; from chat.store.sqlite import SqliteStore; "
        f"store = SqliteStore.open(pathlib.Path({str(file.path)!r})); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False, timeout=30)
    assert killed.returncode == -signal.SIGKILL

    async def open_and_close() -> None:
        await (await file.open()).close()

    asyncio.run(open_and_close())


def test_a_database_that_was_not_migrated_is_refused_and_its_lock_let_go(tmp_path: Path) -> None:
    path = tmp_path / "chat.db"
    sqlite3.connect(path).close()
    for _ in range(2):
        with pytest.raises(Unavailable, match="can't be opened"):
            SqliteStore.open(path)


async def test_ok_means_synced_to_the_disk(file: SqliteEngine) -> None:
    store = await file.open()

    assert pragma(store, "journal_mode") == "wal"
    assert pragma(store, "synchronous") == 2  # FULL
    assert pragma(store, "busy_timeout") == 0  # waiting is done outside
    await store.close()


# --- epoch --------------------------------------------------------------------------------------------------


async def test_a_head_aside_that_cannot_be_read_is_as_none(file: SqliteEngine) -> None:
    store = await file.open()
    epoch = store.epoch
    await store.close()
    aside = file.path.with_name("chat.db.head")
    assert aside.read_text() == f"0 {epoch}"
    aside.write_text("half a num")

    store = await file.open()

    assert store.epoch == epoch
    await store.close()


async def test_a_database_made_anew_beside_an_old_head_is_another_history(file: SqliteEngine) -> None:
    store = await file.open()
    await populate(store)
    await store_moves(store, a_move(a_conversation(), a_message()))
    epoch = store.epoch
    await store.close()

    file.path.unlink()
    store = await SqliteEngine(file.path.parent).open()

    assert store.epoch != epoch
    await store.close()


# --- committing ---------------------------------------------------------------------------------------------


async def test_a_quick_disk_commits_on_this_thread_and_a_slow_one_on_another(file: SqliteEngine) -> None:
    store = await file.open()
    await populate(store)
    threads: list[int] = []

    def note_commits(action: int, what: str | None, *_: str | None) -> int:
        if (action, what) == (sqlite3.SQLITE_TRANSACTION, "COMMIT"):
            threads.append(threading.get_ident())
        return sqlite3.SQLITE_OK

    store._writer.set_authorizer(note_commits)
    await store_moves(store, a_move(a_conversation(), a_message()))
    store.place = SlowDisk()
    store._writer.set_authorizer(note_commits)  # statements are prepared anew, and so asked about again
    await store_moves(store, a_move(a_conversation(id="cnv_2", cursor=2), a_message(2)))

    assert threads[0] == threading.get_ident()
    assert threads[-1] != threading.get_ident()
    await store.close()


async def test_the_loop_goes_on_while_a_slow_disk_commits(file: SqliteEngine) -> None:
    store = await file.open()
    await populate(store)
    store.place = SlowDisk()
    gate = threading.Event()

    def wait_at_commit(action: int, what: str | None, *_: str | None) -> int:
        if (action, what) == (sqlite3.SQLITE_TRANSACTION, "COMMIT"):
            gate.wait(10)
        return sqlite3.SQLITE_OK

    store._writer.set_authorizer(wait_at_commit)
    committing = asyncio.create_task(store_moves(store, a_move(a_conversation(), a_message())))
    for _ in range(5):
        await asyncio.sleep(0)
    async with store.view() as view:
        assert await view.head(MINE) == 0  # not yet, and no waiting
    waiting = asyncio.create_task(store.begin([MINE]))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not committing.done()
    assert not waiting.done()  # the writer has one owner
    gate.set()

    await committing
    transaction = await waiting
    assert transaction.heads[MINE].cursor == 1
    await transaction.rollback()
    await store.close()


async def test_a_full_disk_is_unavailable_leaves_nothing_and_is_fine_when_there_is_room(file: SqliteEngine) -> None:
    store = await file.open()
    await populate(store)
    conversation = a_conversation()
    await store_moves(store, a_move(conversation, a_message()))
    room = pragma(store, "max_page_count")
    pragma(store, f"max_page_count = {pragma(store, 'page_count')}")
    many = [a_message(number, text="x" * 8000, seq=number) for number in range(2, 50)]
    move = a_move(replace(conversation, seq=49, cursor=2), *many, before=conversation)

    with pytest.raises(Unavailable):
        await store_moves(store, move)
    async with store.view() as view:
        assert await view.moved(MINE, 0, 10) == [conversation]
    pragma(store, f"max_page_count = {room}")
    await store_moves(store, move)

    async with store.view() as view:
        assert len(await view.latest(MINE, conversation.id, 100, staff=True)) == 49
    await store.close()


# --- what is kept in memory ---------------------------------------------------------------------------------


async def test_more_conversations_than_memory_keeps_are_all_there(
    file: SqliteEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "CACHED", 10)
    store = await file.open()
    await populate(store)
    conversations = [a_conversation(id=f"cnv_{number}", cursor=number) for number in range(1, 41)]
    for conversation in conversations:
        await store_moves(store, a_move(conversation, a_message(conversation.cursor)))
    assert len(store._cache.conversations) <= 10
    wanted = Wanted(conversations={(MINE, conversation.id) for conversation in conversations})

    transaction = await store.begin([MINE])
    loaded = await transaction.load(wanted)
    await transaction.rollback()
    moves = [moved(conversation, 41 + place) for place, conversation in enumerate(conversations)]
    await store_moves(store, *(a_move(after, before=before) for before, after in moves))

    assert len(loaded.conversations) == 40
    async with store.view() as view:
        assert await view.moved(MINE, 40, 100) == [after for _, after in moves]
    await store.close()


def moved(conversation: Conversation, cursor: int) -> tuple[Conversation, Conversation]:
    return conversation, replace(conversation, seq=2, cursor=cursor)


async def test_a_conversation_started_after_a_failure_gets_a_row_of_its_own(file: SqliteEngine) -> None:
    store = await file.open()
    await populate(store)
    failed = a_move(a_conversation(id="cnv_failed"), a_message(1))
    with file.failing_commits(store), pytest.raises(Unavailable):
        await store_moves(store, failed)
    first, second = a_conversation(id="cnv_1", cursor=1), a_conversation(id="cnv_2", cursor=2)

    await store_moves(store, a_move(first, a_message(2)))
    await store_moves(store, a_move(second, a_message(3)))

    async with store.view() as view:
        assert [entry.id for entry in await view.latest(MINE, first.id, 9, staff=True)] == [an_id(2)]
        assert [entry.id for entry in await view.latest(MINE, second.id, 9, staff=True)] == [an_id(3)]
    await store.close()


async def test_a_store_that_is_closed_is_unavailable(file: SqliteEngine) -> None:
    store = await file.open()
    await store.close()

    with pytest.raises(Unavailable):
        await store.begin([MINE])
    with pytest.raises(Unavailable):
        async with store.view() as view:
            await view.head(MINE)


async def test_an_ask_that_is_given_up_while_it_waits_for_the_lock_leaves_the_writer_free(file: SqliteEngine) -> None:
    store = await file.open()
    await populate(store)
    with file.locked():
        waiting = asyncio.create_task(store.begin([MINE]))
        for _ in range(5):
            await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])

    await store_moves(store, a_move(a_conversation(), a_message()))
    transaction = await store.begin([MINE])
    assert transaction.heads == {MINE: Head(1, MOMENT)}
    await transaction.rollback()
    await store.close()
