"""What Redis adds to presence's promises: while it is away nobody seems to have left, and it is told all again."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import pytest
import uvloop

from gateway.redis_client import new_client
from presence import redis as module
from tests.engines import OwnRedisPresence
from tests.proxy import tcp_proxy
from tests.servers import RedisServer, a_free_port

SHOP = "acc_shop"


async def test_while_redis_is_away_a_node_goes_on_with_what_it_knew(tmp_path: Path) -> None:
    server = RedisServer(tmp_path, a_free_port())
    first, second = (
        OwnRedisPresence(new_client(server.url), "node_1"),
        OwnRedisPresence(new_client(server.url), "node_2"),
    )
    await first.touch(SHOP, ["agt_noa"])
    await second.touch(SHOP, ["agt_somchai"])
    assert await first.present(SHOP) == {"agt_noa", "agt_somchai"}

    server.kill()
    await first.touch(SHOP, ["bot_echo"])
    assert await first.present(SHOP) == {"agt_noa", "agt_somchai", "bot_echo"}

    server.start()  # empty
    await first.touch(SHOP, ["agt_noa", "bot_echo"])
    await second.touch(SHOP, ["agt_somchai"])
    assert await second.present(SHOP) == {"agt_noa", "agt_somchai", "bot_echo"}
    await first.close()
    assert await second.present(SHOP) == {"agt_somchai"}
    await second.close()
    server.stop()


async def test_a_redis_that_does_not_answer_is_waited_for_once_and_not_by_every_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "COMMAND_SECONDS", 0.2)
    server = RedisServer(tmp_path, a_free_port())
    presence = OwnRedisPresence(new_client(server.url), "node_1")
    await presence.touch(SHOP, ["agt_noa"])
    server.ask("CLIENT", "PAUSE", "5000", "ALL")

    began = time.monotonic()
    for n in range(20):
        await presence.touch(f"acc_{n}", ["agt_noa"])
        assert await presence.present(f"acc_{n}") == {"agt_noa"}
    await presence.close()

    assert time.monotonic() - began < 1
    server.stop()


async def test_an_account_that_nobody_touches_leaves_no_key_behind(tmp_path: Path) -> None:
    server = RedisServer(tmp_path, a_free_port())
    presence = OwnRedisPresence(new_client(server.url), "node_1")

    await presence.touch(SHOP, ["agt_noa"])

    left_ms = int(server.ask("PTTL", f"shopbell:{{{SHOP}}}:presence"))
    assert 0 < left_ms <= 90_000
    await presence.close()
    server.stop()


def test_connections_that_are_reset_at_any_moment_are_only_a_redis_that_is_away(tmp_path: Path) -> None:
    """On the loop that nodes run on, which has an error of its own for writing to what was just reset."""
    server = RedisServer(tmp_path, a_free_port())
    ended = threading.Event()
    port = a_free_port()

    async def cut() -> None:
        async with tcp_proxy(server.port, at=port) as proxy:
            while not ended.is_set():
                proxy.reset()
                await asyncio.sleep(0.002)

    async def play() -> None:
        client = new_client(f"redis://127.0.0.1:{port}")
        presence = OwnRedisPresence(client, "node_1")

        async def ask() -> None:
            for _ in range(150):
                await presence.touch(SHOP, ["agt_noa"])
                await presence.present(SHOP)

        await asyncio.gather(*(ask() for _ in range(4)))
        await presence.close()

    cutter = threading.Thread(target=lambda: asyncio.run(cut()))
    cutter.start()
    try:
        uvloop.run(play())
    finally:
        ended.set()
        cutter.join()
        server.stop()
