"""Where files are: whole or not at all, over every engine that needs no network."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from chat.errors import NotFound, Unavailable
from gateway.files.store import FileStore
from tests.filing import ENGINES, dripping

LATER = 4_000_000_000_000  # ms
DATA = bytes(range(256)) * 12_000  # three parts


class Hung(TimeoutError):
    """What a body may raise and a store may too."""


@pytest.fixture(params=ENGINES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> FileStore:
    return FileStore(ENGINES[request.param](tmp_path))


async def read(store: FileStore, key: str, start: int = 0, end: int = len(DATA)) -> bytes:
    return b"".join([chunk async for chunk in await store.open(key, start, end)])


async def keys(store: FileStore, before: int = LATER) -> list[str]:
    return [key async for found in store.older(before) for key in found]


async def test_what_is_stored_is_read_whole_and_in_parts(place: FileStore) -> None:
    await place.put("acc/upl", dripping(*(DATA[at : at + 70_000] for at in range(0, len(DATA), 70_000))))

    assert await read(place, "acc/upl") == DATA
    assert await read(place, "acc/upl", 1_048_570, 1_048_590) == DATA[1_048_570:1_048_590]
    assert await place.size("acc/upl") == len(DATA)


@pytest.mark.parametrize("come", [0, 1, 40])
@pytest.mark.parametrize("why", [ValueError("cut"), Hung(), NotFound()], ids=["bug", "timeout", "refused"])
async def test_what_ends_in_the_middle_leaves_nothing_and_says_why(
    place: FileStore, come: int, why: Exception, tmp_path: Path
) -> None:
    with pytest.raises(type(why)) as raised:
        await place.put("acc/upl", dripping(*[bytes(70_000)] * come, fails=why))

    assert raised.value is why
    assert await keys(place) == []
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


async def test_who_gives_up_waiting_leaves_nothing(place: FileStore, tmp_path: Path) -> None:
    never = asyncio.Event()
    begun = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield bytes(70_000)
        begun.set()
        await never.wait()

    storing = asyncio.create_task(place.put("acc/upl", slow()))
    await begun.wait()
    storing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await storing
    never.set()

    async with asyncio.timeout(10):
        while any(path.is_file() for path in tmp_path.rglob("*")):  # noqa: ASYNC110  # obstore's own threads end it
            await asyncio.sleep(0.01)
    assert await keys(place) == []


async def test_what_is_not_there_is_not_found_and_may_be_deleted(place: FileStore) -> None:
    with pytest.raises(NotFound):
        await place.open("acc/never", 0, 1)
    with pytest.raises(NotFound):
        await place.size("acc/never")
    await place.put("acc/upl", dripping(b"x"))

    await place.delete(["acc/never", "acc/upl", "acc/never"])

    assert await keys(place) == []


async def test_objects_are_listed_by_their_age(place: FileStore) -> None:
    await place.put("acc/one", dripping(b"x"))
    await place.put("acc/one.webp", dripping(b"x"))

    assert sorted(await keys(place)) == ["acc/one", "acc/one.webp"]
    assert await keys(place, before=1000) == []


async def test_what_a_kill_left_half_written_is_swept_when_it_is_old(tmp_path: Path) -> None:
    place = FileStore(f"file://{tmp_path}/files")
    await place.put("acc/upl", dripping(b"x"))
    half = tmp_path / "files/acc/upl_half#1"
    half.write_bytes(b"half")

    await place.sweep_staged(1000)
    assert half.exists()
    await place.sweep_staged(LATER)
    assert [path.name for path in (tmp_path / "files/acc").iterdir()] == ["upl"]


def test_only_its_owner_may_look_into_the_folder(tmp_path: Path) -> None:
    FileStore(f"file://{tmp_path}/a folder/files")

    assert (tmp_path / "a folder/files").stat().st_mode & 0o077 == 0


async def test_an_engine_that_fails_is_unavailable(tmp_path: Path) -> None:
    place = FileStore(f"file://{tmp_path}/files")
    (tmp_path / "files/acc").write_bytes(b"a file where a folder must be")

    with pytest.raises(Unavailable):
        await place.put("acc/upl", dripping(b"x"))


@pytest.mark.parametrize("url", ["file:///proc/never/files", "ftp://somewhere", "nonsense"])
def test_a_place_that_can_not_be_had_is_said_at_once(url: str) -> None:
    with pytest.raises(OSError, match="the place for files can't be opened"):
        FileStore(url)


@pytest.mark.parametrize(
    ("url", "environment"),
    [
        ("s3://bucket/shopbell", {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "eu-west-1"}),
        ("az://container", {"AZURE_STORAGE_ACCOUNT_NAME": "a", "AZURE_STORAGE_ACCOUNT_KEY": "YQ=="}),
    ],
)
def test_a_bucket_is_taken_by_its_url_and_the_environments_credentials(
    url: str, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    place = FileStore(url)

    assert place._part >= 5 * 1024 * 1024  # buckets take no smaller parts


def test_a_stored_file_is_flushed_to_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[str] = []
    real: Callable[[int], None] = os.fsync

    def fsync(handle: int) -> None:
        flushed.append(os.readlink(f"/proc/self/fd/{handle}"))
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    asyncio.run(FileStore(f"file://{tmp_path}/files").put("acc/upl", dripping(b"x")))

    assert flushed == [f"{tmp_path}/files/acc/upl", f"{tmp_path}/files/acc"]
