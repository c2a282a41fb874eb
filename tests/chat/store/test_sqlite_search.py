"""What only the SQLite engine's index has to keep: few bytes, short turns, and a file without what was forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from chat.folding import fold
from chat.search import Doc, Filters
from chat.store.search_index import LOOKED_AT
from chat.store.sqlite import SqliteStore
from chat.store.sqlite_runs import RUN, RUN_CHARACTERS
from tests.builders import MINE, MOMENT, a_conversation, a_message, a_move, an_id, populate, store_moves
from tests.engines import SqliteEngine

SECRET = "Zanzibar Quagmire ฉันชื่อ"


@pytest.fixture
def engine(tmp_path: Path) -> SqliteEngine:
    return SqliteEngine(tmp_path)


@pytest.fixture
def store(engine: SqliteEngine, runner: asyncio.Runner) -> Iterator[SqliteStore]:
    store = runner.run(engine.open())
    runner.run(populate(store))
    runner.run(store_moves(store, a_move(a_conversation(), a_message(1))))
    yield store
    runner.run(store.close())


def docs(*texts: str) -> list[Doc]:
    return [Doc(an_id(number), "message", "cnv_parcel", MOMENT, fold(text)) for number, text in enumerate(texts, 1)]


async def put(store: SqliteStore, wanted: list[Doc]) -> None:
    async with store.search.turn(MINE) as turn:
        await turn.put(wanted)
    while await store.search.seal(MINE):
        pass


def the_file(engine: SqliteEngine, store: SqliteStore) -> bytes:
    """All that is in the database's file, free pages and gaps included."""
    store._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return engine.path.read_bytes()


async def test_no_byte_of_what_was_forgotten_stays_in_the_file(engine: SqliteEngine, store: SqliteStore) -> None:
    await put(store, docs(SECRET, *("red" for _ in range(RUN))))
    assert fold(SECRET).encode() in the_file(engine, store)
    assert store._one("SELECT count(*) FROM search_grams WHERE gram = 'qua'") == 1

    await store.search.forget(MINE, conversations=["cnv_parcel"])

    left = the_file(engine, store)
    for part in (fold(SECRET), "zanzibar", "quagm", "ฉันชื่อ"):
        assert part.encode() not in left
    assert store._one("SELECT count(*) FROM search_grams WHERE gram GLOB '*q*' OR gram GLOB '*ฉ*'") == 0


async def test_what_a_run_loses_while_its_grams_are_made_is_not_written(store: SqliteStore) -> None:
    many = docs(SECRET, *(f"red {number}" for number in range(RUN)))
    async with store.search.turn(MINE) as turn:
        await turn.put(many)

    sealing = asyncio.ensure_future(store.search.seal(MINE))
    await asyncio.sleep(0)  # it has read the run by now
    async with store.search.turn(MINE) as turn:
        await turn.drop([many[0].of])
    assert await sealing

    assert store._one("SELECT count(*) FROM search_grams") == 0
    assert await store.search.seal(MINE)
    assert store._one("SELECT count(*) FROM search_grams WHERE gram = 'qua'") == 0
    assert store._one("SELECT count(*) FROM search_grams WHERE gram = 'red'") == 1


async def test_sealing_that_was_cut_off_begins_anew_and_keeps_nothing_that_is_gone(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chat.store.sqlite_search.ROWS", 20)
    many = docs(SECRET, *(f"red {number}" for number in range(RUN)))
    async with store.search.turn(MINE) as turn:
        await turn.put(many)

    for _ in range(2):
        sealing = asyncio.ensure_future(store.search.seal(MINE))
        while not store._one("SELECT count(*) FROM search_grams WHERE gram = 'anz'"):  # noqa: ASYNC110
            await asyncio.sleep(0)
        sealing.cancel()
        await asyncio.wait([sealing])
    assert len((await store.search.candidates(MINE, ["zan"], Filters(), 9)).docs) == 1
    await store.search.forget(MINE, conversations=["cnv_parcel"], contacts=[many[0].of])
    assert store._one("SELECT count(*) FROM search_grams WHERE gram = 'anz'") == 0

    while await store.search.seal(MINE):
        pass
    assert len((await store.search.candidates(MINE, ["red"], Filters(), 999)).docs) == RUN
    assert (await store.search.candidates(MINE, ["zan"], Filters(), 9)).docs == []


async def test_runs_of_long_texts_are_short(store: SqliteStore) -> None:
    text = "ab " * 2_600
    await put(store, docs(*([text] * 7)))

    runs = store._writer.execute("SELECT key >> 8, count(*) FROM search_docs GROUP BY 1 ORDER BY 1").fetchall()

    assert [count for _, count in runs] == [RUN_CHARACTERS // len(fold(text)) + 1] * 2 + [1]


async def test_a_turn_needs_no_fsync_and_the_ledger_has_its_own_again(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def synchronous() -> int:
        return int(store._one("PRAGMA synchronous"))

    assert synchronous() == 2
    async with store.search.turn(MINE) as turn:
        assert synchronous() == 1
        await turn.put(docs("red"))
    assert synchronous() == 2

    with pytest.raises(ZeroDivisionError):
        async with store.search.turn(MINE):
            raise ZeroDivisionError
    assert synchronous() == 2

    levels: list[int] = []

    def seen() -> int:
        levels.append(synchronous())
        return 1

    monkeypatch.setattr("chat.store.sqlite_runs.DROP_DOC", "DELETE FROM search_docs WHERE key = ? AND seen()")
    store._writer.create_function("seen", 0, seen)
    await store.search.forget(MINE, contacts=[an_id(1)])
    assert levels == [2]  # an erasure must be on the disk


async def test_a_turn_that_is_cancelled_leaves_the_writer_alone(store: SqliteStore) -> None:
    entered = asyncio.Event()

    async def index() -> None:
        async with store.search.turn(MINE) as turn:
            await turn.put(docs("red"))
            entered.set()
            await asyncio.sleep(60)

    task = asyncio.ensure_future(index())
    await entered.wait()
    task.cancel()
    await asyncio.wait([task])

    await put(store, docs("blue"))
    assert store._one("SELECT group_concat(text) FROM search_docs") == "blue"


async def test_a_search_ends_however_much_there_is(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    assert LOOKED_AT > 20_000
    monkeypatch.setattr("chat.store.sqlite_candidates.LOOKED_AT", 300)
    await put(store, docs("the one", *("abcabd" for _ in range(700))))

    found = await store.search.candidates(MINE, ["abcabd", "abcabd"], Filters(since=MOMENT + 1), 100)

    assert (found.docs, found.cut) == ([], True)


async def test_long_texts_count_for_more(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat.store.sqlite_candidates.LOOKED_AT", 300)
    await put(store, docs(*("ab " * 2_000 for _ in range(20))))

    found = await store.search.candidates(MINE, ["ab"], Filters(), 100)

    assert (len(found.docs) < 10, found.cut) == (True, True)


async def test_triggers_come_back_when_a_migration_made_their_table_anew(engine: SqliteEngine) -> None:
    store = await engine.open()
    store._writer.execute("DROP TRIGGER search_new_contact")
    await store.close()

    again = await engine.open()
    await populate(again)
    assert await again.search.behind() != []
    await again.close()
