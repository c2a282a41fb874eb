"""The only writer: group commit, order, resends, refusals, fairness, and a store that goes away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection

import pytest

from chat.access import PARTICIPANTS
from chat.catalog import Command
from chat.errors import Busy, Refused
from chat.gather import LEAST_ASKS, BatchLimits
from chat.ledger import Ledger
from chat.model import Actor, Ask, Change, Turn
from chat.reading import Reading
from chat.rules.assignment import Assign, Claim
from chat.rules.conversations import Reopen, Resolve
from chat.rules.messages import AddNote, Send, Start
from chat.rules.receipts import Read
from chat.store import Loaded, Store, Transaction, Wanted
from chat.ticket import Done, Ticket
from tests.builders import (
    DANA,
    DOOR,
    ECHO,
    ELI,
    GONE,
    MINE,
    MOMENT,
    NOA,
    OTHER,
    RIVAL,
    SOMCHAI,
    STRANGER,
    StillClock,
    a_contact,
    a_ticket,
    an_agent,
    an_id,
)
from tests.engines import StoreEngine
from tests.office import Office, Result, open_office

Make = Callable[[str], Ask]
STAFF = [NOA, SOMCHAI, ECHO]
LONE_SURROGATE = "\ud800"  # no database and no JSON takes it; the wire can't bring it


def codes(results: list[Result]) -> list[str]:
    return [result.code if isinstance(result, Refused) else "ok" for result in results]


async def texts(store: Store, conversation: str) -> list[str]:
    snapshot = await Reading(store).snapshot(NOA, conversation)
    return [entry.text for entry in snapshot.entries if entry.text]


async def head(store: Store, account: str = MINE) -> int:
    return (await Reading(store).cursors([account]))[account]


# --- carrying out -------------------------------------------------------------------------------------------


async def test_an_answer_comes_when_the_change_is_in_the_store(store: Store, clock: StillClock) -> None:
    async with open_office(store, clock) as office:
        done = await office.done(DANA, Start(id=an_id(1), inbox=DOOR, text="Hi"))

        assert (done.seq, done.at, done.again) == (1, MOMENT, False)
        assert await texts(store, done.conversation) == ["Hi"]


async def test_what_is_handed_in_together_is_committed_together(store: Store, clock: StillClock) -> None:
    async with open_office(store, clock) as office:
        conversation = await office.start(DANA)

        sends = [Send(id=an_id(number), conversation=conversation, text=str(number)) for number in range(10)]
        results = await office.ask(DANA, *sends)

        assert len(office.batches[1]) == 10
        assert [result.seq for result in results if isinstance(result, Done)] == list(range(2, 12))
        (commit,) = office.commits[1:]
        (move,) = commit.moves
        assert (commit.since, commit.cursor) == (1, 11)
        assert (move.before and move.before.seq, move.after.seq, len(move.entries)) == (1, 11, 10)


async def test_what_comes_while_a_batch_commits_is_the_next_batch(
    engine: StoreEngine, store: Store, clock: StillClock
) -> None:
    async with open_office(store, clock) as office:
        with engine.locked():
            first = office.hand_in(DANA, Start(id=an_id(1), inbox=DOOR, text="Hi"))
            await a_few_turns()
            others = [
                office.hand_in(ELI, Start(id=an_id(number), inbox=DOOR, text=str(number))) for number in range(2, 6)
            ]
            await a_few_turns()
            assert office.batches == []
        await office.settled(first, *others)

        assert [len(batch) for batch in office.batches] == [1, 4]


async def test_a_batch_is_no_smaller_for_what_it_waited_for_another_process(
    store: Store, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = store.begin

    async def slowly(accounts: Collection[str]) -> Transaction:
        transaction = await begin(accounts)
        load = transaction.load

        async def load_slowly(wanted: Wanted) -> Loaded:
            clock.move(1.0)
            return await load(wanted)

        monkeypatch.setattr(transaction, "load", load_slowly)
        return transaction

    monkeypatch.setattr(store, "begin", slowly)
    async with open_office(store, clock) as office:
        conversation = await office.start(DANA)

        await office.ask(DANA, *(Send(id=office.new_id(), conversation=conversation, text=str(n)) for n in range(100)))

        assert [len(batch) for batch in office.batches][1] == (LEAST_ASKS if store.holds_loop else 100)


async def test_one_peers_asks_are_carried_out_in_the_order_they_came_over_any_number_of_batches(
    store: Store, clock: StillClock
) -> None:
    async with open_office(store, clock, BatchLimits(asks=16)) as office:
        conversation = await office.start(DANA, "start")

        await office.ask(
            DANA, *(Send(id=an_id(number), conversation=conversation, text=str(number)) for number in range(40))
        )

        assert await texts(store, conversation) == ["start", *map(str, range(40))]
        assert [len(batch) for batch in office.batches[1:]] == [16, 16, 8]


async def test_cursor_and_seq_have_no_holes(store: Store, clock: StillClock) -> None:
    async with open_office(store, clock) as office:
        conversations = [await office.start(contact) for contact in (DANA, ELI)]
        for conversation in conversations:
            await office.ask(
                NOA,
                AddNote(id=office.new_id(), conversation=conversation, text="note"),
                Send(id=office.new_id(), conversation="cnv_nowhere", text="refused in between"),
                Send(id=office.new_id(), conversation=conversation, text="answer"),
                Read(conversation=conversation, seq=3),
                Read(conversation=conversation, seq=3),  # changes nothing, takes nothing
            )

        stretches = [(commit.since, commit.cursor) for commit in office.commits]
        assert stretches == [(0, 1), (1, 2), (2, 5), (5, 8)]
        assert [(move.after.seq, move.after.cursor) for commit in office.commits for move in commit.moves] == [
            (1, 1),
            (1, 2),
            (4, 5),
            (4, 8),
        ]
        assert await head(store) == 8


async def test_time_never_goes_back_for_an_account(store: Store, clock: StillClock) -> None:
    async with open_office(store, clock) as office:
        conversation = await office.start(DANA)
        clock.move(-3600)

        done = await office.send(DANA, conversation)

        assert done.at == MOMENT


async def test_of_many_who_claim_at_once_one_has_it(store: Store, clock: StillClock) -> None:
    async with open_office(store, clock) as office:
        conversation = await office.start(DANA)

        claims = [office.hand_in(actor, Claim(id=office.new_id(), conversation=conversation)) for actor in STAFF * 3]
        results = await office.settled(*claims)

        winners = {actor.id for actor, result in zip(STAFF * 3, results, strict=True) if isinstance(result, Done)}
        assert winners == {NOA.id}
        assert set(codes(results)) == {"ok", "taken"}
        assert await head(store) == 2


async def test_an_ask_that_changes_nothing_is_ok_and_commits_nothing(store: Store, clock: StillClock) -> None:
    async with open_office(store, clock) as office:
        conversation = await office.start(DANA)

        done = await office.done(NOA, Reopen(id=an_id(9), conversation=conversation))

        assert (done.conversation, done.seq) == (conversation, 1)
        assert len(office.commits) == 1


async def test_a_refused_ask_leaves_no_trace_and_its_neighbours_go_on(store: Store, clock: StillClock) -> None:
    async with open_office(store, clock) as office:
        conversation = await office.start(DANA, "first")

        results = await office.ask(
            DANA,
            Send(id=an_id(1), conversation=conversation, text="second"),
            Send(id=an_id(2), conversation=conversation, text="  "),
            Send(id=an_id(3), conversation=conversation, text="third"),
        )

        assert codes(results) == ["ok", "bad_request", "ok"]
        assert await texts(store, conversation) == ["first", "second", "third"]
        assert codes(await office.ask(DANA, Send(id=an_id(2), conversation=conversation, text="fourth"))) == ["ok"]


# --- who may ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("actor", "code"),
    [
        (ELI, "not_found"),
        (STRANGER, "not_found"),
        (RIVAL, "not_found"),
        (GONE, "forbidden"),
        (a_contact("con_nobody"), "forbidden"),
        (an_agent(NOA.id, account=OTHER), "forbidden"),  # she isn't that account's
        (a_contact(account="acc_nowhere"), "not_found"),
    ],
    ids=lambda part: part if isinstance(part, str) else f"{part.account} {part.id}",
)
async def test_who_may_not_see_a_conversation_can_do_nothing_in_it(
    store: Store, clock: StillClock, actor: Actor, code: str
) -> None:
    async with open_office(store, clock) as office:
        conversation = await office.start(DANA)

        assert await office.refused(actor, Send(id=an_id(1), conversation=conversation, text="Hi")) == code
        assert await office.refused(actor, Read(conversation=conversation, seq=1)) == code
        assert await head(store) == 1


@pytest.mark.parametrize("actor", [NOA, ECHO], ids=lambda actor: actor.kind)
async def test_staff_starts_no_conversation(store: Store, clock: StillClock, actor: Actor) -> None:
    async with open_office(store, clock) as office:
        assert await office.refused(actor, Start(id=an_id(1), inbox=DOOR, text="Hi")) == "forbidden"


@pytest.mark.parametrize(
    "make",
    [
        lambda conversation: AddNote(id=an_id(1), conversation=conversation, text="Hi"),
        lambda conversation: Claim(id=an_id(1), conversation=conversation),
        lambda conversation: Assign(id=an_id(1), conversation=conversation, assignee=None),
        lambda conversation: Resolve(id=an_id(1), conversation=conversation),
        lambda conversation: Reopen(id=an_id(1), conversation=conversation),
    ],
    ids=["note", "claim", "assign", "resolve", "reopen"],
)
async def test_a_contact_does_nothing_that_is_staffs(store: Store, clock: StillClock, make: Make) -> None:
    async with open_office(store, clock) as office:
        conversation = await office.start(DANA)

        assert await office.refused(DANA, make(conversation)) == "forbidden"


async def test_nothing_of_another_account_can_be_named(store: Store, clock: StillClock) -> None:
    async with open_office(store, clock) as office:
        conversation = await office.start(DANA)
        theirs = await office.start(STRANGER)

        results = await office.ask(
            NOA,
            Assign(id=an_id(1), conversation=conversation, assignee=RIVAL.id),
            Assign(id=an_id(2), conversation=conversation, team=f"tem_care_{OTHER}"),
            Claim(id=an_id(3), conversation=theirs),
        )

        assert codes(results) == ["not_found"] * 3
        assert await office.refused(STRANGER, Start(id=an_id(4), inbox=DOOR, text="Hi")) == "not_found"


# --- resends ------------------------------------------------------------------------------------------------


async def prepared(office: Office) -> str:
    """A conversation in which each of `EACH` changes something."""
    conversation = await office.start(DANA)
    await office.done(NOA, Resolve(id=office.new_id(), conversation=conversation))
    return conversation


EACH: list[tuple[Actor, Make]] = [
    (DANA, lambda conversation: Start(id=an_id(1), inbox=DOOR, text="Hi")),
    (DANA, lambda conversation: Send(id=an_id(1), conversation=conversation, text="Hi")),
    (NOA, lambda conversation: Send(id=an_id(1), conversation=conversation, text="Hi")),
    (NOA, lambda conversation: AddNote(id=an_id(1), conversation=conversation, text="Hi")),
    (NOA, lambda conversation: Assign(id=an_id(1), conversation=conversation, assignee=SOMCHAI.id)),
    (NOA, lambda conversation: Reopen(id=an_id(1), conversation=conversation)),
]
NAMES = ["start", "contact's send", "agent's send", "note", "assign", "reopen"]


@pytest.mark.parametrize(("actor", "make"), EACH, ids=NAMES)
@pytest.mark.parametrize("times", [2, 3, 4, 5])
async def test_an_ask_resent_in_one_batch_happens_once(
    store: Store, clock: StillClock, actor: Actor, make: Make, times: int
) -> None:
    async with open_office(store, clock) as office:
        conversation = await prepared(office)

        first, *others = await office.ask(actor, *[make(conversation)] * times)

        assert isinstance(first, Done)
        assert not first.again
        assert others == [Done(first.conversation, first.seq, first.at, again=True)] * (times - 1)
        assert await head(store) == 3


@pytest.mark.parametrize(("actor", "make"), EACH, ids=NAMES)
async def test_an_ask_resent_later_has_its_first_result_whatever_happened_since(
    engine: StoreEngine, clock: StillClock, store: Store, actor: Actor, make: Make
) -> None:
    async with open_office(store, clock) as office:
        conversation = await prepared(office)
        first = await office.done(actor, make(conversation))
        clock.move(60)
        await office.send(DANA, conversation, "more")
        await office.done(NOA, Resolve(id=office.new_id(), conversation=conversation))
        cursor = await head(store)

    async with open_office(store, clock) as office:  # another ledger, that remembers nothing
        for _ in range(2):
            again = await office.done(actor, make(conversation))

            assert again == Done(first.conversation, first.seq, first.at, again=True)
        assert await head(store) == cursor
        assert office.commits == []


async def test_the_same_claim_sent_by_both_of_two_sockets_is_one_claim(store: Store, clock: StillClock) -> None:
    async with open_office(store, clock) as office:
        conversation = await office.start(DANA)
        claim = Claim(id=an_id(1), conversation=conversation)

        results = await office.settled(office.hand_in(NOA, claim), office.hand_in(NOA, claim))

        assert results == [Done(conversation, 2, MOMENT), Done(conversation, 2, MOMENT, again=True)]


@pytest.mark.parametrize("is_one_batch", [True, False])
async def test_an_id_used_for_something_else_is_refused(store: Store, clock: StillClock, is_one_batch: bool) -> None:
    async with open_office(store, clock) as office:
        conversation = await office.start(DANA)
        first = Send(id=an_id(1), conversation=conversation, text="Hi")
        others: list[tuple[Actor, Ask]] = [
            (DANA, Send(id=an_id(1), conversation=conversation, text="Hi!")),
            (NOA, Send(id=an_id(1), conversation=conversation, text="Hi")),
            (NOA, AddNote(id=an_id(1), conversation=conversation, text="Hi")),
            (NOA, Claim(id=an_id(1), conversation=conversation)),
            (DANA, Start(id=an_id(1), inbox=DOOR, text="Hi")),
            (ELI, Start(id=an_id(1), inbox=DOOR, text="Hi")),
        ]

        stored = office.hand_in(DANA, first)
        if not is_one_batch:
            await stored
        results = await office.settled(stored, *(office.hand_in(actor, ask) for actor, ask in others))

        assert codes(results) == ["ok"] + ["id_reused"] * len(others)
        assert await head(store) == 2


async def test_two_accounts_may_use_the_same_id(store: Store, clock: StillClock) -> None:
    async with open_office(store, clock) as office:
        mine = Start(id=an_id(1), inbox=DOOR, text="Hi")
        theirs = Start(id=an_id(1), inbox=f"{DOOR}_{OTHER}", text="Hi")

        first, second = await office.settled(office.hand_in(DANA, mine), office.hand_in(STRANGER, theirs))

        assert isinstance(first, Done)
        assert isinstance(second, Done)
        assert first.conversation != second.conversation


# --- behind -------------------------------------------------------------------------------------------------


async def test_a_message_that_names_its_predecessor_is_stored_after_it(store: Store, clock: StillClock) -> None:
    async with open_office(store, clock) as office:
        conversation = await office.start(DANA)
        sends = [Send(id=an_id(1), conversation=conversation, text="1", after=an_id(0x1000))]
        sends += [Send(id=an_id(n), conversation=conversation, text=str(n), after=an_id(n - 1)) for n in (2, 3)]

        assert codes(await office.ask(DANA, *sends)) == ["ok"] * 3
        last = Send(id=an_id(4), conversation=conversation, text="4", after=an_id(3))
        assert codes(await office.ask(DANA, last)) == ["ok"]

    async with open_office(store, clock) as office:  # a ledger that must look it up
        await office.done(DANA, Send(id=an_id(5), conversation=conversation, text="5", after=an_id(4)))
        await office.done(DANA, Send(id=an_id(6), conversation=conversation, text="6", after=an_id(2)))


async def test_a_message_whose_predecessor_is_not_stored_is_behind(store: Store, clock: StillClock) -> None:
    async with open_office(store, clock) as office:
        conversation = await office.start(DANA)
        elsewhere = await office.start(DANA)
        answer = Send(id=an_id(7), conversation=conversation, text="Hello")
        await office.done(NOA, answer)
        own_elsewhere = Send(id=an_id(8), conversation=elsewhere, text="Hello")
        await office.done(DANA, own_elsewhere)

        for predecessor in (an_id(99), an_id(7), an_id(8)):  # nobody's, somebody else's, in another conversation
            late = Send(id=an_id(1), conversation=conversation, text="late", after=predecessor)
            assert await office.refused(DANA, late) == "behind"
        assert codes(
            await office.ask(
                DANA,
                Send(id=an_id(2), conversation=conversation, text=" "),
                Send(id=an_id(3), conversation=conversation, text="after what was refused", after=an_id(2)),
            )
        ) == ["bad_request", "behind"]


async def test_a_predecessor_of_a_batch_that_failed_is_not_remembered(
    engine: StoreEngine, store: Store, clock: StillClock
) -> None:
    async with open_office(store, clock) as office:
        conversation = await office.start(DANA)
        first = Send(id=an_id(1), conversation=conversation, text="1")
        second = Send(id=an_id(2), conversation=conversation, text="2", after=an_id(1))
        with engine.failing_commits(store):
            assert await office.refused(DANA, first) == "unavailable"

        assert await office.refused(DANA, second) == "behind"
        assert codes(await office.ask(DANA, first, second)) == ["ok", "ok"]


# --- trouble ------------------------------------------------------------------------------------------------


async def test_while_the_store_is_away_all_are_told_and_afterwards_all_is_well(
    engine: StoreEngine, store: Store, clock: StillClock
) -> None:
    async with open_office(store, clock) as office:
        conversation = await office.start(DANA)
        sends = [Send(id=an_id(number), conversation=conversation, text=str(number)) for number in range(5)]
        with engine.broken():
            assert codes(await office.ask(DANA, *sends)) == ["unavailable"] * 5

        results = await office.ask(DANA, *sends)

        assert results == [Done(conversation, seq, MOMENT) for seq in range(2, 7)]


async def test_after_a_failed_commit_the_resend_is_carried_out_once(
    engine: StoreEngine, store: Store, clock: StillClock
) -> None:
    async with open_office(store, clock) as office:
        conversation = await office.start(DANA)
        ask = Send(id=an_id(1), conversation=conversation, text="Hi")
        with engine.failing_commits(store):
            assert await office.refused(DANA, ask) == "unavailable"
            assert await office.refused(DANA, ask) == "unavailable"

        assert await office.done(DANA, ask) == Done(conversation, 2, MOMENT)
        assert await office.done(DANA, ask) == Done(conversation, 2, MOMENT, again=True)
        assert await texts(store, conversation) == ["Where is my parcel?", "Hi"]


async def test_a_bad_one_in_a_batch_is_refused_alone(
    store: Store, clock: StillClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_office(store, clock) as office:
        conversation = await office.start(DANA, "start")
        said = ["one", LONE_SURROGATE, "two", f"and {LONE_SURROGATE}", "three"]

        sends = [Send(id=office.new_id(), conversation=conversation, text=text) for text in said]
        results = await office.ask(DANA, *sends)

        assert codes(results) == ["ok", "internal", "ok", "internal", "ok"]
        assert await texts(store, conversation) == ["start", "one", "two", "three"]
        assert await head(store) == 4
        assert [commit.since for commit in office.commits] == [0, 1, 2, 3]
    assert {record.name for record in caplog.records if record.levelno >= logging.ERROR} == {"chat.ledger"}


async def test_a_bug_in_one_rule_does_not_hurt_the_others_of_its_batch(store: Store, clock: StillClock) -> None:
    def broken(ask: Ask, turn: Turn) -> Change:
        raise ZeroDivisionError

    async with open_office(store, clock) as office:
        conversation = await office.start(DANA)
        command = Command(Send, PARTICIPANTS, broken)
        bad: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        good = office.hand_in(DANA, Send(id=an_id(1), conversation=conversation, text="good"))
        ask = Send(id=an_id(2), conversation=conversation, text="bad")
        office.ledger.submit(Ticket(MINE, DANA.id, command, ask, bad))

        assert codes(await office.settled(good, bad)) == ["ok", "internal"]
        assert str(await bad) == "Something went wrong on our side."  # nothing of the inside


# --- stopping -----------------------------------------------------------------------------------------------


async def test_what_was_gathered_before_stop_is_carried_out_and_nothing_after(store: Store, clock: StillClock) -> None:
    office = Office(store, clock, BatchLimits(asks=16))
    working = asyncio.create_task(office.ledger.run())
    answers = [office.hand_in(DANA, Start(id=an_id(number), inbox=DOOR, text="Hi")) for number in range(50)]

    office.ledger.stop()
    with pytest.raises(Busy):
        office.ledger.submit(a_ticket(DANA, Start(id=an_id(99), inbox=DOOR, text="too late")))
    await working

    assert codes(await office.settled(*answers)) == ["ok"] * 50
    assert await head(store) == 50


async def test_a_ledger_with_nothing_to_do_stops_at_once(store: Store, clock: StillClock) -> None:
    idle = Ledger(store, clock, lambda answers, commits: None)
    working = asyncio.create_task(idle.run())
    await a_few_turns()

    idle.stop()

    await working
    assert not idle.is_busy


async def test_a_ledger_is_busy_while_a_batch_is_on_its_way(
    engine: StoreEngine, store: Store, clock: StillClock
) -> None:
    async with open_office(store, clock) as office:
        with engine.locked():
            answer = office.hand_in(DANA, Start(id=an_id(1), inbox=DOOR, text="Hi"))
            await a_few_turns()
            assert office.ledger.is_busy
        await answer


async def test_a_ledger_is_at_work_until_a_second_after_its_last_batch(store: Store, clock: StillClock) -> None:
    async with open_office(store, clock) as office:
        assert not office.ledger.is_at_work
        await office.start(DANA)
        await a_few_turns()

        clock.move(0.9)
        assert (office.ledger.is_busy, office.ledger.is_at_work) == (False, True)
        clock.move(0.2)
        assert not office.ledger.is_at_work


async def a_few_turns() -> None:
    """Let everybody on the loop do what doesn't need to wait."""
    for _ in range(5):
        await asyncio.sleep(0)
