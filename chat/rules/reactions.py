"""Rule: react to a message with an emoji, or take that back."""

from __future__ import annotations

import re
from typing import Annotated

from msgspec import Meta

from chat.errors import BadRequest, InvalidState
from chat.model import Change, Key, Lasting, Named, Turn
from chat.rules.versions import standing, version

EMOJI_LIMIT = 16  # code points: the longest families and flags have about a dozen
REACTIONS_LIMIT = 20  # different ones of one entry

# One emoji as Unicode's UTS 51 makes them: a flag, a keycap, or pictures joined by U+200D, each with what varies it.
# By blocks and not by the interpreter's tables, as next year's emoji are in the same blocks.
_PICTURE = (
    "[\xa9\xae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u24c2\u25a0-\u27bf\u2900-\u297f\u2b00-\u2bff"
    "\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
)
_VARIED = rf"{_PICTURE}[\ufe0e\ufe0f]?[\U0001f3fb-\U0001f3ff]?[\U000e0020-\U000e007f]*"
_is_emoji = re.compile(rf"[\U0001f1e6-\U0001f1ff]{{2}}|[#*0-9]\ufe0f?\u20e3|{_VARIED}(?:\u200d{_VARIED})*").fullmatch

Emoji = Annotated[str, Meta(max_length=EMOJI_LIMIT)]


class React(Lasting, frozen=True, gc=False, kw_only=True, tag="message.react"):
    """Somebody answers a message with an emoji, or takes that back."""

    conversation: Key
    entry: Named
    emoji: Emoji
    on: bool = True


def react(ask: React, turn: Turn) -> Change | None:
    """Each once per actor, in the order they came. Nothing happens if it is so already."""
    if not _is_emoji(ask.emoji):
        raise BadRequest("That is no emoji.", field="emoji")
    entry = standing(turn)
    me = turn.actor.id
    before = entry.reactions.get(ask.emoji, ())
    if (me in before) == ask.on:
        return None
    if not before and len(entry.reactions) >= REACTIONS_LIMIT:
        raise InvalidState(f"A message has at most {REACTIONS_LIMIT} different reactions.", field="emoji")
    now = (*before, me) if ask.on else tuple(other for other in before if other != me)
    reactions = {**entry.reactions, ask.emoji: now}
    return version(entry, turn, reactions={emoji: actors for emoji, actors in reactions.items() if actors})
