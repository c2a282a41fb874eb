"""The table: who may ask what, and what each ask needs to see."""

from __future__ import annotations

import pytest
from msgspec import Struct

from chat.catalog import CATALOG, COMMANDS, SIGNAL_CATALOG, SIGNALS, Command, Signalling
from chat.model import Lasting, Needs
from chat.rules.assignment import Assign
from chat.rules.messages import Send, Start
from tests.builders import an_id

EVERYBODY = {"contact", "agent", "bot"}
STAFF = {"agent", "bot"}
MAY = {
    "conversation.start": {"contact"},
    "message.send": EVERYBODY,
    "note.add": STAFF,
    "message.edit": EVERYBODY,
    "message.withdraw": EVERYBODY,
    "message.react": EVERYBODY,
    "postback": {"contact"},
    "form.submit": {"contact"},
    "conversation.claim": STAFF,
    "conversation.assign": STAFF,
    "conversation.transfer": STAFF,
    "conversation.resolve": STAFF,
    "conversation.reopen": STAFF,
    "conversation.snooze": STAFF,
    "conversation.wake": {"system"},
    "conversation.tag": STAFF,
    "conversation.prioritize": STAFF,
    "conversation.rename": STAFF,
    "conversation.follow": STAFF,
    "conversation.describe": STAFF,
    "contact.update": STAFF | {"system"},
    "contact.block": {"agent"},
    "contact.unblock": {"agent"},
    "contact.merge": STAFF | {"system"},
    "contact.erase": {"agent", "system"},
    "availability.set": STAFF,
    "duty.observe": {"system"},
    "routing.run": {"system"},
    "routing.unanswered": {"system"},
    "routing.return": {"system"},
    "read": EVERYBODY,
    "delivered": EVERYBODY,
}
POSITIONS = {"read", "delivered"}
WHOLE = {"availability.set"}  # says how it is, so that a resend is harmless


def test_these_asks_there_are_and_these_kinds_of_actors_may_ask_them() -> None:
    assert {command.name: set(command.may) for command in COMMANDS} == MAY
    assert {signal.name: set(signal.may) for signal in SIGNALS} == {
        "typing": EVERYBODY,
        "preview": {"contact"},
        "viewing": STAFF,
    }


def test_everything_but_positions_and_what_is_said_whole_is_lasting() -> None:
    assert {command.name for command in COMMANDS if not issubclass(command.shape, Lasting)} == POSITIONS | WHOLE


@pytest.mark.parametrize("row", [*COMMANDS, *SIGNALS], ids=lambda row: row.name)
def test_an_ask_is_found_by_its_shape(row: Command | Signalling) -> None:
    table: dict[type, object] = {**CATALOG, **SIGNAL_CATALOG}

    assert table[row.shape] is row


@pytest.mark.parametrize("row", [*COMMANDS, *SIGNALS], ids=lambda row: row.name)
def test_every_shape_is_documented_frozen_and_outside_the_garbage_collector(row: Command | Signalling) -> None:
    shape: type[Struct] = row.shape

    assert shape.__doc__
    assert shape.__struct_config__.frozen
    assert not shape.__struct_config__.gc


def test_an_ask_needs_its_conversation() -> None:
    send = Send(id=an_id(1), conversation="cnv_1", text="Hi")

    assert CATALOG[Send].needs(send) == Needs(conversation="cnv_1")


def test_a_start_needs_its_inbox() -> None:
    assert CATALOG[Start].needs(Start(id=an_id(1), inbox="inb_1", text="Hi")) == Needs(inbox="inb_1")


def test_an_assignment_needs_whom_it_names_and_nobody_else() -> None:
    needs = CATALOG[Assign].needs

    named = Assign(id=an_id(1), conversation="cnv_1", assignee="agt_1", team="tem_1")
    unnamed = Assign(id=an_id(1), conversation="cnv_1", assignee=None)
    assert needs(named) == Needs(conversation="cnv_1", actor="agt_1", team="tem_1")
    assert needs(unnamed) == Needs(conversation="cnv_1")


def test_every_lasting_ask_has_an_id_and_may_name_its_predecessor() -> None:
    for command in COMMANDS:
        fields = command.shape.__struct_fields__
        assert issubclass(command.shape, Lasting) == ({"id", "after"} <= set(fields))
