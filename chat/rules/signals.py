"""Rules of what happens and is not kept: typing."""

from __future__ import annotations

from chat.model import Actor, Ask, Conversation, Key, Signal, author_of


class Typing(Ask, frozen=True, gc=False, kw_only=True, tag="typing"):
    """The actor writes something in this conversation, or has stopped."""

    conversation: Key
    on: bool = True


def typing(ask: Typing, actor: Actor, conversation: Conversation) -> Signal:
    return Signal("typing", conversation.id, author_of(actor.id), ask.on)
