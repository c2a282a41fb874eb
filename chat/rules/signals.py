"""Rules of what happens and is not kept: typing, what is being typed, who looks at a conversation."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from chat.model import Actor, Ask, Conversation, Key, Signal, author_of

TYPED_LIMIT = 500  # characters; the message itself says the rest


class Typing(Ask, frozen=True, gc=False, kw_only=True, tag="typing"):
    """The actor writes something in this conversation, or has stopped."""

    conversation: Key
    on: bool = True


class Preview(Ask, frozen=True, gc=False, kw_only=True, tag="preview"):
    """What the contact has typed so far; staff alone sees it, and nobody keeps it."""

    conversation: Key
    text: Annotated[str, Meta(max_length=TYPED_LIMIT)]


class Viewing(Ask, frozen=True, gc=False, kw_only=True, tag="viewing"):
    """A member of staff has the conversation open, or no longer; the others who watch it see that."""

    conversation: Key
    on: bool = True


def typing(ask: Typing, actor: Actor, conversation: Conversation) -> Signal:
    return Signal("typing", conversation.id, author_of(actor.id), ask.on)


def preview(ask: Preview, actor: Actor, conversation: Conversation) -> Signal:
    return Signal("preview", conversation.id, author_of(actor.id), bool(ask.text), ask.text)


def viewing(ask: Viewing, actor: Actor, conversation: Conversation) -> Signal:
    return Signal("viewing", conversation.id, author_of(actor.id), ask.on)
