"""Rules: change what one wrote, withdraw it. Older versions stay for staff, until they are erased."""

from __future__ import annotations

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from chat.access import reach
from chat.errors import Forbidden, InvalidState
from chat.model import Change, Entry, Key, Lasting, Named, Turn
from chat.rules.blocks import Blocks, stored
from chat.rules.messages import Words, spoken
from chat.rules.versions import standing, version

EDIT_SECONDS = 15 * 60  # for contacts; later the words were acted on


class Edit(Lasting, frozen=True, gc=False, kw_only=True, tag="message.edit"):
    """Somebody changes an own message or note. Blocks that are left out stay."""

    conversation: Key
    entry: Named
    text: Words
    blocks: Blocks | UnsetType = UNSET


class Withdraw(Lasting, frozen=True, gc=False, kw_only=True, tag="message.withdraw"):
    """Somebody takes back an own message or note: nothing of it is left but its place."""

    conversation: Key
    entry: Named


def edit(ask: Edit, turn: Turn) -> Change | None:
    """Its next version. Nothing happens if it says that already."""
    entry = standing(turn)
    _check_own(entry, turn)
    if turn.actor.kind == "contact" and entry.data is not None:
        raise InvalidState("What a button or a form wrote can only be withdrawn.", field="entry")
    blocks = entry.blocks if ask.blocks is UNSET else stored(ask.blocks, turn.actor)
    text = spoken(ask.text, is_optional=bool(entry.attachments) and not blocks)
    if text == entry.text and blocks == entry.blocks:
        return None
    return version(entry, turn, text=text, blocks=blocks, edited_at=turn.at)


def withdraw(ask: Withdraw, turn: Turn) -> Change | None:
    """A tombstone: no text, no blocks, no files, no reactions. Nothing happens the second time."""
    entry = reach(turn.actor, turn.entry)
    if entry.withdrawn and entry.author.id == turn.actor.id:
        return None
    entry = standing(turn)
    _check_own(entry, turn)
    bare = replace(entry, text="", data=None, blocks=(), attachments=(), reactions={}, edited_at=0)
    return version(bare, turn, withdrawn=True)


def _check_own(entry: Entry, turn: Turn) -> None:
    if entry.author.id != turn.actor.id:
        raise Forbidden(field="entry")
    if turn.actor.kind == "contact" and turn.at - entry.at > EDIT_SECONDS * 1000:
        raise InvalidState("It is too late to change this.", field="entry")
