"""Rules: who gets what waits, and what becomes of a conversation whose assignee doesn't answer or has vanished."""

from __future__ import annotations

from chat.model import Key, Lasting

RUN = "routing.run"
UNANSWERED = "routing.unanswered"
RETURN = "routing.return"


class Run(Lasting, frozen=True, gc=False, kw_only=True, tag=RUN):
    """The service gives what waits to those who accept chats."""


class Unanswered(Lasting, frozen=True, gc=False, kw_only=True, tag=UNANSWERED):
    """The service looks whether who was given a conversation has said something by now."""

    conversation: Key


class Return(Lasting, frozen=True, gc=False, kw_only=True, tag=RETURN):
    """The service looks whether who has a conversation in progress has come back by now."""

    conversation: Key
