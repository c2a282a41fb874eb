"""Where files are: a folder, memory or a bucket, all of them by obstore."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, MemoryStore, ObjectStore, from_url

from chat.errors import NotFound, Unavailable

if TYPE_CHECKING:
    from obstore import GetResult  # it is there for types only

FOLDER = "file://"
# Parts that are gathered before they are written. A bucket takes none below 5 MiB but the last.
FOLDER_PART, BUCKET_PART = 1024 * 1024, 5 * 1024 * 1024  # bytes
CHUNK = 64 * 1024  # bytes; of what is read
LISTED = 500  # objects of one step through all of them

_STAGED = re.compile(r"#[0-9]+\Z")  # what obstore names a file while it is being written
_AWAY = (BaseError, OSError)


class FileStore:
    """Promises: an object is there whole or not at all, and durable when `put` returns; deleting what isn't there is
    fine. Every method may raise Unavailable."""

    def __init__(self, url: str) -> None:
        """Raises OSError when the place can't be had."""
        self._folder = Path(url.removeprefix(FOLDER)).absolute() if url.startswith(FOLDER) else None
        self._store = _open(url, self._folder)
        self._part = BUCKET_PART if self._folder is None and not isinstance(self._store, MemoryStore) else FOLDER_PART

    async def put(self, key: str, chunks: AsyncIterator[bytes]) -> None:
        """Store what comes. What `chunks` raises ends it, leaves nothing, and is raised again."""
        source = _Source(chunks)
        try:
            # One part after the other: a phone is slower than any store, and each part under way is memory.
            await obstore.put_async(self._store, key, source, chunk_size=self._part, max_concurrency=1)
            if self._folder is not None:
                await asyncio.to_thread(_sync, self._folder / key)
        except _AWAY as error:
            if source.failed is error:
                raise
            raise Unavailable(f"a file can't be stored: {error}") from error

    async def open(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from `start` up to before `end`, in chunks. NotFound if there is no such object."""
        try:
            found = await obstore.get_async(self._store, key, options={"range": (start, end)})
        except FileNotFoundError as error:
            raise NotFound(field="upload") from error
        except _AWAY as error:
            raise Unavailable(f"a file can't be read: {error}") from error
        return _chunks(found)

    async def size(self, key: str) -> int:
        """Bytes of an object. NotFound if there is no such object."""
        try:
            return (await obstore.head_async(self._store, key))["size"]
        except FileNotFoundError as error:
            raise NotFound(field="upload") from error
        except _AWAY as error:
            raise Unavailable(f"a file can't be read: {error}") from error

    async def delete(self, keys: Collection[str]) -> None:
        """None of these is there any more."""
        for key in keys:  # one at a time: of several a missing one would end the others
            try:
                await obstore.delete_async(self._store, key)
            except FileNotFoundError:
                continue
            except _AWAY as error:
                raise Unavailable(f"a file can't be deleted: {error}") from error

    async def older(self, before: int) -> AsyncIterator[list[str]]:
        """The keys of all objects stored before this moment (ms), some hundred at a time."""
        moment = datetime.fromtimestamp(before / 1000, UTC)
        try:
            async for found in obstore.list(self._store, chunk_size=LISTED):
                yield [each["path"] for each in found if each["last_modified"] < moment]
        except _AWAY as error:
            raise Unavailable(f"the files can't be listed: {error}") from error

    async def sweep_staged(self, before: int) -> None:
        """Delete what a process that was killed had begun to write before this moment (ms).

        In a folder only. A bucket doesn't list such parts among its objects; its lifecycle rules end them.
        """
        if self._folder is not None:
            await asyncio.to_thread(_sweep_staged, self._folder, before / 1000)


async def _chunks(found: GetResult) -> AsyncIterator[bytes]:
    try:
        async for chunk in found.stream(min_chunk_size=CHUNK):
            yield bytes(chunk)
    except _AWAY as error:
        raise Unavailable(f"a file can't be read: {error}") from error


class _Source:
    """Chunks on their way, and what they failed with: a timeout there is an OSError, but none of the store's."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self.failed: BaseException | None = None

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await anext(self._chunks)
        except StopAsyncIteration:
            raise
        except BaseException as error:
            self.failed = error
            raise


def _open(url: str, folder: Path | None) -> ObjectStore:
    try:
        if folder is None:
            return from_url(url)  # credentials are the environment's, by the names that each cloud gives them
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # obstore would let everybody on the machine in
        return LocalStore(folder)
    except (*_AWAY, ValueError) as error:
        raise OSError(f"the place for files can't be opened: {error}") from error


def _sync(path: Path) -> None:
    """An object of a folder outlives a power cut: its bytes, and its name in the folder."""
    for each in (path, path.parent):
        handle = os.open(each, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _sweep_staged(folder: Path, before: float) -> None:
    for path in folder.rglob("*"):
        try:
            if _STAGED.search(path.name) and path.stat().st_mtime < before:
                path.unlink()
        except FileNotFoundError:
            continue  # it was finished meanwhile
