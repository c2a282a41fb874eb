"""Files and a real server: little memory for large ones, and nothing left of what was cut or killed."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from chat.store import Store
from chat.store.sqlite import SqliteStore
from chat.store.tables import uploads
from chat.uploads import Uploads
from gateway.files import serving as files
from gateway.files.store import FileStore
from gateway.files.sweep import Sweep
from gateway.requests import RequestProtocol
from tests.chaos.server import Prepared, Server, prepare
from tests.filing import a_picture, dripping
from tests.node import Node, on_a_node
from tests.peer import new_id
from tests.shop import MovableClock

LARGE = 64 * 1024 * 1024
CHUNK = b"text that repeats itself " * 2622  # 64 KiB
GROWTH_KIB = 8 * 1024


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(tmp_path_factory.mktemp("prepared"))


@asynccontextmanager
async def serving(prepared: Prepared, folder: Path) -> AsyncIterator[Server]:
    server = Server.copy(prepared, folder / "data", folder / "log")
    server.settings["SHOPBELL_UPLOAD_BYTES"] = str(2 * LARGE)
    with closing(server):
        await server.start()
        yield server
    assert server.complaints() == []


def a_client(server: Server) -> httpx.AsyncClient:
    headers = {"authorization": f"Bearer {server.bot_token}"}
    return httpx.AsyncClient(base_url=server.url, headers=headers, timeout=60)


async def an_inbox(client: httpx.AsyncClient) -> str:
    return str((await client.get("/v1/staff")).json()["inboxes"][0]["id"])


def memory(server: Server, name: str) -> int:
    """KiB, as the kernel says it."""
    assert server.process is not None
    lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def forget_peak(server: Server) -> None:
    assert server.process is not None
    Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")


def kept(server: Server) -> list[Path]:
    return [path for path in (server.data / "files").rglob("*") if path.is_file()]


async def rows(store: Store) -> int:
    return await store.inspect(lambda read: read.execute(select(func.count()).select_from(uploads)).scalar_one())


async def eventually(holds: Any) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110  # another process does it, and tells nobody
            await asyncio.sleep(0.01)


async def test_a_large_file_takes_no_memory(prepared: Prepared, tmp_path: Path) -> None:
    async with serving(prepared, tmp_path) as server, a_client(server) as client:
        path = f"/v1/uploads?inbox={await an_inbox(client)}"
        small = (await client.post(path, content=CHUNK)).json()  # what is loaded once
        await client.get(f"/v1/uploads/{small['id']}")
        forget_peak(server)
        before = memory(server, "VmRSS")

        sent = (await client.post(path, content=dripping(*[CHUNK] * (LARGE // len(CHUNK))))).json()
        received = 0
        async with client.stream("GET", f"/v1/uploads/{sent['id']}") as answer:
            async for chunk in answer.aiter_raw():
                received += len(chunk)

        assert received == sent["size"] > 0.99 * LARGE
        grown = memory(server, "VmHWM") - before
        assert grown < GROWTH_KIB  # about 1.5 MiB


async def half_a_file(server: Server, inbox: str, chunks: int = 40) -> asyncio.StreamWriter:
    """A connection on which half of a file was sent, and taken by the server."""
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    head = (
        f"POST /v1/uploads?inbox={inbox}&name=half HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {server.bot_token}\r\nContent-Length: {LARGE}\r\n\r\n"
    )
    writer.write(head.encode())
    for _ in range(chunks):
        writer.write(CHUNK)
        await writer.drain()
    await eventually(lambda: any("#" in path.name and path.stat().st_size for path in kept(server)))
    return writer


async def test_a_connection_that_is_cut_leaves_nothing(prepared: Prepared, tmp_path: Path) -> None:
    async with serving(prepared, tmp_path) as server, a_client(server) as client:
        writer = await half_a_file(server, await an_inbox(client))
        writer.transport.abort()

        await eventually(lambda: kept(server) == [])
        assert await server.stop() == 0

        store = SqliteStore.open(server.database)
        assert await rows(store) == 0
        await store.close()


async def test_what_a_kill_leaves_is_never_handed_out_and_swept(prepared: Prepared, tmp_path: Path) -> None:
    async with serving(prepared, tmp_path) as server, a_client(server) as client:
        inbox = await an_inbox(client)
        whole = (await client.post(f"/v1/uploads?inbox={inbox}", content=b"whole")).json()
        (object_,) = kept(server)
        writer = await half_a_file(server, inbox)
        await server.kill()
        writer.transport.abort()
        assert len(kept(server)) == 2

        await server.start()
        assert (await client.get(f"/v1/uploads/{whole['id']}")).content == b"whole"
        half = next(path.name.partition("#")[0] for path in kept(server) if path != object_)
        refused = await client.get(f"/v1/uploads/{half}")
        assert (refused.status_code, json.loads(refused.content)["code"]) == (404, "not_found")
        await server.stop()

        store, clock = SqliteStore.open(server.database), MovableClock()
        clock.move(80 * 365 * 24 * 3600)  # far from the machine's own time, by which all of it is dated
        sweep = Sweep(Uploads(store, clock), FileStore(f"file://{server.data}/files"), clock)
        clock.move(24 * 3600)
        await sweep.run()

        assert (kept(server), await rows(store)) == ([], 0)  # nothing had attached the whole one either
        await store.close()


async def a_visit(client: httpx.AsyncClient) -> tuple[str, str]:
    """A new shopper's session secret and socket token."""
    visit = (await client.post("/v1/session", json={"inbox": "mine"})).json()
    return visit["session"], visit["token"]


def bearing(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


@on_a_node()
async def test_a_shoppers_picture_reaches_the_agent_and_nobody_else_and_goes_when_withdrawn(node: Node) -> None:
    bot, picture = bearing(node.mine.bot_token), a_picture()
    async with httpx.AsyncClient(base_url=node.origin) as client:
        (own, token), (other, _) = [await a_visit(client) for _ in range(2)]
        contact, agent = await node.peer(), await node.agent()
        await contact.hello(token)
        sent = (
            await client.post(
                f"/v1/uploads?inbox={node.mine.door.id}&name=แมว.png", content=picture, headers=bearing(own)
            )
        ).json()
        path = f"/v1/uploads/{sent['id']}"
        assert (await client.get(path, headers=bot)).status_code == 404  # in no entry yet

        start = {"id": new_id(), "inbox": node.mine.door.id, "text": "Broken", "attachments": [sent["id"]]}
        answer = await contact.ask("conversation.start", **start)
        assert answer["type"] == "ok", answer
        await agent.ask("watch", conversations=[answer["conversation"]])
        seen = (await agent.next("snapshot"))["entries"][0]["attachments"]
        assert seen == [{**sent, "name": "แมว.png", "type": "image/png", "width": 600, "height": 300}]
        assert (await client.get(path, headers=bot)).content == picture
        assert (await client.get(f"{path}/thumbnail", headers=bearing(own))).status_code == 200
        link = (await client.post(f"{path}/link", headers=bearing(own))).json()["url"]
        assert (await client.get(link)).content == picture
        for who in (bearing(other), bearing(node.other.bot_token)):
            assert (await client.get(path, headers=who)).status_code == 404

        more = {"conversation": answer["conversation"], "text": "x", "attachments": [sent["id"]]}
        again = await contact.ask("message.send", id=new_id(), **more)
        assert (again["type"], again["code"]) == ("refused", "not_found")  # one entry has it already
        await contact.ask("message.withdraw", id=new_id(), conversation=answer["conversation"], entry=start["id"])
        for each, headers in ((path, bot), (path, bearing(own)), (f"{path}/thumbnail", bot), (link, {})):
            assert (await client.get(each, headers=headers)).status_code == 404, each


@on_a_node(upload_seconds="0.1", upload_bytes_per_second="1000000000")
async def test_who_sends_a_file_too_slowly_is_told_so(node: Node, tmp_path: Path) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
    head = (
        f"POST /v1/uploads?inbox={node.mine.door.id} HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n"
        f"Authorization: Bearer {node.mine.bot_token}\r\n\r\nfew bytes"
    )
    writer.write(head.encode())

    async with asyncio.timeout(5):
        assert b" 408 " in await reader.readline()
    assert [path for path in tmp_path.rglob("upl_*") if path.is_file()] == []
    writer.close()


@on_a_node()
async def test_who_takes_nothing_of_a_file_is_cut_off(
    node: Node, aborted: list[RequestProtocol], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "SEND_SECONDS", 0.1)
    headers = bearing(node.mine.bot_token)
    async with httpx.AsyncClient(base_url=node.origin, headers=headers) as client:
        sent = (await client.post(f"/v1/uploads?inbox={node.mine.door.id}", content=CHUNK * 200)).json()
    with socket.create_connection(("127.0.0.1", node.port)) as taking:
        taking.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        head = f"GET /v1/uploads/{sent['id']} HTTP/1.1\r\nHost: x\r\nAuthorization: {headers['authorization']}\r\n\r\n"
        taking.sendall(head.encode())
        await node.eventually(lambda: aborted)


@pytest.fixture
def aborted(monkeypatch: pytest.MonkeyPatch) -> list[RequestProtocol]:
    """Connections that the server ended because nobody took what it sent."""
    found: list[RequestProtocol] = []
    real = RequestProtocol.abort

    def abort(connection: RequestProtocol) -> None:
        found.append(connection)
        real(connection)

    monkeypatch.setattr(RequestProtocol, "abort", abort)
    return found
