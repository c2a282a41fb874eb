"""The bus on a real Cluster of three primaries: slots that move, primaries that die, and who gets to see what."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator

import pytest

from gateway.bus import places
from gateway.bus.line import Line
from gateway.bus.redis import RedisBus
from tests.ears import HEALED_SECONDS, Ear, assert_they_talk, eventually, long, make_quick, running, two_ears
from tests.servers import RedisCluster, RedisServer, redis_cluster

CHANNEL = "test:{acc_1}:ledger"


class Ledger:
    """What nodes write to the store before they publish it."""

    def __init__(self) -> None:
        self.head = 0

    def write(self) -> bytes:
        self.head += 1
        return b"%d" % self.head


class Stream:
    """A listener that heals as nodes do: what it misses it reads from the store, at a hole or when told to look, and
    never by itself. `late` is what it knew last, and since when more was there."""

    def __init__(self, bus: RedisBus, ledger: Ledger) -> None:
        self.cursor = 0
        self.rung = self.read = 0
        self._ledger = ledger
        bus.listen(self._hear, self._look)

    def _hear(self, channel: str, payload: bytes) -> None:
        at = int(payload)
        if at == self.cursor + 1:
            self.cursor = at
            self.rung += 1
        elif at > self.cursor:
            self._look()

    def _look(self) -> None:
        self.read += self._ledger.head - self.cursor
        self.cursor = self._ledger.head


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    make_quick(monkeypatch)


@pytest.fixture
def cluster() -> Iterator[RedisCluster]:
    """The run's, which is well afterwards."""
    cluster = redis_cluster()
    yield cluster
    for server in cluster.servers:
        if not server.is_running:
            server.start()
    cluster.settle()


def somewhere_else(cluster: RedisCluster) -> RedisServer:
    return next(server for server in cluster.servers if server is not cluster.owner(CHANNEL))


async def test_a_slot_that_moves_under_load_loses_nothing(cluster: RedisCluster) -> None:
    """redis-py #4044, node-redis #3311: sharded channels went silent when their slot moved."""
    async with two_ears(cluster.url) as (speaker, listener):
        ledger = Ledger()
        stream = Stream(listener.bus, ledger)
        is_over = False

        async def write() -> float:
            latest = 0.0
            while not is_over:
                speaker.bus.publish("acc_1", ledger.write())
                written, began = ledger.head, time.monotonic()
                await asyncio.sleep(0.005)
                if stream.cursor < written:
                    await eventually(lambda: stream.cursor >= written)  # noqa: B023
                latest = max(latest, time.monotonic() - began)
            return latest

        writing = asyncio.create_task(write())
        slot = await asyncio.to_thread(cluster.slot, CHANNEL)
        for _ in range(4):
            to = await asyncio.to_thread(somewhere_else, cluster)
            await asyncio.to_thread(cluster.move, slot, to)
            await asyncio.sleep(0.3)
        is_over = True

        assert await writing < 2
        await eventually(lambda: speaker.bus.is_healthy and listener.bus.is_healthy)
        assert stream.cursor == ledger.head
        assert stream.rung > stream.read
        speaker.bus.publish("acc_1", ledger.write())
        await eventually(lambda: stream.rung + stream.read == ledger.head)


async def test_a_slot_that_moves_without_a_word_is_noticed(
    cluster: RedisCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """redis #12558: not every way of losing a slot tells the subscribers."""
    monkeypatch.setattr(Line, "_take_away", lambda line, name: None)
    monkeypatch.setattr(places, "CLUSTER_SECONDS", 0.2)
    async with two_ears(cluster.url) as (speaker, listener):
        slot = await asyncio.to_thread(cluster.slot, CHANNEL)
        gaps = listener.gaps

        await asyncio.to_thread(cluster.move, slot, await asyncio.to_thread(somewhere_else, cluster))

        await eventually(lambda: listener.gaps > gaps)
        await assert_they_talk(speaker, listener, b"after")


async def test_many_slots_that_move_do_not_end_a_connection(cluster: RedisCluster) -> None:
    accounts = [f"acc_{n}" for n in range(1, 13)]
    async with two_ears(cluster.url) as (speaker, listener):
        for account in accounts:
            await listener.bus.subscribe(account)
        before = {server: line._connection for server, line in listener.bus._lines.items()}
        for account in accounts:
            channel = f"test:{{{account}}}:ledger"
            slot = await asyncio.to_thread(cluster.slot, channel)
            owner = await asyncio.to_thread(cluster.owner, channel)
            to = next(server for server in cluster.servers if server is not owner)
            await asyncio.to_thread(cluster.move, slot, to)
            speaker.bus.publish(account, b"moved?")

        async def ring(account: str) -> None:
            word = account.encode()
            speaker.bus.publish(account, word)
            async with asyncio.timeout(HEALED_SECONDS):
                while word not in listener.heard:
                    await asyncio.sleep(0.1)
                    speaker.bus.publish(account, word)

        await asyncio.gather(*map(ring, accounts))
        assert {server: line._connection for server, line in listener.bus._lines.items()} == before


async def test_a_primary_that_dies_takes_only_its_accounts_and_brings_them_back(cluster: RedisCluster) -> None:
    accounts = [f"acc_{n}" for n in range(1, 30)]
    async with two_ears(cluster.url) as (speaker, listener):
        for account in accounts:
            await listener.bus.subscribe(account)
        victim = await asyncio.to_thread(cluster.owner, CHANNEL)
        gaps = listener.gaps
        await asyncio.to_thread(victim.kill)
        await eventually(lambda: not listener.bus.is_healthy and not speaker.bus.is_healthy)
        await eventually(lambda: listener.gaps > gaps)
        for account in accounts:
            speaker.bus.publish(account, account.encode())
        spared = [account for account in accounts if await asyncio.to_thread(_owner, cluster, account) is not victim]
        assert 5 < len(spared) < 25
        await eventually(lambda: sorted(listener.heard) == sorted(account.encode() for account in spared))

        gaps = listener.gaps
        await asyncio.to_thread(victim.start)
        back_at = time.monotonic()
        await eventually(lambda: listener.bus.is_healthy and speaker.bus.is_healthy)
        assert time.monotonic() - back_at < HEALED_SECONDS
        assert listener.gaps > gaps

        await assert_they_talk(speaker, listener, b"after")


@long
async def test_a_replica_that_takes_over_is_found(tmp_path_factory: pytest.TempPathFactory) -> None:
    cluster = await asyncio.to_thread(RedisCluster, tmp_path_factory.mktemp("cluster"))
    try:
        victim = await asyncio.to_thread(cluster.owner, CHANNEL)
        replica = await asyncio.to_thread(cluster.add_replica, victim)
        async with two_ears(cluster.url) as (speaker, listener):
            await assert_they_talk(speaker, listener, b"before")
            gaps = listener.gaps
            await asyncio.to_thread(victim.kill)

            await eventually(lambda: not listener.bus.is_healthy and not speaker.bus.is_healthy)
            await eventually(lambda: listener.bus.is_healthy and speaker.bus.is_healthy, 15)
            assert listener.gaps > gaps

            await assert_they_talk(speaker, listener, b"after")
            assert replica.port in {server.port for server in listener.bus._lines}
    finally:
        await asyncio.to_thread(cluster.stop)


async def test_what_is_published_stays_with_the_shard_that_has_it(cluster: RedisCluster) -> None:
    """redis #2672: without shards every payload goes to every node of the Cluster."""
    payload = bytes(1000)
    async with two_ears(cluster.url) as (speaker, listener):
        owner = await asyncio.to_thread(cluster.owner, CHANNEL)
        before = {server: await asyncio.to_thread(_traffic, server) for server in cluster.servers}
        for _ in range(200):
            speaker.bus.publish("acc_1", payload)
            await asyncio.sleep(0)
        await eventually(lambda: len(listener.heard) == 200)
        after = {server: await asyncio.to_thread(_traffic, server) for server in cluster.servers}

        for server in cluster.servers:
            sent = after[server] - before[server]
            assert (sent >= 200 * len(payload)) == (server is owner), (server.port, sent)
            subscribers = await asyncio.to_thread(server.ask, "PUBSUB", "SHARDNUMSUB", CHANNEL)
            assert subscribers.split()[1] == ("1" if server is owner else "0")
            between = await asyncio.to_thread(server.ask, "CLUSTER", "INFO")
            assert not re.search(r"messages_publish_(sent|received)", between)


async def test_a_thousand_accounts_are_subscribed_again_at_once(cluster: RedisCluster) -> None:
    """redis-py #4038, node-redis #3098: channels of several slots in one command are refused."""
    speaker, listener = Ear(cluster.url), Ear(cluster.url)
    accounts = [f"acc_{n}" for n in range(1000)]
    async with running(speaker, listener):
        for account in accounts:
            await listener.bus.subscribe(account)
        await eventually(lambda: speaker.bus.is_healthy and listener.bus.is_healthy)
        for server in cluster.servers:
            await asyncio.to_thread(server.ask, "CLIENT", "KILL", "TYPE", "pubsub")
        await eventually(lambda: not listener.bus.is_healthy)

        began = time.monotonic()
        await eventually(lambda: speaker.bus.is_healthy and listener.bus.is_healthy)
        assert time.monotonic() - began < 2
        for account in accounts:
            speaker.bus.publish(account, account.encode())

        await eventually(lambda: len(listener.heard) == 1000)


def _owner(cluster: RedisCluster, account: str) -> RedisServer:
    return cluster.owner(f"test:{{{account}}}:ledger")


def _traffic(server: RedisServer) -> int:
    """Bytes that it has sent to clients and to other nodes of the Cluster's replication."""
    found = re.search(r"total_net_output_bytes:(\d+)", server.ask("INFO", "stats"))
    assert found
    return int(found[1])
