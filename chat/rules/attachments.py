"""Files in an entry: uploads that are whole, the asker's own, and in no entry yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, UnsetType

from chat.errors import BadRequest, NotFound
from chat.model import Attachment, Key, Turn, Upload

FILES_LIMIT = 10  # of one entry

Files = Annotated[list[Key], Meta(max_length=FILES_LIMIT)]


def attached(ids: Sequence[str] | UnsetType, turn: Turn) -> tuple[Attachment, ...]:
    """What the entry has of these uploads. NotFound also for those of others, and those that an entry has already."""
    if not ids:
        return ()
    if len(set(ids)) < len(ids):
        raise BadRequest("A file is attached once.", field="attachments")
    return tuple(_attachment(turn.uploads.get(id), turn.actor.id) for id in ids)


def _attachment(upload: Upload | None, owner: str) -> Attachment:
    if upload is None or upload.owner != owner or upload.entry is not None:
        raise NotFound(field="attachments")
    return Attachment(upload.id, upload.name, upload.type, upload.size, upload.width, upload.height)
