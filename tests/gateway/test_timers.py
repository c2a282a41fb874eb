"""What is due is done, once: also when the node dies in between, was down for an hour, or the store is away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager

import pytest

from chat.access import SYSTEM
from chat.batch import Commit
from chat.errors import Busy, Internal, NotFound, Refused, StoreAway, Unavailable
from chat.ledger import Ledger
from chat.model import Actor, Ask, Entry, Timer
from chat.rules.messages import Send, Start
from chat.rules.snooze import Snooze, Wake
from chat.store import Store
from chat.ticket import Answer, Done
from chat.timers import Due, Timers
from gateway.asking import Asking
from gateway.timers import AT_ONCE, PAGE, Alarms, ask_of
from tests.builders import DANA, DOOR, MINE, NOA, StillClock, an_id, populate
from tests.engines import StoreEngine

HOUR = 3600.0


class Works:
    """A ledger that runs, and the alarms over it."""

    def __init__(self, store: Store, clock: StillClock) -> None:
        self.store = store
        self.clock = clock
        self.ledger = Ledger(store, clock, self._settle)
        self.asking = Asking(self.ledger.submit)
        self.timers = Timers(store)
        self.alarms = Alarms(self.timers, self.asking.ask, clock)
        self.batches: list[int] = []
        self._numbers = iter(range(1, 100_000))

    def _settle(self, answers: list[Answer], commits: list[Commit]) -> None:
        self.batches.append(len(answers))
        for answer in answers:
            answer.ticket.peer.answered(None, answer.result)

    def new_id(self) -> str:
        return an_id(next(self._numbers))

    async def ask(self, actor: Actor, ask: Ask) -> Done:
        return await self.asking.ask(actor.account, actor.id, ask)

    async def start(self) -> str:
        return (await self.ask(DANA, Start(id=self.new_id(), inbox=DOOR, text="Hello?"))).conversation

    async def snoozed(self, seconds: float = 60.0) -> str:
        """A conversation that is put aside for so long."""
        conversation = await self.start()
        await self.snooze(conversation, seconds)
        return conversation

    async def snooze(self, conversation: str, seconds: float) -> None:
        until = self.clock.now() + round(seconds * 1000)
        await self.ask(NOA, Snooze(id=self.new_id(), conversation=conversation, until=until))

    async def lines(self, conversation: str) -> list[Entry]:
        async with self.store.view() as view:
            return [each for each in await view.latest(MINE, conversation, 50, staff=True) if each.activity]

    async def status(self, conversation: str) -> str:
        async with self.store.view() as view:
            found = await view.conversation(MINE, conversation)
            assert found is not None
            return found.status

    async def waiting(self) -> list[Due]:
        return await self.timers.due(2**53, 10_000)


@asynccontextmanager
async def at_work(store: Store, clock: StillClock) -> AsyncIterator[Works]:
    works = Works(store, clock)
    running = asyncio.create_task(works.ledger.run())
    try:
        yield works
    finally:
        works.ledger.stop()
        await running


async def test_it_wakes_at_its_time_once_and_not_before(store: Store, clock: StillClock) -> None:
    async with at_work(store, clock) as works:
        conversation = await works.snoozed(60)

        clock.move(59.999)
        assert await works.alarms.ring() == 0
        assert await works.status(conversation) == "snoozed"
        clock.move(0.001)
        assert await works.alarms.ring() == 1
        assert await works.alarms.ring() == 0

        assert await works.status(conversation) == "queued"
        woke = (await works.lines(conversation))[-1]
        assert (woke.activity, woke.author.id) == ("woke", SYSTEM)


async def test_a_node_that_dies_between_asking_and_deleting_wakes_nothing_twice(
    store: Store, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_work(store, clock) as works:
        conversation = await works.snoozed(60)
        clock.move(60)

        async def die(done: Collection[Due]) -> None:
            raise Unavailable("killed")

        with monkeypatch.context() as patch:
            patch.setattr(works.timers, "delete", die)
            await works.alarms.ring()
        assert len(await works.waiting()) == 1
        await works.snooze(conversation, 600)  # meanwhile somebody puts it aside again
        assert await works.alarms.ring() == 1

        assert [line.activity for line in await works.lines(conversation)] == ["snoozed", "woke", "snoozed"]
        assert await works.status(conversation) == "snoozed"
        assert len(await works.waiting()) == 1


async def test_timers_survive_a_restart(engine: StoreEngine, clock: StillClock) -> None:
    before = await engine.open()
    await populate(before)
    async with at_work(before, clock) as works:
        conversation = await works.snoozed(60)
    await before.close()
    clock.move(60)

    after = await engine.open()
    async with at_work(after, clock) as works:
        assert await works.alarms.ring() == 1
        assert await works.status(conversation) == "queued"
    await after.close()


async def test_a_timer_that_was_overtaken_does_nothing_and_goes(store: Store, clock: StillClock) -> None:
    async with at_work(store, clock) as works:
        conversation = await works.snoozed(60)
        await works.snooze(conversation, 120)

        clock.move(60)
        assert await works.alarms.ring() == 1
        assert await works.status(conversation) == "snoozed"
        await works.ask(DANA, Send(id=works.new_id(), conversation=conversation, text="Still there?"))
        clock.move(60)
        assert await works.alarms.ring() == 1

        assert [line.activity for line in await works.lines(conversation)] == ["snoozed", "snoozed", "woke"]
        assert await works.waiting() == []


async def test_after_an_hour_of_downtime_all_is_done_within_seconds(store: Store, clock: StillClock) -> None:
    many = 2000
    async with at_work(store, clock) as works:
        conversations = await asyncio.gather(*(works.start() for _ in range(many)))
        await asyncio.gather(*(works.snooze(each, 1 + n % 3000) for n, each in enumerate(conversations)))
        clock.move(HOUR)
        works.batches.clear()

        began = time.perf_counter()
        count = await works.alarms.ring()
        took = time.perf_counter() - began
        assert count == many
        assert took < 10  # 0.2 s on a quiet core
        assert max(works.batches) <= AT_ONCE
        assert {await works.status(each) for each in conversations} == {"queued"}
        assert await works.waiting() == []


# --- what an ask may come to -----------------------------------------------------------------------------------------


class Answers:
    """Who answers asks as the test says, and the timers of a test without a store."""

    def __init__(self, timers: int, answer: Callable[[str], Refused | None]) -> None:
        self.left = {n: Timer(an_id(n), n, "conversation.wake", f"cnv_{n}") for n in range(1, timers + 1)}
        self.answer = answer
        self.asked: list[str] = []
        self.alarms = Alarms(self, self.ask, StillClock())  # type: ignore[arg-type]  # all that Alarms calls is here

    async def due(self, now: int, limit: int, after: tuple[int, int] = (0, 0)) -> list[Due]:
        found = [Due(MINE, timer, (n, n)) for n, timer in self.left.items() if (n, n) > after]
        return found[:limit]

    async def delete(self, done: Collection[Due]) -> None:
        for due in done:
            del self.left[due.place[0]]

    async def ask(self, account: str, actor: str, ask: Ask) -> Done:
        assert isinstance(ask, Wake)
        self.asked.append(ask.conversation)
        if (refused := self.answer(ask.conversation)) is not None:
            raise refused
        return Done(ask.conversation, 1, 0)


async def test_what_can_never_be_done_is_not_tried_again() -> None:
    answers = Answers(1, lambda conversation: NotFound())

    assert await answers.alarms.ring() == 1
    assert answers.left == {}


@pytest.mark.parametrize("refused", [StoreAway, Busy])
async def test_while_nothing_can_be_done_timers_wait_and_no_more_of_them_are_asked(refused: type[Refused]) -> None:
    answers = Answers(PAGE + 1, lambda conversation: refused())

    assert await answers.alarms.ring() == 0
    assert (len(answers.asked), len(answers.left)) == (PAGE, PAGE + 1)
    answers.answer = lambda conversation: None
    assert await answers.alarms.ring() == PAGE + 1
    assert answers.left == {}


async def test_timers_that_fail_by_a_bug_stay_and_keep_nobody_waiting() -> None:
    answers = Answers(PAGE + 1, lambda conversation: None if conversation == f"cnv_{PAGE + 1}" else Internal())

    assert await answers.alarms.ring() == 1
    assert len(answers.left) == PAGE


async def test_a_store_that_cant_be_read_is_tried_the_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Answers(1, lambda conversation: None)

    async def away(*_: object) -> list[Due]:
        raise Unavailable("gone")

    with monkeypatch.context() as patch:
        patch.setattr(answers, "due", away)
        assert await answers.alarms.ring() == 0
    assert await answers.alarms.ring() == 1


async def test_what_a_newer_version_has_set_stays_for_it() -> None:
    answers = Answers(1, lambda conversation: None)
    answers.left[1] = Timer(an_id(1), 1, "conversation.dream", "cnv_1")

    assert await answers.alarms.ring() == 0
    assert (answers.asked, len(answers.left)) == ([], 1)


def test_the_ask_has_the_timers_id() -> None:
    timer = Timer(an_id(7), 5, "conversation.wake", "cnv_parcel")

    assert ask_of(timer) == Wake(id=an_id(7), conversation="cnv_parcel")
