"""Each new connection is looked at before it is used: where it leads to another history, another epoch begins."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest

from chat.errors import Unavailable
from chat.store import Head, Store, Wanted
from chat.store.migrate import migrate
from chat.store.postgres import PostgresStore
from tests.builders import MINE, MOMENT, a_conversation, a_message, a_move, populate, store_moves
from tests.engines import PostgresEngine
from tests.servers import PostgresServer, a_free_port, postgres

BACK = "UPDATE ledgers SET cursor = 0"
NOT_FOR_OTHERS = "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM public"


@pytest.fixture
def engine(tmp_path: Path) -> PostgresEngine:
    return PostgresEngine(tmp_path)


Opens = Callable[[], Awaitable[PostgresStore]]


@pytest.fixture
def opens(engine: PostgresEngine, runner: asyncio.Runner) -> Iterator[Opens]:
    """Opens the database once more, as another node does."""
    opened: list[PostgresStore] = []

    async def open_() -> PostgresStore:
        opened.append(await engine.open())
        return opened[-1]

    yield open_
    for store in opened:
        if not store._readers.is_closing():
            runner.run(store.close())


async def write(store: Store, cursor: int = 1) -> None:
    """The change at this cursor."""
    conversation = a_conversation(id=f"cnv_{cursor}", cursor=cursor)
    await store_moves(store, a_move(conversation, a_message(cursor)))


def heard_by(store: Store) -> list[str]:
    """The epochs that it tells of from now on."""
    heard: list[str] = []
    store.listen(lambda: heard.append(store.epoch))
    return heard


async def reconnect(store: PostgresStore) -> None:
    """As after the death of the server."""
    for pool in (store._writers, store._readers, store._searchers):
        await pool.expire_connections()
    await store.heads({})


async def test_a_head_that_is_lower_than_before_begins_another_epoch_and_all_agree_on_it(
    engine: PostgresEngine, opens: Opens
) -> None:
    first, second, third = [await opens() for _ in range(3)]
    await populate(first)
    await write(first)
    epoch = first.epoch
    heard = [heard_by(store) for store in (first, second, third)]

    assert await first.heads({MINE: 1}) == {MINE: 1}
    postgres().sql(BACK, engine.name)
    assert await first.heads({MINE: 1}) == {MINE: 0}
    await second.heads({MINE: 1})  # it saw the same
    await third.heads({})  # it saw nothing of this account

    assert first.epoch == second.epoch == third.epoch != epoch
    assert heard == [[first.epoch]] * 3
    for store in (first, second, third):
        await store.close()
    assert (await opens()).epoch == first.epoch  # what was noted aside is of that epoch


async def test_who_writes_notices_too_and_what_was_remembered_is_forgotten(
    engine: PostgresEngine, opens: Opens
) -> None:
    store = await opens()
    await populate(store)
    await write(store)
    heard = heard_by(store)
    postgres().sql(f"{BACK}; DELETE FROM entries; DELETE FROM conversations", engine.name)

    with pytest.raises(Unavailable, match="has lost something"):
        await store.begin([MINE])
    transaction = await store.begin([MINE])

    assert heard == [store.epoch]
    assert transaction.heads == {MINE: Head(0, MOMENT)}
    await transaction.rollback()
    await write(store)


async def test_another_change_at_the_same_cursor_is_not_taken_for_the_one_that_is_known(
    engine: PostgresEngine, opens: Opens
) -> None:
    first, second = await opens(), await opens()
    await populate(first)
    await write(first)
    postgres().sql(f"{BACK}; DELETE FROM entries; DELETE FROM conversations", engine.name)
    moved = a_move(a_conversation(id="cnv_other"), a_message(2))
    transaction = await second.begin([MINE])
    await transaction.load(wanted := Wanted(conversations={(MINE, "cnv_1")}))
    await transaction.write([moved], {MINE: Head(1, MOMENT + 1)})
    await transaction.commit()

    transaction = await first.begin([MINE])

    assert (await transaction.load(wanted)).conversations == {}
    await transaction.rollback()


async def test_a_copy_under_another_name_is_another_history(
    engine: PostgresEngine, opens: Opens, tmp_path: Path
) -> None:
    """As a dump that is restored is: also for a node that was never there before."""
    store = await opens()
    epoch = store.epoch
    await store.close()
    engine.keep_copy()
    engine.bring_copy_back()

    new = await PostgresStore.open(engine.url, tmp_path / "another.head")

    assert new.epoch != epoch
    await new.close()


async def test_an_epoch_that_the_database_does_not_know_is_of_its_future(engine: PostgresEngine, opens: Opens) -> None:
    store = await opens()
    await store.renew()
    heard = heard_by(store)
    postgres().sql("UPDATE meta SET value = 'e0' WHERE name = 'epoch'", engine.name)
    postgres().sql("UPDATE meta SET value = '' WHERE name = 'epochs'", engine.name)

    await store.heads({})

    assert heard == [store.epoch]
    assert store.epoch != "e0"


async def test_a_new_epoch_begun_by_hand_is_heard_by_all(engine: PostgresEngine, opens: Opens) -> None:
    first, second = await opens(), await opens()
    heard = heard_by(second)

    await first.renew()
    await second.heads({})

    assert heard == [first.epoch]


async def test_a_server_that_does_not_tell_who_it_is_is_believed(
    engine: PostgresEngine, opens: Opens, tmp_path: Path
) -> None:
    postgres().sql(NOT_FOR_OTHERS, engine.name)
    postgres().sql("DROP ROLE IF EXISTS nobody", engine.name)
    postgres().sql("CREATE ROLE nobody LOGIN IN ROLE pg_read_all_data, pg_write_all_data", engine.name)
    owner = await opens()

    guest = await PostgresStore.open(engine.url.replace("shopbell@", "nobody@"), tmp_path / "guest.head")
    await reconnect(guest)
    await reconnect(owner)

    assert guest.epoch == owner.epoch
    await guest.close()


@pytest.fixture
def primary() -> Iterator[PostgresServer]:
    """A server of our own, with an empty shop."""
    server = PostgresServer(Path(mkdtemp(prefix="shopbell-pg-", dir="/tmp")), a_free_port())
    server.sql("CREATE DATABASE shop")
    yield server
    server.stop()


async def test_a_standby_that_takes_over_is_another_history_however_far_it_came(
    primary: PostgresServer, tmp_path: Path
) -> None:
    """Also where it has as many changes as the lost primary had: they are others."""
    await asyncio.to_thread(migrate, primary.url("shop"))
    store = await PostgresStore.open(primary.url("shop"), tmp_path / "head")
    await populate(store)
    await write(store, 1)
    standby = PostgresServer(Path(mkdtemp(prefix="shopbell-pg-", dir="/tmp")), primary.port, copy_of=primary)
    await write(store, 2)  # it is lost
    epoch, heard = store.epoch, heard_by(store)
    try:
        primary.kill()
        with pytest.raises(Unavailable):
            await store.heads({MINE: 2})
        standby.start()
        with pytest.raises(Unavailable, match="is a standby"):  # nobody reads from one that is behind
            await store.heads({MINE: 2})
        assert store.epoch == epoch

        standby.promote()
        standby.sql("UPDATE ledgers SET cursor = 7", "shop")
        await store.heads({MINE: 2})

        assert store.epoch != epoch
        assert heard == [store.epoch]
        await write(store, 8)
        await store.close()
    finally:
        standby.stop()
