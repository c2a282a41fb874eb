"""A backup comes back beneath nodes that run, or a standby takes over that lacks the last commits: all begin anew.

What was lost is lost; what must not be is somebody who goes on with it and takes it for what others see.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest

from chat.sessions import Session
from chat.store.migrate import migrate
from gateway import stream
from gateway.protocol import CloseCode
from tests.engines import PostgresEngine
from tests.node import Node, a_node, says
from tests.peer import Frame, Peer, new_id
from tests.servers import PostgresServer, a_free_port, postgres, redis

pytestmark = pytest.mark.chaos


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Heads are compared every 0.1 s rather than every 5."""
    monkeypatch.setattr(stream, "POLL_SECONDS", 0.1)
    monkeypatch.setattr(stream, "SWEEP_SECONDS", 0.1)


@asynccontextmanager
async def a_pair(folder: Path, store: str) -> AsyncIterator[tuple[Node, Node]]:
    chosen: dict[str, Any] = {"store": store, "bus": redis().url}
    async with a_node(folder / "first", **chosen) as first:
        (await first.peer()).leave()
        async with a_node(folder / "second", beside=first, **chosen) as second:
            (await second.peer()).leave()
            yield first, second


async def send(by: Peer, conversation: str, text: str) -> None:
    answer = await by.ask("message.send", id=new_id(), conversation=conversation, text=text)
    assert answer["type"] == "ok", answer


def texts(frames: list[Frame]) -> list[str]:
    return [entry["text"] for frame in frames for entry in frame.get("entries", ()) if entry["kind"] == "message"]


async def back(node: Node, session: Session, before: Peer, **resume: Any) -> list[Frame]:
    """What somebody hears who was told to come back."""
    peer = await node.peer()
    return await peer.hello(node.token(session), resume={"epoch": before.welcome["epoch"], **resume})


async def sent_away(*peers: Peer) -> list[int | None]:
    async with asyncio.timeout(10):
        return list(await asyncio.gather(*(peer.closed() for peer in peers)))


async def test_a_dump_that_is_put_back_beneath_two_nodes(tmp_path: Path) -> None:
    engine = PostgresEngine(tmp_path)
    async with a_pair(tmp_path, engine.url) as (first, second):
        session = await first.contact_session()
        contact, agent = await first.contact(session), await second.agent()
        conversation = await first.started(contact, "Where is my parcel?")
        await asyncio.to_thread(postgres().dump, engine.name, tmp_path / "dump")
        await send(contact, conversation, "this will be lost")

        await asyncio.to_thread(postgres().restore, engine.name, tmp_path / "dump")

        assert await sent_away(contact, agent) == [CloseCode.RESTORED] * 2
        heard = await back(second, session, contact, conversations={conversation: 2})
        assert says(heard) == ["welcome", "reset", "snapshot", "synced"]
        assert texts(heard) == ["Where is my parcel?"]
        assert (await first.contact(session)).welcome["epoch"] == heard[0]["epoch"] != contact.welcome["epoch"]
        await first.started(await first.contact())  # it goes on


async def test_shopbell_restore_while_nodes_run(tmp_path: Path) -> None:
    engine = PostgresEngine(tmp_path)
    async with a_pair(tmp_path, engine.url) as (first, second):
        contact, bot = await first.contact(), await second.bot()

        said = await asyncio.to_thread(shopbell, tmp_path, engine.url, "restore")

        assert said.startswith("The PostgreSQL database has a new epoch")
        assert await sent_away(contact, bot) == [CloseCode.RESTORED] * 2


def shopbell(folder: Path, store: str, *arguments: str) -> str:
    """What the command says, run beside everything."""
    command = [sys.executable, "-m", "gateway", *arguments]
    done = subprocess.run(
        command,
        env=os.environ | {"SHOPBELL_STORE": store, "SHOPBELL_DATA": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


Servers = Callable[..., PostgresServer]


@pytest.fixture
def servers() -> Iterator[Servers]:
    """Makes servers of our own, which end with the test."""
    made: list[PostgresServer] = []

    def make(port: int, **more: Any) -> PostgresServer:
        made.append(PostgresServer(Path(mkdtemp(prefix="shopbell-pg-", dir="/tmp")), port, **more))
        return made[-1]

    yield make
    for server in made:
        server.stop()


async def test_a_standby_that_lacks_the_last_commits_takes_over(servers: Servers, tmp_path: Path) -> None:
    """Others have written there since: no head is too low."""
    primary = servers(a_free_port())
    primary.sql("CREATE DATABASE shop")
    await asyncio.to_thread(migrate, primary.url("shop"))
    async with a_pair(tmp_path, primary.url("shop")) as (first, second):
        session = await first.contact_session()
        contact, agent = await first.contact(session), await second.agent()
        conversation = await first.started(contact, "Where is my parcel?")
        standby = await asyncio.to_thread(servers, primary.port, copy_of=primary)
        await send(contact, conversation, "this will be lost")

        await asyncio.to_thread(primary.kill)
        await asyncio.to_thread(standby.start)
        await asyncio.to_thread(standby.sql, "SELECT pg_promote()")
        await asyncio.to_thread(standby.sql, "UPDATE ledgers SET cursor = cursor + 10", "shop")

        assert await sent_away(contact, agent) == [CloseCode.RESTORED] * 2
        heard = await back(second, session, contact, conversations={conversation: 2})
        assert says(heard) == ["welcome", "reset", "snapshot", "synced"]
        assert texts(heard) == ["Where is my parcel?"]
        await send(await first.contact(session), conversation, "this is new")
