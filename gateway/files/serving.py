"""Handing a file out: streamed, whole or a part of it, by headers that let no browser run what is in it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

from msgspec import Struct
from prometheus_client import Counter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from chat.errors import Refused
from chat.model import Upload
from gateway.files.content import ARCHIVES, OFFICE, SHOWN, TEXT, UNKNOWN
from gateway.files.intake import key_of, thumbnail_of
from gateway.files.names import disposition
from gateway.files.store import CHUNK, FileStore
from gateway.headers import DEFAULTS
from gateway.requests import OWN_TIME

SEND_SECONDS = 30.0  # for a chunk of 64 KiB; a peer that takes longer is gone or wants to hold us
THUMBNAIL_TYPE = "image/webp"
# What may be said to a browser: it shows these, or knows them as nothing that runs.
_NAMED = SHOWN | OFFICE | ARCHIVES | {"application/pdf"}
_RANGE = re.compile(r"bytes=([0-9]{0,15})-([0-9]{0,15})")


class BadRange(Refused):
    code = "bad_range"
    says = "The file has no such part."

    def __init__(self, size: int) -> None:
        super().__init__(f"The file has {size} bytes and no such part.")
        self.size = size


class Part(Struct, frozen=True):
    """From `start` up to before `end`."""

    start: int
    end: int


class Served(Struct, frozen=True):
    """One object and how it is called."""

    key: str
    name: str
    type: str
    size: int | None
    """None where it must be asked for."""
    tag: str

    @property
    def is_shown(self) -> bool:
        return self.type in SHOWN


def file(upload: Upload) -> Served:
    """The file itself. Its id is its tag, as it never changes."""
    return Served(key_of(upload.account, upload.id), upload.name, upload.type, upload.size, f'"{upload.id}"')


def thumbnail(upload: Upload) -> Served:
    """The thumbnail of a picture."""
    key = thumbnail_of(key_of(upload.account, upload.id))
    return Served(key, f"{upload.name}.webp", THUMBNAIL_TYPE, None, f'"{upload.id}.webp"')


class Serving:
    """Answers requests for what may be fetched; who may is decided before."""

    def __init__(self, files: FileStore, sent: Counter) -> None:
        self._files = files
        self._sent = sent

    async def answer(self, request: Request, what: Served) -> Response:
        """The object, the part of it that was asked for, or 304. Refused: NotFound, BadRange; or Unavailable."""
        headers = headers_of(what)
        if what.tag in _tags(request.headers.get("if-none-match", "")):
            return Response(status_code=304, headers=headers)
        size = await self._files.size(what.key) if what.size is None else what.size
        asked = request.headers.get("range", "") if _still_the_same(request, what) else ""
        part = part_of(asked, size)
        start, end = (part.start, part.end) if part else (0, size)
        headers["content-length"] = str(end - start)
        if part:
            headers["content-range"] = f"bytes {start}-{end - 1}/{size}"
        status = 206 if part else 200
        if request.method == "HEAD":
            return Response(status_code=status, headers=headers)
        return _Download(self._counted(await self._files.open(what.key, start, end)), status, headers)

    async def _counted(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            self._sent.inc(len(chunk))
            for at in range(0, len(chunk), CHUNK):  # memory hands out all of an object at once
                yield chunk[at : at + CHUNK]


def headers_of(what: Served) -> dict[str, str]:
    """What every answer with a file in it says."""
    return {
        "content-type": _content_type(what.type),
        "content-disposition": disposition(what.name, inline=what.is_shown),
        "content-security-policy": f"sandbox; {DEFAULTS['content-security-policy']}",
        "x-content-type-options": "nosniff",
        "cross-origin-resource-policy": "same-origin",
        # Nobody but this browser keeps it, and it asks each time whether it may still show it.
        "cache-control": "private, no-cache",
        "etag": what.tag,
        "accept-ranges": "bytes",
    }


def part_of(header: str, size: int) -> Part | None:
    """The one part that is asked for, or None for all of it: no range, several, or one that nobody understands.

    BadRange if the file doesn't reach so far.
    """
    match = _RANGE.fullmatch(header.strip())
    if not match or not (match[1] or match[2]):
        return None
    if not match[1]:
        start, end = max(0, size - int(match[2])), size
    else:
        start, end = int(match[1]), min(size, int(match[2]) + 1 if match[2] else size)
        if match[2] and int(match[2]) < start:
            return None
    if start >= end:
        raise BadRange(size)
    return Part(start, end)


def _content_type(type: str) -> str:
    if type == TEXT:
        return "text/plain; charset=utf-8"
    return type if type in _NAMED else UNKNOWN


def _tags(header: str) -> set[str]:
    return {each.strip().removeprefix("W/") for each in header.split(",")}


def _still_the_same(request: Request, what: Served) -> bool:
    return request.headers.get("if-range", what.tag).strip() == what.tag


class _Download(StreamingResponse):
    """Gives a peer that takes nothing an end. Starlette ends the stream when the peer has left."""

    def __init__(self, chunks: AsyncIterator[bytes], status: int, headers: dict[str, str]) -> None:
        super().__init__(chunks, status, headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection: Any = scope.get("extensions", {}).get(OWN_TIME, {}).get("connection")

        async def send_in_time(message: Message) -> None:
            try:
                async with asyncio.timeout(SEND_SECONDS):
                    await send(message)
            except TimeoutError:
                if connection is None:
                    raise
                connection.abort()  # what is sent after that goes nowhere

        await super().__call__(scope, receive, send_in_time)
