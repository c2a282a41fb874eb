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


async def taken(gather: Gather) -> list[Ticket]:
    """The next batch, settled at once."""
    batch = await gather.next()
    gather.done(batch)
    return batch


def ids(tickets: list[Ticket], account: str = MINE) -> list[str]:
    return [ticket.ask.id for ticket in tickets if ticket.account == account and isinstance(ticket.ask, Send)]


async def test_accounts_take_turns_so_that_a_busy_one_starves_nobody() -> None:
    gather = a_gather(asks=100)
    for number in range(1000):
        gather.add(a_waiting("acc_busy", number))
    for number in range(3):
        gather.add(a_waiting("acc_calm", number))

    batch = await taken(gather)

    assert len(batch) == 100
    assert ids(batch, "acc_calm") == [an_id(number) for number in range(3)]
    assert ids(batch, "acc_busy") == [an_id(number) for number in range(97)]


async def test_busy_accounts_are_in_every_batch_get_the_same_in_the_end_and_keep_their_order() -> None:
    gather = a_gather(asks=30)
    busy = [f"acc_{number}" for number in range(3)]
    for account in busy:
        for number in range(100):
            gather.add(a_waiting(account, number))

    batches = [await taken(gather) for _ in range(10)]

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

    batches = [await taken(gather) for _ in range(5)]

    served_first = {ticket.account for batch in batches[:3] for ticket in batch}
    assert len(served_first) == 40
    assert gather.is_empty


async def test_a_full_gathering_is_busy_until_something_is_taken() -> None:
    gather = a_gather(asks=16, gather_asks=20)
    for number in range(20):
        gather.add(a_waiting(number=number))

    with pytest.raises(Busy):
        gather.add(a_waiting(number=20))
    await taken(gather)

    gather.add(a_waiting(number=20))


async def test_too_many_bytes_are_busy_as_well() -> None:
    gather = a_gather(gather_bytes=10_000)
    gather.add(a_waiting(size=9_900))

    with pytest.raises(Busy):
        gather.add(a_waiting(size=101))
    gather.add(a_waiting(size=100))

    assert len(await taken(gather)) == 2
    gather.add(a_waiting(size=10_000))


async def test_a_batch_keeps_within_its_time_when_asks_are_slow() -> None:
    gather = a_gather(asks=256, seconds=0.005)
    for number in range(600):
        gather.add(a_waiting(number=number))

    gather.took(0.05, 10)  # one ask would take all of it; the average follows slowly
    assert len(await taken(gather)) < 256
    for _ in range(100):
        gather.took(0.05, 10)

    assert len(await taken(gather)) == LEAST_ASKS  # but never less than a few


async def test_a_batch_is_never_larger_than_it_may_be_even_if_that_is_little() -> None:
    gather = a_gather(asks=4)
    for number in range(6):
        gather.add(a_waiting(number=number))
    gather.took(10, 1)

    assert len(await taken(gather)) == 4


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

    assert ids(await taken(gather)) == [an_id(0)]
    assert await taken(gather) == await taken(gather) == []


async def test_what_one_lane_holds_no_other_lane_gets() -> None:
    gather = a_gather(asks=16)
    for number in range(20):
        gather.add(a_waiting("acc_busy", number))
    gather.add(a_waiting("acc_calm", 0))

    first = await gather.next()
    second = asyncio.create_task(gather.next())
    await asyncio.sleep(0)
    assert not second.done()
    gather.done(first)

    assert ids(first, "acc_busy") + ids(await second, "acc_busy") == [an_id(number) for number in range(20)]


async def test_lanes_work_on_different_accounts_at_once() -> None:
    gather = a_gather(asks=16)
    gather.add(a_waiting("acc_1"))
    first = await gather.next()
    gather.add(a_waiting("acc_1", 1))
    gather.add(a_waiting("acc_2"))

    second = await gather.next()

    assert [{ticket.account for ticket in batch} for batch in (first, second)] == [{"acc_1"}, {"acc_2"}]


async def test_what_is_put_back_comes_first_and_alone() -> None:
    gather = a_gather(asks=16)
    for account in ("acc_1", "acc_2"):
        gather.add(a_waiting(account, 0))
    batch = await gather.next()
    gather.add(a_waiting("acc_1", 1))
    gather.add(a_waiting("acc_3", 0))
    gather.put_back([ticket for ticket in batch if ticket.account == "acc_1"])
    gather.done(batch)

    batches = [await taken(gather), await taken(gather)]

    assert sorted([ticket.account for ticket in batch] for batch in batches) == [["acc_1", "acc_1"], ["acc_3"]]
    assert [ids(batch, "acc_1") for batch in batches if ids(batch, "acc_1")] == [[an_id(0), an_id(1)]]


async def test_every_lane_ends_when_all_is_drained() -> None:
    gather = a_gather(asks=16)
    gather.add(a_waiting())
    batch = await gather.next()
    gather.add(a_waiting(number=1))
    lanes = [asyncio.create_task(taken(gather)) for _ in range(3)]
    gather.close()
    await asyncio.sleep(0)
    gather.done(batch)

    async with asyncio.timeout(5):
        got = [await lane for lane in lanes]
    assert sorted(len(batch) for batch in got) == [0, 0, 1]
