"""What a batch makes of its tickets, without any store: one move per conversation, one stretch per account."""

from __future__ import annotations

from msgspec.json import decode

from chat.batch import Batch, Commit
from chat.errors import Refused
from chat.model import Actor, Ask, Conversation, derived_id, digest
from chat.rules.messages import Send, Start
from chat.rules.receipts import Read
from chat.store import Head, Loaded
from chat.ticket import Done, Ticket
from tests.builders import DANA, DOOR, ELI, MINE, MOMENT, NOA, OTHER, a_conversation, a_door, a_ticket, an_id

NOW = MOMENT + 5000


def a_batch(*conversations: Conversation, cursor: int = 9, at: int = MOMENT, now: int = NOW) -> Batch:
    """Of two accounts; the first has these conversations."""
    loaded = Loaded(
        conversations={(MINE, conversation.id): conversation for conversation in conversations},
        actors={(MINE, actor.id): actor for actor in (DANA, ELI, NOA)},
        inboxes={(MINE, DOOR): a_door()},
    )
    return Batch({MINE: Head(cursor, at), OTHER: Head(3, MOMENT)}, loaded, now, {})


def decided(batch: Batch, actor: Actor, ask: Ask) -> Done | Refused:
    return batch.decide(with_needs(a_ticket(actor, ask)))


def with_needs(ticket: Ticket) -> Ticket:
    ticket.needs = ticket.command.needs(ticket.ask)  # as the ledger does
    return ticket


def a_send(number: int, conversation: Conversation, text: str = "Hi") -> Send:
    return Send(id=an_id(number), conversation=conversation.id, text=text)


def test_all_that_happens_to_one_conversation_is_one_move() -> None:
    conversation = a_conversation(seq=4, cursor=9)
    batch = a_batch(conversation)
    asks = [a_send(1, conversation), Read(conversation=conversation.id, seq=5), a_send(2, conversation)]

    results = [decided(batch, DANA, ask) for ask in asks]

    assert results == [Done(conversation.id, seq, NOW) for seq in (5, 6, 7)]
    (move,) = batch.moves()
    assert move.before is conversation
    assert (move.after.seq, move.after.cursor) == (7, 12)
    assert [(written.entry.id, written.cursor) for written in move.entries] == [(an_id(1), 10), (an_id(2), 12)]
    assert decode(move.document, type=Conversation) == move.after


def test_a_stretch_goes_from_the_head_before_to_the_head_after() -> None:
    conversation = a_conversation()
    batch = a_batch(conversation)
    decided(batch, DANA, a_send(1, conversation))
    decided(batch, DANA, a_send(2, conversation))

    moves = batch.moves()

    assert batch.commits(moves) == [Commit(MINE, 9, 11, tuple(moves))]
    assert batch.heads() == {MINE: Head(11, NOW)}  # the other account hasn't moved


def test_a_batch_of_refusals_moves_nothing() -> None:
    batch = a_batch(a_conversation())

    assert isinstance(decided(batch, ELI, a_send(1, a_conversation())), Refused)
    assert batch.moves() == []
    assert batch.heads() == {}
    assert batch.commits([]) == []


def test_only_the_first_entry_of_an_ask_carries_its_digest() -> None:
    conversation = a_conversation(status="resolved")
    batch = a_batch(conversation)
    ask = a_send(1, conversation)
    decided(batch, NOA, ask)

    (move,) = batch.moves()

    assert [written.digest for written in move.entries] == [digest(ask), None, None]


def test_a_conversation_can_be_spoken_in_by_the_batch_that_starts_it() -> None:
    batch = a_batch()
    first = decided(batch, DANA, Start(id=an_id(1), inbox=DOOR, text="Hi"))
    assert isinstance(first, Done)

    second = decided(batch, DANA, Send(id=an_id(2), conversation=first.conversation, text="There", after=an_id(1)))

    assert first == Done(derived_id("cnv", MINE, an_id(1)), 1, NOW)
    assert second == Done(first.conversation, 2, NOW)
    (move,) = batch.moves()
    assert (move.before, len(move.entries)) == (None, 2)


def test_a_moment_is_never_before_the_accounts_last() -> None:
    conversation = a_conversation()
    batch = a_batch(conversation, at=NOW + 60_000)

    assert decided(batch, DANA, a_send(1, conversation)) == Done(conversation.id, 2, NOW + 60_000)
