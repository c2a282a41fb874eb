"""The stream: bulletins in any order go in, in cursor order they come out; a hole is read from the store, once."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.errors import Unavailable
from gateway import stream as stream_module
from gateway.bulletin import Bulletin
from gateway.stream import Stream, Streams

ACCOUNT = "acc_mine"


def a_bulletin(since: int, cursor: int, account: str = ACCOUNT) -> Bulletin:
    return Bulletin(account, since, cursor, ())


@st.composite
def arrivals(draw: st.DrawFn) -> list[Bulletin]:
    """A ledger cut into commits, some of them twice, with healed stretches in between, shuffled."""
    cuts = sorted(draw(st.sets(st.integers(1, 60), max_size=20)) | {0, 61})
    commits = [a_bulletin(since, cursor) for since, cursor in pairwise(cuts)]
    twice = draw(st.lists(st.sampled_from(commits)))
    stretches = st.lists(st.lists(st.sampled_from(cuts), min_size=2, max_size=2, unique=True).map(sorted))
    healed = [a_bulletin(since, cursor) for since, cursor in draw(stretches)]
    return list(draw(st.permutations([*commits, *twice, *healed])))


@given(arrivals())
def test_any_order_of_bulletins_comes_out_in_cursor_order_without_a_gap(arrivals: list[Bulletin]) -> None:
    stream, cursor = Stream(0), 0

    for bulletin in arrivals:
        for ready in stream.offer(bulletin):
            assert ready.since <= cursor < ready.cursor
            cursor = ready.cursor

    assert cursor == stream.cursor == 61
    assert not stream.has_hole


@given(arrivals(), st.integers(0, 61))
def test_what_was_before_the_start_is_not_heard(arrivals: list[Bulletin], start: int) -> None:
    stream = Stream(start)

    heard = [ready for bulletin in arrivals for ready in stream.offer(bulletin)]

    assert all(ready.cursor > start for ready in heard)
    assert stream.cursor == 61


def test_nothing_goes_past_a_hole() -> None:
    stream = Stream(10)

    assert stream.offer(a_bulletin(11, 12)) == []
    assert stream.has_hole
    assert stream.offer(a_bulletin(12, 13)) == []
    assert [ready.cursor for ready in stream.offer(a_bulletin(10, 11))] == [11, 12, 13]
    assert not stream.has_hole


def test_a_healed_stretch_makes_those_that_waited_in_it_needless() -> None:
    stream = Stream(10)
    stream.offer(a_bulletin(11, 12))
    stream.offer(a_bulletin(13, 14))

    assert [ready.cursor for ready in stream.offer(a_bulletin(10, 13))] == [13, 14]
    assert not stream.has_hole


def test_what_waits_behind_a_hole_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "WAITING", 5)
    stream = Stream(0)

    for since in range(1, 20):
        stream.offer(a_bulletin(since, since + 1))

    assert stream.offer(a_bulletin(0, 1))[-1].cursor == 6


# --- all streams of a node -------------------------------------------------------------------------------------------


class Node:
    """Streams over a store that has only heads, and what they delivered."""

    def __init__(self) -> None:
        self.cursors: dict[str, int] = {}
        self.delivered: list[tuple[str, int, int]] = []
        self.reads: list[tuple[str, int]] = []
        self.flushes: list[int] = []
        self.when_delivered: Callable[[], object] = lambda: None
        self.is_away = False
        self.is_bus_healthy = True
        self.known: list[dict[str, int]] = []
        self.meanwhile: Callable[[], None] | None = None
        self.answer: asyncio.Event | None = None
        self.streams = Streams(
            self._deliver,
            self._missed,
            self._heads,
            lambda: self.flushes.append(len(self.delivered)),
            lambda: self.is_bus_healthy,
        )

    def _deliver(self, bulletin: Bulletin) -> None:
        self.delivered.append((bulletin.account, bulletin.since, bulletin.cursor))
        self.when_delivered()

    async def _missed(self, account: str, since: int) -> Bulletin:
        self.reads.append((account, since))
        if self.is_away:
            raise Unavailable("on purpose")
        bulletin = a_bulletin(since, self.cursors[account], account)
        if self.answer is not None:
            await self.answer.wait()
        return bulletin

    async def _heads(self, known: Mapping[str, int]) -> dict[str, int]:
        if self.is_away:
            raise Unavailable("on purpose")
        self.known.append(dict(known))
        heads = {account: self.cursors[account] for account in known if account in self.cursors}
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        return heads


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Node:
    monkeypatch.setattr(stream_module, "HOLE_SECONDS", 0.01)
    monkeypatch.setattr(stream_module, "SWEEP_SECONDS", 0.01)
    monkeypatch.setattr(stream_module, "POLL_SECONDS", 0.01)
    return Node()


async def healed() -> None:
    await asyncio.sleep(0.03)


async def test_a_stream_begins_at_the_head(node: Node) -> None:
    node.cursors[ACCOUNT] = 7
    await node.streams.open(ACCOUNT)

    node.streams.offer(a_bulletin(6, 7))
    node.streams.offer(a_bulletin(7, 8))

    assert node.delivered == [(ACCOUNT, 7, 8)]


async def test_opening_again_does_not_begin_anew(node: Node) -> None:
    node.cursors[ACCOUNT] = 7
    await node.streams.open(ACCOUNT)
    node.cursors[ACCOUNT] = 9

    await node.streams.open(ACCOUNT)
    node.streams.offer(a_bulletin(7, 8))

    assert node.delivered == [(ACCOUNT, 7, 8)]


async def test_an_account_that_nobody_here_follows_is_nothing_to_us(node: Node) -> None:
    node.streams.offer(a_bulletin(0, 1))

    assert node.delivered == []
    assert ACCOUNT not in node.streams


async def test_a_hole_is_read_from_the_store_once_however_many_wait_behind_it(node: Node) -> None:
    await node.streams.open(ACCOUNT)
    for since in range(1, 10):
        node.streams.offer(a_bulletin(since, since + 1))
    node.cursors[ACCOUNT] = 10

    await healed()

    assert node.reads == [(ACCOUNT, 0)]
    assert node.delivered == [(ACCOUNT, 0, 10)]


async def test_what_the_bus_brings_in_time_is_not_heard_again(node: Node) -> None:
    await node.streams.open(ACCOUNT)
    node.streams.offer(a_bulletin(1, 2))
    node.cursors[ACCOUNT] = 2

    node.streams.offer(a_bulletin(0, 1))
    await healed()

    assert node.delivered == [(ACCOUNT, 0, 1), (ACCOUNT, 1, 2)]


async def test_while_the_bus_brings_something_nothing_is_read(node: Node) -> None:
    await node.streams.open(ACCOUNT)
    for since in range(0, 60, 2):  # there is always a hole, and never the same for long
        node.streams.offer(a_bulletin(since + 1, since + 2))
        await asyncio.sleep(0.002)
        node.streams.offer(a_bulletin(since, since + 1))
    await healed()

    assert node.reads == []
    assert len(node.delivered) == 60


async def test_what_the_bus_brings_while_it_is_read_is_not_heard_again(node: Node) -> None:
    await node.streams.open(ACCOUNT)
    node.answer = asyncio.Event()
    node.cursors[ACCOUNT] = 3
    node.streams.offer(a_bulletin(2, 3))
    await healed()

    node.streams.offer(a_bulletin(0, 1))
    node.answer.set()
    await healed()

    assert node.reads == [(ACCOUNT, 0), (ACCOUNT, 1)]
    assert node.delivered == [(ACCOUNT, 0, 1), (ACCOUNT, 1, 3)]


async def test_a_hole_that_opens_as_the_last_one_is_healed_is_not_left_to_the_sweep(node: Node) -> None:
    def open_another() -> None:
        if node.cursors[ACCOUNT] == 2:
            node.cursors[ACCOUNT] = 4
            node.streams.offer(a_bulletin(3, 4))

    node.when_delivered = lambda: asyncio.get_running_loop().call_soon(open_another)
    await node.streams.open(ACCOUNT)
    node.cursors[ACCOUNT] = 2
    node.streams.offer(a_bulletin(1, 2))
    await healed()
    await healed()

    assert node.delivered == [(ACCOUNT, 0, 2), (ACCOUNT, 2, 4)]


async def test_a_head_beyond_the_stream_is_a_hole(node: Node) -> None:
    node.cursors[ACCOUNT] = 1
    await node.streams.open(ACCOUNT)
    node.cursors[ACCOUNT] = 3

    await node.streams.sweep()
    await healed()

    assert node.delivered == [(ACCOUNT, 1, 3)]


async def test_a_store_that_is_away_is_tried_again(node: Node) -> None:
    await node.streams.open(ACCOUNT)
    node.cursors[ACCOUNT] = 2
    sweeping = asyncio.create_task(node.streams.run())
    node.is_away = True
    node.streams.offer(a_bulletin(1, 2))
    await healed()
    assert node.delivered == []

    node.is_away = False
    await healed()
    await healed()

    assert node.delivered == [(ACCOUNT, 0, 2)]
    sweeping.cancel()
    await asyncio.wait([sweeping])


async def test_one_accounts_hole_holds_up_no_other(node: Node) -> None:
    await node.streams.open(ACCOUNT)
    await node.streams.open("acc_other")
    node.cursors |= {ACCOUNT: 2}

    node.streams.offer(a_bulletin(1, 2))
    node.streams.offer(a_bulletin(0, 1, "acc_other"))

    assert node.delivered == [("acc_other", 0, 1)]
    await healed()


async def test_a_closed_stream_heals_nothing(node: Node) -> None:
    await node.streams.open(ACCOUNT)
    node.streams.offer(a_bulletin(1, 2))

    node.streams.close(ACCOUNT)
    await healed()

    assert (node.reads, node.delivered) == ([], [])


async def test_what_is_healed_is_written_out(node: Node) -> None:
    await node.streams.open(ACCOUNT)
    node.cursors[ACCOUNT] = 2

    node.streams.expect(ACCOUNT, 2)
    await healed()

    assert node.delivered == [(ACCOUNT, 0, 2)]
    assert node.flushes == [1]


async def test_who_waits_for_what_nobody_brings_gets_it_from_the_store(node: Node) -> None:
    await node.streams.open(ACCOUNT)
    node.cursors[ACCOUNT] = 4

    await node.streams.reach(ACCOUNT, 3)

    assert node.delivered == [(ACCOUNT, 0, 4)]
    await healed()


async def test_a_hole_that_opens_while_one_is_read_is_read_too(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    await node.streams.open(ACCOUNT)
    node.cursors[ACCOUNT] = 2
    read = node.streams._missed

    async def slowly(account: str, since: int) -> Bulletin:
        found = await read(account, since)
        if since == 0:
            node.streams.offer(a_bulletin(3, 4))
            node.cursors[ACCOUNT] = 4
        return found

    monkeypatch.setattr(node.streams, "_missed", slowly)
    node.streams.offer(a_bulletin(1, 2))
    await asyncio.sleep(0.06)

    assert node.reads == [(ACCOUNT, 0), (ACCOUNT, 2)]
    assert node.delivered == [(ACCOUNT, 0, 2), (ACCOUNT, 2, 4)]


async def test_who_says_more_than_the_store_is_believed_once(node: Node) -> None:
    await node.streams.open(ACCOUNT)
    node.cursors[ACCOUNT] = 2

    node.streams.expect(ACCOUNT, 2**64 - 1)
    await asyncio.sleep(0.06)
    node.streams.offer(a_bulletin(2, 3))
    await healed()

    assert node.reads == [(ACCOUNT, 0)]
    assert node.delivered == [(ACCOUNT, 0, 2), (ACCOUNT, 2, 3)]


async def test_heads_are_swept_more_often_while_the_bus_is_not_healthy(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_module, "SWEEP_SECONDS", 60)
    await node.streams.open(ACCOUNT)
    node.cursors[ACCOUNT] = 2
    sweeping = asyncio.create_task(node.streams.run())
    await asyncio.sleep(0.05)
    assert node.delivered == []

    node.is_bus_healthy = False
    await asyncio.sleep(0.05)

    assert node.delivered == [(ACCOUNT, 0, 2)]
    sweeping.cancel()
    await asyncio.wait([sweeping])


async def test_a_gap_is_swept_at_once_and_again_while_the_store_is_away(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_module, "SWEEP_SECONDS", 60)
    await node.streams.open(ACCOUNT)
    node.cursors[ACCOUNT] = 2
    node.is_away = True
    sweeping = asyncio.create_task(node.streams.run())

    node.streams.lose()
    await asyncio.sleep(0.03)
    assert node.delivered == []
    node.is_away = False
    await asyncio.sleep(0.05)

    assert node.delivered == [(ACCOUNT, 0, 2)]
    sweeping.cancel()
    await asyncio.wait([sweeping])


# --- another history ------------------------------------------------------------------------------------------------


async def test_what_was_followed_of_another_history_is_not_told(node: Node) -> None:
    """As far as the new one has come, it would pass for what is known already, or fill a hole."""
    node.cursors[ACCOUNT] = 7
    await node.streams.open(ACCOUNT)
    node.streams.offer(a_bulletin(8, 9))
    waiting = asyncio.create_task(node.streams.reach(ACCOUNT, 9))
    await asyncio.sleep(0)

    node.streams.begin_anew()
    await waiting  # whoever it was is sent away
    node.cursors[ACCOUNT] = 5
    await node.streams.open(ACCOUNT)
    node.streams.offer(a_bulletin(5, 6))
    await healed()

    assert node.delivered == [(ACCOUNT, 5, 6)]


async def test_a_hole_of_another_history_is_not_filled_with_it(node: Node) -> None:
    await node.streams.open(ACCOUNT)
    node.cursors[ACCOUNT] = 2
    answer = node.answer = asyncio.Event()
    node.streams.offer(a_bulletin(1, 2))
    await healed()
    assert node.reads == [(ACCOUNT, 0)]

    node.streams.begin_anew()
    node.cursors[ACCOUNT] = 1
    await node.streams.open(ACCOUNT)
    answer.set()
    await healed()

    assert node.delivered == []


async def test_a_head_that_was_read_of_another_history_is_read_again(node: Node) -> None:
    node.cursors[ACCOUNT] = 9

    def begins_anew() -> None:
        node.cursors[ACCOUNT] = 5
        node.streams.begin_anew()

    node.meanwhile = begins_anew
    await node.streams.open(ACCOUNT)
    node.streams.offer(a_bulletin(5, 6))
    assert node.delivered == [(ACCOUNT, 5, 6)]

    node.meanwhile = begins_anew  # the sweep has read 6, and nobody follows it any more
    node.cursors[ACCOUNT] = 6
    await node.streams.sweep()
    assert ACCOUNT not in node.streams


async def test_the_store_is_told_how_far_each_account_was(node: Node) -> None:
    node.cursors[ACCOUNT] = 3
    await node.streams.open(ACCOUNT)

    await node.streams.sweep()

    assert node.known == [{ACCOUNT: 0}, {ACCOUNT: 3}]


async def test_what_is_being_healed_ends_with_the_node() -> None:
    asked = asyncio.Event()

    async def missed(account: str, since: int) -> Bulletin:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError("nobody answers")

    async def heads(accounts: Collection[str]) -> dict[str, int]:
        return dict.fromkeys(accounts, 0)

    streams = Streams(lambda bulletin: None, missed, heads, lambda: None, lambda: True)
    await streams.open("acc_1")
    streams.offer(Bulletin("acc_1", 5, 6, ()))
    await asked.wait()

    await streams.aclose()

    assert len(asyncio.all_tasks()) == 1
