"""A shop that takes files: its routes over any engine, files that strangers send, and what is left where files are."""

from __future__ import annotations

import asyncio
import inspect
import io
import secrets
import struct
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any

import httpx
import obstore
import pytest
from msgspec.structs import replace
from PIL import Image
from sqlalchemy import Connection, func, select, update

from chat.directory import Door
from chat.model import Actor, Attachment, Conversation, Entry, author_of, encode
from chat.store import Head, Move, Written
from chat.store.tables import contacts, inboxes, uploads
from chat.uploads import FAMILIES, Uploads
from gateway import http
from gateway.api import uploads as api
from gateway.api.asker import Askers
from gateway.files.intake import Intake, IntakeLimits
from gateway.files.links import Links
from gateway.files.pictures import Pictures
from gateway.files.serving import Serving
from gateway.files.store import FileStore
from gateway.files.sweep import Sweep
from gateway.origins import Origins
from tests.shop import OWN, SECRET, Account, Shop, in_a_shop

ENGINES: dict[str, Callable[[Path], str]] = {
    "folder": lambda folder: f"file://{folder}/files",
    "memory": lambda folder: "memory:///",
}
LIMITS = IntakeLimits(
    bytes=1_000_000,
    types=tuple(family for family in FAMILIES if family not in ("archive", "other")),
    seconds=30,
    speed=8192,
    per_actor=4,
    per_address=16,
    at_once=64,
)
Body = bytes | AsyncIterator[bytes]


@dataclass
class Filing:
    """The shop's part that takes files."""

    shop: Shop
    files: FileStore
    limits: IntakeLimits = LIMITS
    uploads: Uploads = field(init=False)
    sweep: Sweep = field(init=False)
    links: Links = field(init=False)
    guard: Callable[..., None] = lambda request, actor: None
    app: Any = field(init=False)

    def __post_init__(self) -> None:
        shop = self.shop
        self.uploads = Uploads(shop.store, shop.clock)
        self.sweep = Sweep(self.uploads, self.files, shop.clock)
        self.links = Links(SECRET, shop.clock)
        askers = Askers(shop.sessions, shop.directory, Origins([OWN]))
        intake = Intake(self.uploads, self.files, Pictures(), self.limits, shop.metrics)
        serving = Serving(self.files, shop.metrics.download_bytes)
        self.app = http.application(
            api.routes(self.uploads, intake, serving, self.links, askers, self._look), shop.metrics
        )

    def _look(self, *who: Any) -> None:
        self.guard(*who)

    @property
    def client(self) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url=str(OWN))

    async def send(
        self, headers: dict[str, str], content: Body, name: str = "file", *, inbox: str | None = None, **query: str
    ) -> httpx.Response:
        """What is answered to a file, by default one for the shop's own inbox."""
        if "conversation" not in query:
            query["inbox"] = inbox or self.shop.mine.door.id
        return await self.client.post("/v1/uploads", params={"name": name, **query}, headers=headers, content=content)

    async def sent(self, headers: dict[str, str], content: Body, name: str = "file", **query: str) -> dict[str, Any]:
        """A file that is taken."""
        answer = await self.send(headers, content, name, **query)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def refused(self, headers: dict[str, str], content: Body, name: str = "file", **query: str) -> str:
        """The code of a refusal that left nothing."""
        before = await self.kept()
        answer = await self.send(headers, content, name, **query)
        assert answer.status_code >= 400, answer.text
        assert await self.kept() == before
        return str(answer.json()["code"])

    async def get(self, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        return await self.client.get(path, headers=headers or {})

    async def agent(self) -> dict[str, str]:
        """The headers of an agent's browser on our own page."""
        secret, _ = await self.shop.sessions.open_for_agent(self.shop.mine.agent)
        return {"cookie": f"shopbell={secret}", "origin": str(OWN)}

    def bot(self, account: Account | None = None) -> dict[str, str]:
        return {"authorization": f"Bearer {(account or self.shop.mine).bot_token}"}

    async def kept(self) -> tuple[set[str], int]:
        """The keys of all objects, half written ones among them, and how many rows there are."""
        keys = {each["path"] for each in await obstore.list(self.files._store).collect_async()}
        if self.files._folder is not None:
            there = (path for path in self.files._folder.rglob("*") if path.is_file())
            keys |= {str(path.relative_to(self.files._folder)) for path in there}
        statement = select(func.count()).select_from(uploads)
        return keys, await self.shop.store.inspect(lambda read: read.execute(statement).scalar_one())

    async def attach(
        self, contact: str, upload: dict[str, Any], *, is_note: bool = False
    ) -> tuple[Conversation, Entry]:
        """A conversation whose second entry has this file, written straight into the store."""
        made = await self.shop.conversation(self.shop.mine, contact)
        file = Attachment(**upload)
        id_ = f"01930000-0000-7000-8000-{secrets.token_hex(6)}"
        audience, kind = ("staff", "note") if is_note else ("everyone", "message")
        entry = Entry(id_, 3, 3, kind, author_of(contact), 1, "", audience=audience, attachments=(file,))  # type: ignore[arg-type]
        return await self.write(made, entry), entry

    async def write(self, before: Conversation, *entries: Entry, erases: bool = False) -> Conversation:
        """One more change of this conversation."""
        account = self.shop.mine.id
        transaction = await self.shop.store.begin([account])
        head = Head(transaction.heads[account].cursor + 1, self.shop.clock.now())
        after = replace(before, seq=before.seq + 1, cursor=head.cursor)
        written = [Written(entry, head.cursor) for entry in entries]
        move = Move(account, before, after, written, encode(after), erases=erases)
        await transaction.write([move], {account: head})
        await transaction.commit()
        return after

    async def inbox_says(self, door: Door, **says: Any) -> None:
        """An inbox' own limits."""
        await self.cold(update(inboxes).where(inboxes.c.id == door.id).values(settings={"uploads": says}))

    async def block(self, contact: Actor, until: int) -> None:
        await self.cold(update(contacts).where(contacts.c.id == contact.id).values(blocked_until=until))

    async def cold(self, statement: Any) -> None:
        def work(connection: Connection) -> None:
            connection.execute(statement)

        await self.shop.store.administer(work)


def in_a_filing_shop(test: Callable[..., Awaitable[None]]) -> Any:
    """Run a test once over each engine, with a Filing as its first argument."""
    own = list(inspect.signature(test).parameters)[1:]

    @wraps(test)
    async def play(shop: Shop, engine: str, **fixtures: Any) -> None:
        await test(Filing(shop, FileStore(ENGINES[engine](shop.folder))), **fixtures)

    names = ["shop", "engine", *own]
    parameters = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in names]
    play.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # in_a_shop and pytest read it
    return pytest.mark.parametrize("engine", ENGINES)(in_a_shop(play))


async def dripping(*chunks: bytes, fails: BaseException | None = None) -> AsyncIterator[bytes]:
    """A body in these chunks, and how it ends."""
    for chunk in chunks:
        yield chunk
        await asyncio.sleep(0)
    if fails is not None:
        raise fails


# --- files ------------------------------------------------------------------------------------------------------------


def a_picture(format: str = "PNG", size: tuple[int, int] = (600, 300), mode: str = "RGB", **more: Any) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, "teal" if mode == "RGB" else 0).save(out, format, **more)
    return out.getvalue()


def an_archive(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/").replace("_x_", "."), content)
    return out.getvalue()


def a_png_bomb(width: int = 60_000, height: int = 60_000) -> bytes:
    """A header that promises 3.6 thousand million pixels, and hardly any data."""
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\0" * 1_000_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


PDF = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer\n<< /Root 1 0 R >>\n%%EOF\n"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HTML = b"<!doctype html><html><body><script>alert(1)</script></body></html>"
GIF_SCRIPT = b"GIF89a/*\x00\x00\x00\x00\x00\x00" + b"\x00" * 64 + b"*/=1;alert(1);"
