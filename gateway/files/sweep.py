"""Clearing away files that nobody needs: never finished, never attached, or erased."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterable

from chat.clock import Clock
from chat.errors import Unavailable
from chat.store import Scoped
from chat.uploads import AT_ONCE, Uploads
from gateway.files.intake import key_of, thumbnail_of
from gateway.files.store import FileStore

log = logging.getLogger("gateway.files.sweep")

LEFT_MS = 24 * 3600 * 1000  # an upload that no entry has by then was forgotten, or its sender is gone
OBJECTS_MS = 6 * 3600 * 1000  # how often all objects are looked through, which costs a bucket's owner money


class Sweep:
    """Deletes files together with their rows. `run` goes on by itself; the others are for whoever erases something."""

    def __init__(self, uploads: Uploads, files: FileStore, clock: Clock) -> None:
        self._uploads = uploads
        self._files = files
        self._clock = clock
        self._looked_at = 0  # soon after a start, as a process that is restarted each day would never come to it

    async def run(self) -> None:
        """One round: what was left lying for a day, and a few times a day objects that have no row. An engine that
        is away is tried again in the next."""
        try:
            await self.left()
            if self._clock.now() - self._looked_at >= OBJECTS_MS:
                self._looked_at = self._clock.now()
                await self.objects()
        except Unavailable as error:
            log.warning("files can't be swept: %s", error)

    async def delete(self, account: str, uploads: Collection[str]) -> None:
        """These files are gone, attached or not. Raises Unavailable; what was not deleted then is swept later."""
        await self._delete(await self._uploads.take(account, uploads))

    async def delete_of_contact(self, account: str, contact: str) -> None:
        """All files that this contact sent or that are in its conversations are gone. Raises Unavailable, as above."""
        await self._delete(await self._uploads.take_of_contact(account, contact))

    async def left(self) -> None:
        """Delete what no entry has after a day."""
        while taken := await self._uploads.take_left(self._clock.now() - LEFT_MS):
            await self._delete(taken)
            if len(taken) < AT_ONCE:
                return
            await asyncio.sleep(0)

    async def objects(self) -> None:
        """Delete objects, whole or half written, that are a day old and have no row, or whose contact was erased by
        an ask that nobody told us of."""
        before = self._clock.now() - LEFT_MS
        await self._files.sweep_staged(before)
        async for keys in self._files.older(before):
            await self._uploads.take_erased({_upload(key) for key in keys})
            known = await self._uploads.known({_upload(key) for key in keys})
            await self._files.delete([key for key in keys if _upload(key) not in known])

    async def _delete(self, uploads: Iterable[Scoped]) -> None:
        keys = [key_of(*upload) for upload in uploads]
        await self._files.delete([*keys, *map(thumbnail_of, keys)])


def _upload(key: str) -> str:
    """The upload that an object belongs to."""
    return key.rpartition("/")[2].partition(".")[0]
