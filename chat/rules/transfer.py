"""Rule: hand a conversation on to somebody or to a team."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from chat.model import TEXT_LIMIT, Key, Lasting


class Transfer(Lasting, frozen=True, gc=False, kw_only=True, tag="conversation.transfer"):
    """Staff hands a conversation on to an agent, a bot or a team (`to`), with a note if there is something to say.

    `when_full` says what happens when nobody there can take it: it waits in the queue, or the ask is refused.
    """

    conversation: Key
    to: Key
    note: Annotated[str, Meta(max_length=TEXT_LIMIT)] = ""
    keep_following: bool = False
    when_full: Literal["queue", "refuse"] = "queue"
