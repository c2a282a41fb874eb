"""What waits for the next batch: bounded, fair, in order."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chat.errors import Busy
from chat.gather import LEAST_ASKS, BatchLimits, Gather
from chat.rules.messages import Send
from chat.ticket import Ticket
from tests.builders import MINE, a_contact, a_ticket, an_id


def a_gather(**limits: Any) -> Gather:
    return Gather(BatchLimits(**limits))


def a_waiting(account: str = MINE, number: int = 0, size: int = 200) -> Ticket:
    sender = a_contact(account=account)
    return a_ticket(sender, Send(id=an_id(number), conversation="cnv_1", text=str(number)), size=size)


def ids(tickets: list[Ticket], account: str = MINE) -> list[str]:
    return [ticket.ask.id for ticket in tickets if ticket.account == account and isinstance(ticket.ask, Send)]


async def test_accounts_take_turns_so_that_a_busy_one_starves_nobody() -> None:
    gather = a_gather(asks=100)
    for number in range(1000):
        gather.add(a_waiting("acc_busy", number))
    for number in range(3):
        gather.add(a_waiting("acc_calm", number))

    batch = await gather.next()

    assert len(batch) == 100
    assert ids(batch, "acc_calm") == [an_id(number) for number in range(3)]
    assert ids(batch, "acc_busy") == [an_id(number) for number in range(97)]


async def test_busy_accounts_are_in_every_batch_get_the_same_in_the_end_and_keep_their_order() -> None:
    gather = a_gather(asks=30)
    busy = [f"acc_{number}" for number in range(3)]
    for account in busy:
        for number in range(100):
            gather.add(a_waiting(account, number))

    batches = [await gather.next() for _ in range(10)]

    assert [len(batch) for batch in batches] == [30] * 10
    for account in busy:
        shares = [len(ids(batch, account)) for batch in batches]
        assert min(shares) >= 5
        assert sum(shares[:3]) == 30
        assert [id for batch in batches for id in ids(batch, account)] == [an_id(number) for number in range(100)]
    assert gather.is_empty


async def test_more_accounts_than_a_batch_holds_all_get_their_turn() -> None:
    gather = a_gather(asks=16)
    for account in range(40):
        for number in range(2):
            gather.add(a_waiting(f"acc_{account}", number))

    batches = [await gather.next() for _ in range(5)]

    served_first = {ticket.account for batch in batches[:3] for ticket in batch}
    assert len(served_first) == 40
    assert gather.is_empty


async def test_a_full_gathering_is_busy_until_something_is_taken() -> None:
    gather = a_gather(asks=16, gather_asks=20)
    for number in range(20):
        gather.add(a_waiting(number=number))

    with pytest.raises(Busy):
        gather.add(a_waiting(number=20))
    await gather.next()

    gather.add(a_waiting(number=20))


async def test_too_many_bytes_are_busy_as_well() -> None:
    gather = a_gather(gather_bytes=10_000)
    gather.add(a_waiting(size=9_900))

    with pytest.raises(Busy):
        gather.add(a_waiting(size=101))
    gather.add(a_waiting(size=100))

    assert len(await gather.next()) == 2
    gather.add(a_waiting(size=10_000))


async def test_a_batch_keeps_within_its_time_when_asks_are_slow() -> None:
    gather = a_gather(asks=256, seconds=0.005)
    for number in range(600):
        gather.add(a_waiting(number=number))

    gather.took(0.05, 10)  # one ask would take all of it; the average follows slowly
    assert len(await gather.next()) < 256
    for _ in range(100):
        gather.took(0.05, 10)

    assert len(await gather.next()) == LEAST_ASKS  # but never less than a few


async def test_a_batch_is_never_larger_than_it_may_be_even_if_that_is_little() -> None:
    gather = a_gather(asks=4)
    for number in range(6):
        gather.add(a_waiting(number=number))
    gather.took(10, 1)

    assert len(await gather.next()) == 4


async def test_who_waits_for_a_batch_gets_it_when_the_first_ask_comes() -> None:
    gather = a_gather()
    waiting = asyncio.create_task(gather.next())
    await asyncio.sleep(0)
    assert not waiting.done()

    gather.add(a_waiting())

    assert ids(await waiting) == [an_id(0)]


async def test_a_closed_gathering_takes_nothing_more_and_gives_out_what_it_has() -> None:
    gather = a_gather()
    gather.add(a_waiting())
    gather.close()

    with pytest.raises(Busy):
        gather.add(a_waiting(number=1))

    assert ids(await gather.next()) == [an_id(0)]
    assert await gather.next() == await gather.next() == []
