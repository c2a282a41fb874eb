"""THE table: every ask there is, its shape, who may ask it, the rows it needs and the rule that decides it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from chat.access import AGENTS, CONTACT, OURSELVES, PARTICIPANTS, STAFF
from chat.model import (
    Actor,
    ActorKind,
    Ask,
    Change,
    Conversation,
    Needs,
    RowChange,
    Signal,
    Turn,
)
from chat.rules import (
    assignment,
    attributes,
    availability,
    contacts,
    conversations,
    edits,
    follow,
    forms,
    messages,
    postbacks,
    priority,
    reactions,
    receipts,
    routing,
    signals,
    snooze,
    subject,
    tags,
    transfer,
    versions,
)

# A rule gets its own shape of ask; the table pairs them, which no type of a dict can say. Hence Any.
Rule = Callable[[Any, Turn], Change | tuple[Change, ...] | RowChange | None]
SignalRule = Callable[[Any, Actor, Conversation], Signal]


def the_conversation(ask: Any) -> Needs:
    """What most asks need: the conversation that they name."""
    return Needs(conversation=ask.conversation)


class Command(Struct, frozen=True):
    """One kind of ask."""

    shape: type[Ask]
    may: frozenset[ActorKind]
    rule: Rule
    needs: Callable[[Any], Needs] = the_conversation

    @property
    def name(self) -> str:
        return str(self.shape.__struct_config__.tag)


class Signalling(Struct, frozen=True):
    """One kind of signal: goes to who listens now and is not kept."""

    shape: type[Ask]
    may: frozenset[ActorKind]
    rule: SignalRule

    @property
    def name(self) -> str:
        return str(self.shape.__struct_config__.tag)


COMMANDS = (
    Command(messages.Start, CONTACT, messages.start, messages.start_needs),
    Command(messages.Send, PARTICIPANTS, messages.send, messages.send_needs),
    Command(messages.AddNote, STAFF, messages.add_note, messages.send_needs),
    Command(edits.Edit, PARTICIPANTS, edits.edit, versions.entry_needs),
    Command(edits.Withdraw, PARTICIPANTS, edits.withdraw, versions.entry_needs),
    Command(reactions.React, PARTICIPANTS, reactions.react, versions.entry_needs),
    Command(postbacks.Press, CONTACT, postbacks.press, versions.entry_needs),
    Command(forms.Submit, CONTACT, forms.submit, versions.entry_needs),
    Command(assignment.Claim, STAFF, assignment.claim),
    Command(assignment.Assign, STAFF, assignment.assign, assignment.assign_needs),
    Command(transfer.Transfer, STAFF, transfer.transfer, transfer.transfer_needs),
    Command(conversations.Resolve, STAFF, conversations.resolve),
    Command(conversations.Reopen, STAFF, conversations.reopen),
    Command(snooze.Snooze, STAFF, snooze.snooze),
    Command(snooze.Wake, OURSELVES, snooze.wake),
    Command(tags.Tag, STAFF, tags.tag),
    Command(priority.Prioritize, STAFF, priority.prioritize),
    Command(subject.Rename, STAFF, subject.rename),
    Command(follow.Follow, STAFF, follow.follow, follow.follow_needs),
    Command(attributes.Describe, STAFF, attributes.describe, attributes.describe_needs),
    Command(contacts.Update, STAFF | OURSELVES, contacts.update, contacts.update_needs),
    Command(contacts.Block, AGENTS, contacts.block, contacts.contact_needs),
    Command(contacts.Unblock, AGENTS, contacts.unblock, contacts.contact_needs),
    Command(contacts.Merge, STAFF | OURSELVES, contacts.merge, contacts.merge_needs),
    Command(contacts.Erase, AGENTS | OURSELVES, contacts.erase, contacts.contact_needs),
    Command(availability.SetAvailability, STAFF, availability.set_availability, availability.availability_needs),
    Command(availability.Observe, OURSELVES, availability.observe, availability.observe_needs),
    Command(routing.Run, OURSELVES, routing.run, routing.run_needs),
    Command(routing.Unanswered, OURSELVES, routing.unanswered, routing.timer_needs),
    Command(routing.Return, OURSELVES, routing.back, routing.timer_needs),
    Command(receipts.Read, PARTICIPANTS, receipts.read),
    Command(receipts.Delivered, PARTICIPANTS, receipts.delivered),
)

SIGNALS = (
    Signalling(signals.Typing, PARTICIPANTS, signals.typing),
    Signalling(signals.Preview, CONTACT, signals.preview),
    Signalling(signals.Viewing, STAFF, signals.viewing),
)

CATALOG: dict[type[Ask], Command] = {command.shape: command for command in COMMANDS}
SIGNAL_CATALOG: dict[type[Ask], Signalling] = {signal.shape: signal for signal in SIGNALS}
