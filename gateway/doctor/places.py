"""The places on this machine: the data folder, the files and the secret."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import AsyncIterator
from pathlib import Path

from msgspec import Struct

from chat.errors import NotFound, Unavailable
from gateway.doctor.finding import Finding, fail, note, well
from gateway.files.store import FOLDER, FileStore
from gateway.secret import FILE
from gateway.settings import Settings

LEAST_FREE = 1024**3  # bytes
TRIED = b"written by shopbell doctor"


class Folder(Struct, frozen=True):
    """What the operating system says of a folder; `above` is the nearest that is there."""

    path: Path
    above: Path
    is_folder: bool
    is_writable: bool
    is_open_to_all: bool
    free: int

    @property
    def is_there(self) -> bool:
        return self.above == self.path.absolute()


def look_at(path: Path) -> Folder:
    """Ask the operating system, and change nothing."""
    above = path.absolute()
    while not above.exists() and above != above.parent:
        above = above.parent
    mode = above.stat().st_mode
    is_open = above == path.absolute() and bool(mode & (stat.S_IROTH | stat.S_IXOTH))
    is_writable = os.access(above, os.W_OK | os.X_OK)
    return Folder(path, above, stat.S_ISDIR(mode), is_writable, is_open, shutil.disk_usage(above).free)


def judge_data(folder: Folder) -> Finding:
    if not folder.is_folder:
        return fail("data", f"{folder.above} is in the way: SHOPBELL_DATA must be a folder.")
    if not folder.is_writable:
        return fail(
            "data", f"{folder.above} can't be written by this user. Give it to the user that runs `shopbell serve`."
        )
    if folder.free < LEAST_FREE:
        free = folder.free // 1024**2
        return fail("data", f"only {free} MiB are free at {folder.above}: a full disk means that no message is taken.")
    free_text = f"{folder.free / 1024**3:.0f} GiB are free"
    if not folder.is_there:
        return well("data", f"{folder.path} isn't there yet and can be made; {free_text}.")
    if folder.is_open_to_all:
        return note("data", f"{folder.path} can be read by everybody on this machine: `chmod 700` it.")
    return well("data", f"{folder.path} can be written; {free_text}.")


def judge_secret(settings: Settings, kept: Path | None) -> Finding:
    """`kept` is the file in the data folder, where there is one."""
    if settings.secrets:
        rotating = " It is being replaced: `shopbell secret rotate`." if len(settings.secrets) > 1 else ""
        return well("secret", f"SHOPBELL_SECRET is set.{rotating}")
    if settings.is_on_postgres and settings.bus != "memory":
        return fail(
            "secret",
            "SHOPBELL_SECRET isn't set. Nodes that don't share a data folder would each make one of their own, and "
            "refuse whom another has let in. Set the same for all: `openssl rand -base64 48` makes one.",
        )
    if kept is None:
        return well("secret", "none yet: the server makes one and keeps it in the data folder.")
    if kept.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        return fail("secret", f"others on this machine can read {kept}: `chmod 600` it, then `shopbell secret rotate`.")
    if not os.access(kept, os.R_OK):
        return fail("secret", f"{kept} can't be read by this user. Give it to the user that runs `shopbell serve`.")
    return well("secret", f"it is kept in {kept}.")


def look_at_secret(settings: Settings) -> Finding:
    kept = settings.data / FILE
    return judge_secret(settings, kept if kept.exists() else None)


async def try_files(settings: Settings) -> Finding:
    """Write a small file, read it and delete it. A folder that isn't there yet is left alone."""
    is_folder = settings.files.startswith(FOLDER)
    if is_folder:
        folder = look_at(Path(settings.files.removeprefix(FOLDER)))
        if not folder.is_there:
            if not folder.is_writable or not folder.is_folder:
                return fail("files", f"the folder {folder.path} can't be made in {folder.above}.")
            return well("files", f"{folder.path} isn't there yet and can be made.{_shared(settings)}")
    try:
        await _write_read_delete(FileStore(settings.files))
    except (Unavailable, NotFound, OSError) as error:
        advice = (
            "Give the folder to the user that runs `shopbell serve`."
            if is_folder
            else "Look at the bucket's name and rights (put, get, delete, list), and at the environment's credentials."
        )
        return fail("files", f"a file can't be written, read and deleted again: {error}. {advice}")
    return well("files", f"a file was written, read and deleted.{_shared(settings)}")


async def _write_read_delete(files: FileStore) -> None:
    key = f"doctor/{secrets.token_hex(8)}"

    async def chunks() -> AsyncIterator[bytes]:
        yield TRIED

    await files.put(key, chunks())
    try:
        found = b"".join([chunk async for chunk in await files.open(key, 0, len(TRIED))])
        if found != TRIED:
            raise Unavailable("what was read isn't what was written")
    finally:
        await files.delete([key])


def _shared(settings: Settings) -> str:
    if settings.bus != "memory" and settings.files.startswith(FOLDER):
        return " It must be the same folder for all nodes."
    return ""
