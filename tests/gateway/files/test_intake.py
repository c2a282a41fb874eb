"""Taking files in: nothing stays of what is refused, cut, slow or too much, over every engine."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from chat.errors import BadRequest, Busy, Forbidden, TooLarge, Unavailable
from chat.uploads import UploadLimits
from gateway.files.content import HEAD
from gateway.files.intake import Intake, TooSlow, UnsupportedType
from gateway.files.pictures import Pictures
from tests.filing import LIMITS, PDF, Filing, a_picture, a_png_bomb, an_archive, dripping, in_a_filing_shop

MANY = UploadLimits()


def intake(filing: Filing, **limits: Any) -> Intake:
    return Intake(filing.uploads, filing.files, Pictures(), replace(LIMITS, **limits), filing.shop.metrics)


@in_a_filing_shop
async def test_a_file_is_measured_recognised_and_kept_by_its_id(filing: Filing) -> None:
    _, contact = await filing.shop.contact()
    picture = a_picture(size=(640, 480))

    taken = await intake(filing).take(contact, "../cat.html", MANY, None, dripping(picture[:10], b"", picture[10:]))

    assert (taken.name, taken.type, taken.size, taken.width, taken.height) == (
        "cat.html",
        "image/png",
        len(picture),
        640,
        480,
    )
    key = f"{contact.account}/{taken.id}"
    assert await filing.kept() == ({key, f"{key}.webp"}, 1)


@pytest.mark.parametrize(
    ("chunks", "refusal"),
    [
        ([], BadRequest),
        ([b"", b""], BadRequest),
        ([bytes(600_000), bytes(600_000)], UnsupportedType),
        ([PDF + bytes(600_000), bytes(600_000)], TooLarge),
        ([b"MZ" + bytes(100)], UnsupportedType),
        ([an_archive(a_x_exe=b"MZ")], UnsupportedType),
        ([b"text" * 5000, b"and then \xff\xfe"], UnsupportedType),
        ([a_png_bomb()], TooLarge),
        ([a_png_bomb(6400, 6300)], TooLarge),
    ],
    ids=["nothing", "still nothing", "zeros", "large", "program", "archive", "text no more", "bomb", "small bomb"],
)
@in_a_filing_shop
async def test_what_is_refused_leaves_nothing(filing: Filing, chunks: list[bytes], refusal: type[Exception]) -> None:
    _, contact = await filing.shop.contact()

    with pytest.raises(refusal):
        await intake(filing).take(contact, "name", MANY, None, dripping(*chunks))

    assert await filing.kept() == (set(), 0)


@in_a_filing_shop
async def test_what_is_cut_leaves_nothing(filing: Filing) -> None:
    _, contact = await filing.shop.contact()

    for come in (0, 1, 12):
        with pytest.raises(ConnectionResetError):
            cut = dripping(*[PDF + bytes(50_000)] * come, fails=ConnectionResetError())
            await intake(filing).take(contact, "name", MANY, None, cut)

    assert await filing.kept() == (set(), 0)


@in_a_filing_shop
async def test_what_a_stopping_server_gives_up_leaves_nothing(filing: Filing) -> None:
    _, contact = await filing.shop.contact()
    begun, never = asyncio.Event(), asyncio.Event()

    async def waiting() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield PDF + bytes(90_000)
        begun.set()
        await never.wait()

    taking = asyncio.create_task(intake(filing).take(contact, "name", MANY, None, waiting()))
    await begun.wait()
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    never.set()

    async with asyncio.timeout(10):
        while await filing.kept() != (set(), 0):  # noqa: ASYNC110  # threads of obstore end it
            await asyncio.sleep(0.01)


@in_a_filing_shop
async def test_more_is_not_even_read(filing: Filing) -> None:
    _, contact = await filing.shop.contact()
    read: list[int] = []

    async def counted(chunk: bytes) -> AsyncIterator[bytes]:
        for n in range(1000):
            read.append(n)
            yield chunk

    with pytest.raises(TooLarge):
        await intake(filing).take(contact, "name", MANY, 1_000_001, counted(b"x"))
    assert len(read) == 0
    with pytest.raises(UnsupportedType):
        await intake(filing).take(contact, "name", MANY, None, counted(bytes(HEAD)))
    assert len(read) <= 2
    with pytest.raises(TooLarge):
        await intake(filing, bytes=10 * HEAD).take(contact, "name", MANY, None, counted(b"x" * HEAD))
    assert len(read) <= 2 + 12


@in_a_filing_shop
async def test_who_is_too_slow_is_told_so_and_leaves_nothing(filing: Filing) -> None:
    _, contact = await filing.shop.contact()

    async def slow() -> AsyncIterator[bytes]:
        yield PDF
        await asyncio.Event().wait()

    with pytest.raises(TooSlow):
        await intake(filing, seconds=0.05, speed=1_000_000).take(contact, "name", MANY, None, slow())

    assert await filing.kept() == (set(), 0)


@in_a_filing_shop
async def test_so_many_at_once_and_no_more(filing: Filing) -> None:
    _, contact = await filing.shop.contact()
    _, other = await filing.shop.contact()
    go_on = asyncio.Event()

    async def waiting() -> AsyncIterator[bytes]:
        yield b"some "
        await go_on.wait()
        yield b"text"

    busy = intake(filing, per_actor=2, at_once=3)
    first = [asyncio.create_task(busy.take(contact, "name", MANY, None, waiting())) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await busy.take(contact, "name", MANY, None, dripping(b"text"))
    third = asyncio.create_task(busy.take(other, "name", MANY, None, waiting()))
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await busy.take(filing.shop.mine.agent.actor, "name", MANY, None, dripping(b"text"))
    go_on.set()
    await asyncio.gather(*first, third)

    assert (await busy.take(contact, "name", MANY, None, dripping(b"text"))).size == 4
    assert (len(busy._actors), len(busy._addresses)) == (0, 0)


@in_a_filing_shop
async def test_one_address_can_not_take_all_places(filing: Filing) -> None:
    """However many contacts it makes."""
    contacts = [(await filing.shop.contact())[1] for _ in range(4)]
    go_on = asyncio.Event()

    async def waiting() -> AsyncIterator[bytes]:
        yield b"some "
        await go_on.wait()

    busy = intake(filing, per_address=3)
    there = "198.51.100.7"
    first = [asyncio.create_task(busy.take(each, "name", MANY, None, waiting(), there)) for each in contacts[:3]]
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await busy.take(contacts[3], "name", MANY, None, dripping(b"text"), there)
    assert (await busy.take(contacts[3], "name", MANY, None, dripping(b"text"), "203.0.113.9")).size == 4
    go_on.set()
    await asyncio.gather(*first)

    assert (await busy.take(contacts[3], "name", MANY, None, dripping(b"text"), there)).size == 4


@in_a_filing_shop
async def test_an_inbox_has_its_own_limits_below_the_servers(filing: Filing) -> None:
    _, contact = await filing.shop.contact()
    take = intake(filing).take

    with pytest.raises(Forbidden):
        await take(contact, "name", UploadLimits(off=True), None, dripping(b"text"))
    with pytest.raises(TooLarge):
        await take(contact, "name", UploadLimits(bytes=3), None, dripping(b"text"))
    with pytest.raises(UnsupportedType):
        await take(contact, "name", UploadLimits(types=("image", "application/pdf")), None, dripping(b"text"))
    with pytest.raises(TooLarge):
        await take(contact, "name", UploadLimits(bytes=2**40), 1_000_001, dripping(b"text"))
    assert (await take(contact, "name", UploadLimits(types=("archive",)), None, dripping(an_archive(a=b"a")))).type == (
        "application/zip"
    )
    assert (await take(contact, "name", UploadLimits(types=("other",)), None, dripping(b"MZ\0"))).type == (
        "application/octet-stream"
    )


@in_a_filing_shop
async def test_a_picture_that_can_not_be_read_is_just_a_file(filing: Filing) -> None:
    _, contact = await filing.shop.contact()

    for data in (a_picture()[:-30], b"\xff\xd8\xff" + bytes(500)):
        taken = await intake(filing).take(contact, "cat.png", MANY, None, dripping(data))
        assert (taken.type, taken.width, taken.height) == ("application/octet-stream", 0, 0)


@in_a_filing_shop
async def test_a_store_that_fails_leaves_nothing_that_could_be_fetched(
    filing: Filing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the objects nor the row can be deleted at that moment: the sweep does it later."""
    headers, contact = await filing.shop.contact()

    async def away(*_: object) -> None:
        raise Unavailable("away")

    with monkeypatch.context() as broken:
        broken.setattr(filing.uploads, "finish", away)
        broken.setattr(filing.files, "delete", away)
        with pytest.raises(Unavailable):
            await intake(filing).take(contact, "name", MANY, None, dripping(b"text"))
    objects, rows = await filing.kept()
    assert (len(objects), rows) == (1, 1)
    fetched = await filing.get(f"/v1/uploads/{next(iter(objects)).rpartition('/')[2]}", headers)
    assert fetched.status_code == httpx.codes.NOT_FOUND

    filing.shop.clock.move(24 * 3600 + 1)
    await filing.sweep.run()
    assert await filing.kept() == (set(), 0)
