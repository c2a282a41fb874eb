"""Rules: put tags on a conversation, take them off."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated
from unicodedata import normalize

from msgspec import Meta
from msgspec.structs import replace

from chat.errors import BadRequest, InvalidState, TooLarge
from chat.model import Change, Key, Lasting, Turn
from chat.rules.activities import told_to_staff

TAGS = 20  # of a conversation: more than anybody reads
TAG_LIMIT = 40  # characters

Tags = Annotated[tuple[str, ...], Meta(max_length=TAGS)]


class Tag(Lasting, frozen=True, gc=False, kw_only=True, tag="conversation.tag"):
    """Staff puts tags on a conversation and takes others off. Upper and lower case are the same tag."""

    conversation: Key
    add: Tags = ()
    remove: Tags = ()


def tag(ask: Tag, turn: Turn) -> Change | None:
    """Without the removed, then with the added; a tag that is there keeps its form. Nothing happens if none moves."""
    conversation = turn.there
    removed = {_folded(each) for each in _tidied(ask.remove, "remove")}
    left = {_folded(each): each for each in conversation.tags if _folded(each) not in removed}
    for each in _tidied(ask.add, "add"):
        left.setdefault(_folded(each), each)
    tags = tuple(left.values())
    if tags == conversation.tags:
        return None
    if len(tags) > TAGS:
        raise InvalidState(f"A conversation has at most {TAGS} tags.", field="add")
    moved = {
        "added": [each for each in tags if each not in conversation.tags],
        "removed": [each for each in conversation.tags if each not in tags],
    }
    return told_to_staff(replace(conversation, tags=tags), ask.id, "tagged", turn, moved)


def _tidied(tags: Iterable[str], field: str) -> list[str]:
    tidied = [" ".join(normalize("NFC", each).split()) for each in tags]
    if not all(tidied):
        raise BadRequest("A tag has something to read in it.", field=field)
    if any(len(each) > TAG_LIMIT for each in tidied):
        raise TooLarge(f"A tag has at most {TAG_LIMIT} characters.", field=field)
    return tidied


def _folded(tag: str) -> str:
    return normalize("NFC", tag.casefold())
