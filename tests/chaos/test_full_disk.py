"""A full disk: senders are asked to try again, nobody is told `ok` in vain, and all is right once there is space."""

import asyncio
import os
import random
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.chaos.people import Crowd, busy, crowd
from tests.chaos.server import Prepared, Server
from tests.history import Verdict

FULL_SECONDS = 2.0
FILE_LIMIT = 64 * 1024  # less than the database and its log have already: the next write fails
SMALL = 48 * 1024 * 1024  # the database and its log, which grows to 16 MB before it is worked in, fit in well
LEFT = 256 * 1024


async def writing_through(
    server: Server, dice: random.Random, fill: Callable[[], None], free: Callable[[], None]
) -> tuple[Verdict, int]:
    """Load, no space for a while, space again; the verdict, and how many were asked to try again."""
    await server.start()
    async with crowd(server, dice) as people:
        async with busy(people):
            await asyncio.sleep(0.3)  # some history first
            fill()
            await people.until_refused("unavailable")
            await asyncio.sleep(FULL_SECONDS)  # as long as it takes somebody to make space
            free()
            await _everybody_gets_an_ok(people)
        return people.verdict(faults=1), people.refusals("unavailable")


async def _everybody_gets_an_ok(people: Crowd) -> None:
    for client, log in people.clients.values():
        if log.kind == "contact":
            await client.start(people.inbox, "There is space again")


def assert_sound(verdict: Verdict, refusals: int, tell: Callable[[object], None]) -> None:
    tell(f"{refusals} times unavailable; {verdict}")
    assert verdict.violations == []
    assert verdict.counts["asleep"] == 0
    assert refusals > 0


def test_writes_that_fail_for_lack_of_space_are_tried_again(
    server: Server, dice: random.Random, tell: Callable[[object], None]
) -> None:
    def fill() -> None:
        server.limit_files(FILE_LIMIT)

    def free() -> None:
        server.limit_files(None)

    verdict, refusals = asyncio.run(writing_through(server, dice, fill, free))

    assert_sound(verdict, refusals, tell)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few megabytes of its own; only root can make one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("mounting a file system takes root; the test above fails the same writes by a limit")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_file_system_that_is_full_is_survived(
    small_disk: Path, tmp_path: Path, prepared: Prepared, dice: random.Random, tell: Callable[[object], None]
) -> None:
    server = Server.copy(prepared, small_disk / "data", tmp_path / "server.log")
    ballast = small_disk / "ballast"

    def fill() -> None:
        space = os.statvfs(small_disk)
        ballast.write_bytes(bytes(max(0, space.f_bavail * space.f_frsize - LEFT)))

    async def play() -> tuple[Verdict, int]:
        try:
            return await writing_through(server, dice, fill, ballast.unlink)
        finally:
            server.close()

    verdict, refusals = asyncio.run(play())

    assert_sound(verdict, refusals, tell)
    assert server.complaints() == []
