"""What Redis adds to presence's promises: its own clock, few and small keys, and faults that are told."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import uvloop

from gateway.redis_client import new_client
from presence import About, Away, Times
from presence import redis as module
from presence.redis import RedisPresence
from tests.proxy import tcp_proxy
from tests.servers import RedisServer, a_free_port
from tests.servers import redis as the_runs_redis

SHOP = "acc_shop"
KEY = f"shopbell:{{{SHOP}}}:presence"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """One that a test may hurt."""
    server = RedisServer(tmp_path, a_free_port())
    yield server
    server.stop()


@asynccontextmanager
async def a_presence(server: RedisServer, prefix: str = "shopbell") -> AsyncIterator[RedisPresence]:
    client = new_client(server.url)
    yield RedisPresence(client, "node_1", prefix)
    await client.aclose()


async def test_leases_end_by_the_clock_of_redis_whatever_a_node_believes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A node that is ten minutes ahead says nothing of it."""
    monkeypatch.setattr(time, "time", lambda: 0.0)
    async with a_presence(the_runs_redis(), "clock") as presence:
        await presence.touch(SHOP, ["agt_noa"], {"agt_dara": 15.0})
        seconds, _ = the_runs_redis().ask("TIME").splitlines()

        def left(member: str) -> float:
            return float(the_runs_redis().ask("ZSCORE", f"clock:{{{SHOP}}}:presence", member)) / 1000 - int(seconds)

        assert 28 < left("agt_noa/node_1") <= 31
        assert 13 < left("agt_dara/") <= 16


async def test_all_of_an_account_is_in_one_key_that_ends_when_nobody_touches_it(server: RedisServer) -> None:
    """A Cluster has it in one place, and no part of it can be lost without the rest."""
    async with a_presence(server) as presence:
        await presence.touch(SHOP, ["agt_noa"])
        await presence.touch(SHOP, [], {"agt_noa": 15.0})
        await presence.beat(About())

        assert set(server.ask("KEYS", "*").splitlines()) == {
            KEY,
            "shopbell:{nodes}:presence",
            "shopbell:{nodes}:about",
        }
        assert 0 < int(server.ask("PTTL", KEY)) <= 3000 * Times().lease
        assert 0 < int(server.ask("PTTL", "shopbell:{nodes}:presence")) <= 600_000


async def test_no_command_looks_through_all_keys(server: RedisServer) -> None:
    async with a_presence(server) as presence:
        server.ask("CONFIG", "RESETSTAT")
        for _ in range(3):
            await presence.touch(SHOP, ["agt_noa"])
            await presence.beat(About())

        used = {line.split(":")[0].removeprefix("cmdstat_") for line in server.ask("INFO", "commandstats").split()}
    assert used & {"keys", "scan", "hgetall", "zscan", "smembers"} == set()


async def test_a_restart_of_redis_is_another_epoch_and_its_scripts_are_sent_again(server: RedisServer) -> None:
    async with a_presence(server) as presence:
        before = await presence.touch(SHOP, ["agt_noa"])
        await presence.beat(About())

        await asyncio.to_thread(server.kill)
        with pytest.raises(Away):
            await presence.touch(SHOP, ["agt_noa"])
        with pytest.raises(Away):
            await presence.beat(About())
        await asyncio.to_thread(server.start)

        after = await presence.touch(SHOP, ["agt_dara"], known=before.version)
        nodes = await presence.beat(About())

    assert after.epoch != before.epoch
    assert after.leases is not None
    assert {lease.actor for lease in after.leases} == {"agt_dara"}
    assert nodes.age < 1


async def test_a_redis_that_does_not_answer_is_away_within_a_second(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "COMMAND_SECONDS", 0.2)
    async with a_presence(server) as presence:
        await presence.touch(SHOP, ["agt_noa"])
        await asyncio.to_thread(server.ask, "CLIENT", "PAUSE", "600", "ALL")

        began = time.monotonic()
        with pytest.raises(Away):
            await presence.touch(SHOP, ["agt_noa"])
        assert time.monotonic() - began < 0.5
        await presence.close()  # doesn't matter
        await asyncio.sleep(0.4)

        table = await presence.touch(SHOP, ["agt_dara"])

    assert table.leases is not None
    assert {lease.actor for lease in table.leases} == {"agt_noa", "agt_dara"}


@pytest.mark.parametrize(
    "hurt", [("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "requirepass", "x"), ("SET", KEY, "x")]
)
async def test_whatever_redis_refuses_is_no_bug_of_ours(server: RedisServer, hurt: tuple[str, ...]) -> None:
    """Full, behind another password, or with something else under our name."""
    async with a_presence(server) as presence:
        server.ask(*hurt)
        await asyncio.to_thread(server.ask, "CLIENT", "KILL", "TYPE", "normal")

        with pytest.raises(Away):
            await presence.touch(SHOP, ["agt_noa"])


def test_connections_that_are_reset_at_any_moment_are_only_a_redis_that_is_away(server: RedisServer) -> None:
    """On the loop that nodes run on, which has an error of its own for writing to what was just reset."""
    ended = threading.Event()
    port = a_free_port()

    async def cut() -> None:
        async with tcp_proxy(server.port, at=port) as proxy:
            while not ended.is_set():
                proxy.reset()
                await asyncio.sleep(0.002)

    async def play() -> None:
        client = new_client(f"redis://127.0.0.1:{port}")
        presence = RedisPresence(client, "node_1")

        async def ask() -> None:
            for _ in range(150):
                with suppress(Away):
                    await presence.touch(SHOP, ["agt_noa"])
                with suppress(Away):
                    await presence.beat(About())

        await asyncio.gather(*(ask() for _ in range(4)))
        await client.aclose()

    cutter = threading.Thread(target=lambda: asyncio.run(cut()))
    cutter.start()
    try:
        uvloop.run(play())
    finally:
        ended.set()
        cutter.join()


async def test_what_a_newer_node_says_of_itself_is_no_harm(server: RedisServer) -> None:
    async with a_presence(server) as presence:
        await presence.beat(About())
        server.ask("HSET", "shopbell:{nodes}:about", "node_1", '{"version": 7, "shape": "round"}')
        server.ask("ZADD", "shopbell:{nodes}:presence", "99999999999999", "node_2")

        nodes = await RedisPresence(presence._redis, "node_3").beat(About())

    assert nodes.alive == {"node_1": About(), "node_2": About(), "node_3": About()}
