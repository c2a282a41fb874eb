"""Timers in the store: which are due, in which order, and when they are gone."""

from __future__ import annotations

from msgspec.structs import replace
from sqlalchemy import update

from chat.model import Timer
from chat.store import Store
from chat.store.tables import accounts
from chat.timers import Timers
from tests.builders import MINE, OTHER, a_conversation, a_message, a_move, an_id, store_moves

WAKE = "conversation.wake"


def a_timer(number: int, at: int, conversation: str = "cnv_parcel") -> Timer:
    return Timer(an_id(number), at, WAKE, conversation)


async def set_timers(store: Store, *timers: Timer, account: str = MINE, conversation: str = "cnv_parcel") -> None:
    move = a_move(a_conversation(id=conversation), a_message(hash(conversation) % 1000 + 1), account=account)
    move.timers = list(timers)
    await store_moves(store, move)


async def test_what_is_due_comes_oldest_first_and_what_is_not_yet_due_does_not(store: Store) -> None:
    first, second, same, later = a_timer(1, 30), a_timer(2, 10), a_timer(3, 10), a_timer(4, 31)
    await set_timers(store, first, second, same, later)

    found = await Timers(store).due(30, 10)

    assert [due.timer for due in found] == [second, same, first]
    assert {due.account for due in found} == {MINE}


async def test_more_than_asked_for_comes_from_behind_the_last(store: Store) -> None:
    await set_timers(store, *(a_timer(number, 10 + number // 3) for number in range(1, 8)))
    timers = Timers(store)
    numbers: list[str] = []

    page = await timers.due(99, 3)
    while page:
        assert len(page) <= 3
        numbers += [due.timer.id for due in page]
        page = await timers.due(99, 3, page[-1].place)

    assert numbers == [an_id(number) for number in range(1, 8)]


async def test_what_is_done_is_never_due_again(store: Store) -> None:
    await set_timers(store, a_timer(1, 10), a_timer(2, 10), a_timer(3, 10))
    timers = Timers(store)

    first, _, third = await timers.due(10, 10)
    await timers.delete([first, third])

    assert [due.timer.id for due in await timers.due(10, 10)] == [an_id(2)]


async def test_what_two_have_done_takes_nothing_else_away(store: Store) -> None:
    await set_timers(store, a_timer(1, 10))
    timers = Timers(store)
    done = await timers.due(10, 10)

    await timers.delete(done)
    await set_timers(store, a_timer(2, 10, "cnv_other"), conversation="cnv_other")
    await timers.delete(done)

    assert [due.timer.id for due in await timers.due(10, 10)] == [an_id(2)]


async def test_a_suspended_accounts_timers_wait(store: Store) -> None:
    await set_timers(store, a_timer(1, 10))
    await set_timers(store, a_timer(2, 10, "cnv_theirs"), account=OTHER, conversation="cnv_theirs")

    await store.administer(
        lambda connection: connection.execute(update(accounts).where(accounts.c.id == MINE).values(suspended_at=5))
    )

    assert [(due.account, due.timer) for due in await Timers(store).due(10, 10)] == [
        (OTHER, replace(a_timer(2, 10), conversation="cnv_theirs"))
    ]
