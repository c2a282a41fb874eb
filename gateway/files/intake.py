"""Taking a file in: streamed to where files are, measured and recognised on the way, looked at, and only then there."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress

from msgspec import Struct

from chat.errors import BadRequest, Busy, Forbidden, Refused, TooLarge, Unavailable
from chat.model import Actor, Upload
from chat.uploads import UploadLimits, Uploads
from gateway.files.content import PICTURES, UNKNOWN, Sniffer, admits
from gateway.files.names import clean
from gateway.files.pictures import Pictures
from gateway.files.store import FileStore
from gateway.metrics import Metrics


class UnsupportedType(Refused):
    code = "unsupported_type"
    says = "Files of this kind aren't taken here."


class TooSlow(Refused):
    code = "too_slow"
    retry = True
    says = "The file took too long to come."


class IntakeLimits(Struct, frozen=True):
    """The server's own. A file must be whole within `seconds`, and the time that its bytes take at `speed`."""

    bytes: int
    types: tuple[str, ...]
    seconds: float
    speed: int
    """bytes per second"""
    per_actor: int
    per_address: int
    at_once: int


class Intake:
    """Files that come: at most so many at once, and nothing stays of one that doesn't come whole."""

    def __init__(
        self, uploads: Uploads, files: FileStore, pictures: Pictures, limits: IntakeLimits, metrics: Metrics
    ) -> None:
        self._uploads = uploads
        self._files = files
        self._pictures = pictures
        self._limits = limits
        self._received = metrics.upload_bytes
        self._actors: Counter[str] = Counter()
        self._addresses: Counter[str] = Counter()

    async def take(
        self,
        actor: Actor,
        name: str,
        limits: UploadLimits,
        announced: int | None,
        chunks: AsyncIterator[bytes],
        address: str = "",
    ) -> Upload:
        """The file, stored. Refused: Busy, Forbidden, TooLarge, UnsupportedType, TooSlow, BadRequest when it is
        empty. What `chunks` raises is raised again. Nothing stays of a file that was refused."""
        if limits.off:
            raise Forbidden("This inbox takes no files.")
        most = min(self._limits.bytes, self._limits.bytes if limits.bytes is None else limits.bytes)
        types = self._limits.types if limits.types is None else limits.types
        if announced is not None and announced > most:
            raise _too_large(most)
        with self._place(actor.id, address):
            name = clean(name)
            upload = await self._uploads.begin(actor, name)
            key = key_of(actor.account, upload)
            try:
                stored = Upload(actor.account, upload, actor.id, name, UNKNOWN, 0)
                stored = await self._store(stored, key, most, types, chunks)
                await self._uploads.finish(stored)
            except BaseException:
                await self._leave_nothing(actor.account, upload)
                raise
            return stored

    async def _store(
        self, upload: Upload, key: str, most: int, types: tuple[str, ...], chunks: AsyncIterator[bytes]
    ) -> Upload:
        sniffer = Sniffer()
        await self._files.put(key, self._watched(chunks, sniffer, most, types))
        if not sniffer.size:
            raise BadRequest("The file is empty.")
        kind = sniffer.conclude()
        if not admits(types, kind.claimed):
            raise UnsupportedType
        type, width, height = kind.type, 0, 0
        if type in PICTURES:
            picture = await self._pictures.look(type, sniffer.size, await self._files.open(key, 0, sniffer.size))
            if picture.says == "bomb":
                raise TooLarge("The picture has too many pixels.", field="pixels")
            if picture.says == "unreadable":
                type = UNKNOWN
            else:
                await self._files.put(thumbnail_of(key), _once(picture.thumbnail))
                width, height = picture.width, picture.height
        return Upload(
            upload.account, upload.id, upload.owner, upload.name, type, sniffer.size, width=width, height=height
        )

    async def _watched(
        self, chunks: AsyncIterator[bytes], sniffer: Sniffer, most: int, types: tuple[str, ...]
    ) -> AsyncIterator[bytes]:
        """The chunks, as long as the file may still be what is taken here."""
        clock = asyncio.get_running_loop().time
        began = clock()
        is_known = False
        while True:
            allowed = self._limits.seconds + sniffer.size / self._limits.speed
            try:
                # Within one step: obstore takes each from a task of its own.
                async with asyncio.timeout_at(began + allowed):
                    chunk = await anext(chunks)
            except StopAsyncIteration:
                return
            except TimeoutError as error:
                raise TooSlow from error
            if not chunk:
                continue
            sniffer.feed(chunk)
            self._received.inc(len(chunk))
            if sniffer.size > most:
                raise _too_large(most)
            if not is_known and (early := sniffer.early) is not None:
                is_known = True
                if not _may_become(types, early):
                    raise UnsupportedType
            yield chunk

    @contextmanager
    def _place(self, actor: str, address: str) -> Iterator[None]:
        """One of the places. An address has few, as anybody can be many contacts."""
        limits = self._limits
        if (
            self._actors.total() >= limits.at_once
            or self._actors[actor] >= limits.per_actor
            or self._addresses[address] >= limits.per_address
        ):
            raise Busy("Too many files are being sent at this moment.")
        self._actors[actor] += 1
        self._addresses[address] += 1
        try:
            yield
        finally:
            self._actors -= Counter((actor,))  # what comes to nothing is forgotten
            self._addresses -= Counter((address,))

    async def _leave_nothing(self, account: str, upload: str) -> None:
        """What can't be deleted now is swept later: its row is only gone when its objects are."""
        key = key_of(account, upload)
        with suppress(Unavailable):
            await self._files.delete([thumbnail_of(key), key])
            await self._uploads.take(account, [upload])


def key_of(account: str, upload: str) -> str:
    """Where a file's bytes are. Never by its name."""
    return f"{account}/{upload}"


def thumbnail_of(key: str) -> str:
    return f"{key}.webp"


def _may_become(types: tuple[str, ...], early: str) -> bool:
    """Some archives turn out to be office files only when their end is there."""
    if early in ("application/zip", "application/x-ole-storage"):
        return bool({"archive", "office", "other"} & set(types)) or any("/" in each for each in types)
    return admits(types, early)


def _too_large(most: int) -> TooLarge:
    return TooLarge(f"Files have at most {most} bytes here.")


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
