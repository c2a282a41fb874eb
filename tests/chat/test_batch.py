"""What a batch makes of its tickets, without any store: one move per conversation, one stretch per account."""

from __future__ import annotations

from msgspec.json import decode
from msgspec.structs import replace

from chat.access import OURSELVES, SYSTEM
from chat.batch import Batch, Commit
from chat.catalog import Command
from chat.errors import Blocked, Forbidden, Refused
from chat.model import (
    Actor,
    Ask,
    Change,
    Contact,
    Conversation,
    Lasting,
    Needs,
    RowChange,
    Turn,
    derived_id,
    digest,
)
from chat.rules import conversations
from chat.rules.conversations import Resolve
from chat.rules.messages import Send, Start
from chat.rules.receipts import Read
from chat.store import Head, Loaded, Rows
from chat.ticket import Done, Ticket
from tests.builders import (
    DANA,
    DOOR,
    ELI,
    MINE,
    MOMENT,
    NOA,
    OTHER,
    a_conversation,
    a_door,
    a_ticket,
    an_activity,
    an_id,
)

NOW = MOMENT + 5000


def a_batch(*conversations: Conversation, cursor: int = 9, at: int = MOMENT, now: int = NOW) -> Batch:
    """Of two accounts; the first has these conversations."""
    loaded = Loaded(
        conversations={(MINE, conversation.id): conversation for conversation in conversations},
        actors={(MINE, actor.id): actor for actor in (DANA, ELI, NOA)},
        inboxes={(MINE, DOOR): a_door()},
    )
    return Batch({MINE: Head(cursor, at), OTHER: Head(3, MOMENT)}, loaded, now, {})


def beside(batch: Batch) -> Rows:
    rows = batch.beside()
    assert rows is not None
    return rows


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


def test_a_refusal_holds_on_to_nothing() -> None:
    refused = decided(a_batch(), DANA, a_send(1, a_conversation()))

    assert isinstance(refused, Refused)
    assert refused.__traceback__ is None
    assert refused.__context__ is None


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


# --- what few asks do ---------------------------------------------------------------------------------------


class Everywhere(Lasting, frozen=True, kw_only=True, tag="test.everywhere"):
    """An ask that touches all conversations of a contact."""

    contact: str
    name: str


def everywhere(ask: Everywhere, turn: Turn) -> tuple[Change, ...] | RowChange:
    contact = replace(turn.contacts[ask.contact], name=ask.name, blocked_until=turn.at + 1)
    changes = [
        Change(replace(each, subject=ask.name, seq=each.seq + 1, cursor=turn.cursor + n))
        for n, each in enumerate(turn.conversations)
    ]
    if not changes:
        return RowChange((contact,))
    first = changes[0].conversation
    line = an_activity("renamed", seq=first.seq)
    changes[0] = Change(first, (replace(line, id=ask.id, at=turn.at),), (contact,))
    return tuple(changes)


def an_everywhere(number: int) -> Ticket:
    needs = Needs(contacts=(DANA.id,))
    command = Command(Everywhere, frozenset({"agent"}), everywhere, lambda _: needs)
    return with_needs(Ticket(MINE, NOA.id, command, Everywhere(id=an_id(number), contact=DANA.id, name="Dana B"), None))


def a_batch_with_dana(*conversations: Conversation) -> Batch:
    batch = a_batch(*conversations)
    batch._loaded.contacts[MINE, DANA.id] = Contact(MINE, DANA.id, DANA.name)
    return batch


def test_an_ask_may_change_several_conversations_each_at_its_own_cursor() -> None:
    first, second, his = a_conversation(), a_conversation(id="cnv_2"), a_conversation(id="cnv_his", contact=ELI.id)
    batch = a_batch_with_dana(first, second, his)

    result = batch.decide(an_everywhere(1))

    assert result == Done(first.id, 2, NOW)
    assert [(move.after.id, move.after.cursor) for move in batch.moves()] == [(first.id, 10), (second.id, 11)]
    assert batch.heads()[MINE].cursor == 11
    assert [contact.name for contact in beside(batch).contacts] == ["Dana B"]
    assert batch.decide(an_everywhere(1)) == Done(first.id, 2, NOW, again=True)


def test_a_contact_that_changed_is_so_for_the_next_ask_of_the_batch() -> None:
    conversation = a_conversation()
    batch = a_batch_with_dana(conversation)
    batch.decide(an_everywhere(1))

    result = decided(batch, DANA, a_send(2, conversation))

    assert isinstance(result, Blocked)


def test_a_contact_alone_takes_no_cursor() -> None:
    batch = a_batch_with_dana()

    assert batch.decide(an_everywhere(1)) == Done("", 0, NOW)
    assert (batch.moves(), batch.heads()) == ([], {})
    assert [contact.name for contact in beside(batch).contacts] == ["Dana B"]


def test_the_service_itself_may_ask_what_only_it_may() -> None:
    conversation = a_conversation()
    command = Command(Resolve, OURSELVES, conversations.resolve)
    ask = Resolve(id=an_id(1), conversation=conversation.id)

    by_the_service = a_batch(conversation).decide(with_needs(Ticket(MINE, SYSTEM, command, ask, None)))
    by_an_agent = a_batch(conversation).decide(with_needs(Ticket(MINE, NOA.id, command, ask, None)))

    assert isinstance(by_the_service, Done)
    assert isinstance(by_an_agent, Forbidden)
