"""Two nodes on every kind of Redis, and one of them cut off from it: whoever is where, it is one chat."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.bus.redis import RedisBus
from tests.engines import PostgresEngine
from tests.node import Node, a_node
from tests.peer import Frame, Peer, new_id
from tests.proxy import TcpProxy, tcp_proxy
from tests.servers import RedisCluster, RedisServer, a_free_port, redis_cluster, redis_sentinel

pytestmark = pytest.mark.chaos

RUNG_SECONDS = 1.0  # at most, by the bus: a tenth of it as a rule
POLLED_SECONDS = 2.0  # at most, without it
HEALED_SECONDS = 5.0  # at most, after Redis is back
KINDS: dict[str, Callable[[], str]] = {"sentinel": lambda: redis_sentinel().url, "cluster": lambda: redis_cluster().url}


@asynccontextmanager
async def two_nodes(folder: Path, *urls: str) -> AsyncIterator[tuple[Node, Node]]:
    """Healthy ones. Of two addresses of Redis the second has the second."""
    store = PostgresEngine(folder).url
    async with a_node(folder / "first", store=store, bus=urls[0]) as first:
        (await first.peer()).leave()  # it serves before the next one starts: each has the signals until it ends
        async with a_node(folder / "second", beside=first, store=store, bus=urls[-1]) as second:
            for node in (first, second):
                await node.eventually(lambda: node.shopbell._bus.is_healthy and _knows_others(node))  # noqa: B023
            yield first, second


def _knows_others(node: Node) -> bool:
    """Whether it has heard a heartbeat of another node from everywhere."""
    bus = node.shopbell._bus
    assert isinstance(bus, RedisBus)
    return all(line.pulse.others for line in bus._lines.values())


class Talk:
    """A contact on one node and a bot on the other, in one conversation."""

    def __init__(self, contact: Peer, bot: Peer, conversation: str) -> None:
        self._contact, self._bot = contact, bot
        self._conversation = conversation
        self._numbers = iter(range(1_000_000))

    @classmethod
    async def begin(cls, first: Node, second: Node) -> Talk:
        contact, bot = await first.contact(), await second.bot()
        conversation = await first.started(contact)
        await bot.begin("watch", conversations=[conversation])
        await bot.next("snapshot")
        return cls(contact, bot, conversation)

    async def crosses(self, within: float) -> None:
        """Each writes something, and the other hears it."""
        for speaker, listener in ((self._contact, self._bot), (self._bot, self._contact)):
            text = f"message {next(self._numbers)}"
            await speaker.begin("message.send", id=new_id(), conversation=self._conversation, text=text)
            async with asyncio.timeout(within):
                await listener.until(lambda frame: text in _texts(frame))  # noqa: B023


def _texts(frame: Frame) -> list[str]:
    return [entry["text"] for entry in frame.get("entries", ()) if "text" in entry]


async def _ready(node: Node) -> Any:
    async with httpx.AsyncClient(base_url=node.origin) as client:
        answer = await client.get("/readyz")
    assert answer.status_code == 200
    return answer.json()


@pytest.mark.parametrize("kind", KINDS)
async def test_two_nodes_are_one_chat(kind: str, tmp_path: Path) -> None:
    async with two_nodes(tmp_path, await asyncio.to_thread(KINDS[kind])) as (first, second):
        talk = await Talk.begin(first, second)
        await talk.crosses(RUNG_SECONDS)

        noa = await first.agent()
        dara = await second.agent(await second.second_agent())
        both = {noa.welcome["me"]["id"], dara.welcome["me"]["id"]}
        async with asyncio.timeout(5):
            await noa.until(lambda frame: frame["type"] == "presence" and both <= set(frame["present"]))


async def test_the_slot_of_an_account_may_move_while_people_talk(tmp_path: Path) -> None:
    cluster: RedisCluster = await asyncio.to_thread(redis_cluster)
    async with two_nodes(tmp_path, cluster.url) as (first, second):
        talk = await Talk.begin(first, second)
        channel = f"shopbell:{{{first.mine.id}}}:ledger"
        owner = await asyncio.to_thread(cluster.owner, channel)
        to = next(server for server in cluster.servers if server is not owner)

        async def move() -> None:
            key = f"shopbell:{{{first.mine.id}}}:presence"
            await asyncio.to_thread(cluster.move, cluster.slot(channel), to, keys=(key,))

        moving = asyncio.create_task(move())
        while not moving.done():
            await talk.crosses(RUNG_SECONDS)
        await moving

        for _ in range(3):
            await talk.crosses(RUNG_SECONDS)
        assert await asyncio.to_thread(cluster.owner, channel) is to


@pytest.fixture
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One that a test may hurt."""
    server = RedisServer(tmp_path_factory.mktemp("redis"), a_free_port())
    yield server
    server.stop()


@pytest.mark.parametrize("direction", ["up", "down"])
async def test_a_node_that_alone_is_cut_off_is_missed_by_the_other_one(
    direction: Any, tmp_path: Path, redis: RedisServer
) -> None:
    async with (
        tcp_proxy(redis.port) as proxy,
        two_nodes(tmp_path, f"redis://127.0.0.1:{proxy.port}/0", redis.url) as (first, second),
    ):
        talk = await Talk.begin(first, second)
        await talk.crosses(RUNG_SECONDS)

        proxy.blackhole(direction)
        for _ in range(2):
            await talk.crosses(POLLED_SECONDS)
        assert await _ready(first) == {"status": "ok", "bus": "away"}
        assert await _ready(second) == {"status": "ok"}
        assert second.shopbell._bus.is_healthy == (direction == "down")  # up: its heartbeats are missed

        await _heal(proxy, first, second)
        await talk.crosses(RUNG_SECONDS)
        assert await _ready(first) == await _ready(second) == {"status": "ok"}


async def _heal(proxy: TcpProxy, *nodes: Node) -> None:
    proxy.heal()
    async with asyncio.timeout(HEALED_SECONDS):
        for node in nodes:
            await node.eventually(lambda: node.shopbell._bus.is_healthy)  # noqa: B023
