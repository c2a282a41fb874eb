"""Rule: what a conversation is about."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta
from msgspec.structs import replace

from chat.model import Change, Key, Lasting, Turn
from chat.rules.activities import told_to_staff

SUBJECT_LIMIT = 200  # characters

Subject = Annotated[str, Meta(max_length=SUBJECT_LIMIT)]


class Rename(Lasting, frozen=True, gc=False, kw_only=True, tag="conversation.rename"):
    """Staff says what a conversation is about; the contact sees it too. An empty subject takes it away."""

    conversation: Key
    subject: Subject


def rename(ask: Rename, turn: Turn) -> Change | None:
    """Blanks around it and line breaks in it don't count. Nothing happens if that is its subject already."""
    conversation = turn.there
    subject = " ".join(ask.subject.split())
    if subject == conversation.subject:
        return None
    after = replace(conversation, subject=subject)
    return told_to_staff(after, ask.id, "renamed", turn, {"subject": subject, "was": conversation.subject})
