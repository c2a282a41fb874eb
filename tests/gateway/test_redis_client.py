"""A client from a URL of every kind; one whose command is cancelled gives nobody else's answer to anybody."""

from __future__ import annotations

import asyncio
import os
import random
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.redis_client import new_client
from tests.servers import RedisServer, a_free_port, redis, redis_cluster, redis_sentinel

SEED = int(os.environ.get("SHOPBELL_SEED", "0")) or random.randrange(2**32)
SCRIPT = "redis.call('SET', KEYS[1], ARGV[1]) return redis.call('GET', KEYS[1])"
KINDS: dict[str, Callable[[], str]] = {
    "standalone": lambda: redis().url,
    "sentinel": lambda: redis_sentinel().url,
    "cluster": lambda: redis_cluster().url,
}


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest) -> str:
    return KINDS[request.param]()


async def test_whatever_it_is_it_answers(url: str) -> None:
    client = new_client(url)
    script = client.register_script(SCRIPT)

    for number in range(20):  # a Cluster has some of them on each primary
        key = f"test:{{{number}}}:client"
        await client.set(key, b"%d" % number)
        assert await client.get(key) == b"%d" % number
        assert await script(keys=[key], args=[b"by a script"]) == b"by a script"
    await client.aclose()


async def test_a_storm_of_cancellations_never_gives_an_answer_to_another_asker(url: str) -> None:
    """CVE-2023-28858 and -28859: a cancelled command's answer was read by whoever asked next."""
    seed = random.Random(SEED)
    client = new_client(url)
    script = client.register_script("return ARGV[1]")
    wrong: list[tuple[str, object]] = []
    answered = 0

    async def ask(word: str) -> None:
        nonlocal answered
        if seed.random() < 0.5:
            answer = await script(keys=[f"test:{{{word}}}"], args=[word])
        else:
            pipeline = client.pipeline(transaction=False)
            _ = pipeline.set(f"test:{{{word}}}:storm", word, px=1000)
            _ = pipeline.get(f"test:{{{word}}}:storm")
            answer = (await pipeline.execute())[1]
        answered += 1
        if answer != word.encode():
            wrong.append((word, answer))

    for turn in range(40):
        asking = [asyncio.create_task(ask(f"{turn}-{n}")) for n in range(12)]
        for _ in range(seed.randrange(40)):
            await asyncio.sleep(0)
        for task in asking:
            if seed.random() < 0.5:
                task.cancel()
        for end in await asyncio.gather(*asking, return_exceptions=True):
            assert end is None or isinstance(end, asyncio.CancelledError), end
    await ask("the last")
    await client.aclose()

    assert wrong == [], f"SHOPBELL_SEED={SEED}"
    assert answered > 60


async def test_a_redis_that_does_not_answer_is_waited_for_so_long_and_no_longer(tmp_path: Path) -> None:
    server = RedisServer(tmp_path, a_free_port())
    client = new_client(server.url, 0.1)
    await client.set("test", b"1")
    server.freeze()

    async with asyncio.timeout(1):
        with pytest.raises((RedisError, OSError)):
            await client.get("test")

    server.thaw()
    assert await client.get("test") == b"1"  # and no other answer
    await client.aclose()
    server.stop()


async def test_a_connection_ends_when_its_bytes_are_not_acknowledged() -> None:
    """What a blackhole does: keepalive says nothing while bytes of ours are on their way."""
    client = new_client(redis().url)
    assert isinstance(client, Redis)
    connection = await client.connection_pool.get_connection()  # type: ignore[no-untyped-call]
    writer = connection._writer
    assert writer is not None

    timeout = writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)

    assert timeout == 10_000
    await client.connection_pool.release(connection)
    await client.aclose()


async def test_more_commands_at_once_than_connections_fail_and_do_not_wait() -> None:
    client = new_client(redis().url)

    ends = await asyncio.gather(*(client.get("test") for _ in range(50)), return_exceptions=True)

    assert {type(end).__name__ for end in ends} <= {"NoneType", "bytes", "MaxConnectionsError"}
    assert await client.ping()
    await client.aclose()
