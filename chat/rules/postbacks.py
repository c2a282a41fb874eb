"""Rule: a contact presses a button or a quick reply, which says what stands on it."""

from __future__ import annotations

from msgspec.structs import replace

from chat.errors import NotFound
from chat.model import Change, Key, Lasting, Named, Turn
from chat.rules.blocks import Value, pressable
from chat.rules.messages import line, said
from chat.rules.versions import standing


class Press(Lasting, frozen=True, gc=False, kw_only=True, tag="postback"):
    """A contact presses a button of an entry, named by its value."""

    conversation: Key
    entry: Named
    button: Value


def press(ask: Press, turn: Turn) -> Change:
    """A message of the contact's with the button's label. NotFound if the newest version has no such button."""
    entry = standing(turn)
    button = next((button for button in pressable(entry) if button["value"] == ask.button), None)
    if button is None:
        raise NotFound(field="button")
    data = {"postback": ask.button, "of": entry.id}
    return said(replace(line(ask.id, "message", button["label"], turn.there.seq + 1, turn), data=data), turn)
