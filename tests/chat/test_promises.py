"""What waiting contacts are told, and what it is worked out from, on every engine."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, insert, select, update

from chat.correction import Past
from chat.errors import NotFound
from chat.model import Entry, author_of
from chat.promises import LATELY_MS, LATEST, Handle, Promise, Promises
from chat.store import Store
from chat.store.tables import accounts, handles, waits
from tests.builders import (
    DANA,
    DOOR,
    ECHO,
    MINE,
    MOMENT,
    NOA,
    OTHER,
    TEAM,
    a_conversation,
    a_message,
    a_move,
    an_id,
    store_moves,
)

DAY = 24 * 3600 * 1000
PROMISE = Promise("cnv_1", MOMENT, TEAM, 3, 60_000, 50_000, 150_000, 140_000, None, MOMENT + 9)


async def keeps(store: Store, account: str, *, ended: int, worked: int = 20_000, team: str | None = TEAM) -> None:
    """Somebody had a conversation for a minute."""

    def work(connection: Connection) -> None:
        key = connection.execute(select(accounts.c.key).where(accounts.c.id == account)).scalar_one()
        row = {"conversation": "cnv_1", "member": NOA.id, "team": team, "began_at": ended - 60_000, "ended_at": ended}
        connection.execute(insert(handles).values(account=key, worked=worked, **row))

    await store.administer(work)


async def ends(store: Store, conversation: str, at: int, outcome: str = "answered") -> None:
    def work(connection: Connection) -> None:
        of = waits.c.conversation == conversation
        connection.execute(update(waits).where(of).values(ended_at=at, outcome=outcome))

    await store.administer(work)


async def test_the_latest_handles_are_read_and_nobody_elses(store: Store) -> None:
    await keeps(store, MINE, ended=MOMENT - DAY, worked=10_000)
    await keeps(store, MINE, ended=MOMENT, team=None)
    await keeps(store, MINE, ended=MOMENT - LATELY_MS - 1)
    await keeps(store, OTHER, ended=MOMENT)

    lately = await Promises(store).lately(MINE, MOMENT)

    assert lately.handles == (Handle(None, 60_000, 20_000), Handle(TEAM, 60_000, 10_000))
    assert lately.waits == ()
    assert LATEST == 1_000


async def test_what_was_promised_is_compared_with_what_came_of_it(store: Store) -> None:
    promises = Promises(store)
    made = [replace(PROMISE, conversation=f"cnv_{n}", queued_at=MOMENT + n) for n in range(4)]
    await promises.make(MINE, made)
    await promises.make(OTHER, [replace(PROMISE, conversation="cnv_theirs")])
    for n, outcome in enumerate(["answered", "abandoned", "answered"]):
        await ends(store, f"cnv_{n}", MOMENT + 90_000 + n, outcome)
    await ends(store, "cnv_theirs", MOMENT + 1)

    lately = await promises.lately(MINE, MOMENT + DAY)

    assert lately.waits == tuple(
        (TEAM, Past(MOMENT + n, 90_000, n != 1, 50_000, 150_000, 60_000, 140_000, None, MOMENT + 9)) for n in (2, 1, 0)
    )


async def test_a_promise_is_made_once(store: Store) -> None:
    promises = Promises(store)
    await promises.make(MINE, [PROMISE])
    await promises.make(MINE, [replace(PROMISE, low=1, high=2)])

    def work(connection: Connection) -> list[tuple[int, int]]:
        return [(row.low, row.high) for row in connection.execute(select(waits))]

    assert await store.inspect(work) == [(50_000, 150_000)]


async def test_nothing_is_promised_in_an_account_that_is_not_there(store: Store) -> None:
    with pytest.raises(NotFound):
        await Promises(store).make("acc_unheard_of", [PROMISE])


async def test_a_reply_takes_as_long_as_humans_took_lately(store: Store) -> None:
    def answer(number: int, by: str, seconds: int, seq: int) -> Entry:
        return Entry(an_id(number), seq, seq, "message", author_of(by), MOMENT + seconds * 1000, "Hello")

    moves = []
    for n, seconds in enumerate([30, 90, 600]):
        conversation = a_conversation(id=f"cnv_{n}", cursor=n + 1, seq=4)
        entries = [
            a_message(10 * n + 1, by=DANA, seq=1),
            answer(10 * n + 2, ECHO.id, 1, 2),
            answer(10 * n + 3, NOA.id, seconds, 3),
            answer(10 * n + 4, NOA.id, seconds + 5, 4),
        ]
        moves.append(a_move(conversation, *entries))
    moves.append(a_move(a_conversation(id="cnv_waits", cursor=9), a_message(99, by=DANA)))
    await store_moves(store, *moves)

    assert await Promises(store).reply_seconds(MINE, MOMENT + DAY) == {DOOR: 90}
    assert await Promises(store).reply_seconds(MINE, MOMENT + 8 * DAY) == {}
    assert await Promises(store).reply_seconds(OTHER, MOMENT + DAY) == {}


async def test_where_only_bots_answer_it_takes_as_long_as_they_do(store: Store) -> None:
    answer = Entry(an_id(2), 2, 2, "message", author_of(ECHO.id), MOMENT + 2000, "Hello")
    await store_moves(store, a_move(a_conversation(seq=2), a_message(1, by=DANA), answer))

    assert await Promises(store).reply_seconds(MINE, MOMENT + DAY) == {DOOR: 2}
