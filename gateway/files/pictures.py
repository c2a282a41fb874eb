"""Has pictures looked at by a process of its own: their dimensions and a thumbnail."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from gateway.files import picture

PROGRAM = Path(picture.__file__)
LARGEST = 32 * 1024 * 1024  # bytes; a larger file isn't looked at, as its process holds all of it
AT_ONCE = 2  # processes; each may take 200 MiB
SECONDS = 20.0  # for one, and as long again for its turn
ANSWER = 4 * 1024 * 1024  # bytes


class Picture(Struct, frozen=True):
    """`bomb` has more pixels than we decode; of one that is `unreadable` nothing is known."""

    says: Literal["fine", "unreadable", "bomb"]
    width: int = 0
    height: int = 0
    thumbnail: bytes = b""


UNREADABLE = Picture("unreadable")


class Pictures:
    """A decoder is large and old and gets bytes of strangers: it runs apart, without our secrets, and not for long."""

    def __init__(self, seconds: float = SECONDS, program: Path = PROGRAM) -> None:
        self._seconds = seconds
        self._program = program
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def look(self, type: str, size: int, chunks: AsyncIterator[bytes]) -> Picture:
        """What this picture is. One that can't be looked at in time is unreadable."""
        if size > LARGEST:
            return UNREADABLE
        try:
            async with asyncio.timeout(self._seconds * 2), self._turns:
                return await self._run(type, chunks)
        except TimeoutError:
            return UNREADABLE

    async def _run(self, type: str, chunks: AsyncIterator[bytes]) -> Picture:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            str(self._program),
            type,
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            env={name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ},
        )
        try:
            async with asyncio.timeout(self._seconds):
                await _feed(process, chunks)
                found = await _answer(process)
                await process.wait()
                return found
        except BaseException:
            with suppress(ProcessLookupError):
                process.kill()
            raise
        finally:
            await process.communicate()  # closes what led to it, and waits for its end


async def _feed(process: Process, chunks: AsyncIterator[bytes]) -> None:
    assert process.stdin is not None
    with suppress(BrokenPipeError, ConnectionResetError):  # it has ended before it heard all
        async for chunk in chunks:
            process.stdin.write(chunk)
            await process.stdin.drain()
        process.stdin.close()
        await process.stdin.wait_closed()


async def _answer(process: Process) -> Picture:
    assert process.stdout is not None
    answer = bytearray()
    while chunk := await process.stdout.read(65_536):
        answer += chunk
        if len(answer) > ANSWER:
            process.kill()
            return UNREADABLE
    line, _, thumbnail = bytes(answer).partition(b"\n")
    try:
        said = msgspec.json.decode(line, type=Picture)
    except msgspec.DecodeError:
        return UNREADABLE  # it crashed, or the kernel ended it
    return msgspec.structs.replace(said, thumbnail=thumbnail)
