"""What only PostgreSQL's index has to keep: turns beside the ledger and other nodes, and searches by its numbers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from msgspec.structs import replace

from chat.errors import Unavailable
from chat.folding import fold
from chat.model import Contact
from chat.search import Doc, Filters
from chat.store import Rows, postgres_search
from chat.store.postgres import PostgresStore
from chat.store.postgres_candidates import Search
from chat.store.postgres_docs import GRAM_BITS, SCOPE_BITS, STRETCH, STRETCH_BITS, Head, numbers_of
from tests.builders import (
    DANA,
    ELI,
    MINE,
    MOMENT,
    OTHER,
    a_conversation,
    a_message,
    a_move,
    an_id,
    populate,
    store_moves,
)
from tests.engines import PostgresEngine

LATER_SECONDS = 0.1  # whoever isn't through by then waits for something


@pytest.fixture
def engine(tmp_path: Path) -> PostgresEngine:
    return PostgresEngine(tmp_path)


@pytest.fixture
def store(engine: PostgresEngine, runner: asyncio.Runner) -> Iterator[PostgresStore]:
    store = runner.run(engine.open())
    runner.run(populate(store))
    runner.run(store_moves(store, a_move(a_conversation(), a_message(1))))
    yield store
    runner.run(store.close())


@asynccontextmanager
async def another_node(engine: PostgresEngine) -> AsyncIterator[PostgresStore]:
    store = await engine.open()
    yield store
    await store.close()


def docs(*texts: str) -> list[Doc]:
    return [Doc(an_id(number), "message", "cnv_parcel", MOMENT, fold(text)) for number, text in enumerate(texts, 1)]


async def put(store: PostgresStore, wanted: list[Doc]) -> None:
    async with store.search.turn(MINE) as turn:
        await turn.put(wanted)


async def found(store: PostgresStore, piece: str) -> list[str]:
    return [doc.of for doc in (await store.search.candidates(MINE, [piece], Filters(), STRETCH)).docs]


async def rows(engine: PostgresEngine, statement: str) -> list[str]:
    connection = await asyncpg.connect(engine.url.replace("+asyncpg", ""))
    answer = [str(row[0]) for row in await connection.fetch(statement)]
    await connection.close()
    return answer


# --- beside the ledger --------------------------------------------------------------------------------------


async def test_messages_do_not_wait_for_a_turn_and_come_in_the_next_one(store: PostgresStore) -> None:
    before = a_conversation()
    async with store.search.turn(MINE) as turn:
        async with asyncio.timeout(LATER_SECONDS * 10):
            await store_moves(store, a_move(replace(before, seq=2, cursor=2), a_message(2, seq=2), before=before))
        seen = await turn.view.head(MINE)
        await turn.put(docs("red"))  # of a conversation that has moved on
        await turn.reach({before.id: 1})
        await turn.advance(seen)
        await turn.waiting_contacts(9)

    assert seen == 1
    assert await found(store, "red") == [an_id(1)]
    assert MINE in await store.search.behind()


async def test_an_erasure_waits_for_a_turn_and_takes_what_it_put(store: PostgresStore) -> None:
    before = a_conversation()
    erasing = a_move(replace(before, seq=2, cursor=2, rewritten=2), before=before)
    erasing.erases = True
    async with store.search.turn(MINE) as turn:
        erased = asyncio.ensure_future(store_moves(store, erasing))
        await asyncio.wait([erased], timeout=LATER_SECONDS)
        assert not erased.done()
        entries = (await turn.view.after_seq({(MINE, before.id): 0}, 9, staff=True))[MINE, before.id]
        await turn.put([Doc(entry.id, "message", before.id, MOMENT, fold(entry.text)) for entry in entries])
    await erased

    assert await found(store, "parcel") == []


async def test_a_turn_waits_for_an_erasure_and_reads_what_is_left(store: PostgresStore) -> None:
    transaction = await store.begin([MINE])
    before = a_conversation()
    erasing = a_move(replace(before, seq=2, cursor=2, rewritten=2), before=before)
    erasing.erases = True
    await transaction.write([erasing], {}, Rows(contacts=[Contact(MINE, DANA.id, erased=True)]))

    async def texts() -> list[str]:
        async with store.search.turn(MINE) as turn:
            found = await turn.view.after_seq({(MINE, before.id): 0}, 9, staff=True)
            return [entry.text for entry in found.get((MINE, before.id), ())]

    reading = asyncio.ensure_future(texts())
    await asyncio.wait([reading], timeout=LATER_SECONDS)
    assert not reading.done()
    await transaction.commit()

    assert await reading == [""]


async def test_a_turn_that_is_cancelled_leaves_nothing_behind(store: PostgresStore) -> None:
    entered = asyncio.Event()

    async def index() -> None:
        async with store.search.turn(MINE) as turn:
            await turn.put(docs("red"))
            await turn.reach({"cnv_parcel": 1})
            entered.set()
            await asyncio.sleep(60)

    task = asyncio.ensure_future(index())
    await entered.wait()
    task.cancel()
    await asyncio.wait([task])

    await put(store, docs("blue"))
    assert (await found(store, "red"), await found(store, "blue")) == ([], [an_id(1)])


# --- beside other nodes -------------------------------------------------------------------------------------


async def test_nodes_take_turns_and_each_goes_on_where_the_other_was(
    engine: PostgresEngine, store: PostgresStore
) -> None:
    async with another_node(engine) as other:
        cursors = []

        async def index(node: PostgresStore) -> None:
            for _ in range(10):
                async with node.search.turn(MINE) as turn:
                    await turn.put([Doc(an_id(turn.cursor), "message", "cnv_parcel", MOMENT, "red")])
                    await turn.advance(turn.cursor + 1)
                    cursors.append(turn.cursor)

        await asyncio.gather(index(store), index(other))

        assert sorted(cursors) == list(range(1, 21))
        assert len(await found(store, "red")) == 20


async def test_an_account_that_another_node_is_at_is_left_to_it(engine: PostgresEngine, store: PostgresStore) -> None:
    for account in (MINE, OTHER):
        async with store.search.turn(account):
            pass
    async with another_node(engine) as other:
        async with other.search.turn(MINE):
            assert await store.search.behind() == [OTHER]
        assert set(await store.search.behind()) == {MINE, OTHER}


async def test_who_waits_for_long_gives_up(engine: PostgresEngine, store: PostgresStore) -> None:
    assert postgres_search.TURN_PATIENCE_SECONDS < 1
    async with another_node(engine) as other, other.search.turn(MINE):
        with pytest.raises(Unavailable):
            await put(store, docs("red"))


# --- searching ----------------------------------------------------------------------------------------------


async def test_a_stretch_is_searched_by_the_index_of_numbers(engine: PostgresEngine, store: PostgresStore) -> None:
    texts = [f"a parcel came {number}" for number in range(STRETCH + 500)]
    for start in range(0, len(texts), 500):
        await put(store, docs(*texts)[start : start + 500])
    await rows(engine, "ANALYZE")

    plans: list[str] = []

    class Explaining:
        """A reader that notes down how PostgreSQL finds what it is asked for."""

        def __init__(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
            self.fetch, self.fetchrow = connection.fetch, connection.fetchrow
            self._cursor = connection.cursor

        async def cursor(self, statement: str, *values: object) -> object:
            plans.append("\n".join(row[0] for row in await self.fetch(f"EXPLAIN {statement}", *values)))
            return await self._cursor(statement, *values)

    connection = await asyncpg.connect(engine.url.replace("+asyncpg", ""))
    async with connection.transaction():
        for piece, count in (("came 4242", 1), ("came 17", 111), ("banana", 0)):
            search = Search(Explaining(connection), [piece], Filters(), 10_000)  # type: ignore[arg-type]  # all it uses
            assert len((await search.of(MINE)).docs) == count
    await connection.close()

    assert ["ix_search_docs_grams" in plan for plan in plans] == [True] * 6


async def test_a_search_ends_however_much_there_is(store: PostgresStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat.store.postgres_candidates.LOOKED_AT", 300)
    await put(store, docs("the one", *("abcabd" for _ in range(700))))

    ended = await store.search.candidates(MINE, ["abcabd"], Filters(since=MOMENT + 1), 100)

    assert (ended.docs, ended.cut) == ([], True)


async def test_long_texts_count_for_more(store: PostgresStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat.store.postgres_candidates.LOOKED_AT", 300)
    monkeypatch.setattr("chat.store.postgres_candidates.ROWS", 4)
    await put(store, docs(*("ab " * 2_000 for _ in range(20))))

    ended = await store.search.candidates(MINE, ["ab"], Filters(), 100)

    assert (len(ended.docs) < 10, ended.cut) == (True, True)


async def test_many_searches_at_once_wait_for_each_other(store: PostgresStore) -> None:
    await put(store, docs("red", "red hat"))

    assert await asyncio.gather(*(found(store, "red") for _ in range(16))) == [[an_id(2), an_id(1)]] * 16


# --- numbers and stretches ----------------------------------------------------------------------------------


def test_numbers_are_of_a_stretch_and_fit_an_int4() -> None:
    first = Head(3, 0, 1)
    (key,) = first.stretches()
    numbers = numbers_of(key, ["abc", "ab", "น้"])

    assert numbers == sorted(numbers)
    assert all(0 <= number < 2 ** (GRAM_BITS + SCOPE_BITS) <= 2**31 for number in numbers)
    assert numbers_of(key + STRETCH - 1, ["abc", "ab", "น้"]) == numbers
    assert set(numbers_of(key + STRETCH, ["abc", "ab", "น้"])).isdisjoint(numbers)


@pytest.mark.parametrize(("place", "count"), [(0, 0), (1, 1), (STRETCH, 1), (STRETCH + 1, 2)])
def test_stretches_are_those_that_have_begun(place: int, count: int) -> None:
    keys = list(Head(3, 0, place).stretches())

    assert len(keys) == count
    assert keys == sorted(keys, reverse=True)
    assert all(key % (1 << STRETCH_BITS) == 0 for key in keys)


async def test_nothing_of_what_was_forgotten_stays_in_a_row(engine: PostgresEngine, store: PostgresStore) -> None:
    contacts = [Doc(who.id, "contact", None, MOMENT, "zanzibar\n") for who in (DANA, ELI)]
    await put(store, [*docs("Zanzibar"), *contacts])

    await store.search.forget(MINE, conversations=["cnv_parcel"], contacts=[DANA.id])
    await store.scrub()

    assert await rows(engine, "SELECT of FROM search_docs") == [ELI.id]
    assert await rows(engine, "SELECT gram FROM search_grams") == []
