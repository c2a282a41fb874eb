"""Who is here, told by two real nodes on one PostgreSQL and one Redis. Times are a tenth of the usual ones."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import app
from presence import Times
from tests.node import Node
from tests.pair import two_healthy_nodes
from tests.peer import Frame, Peer
from tests.servers import RedisServer, a_free_port

pytestmark = pytest.mark.chaos

TIMES = Times(lease=3.0, refresh=1.0, jitter=0.1, grace=0.8, drain_grace=4.5, beat=0.2, node_lease=1.8, hold=1.5)
SOON = 2.0  # seconds: that isn't shortened
CROWD = 50


@pytest.fixture(autouse=True)
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "PRESENCE", TIMES)


@pytest.fixture
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One that a test may kill."""
    server = RedisServer(tmp_path_factory.mktemp("redis"), a_free_port())
    yield server
    server.stop()


async def hears(peer: Peer, who: set[str], within: float = SOON) -> None:
    """The next word about who is here that says just this."""
    async with asyncio.timeout(within):
        await peer.until(lambda frame: frame["type"] == "presence" and set(frame["present"]) == who)


async def told(peer: Peer) -> list[set[str]]:
    """What it was told of who is here since it was last looked."""
    return [set(frame["present"]) for frame in await peer.settle() if frame["type"] == "presence"]


def me(peer: Peer) -> str:
    welcome: Frame = peer.welcome
    return str(welcome["me"]["id"])


async def test_colleagues_hear_of_each_other_and_only_who_signs_out_has_left(tmp_path: Path) -> None:
    async with two_healthy_nodes(tmp_path, drain_wait_seconds="0.5") as (first, second):
        colleague = await second.second_agent()
        noa, dara = await first.agent(), await second.agent(colleague)
        both = {me(noa), me(dara)}
        await hears(noa, both)

        for node in (second, first, second):  # a page loads anew, a balancer sends it elsewhere
            dara.vanish()
            await asyncio.sleep(TIMES.grace / 4)
            dara = await node.agent(colleague)
        await asyncio.sleep(TIMES.grace)
        stopping = asyncio.create_task(second.stop())  # a deploy
        await dara.until(lambda frame: frame["type"] == "reconnect")
        dara.vanish()
        await stopping
        await asyncio.sleep(TIMES.node_lease + TIMES.grace)
        dara = await first.agent(colleague)
        assert await told(noa) == []

        first.shopbell._revocations.close(first.mine.id, actor=me(dara))  # signs out, and its browser is slow to know
        await hears(noa, {me(noa)}, within=SOON / 2)


async def test_fifty_agents_do_not_flap_when_redis_begins_anew_or_is_away(tmp_path: Path, redis: RedisServer) -> None:
    async with two_healthy_nodes(tmp_path, redis, drain_wait_seconds="0.5") as (first, second):
        people = await crowd(first, second)
        everybody = {me(peer) for peer in people}
        assert len(everybody) == CROWD
        await asyncio.gather(*(settled(peer, everybody) for peer in people))

        await asyncio.to_thread(redis.ask, "FLUSHALL")
        await asyncio.sleep(TIMES.hold)
        await asyncio.to_thread(redis.kill)
        await asyncio.sleep(TIMES.beat)
        began = time.monotonic()
        newcomer = await first.agent(
            await first.directory.add_agent(
                first.mine.id, email="late@mine.example", name="Late", role="agent", password="none"
            )
        )  # nobody waits for Redis
        assert time.monotonic() - began < SOON
        await asyncio.to_thread(redis.start)
        everybody.add(me(newcomer))
        await asyncio.gather(*(hears(peer, everybody, within=5) for peer in people if me(peer) != me(newcomer)))
        await asyncio.sleep(TIMES.hold)

        assert [words for peer in people for words in await told(peer) if len(words) < CROWD] == []


async def settled(peer: Peer, everybody: set[str]) -> None:
    """Wait until the last word is that all are here."""
    async with asyncio.timeout(10):
        while not (words := await told(peer)) or words[-1] != everybody:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def crowd(first: Node, second: Node) -> list[Peer]:
    agents = [
        await first.directory.add_agent(
            first.mine.id, email=f"{n}@mine.example", name=f"Agent {n}", role="agent", password="none"
        )
        for n in range(CROWD)
    ]
    return [await (first if n % 2 else second).agent(agent) for n, agent in enumerate(agents)]
