"""What the Redis bus adds to a bus's promises: every loss is known, and it comes back by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis

from gateway.bus import redis as module
from gateway.bus.redis import RedisBus
from tests.servers import RedisServer, a_free_port

HEALED_SECONDS = 5.0  # after Redis is back


class Ear:
    """A bus that runs, and what was heard on it."""

    def __init__(self, url: str) -> None:
        self.bus = RedisBus(url, "test")
        self.heard: list[bytes] = []
        self.gaps = 0
        self.bus.listen(lambda _, payload: self.heard.append(payload), self._gap)

    def _gap(self) -> None:
        self.gaps += 1


async def eventually(holds: Callable[[], object], seconds: float = HEALED_SECONDS) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110  # a bus has no event for a test's wishes
            await asyncio.sleep(0.005)


@asynccontextmanager
async def two_ears(*urls: str) -> AsyncIterator[tuple[Ear, Ear]]:
    """A speaker and a listener to acc_1. Of two addresses the listener has the second."""
    speaker, listener = Ear(urls[0]), Ear(urls[-1])
    tasks = [asyncio.create_task(ear.bus.run()) for ear in (speaker, listener)]
    await eventually(lambda: speaker.bus.is_healthy and listener.bus.is_healthy)
    await listener.bus.subscribe("acc_1")
    try:
        yield speaker, listener
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def assert_they_talk(speaker: Ear, listener: Ear, word: bytes) -> None:
    speaker.bus.publish("acc_1", word)
    await eventually(lambda: word in listener.heard)


@pytest.fixture
def server(tmp_path: Path) -> RedisServer:
    return RedisServer(tmp_path, a_free_port())


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds as milliseconds are enough where nothing is far away."""
    for name, seconds in {
        "LISTEN_SECONDS": 0.05,
        "PING_SECONDS": 0.1,
        "CANARY_SECONDS": 0.1,
        "SILENCE_SECONDS": 0.6,
        "DEAF_SECONDS": 0.8,
    }.items():
        monkeypatch.setattr(module, name, seconds)


async def test_a_redis_that_is_killed_and_comes_back_empty_is_a_gap(server: RedisServer) -> None:
    async with two_ears(server.url) as (speaker, listener):
        await assert_they_talk(speaker, listener, b"before")
        server.kill()
        await eventually(lambda: not listener.bus.is_healthy)
        speaker.bus.publish("acc_1", b"lost")
        await eventually(lambda: speaker.bus.dropped == 1)
        assert listener.gaps == 0

        server.start()
        back_at = time.monotonic()
        await eventually(lambda: listener.bus.is_healthy and speaker.bus.is_healthy)
        assert time.monotonic() - back_at < HEALED_SECONDS
        assert listener.gaps == 1
        await assert_they_talk(speaker, listener, b"after")
    assert listener.heard == [b"before", b"after"]
    server.stop()


@pytest.mark.parametrize("fault", [("CLIENT", "KILL", "TYPE", "pubsub"), ("CLIENT", "KILL", "TYPE", "normal")])
async def test_a_connection_that_is_cut_is_made_again(server: RedisServer, fault: tuple[str, ...]) -> None:
    async with two_ears(server.url) as (speaker, listener):
        await asyncio.to_thread(server.ask, *fault)
        if fault[-1] == "pubsub":
            await eventually(lambda: listener.gaps == 1)

        async with asyncio.timeout(HEALED_SECONDS):
            while b"after" not in listener.heard:
                speaker.bus.publish("acc_1", b"after")
                await asyncio.sleep(0.05)
    server.stop()


async def test_what_is_forgotten_by_redis_matters_to_nobody(server: RedisServer) -> None:
    async with two_ears(server.url) as (speaker, listener):
        await asyncio.to_thread(server.ask, "FLUSHALL")

        await assert_they_talk(speaker, listener, b"after")
        assert listener.gaps == 0
    server.stop()


async def test_a_redis_that_stands_still_is_noticed_by_its_silence(server: RedisServer) -> None:
    async with two_ears(server.url) as (speaker, listener):
        await asyncio.to_thread(server.ask, "CLIENT", "PAUSE", "2000", "ALL")

        await eventually(lambda: not listener.bus.is_healthy)
        await eventually(lambda: listener.gaps and listener.bus.is_healthy)
        await assert_they_talk(speaker, listener, b"after")
    server.stop()


async def test_who_does_not_hear_itself_is_deaf_and_begins_anew(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with two_ears(server.url) as (speaker, listener):
        listener.bus._canary_at = float("-inf")  # as if the heartbeats were lost

        await eventually(lambda: listener.gaps == 1)
        await assert_they_talk(speaker, listener, b"after")
    server.stop()


async def test_a_wrong_password_is_known_and_tried_again(server: RedisServer) -> None:
    await asyncio.to_thread(server.ask, "CONFIG", "SET", "requirepass", "right")
    ear = Ear(server.url.replace("redis://", "redis://:wrong@"))
    running = asyncio.create_task(ear.bus.run())
    await ear.bus.subscribe("acc_1")
    ear.bus.publish("acc_1", b"nobody hears this")
    await eventually(lambda: ear.bus.dropped)
    assert not ear.bus.is_healthy

    await asyncio.to_thread(server.ask, "-a", "right", "CONFIG", "SET", "requirepass", "wrong")

    await eventually(lambda: ear.bus.is_healthy)
    assert ear.gaps == 1  # what was published before it could listen is lost
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    server.stop()


@pytest.mark.parametrize("payload", [b"", b"\x02newer", b"\x01", b"{}"])
async def test_what_makes_no_sense_is_a_gap_or_nothing_but_never_the_end(server: RedisServer, payload: bytes) -> None:
    async with two_ears(server.url) as (speaker, listener):
        client = Redis.from_url(server.url)
        await client.publish("test:{acc_1}:ledger", payload)
        await client.aclose()

        await assert_they_talk(speaker, listener, b"after")
        assert listener.gaps == (0 if payload[:1] == b"\x01" else 1)
    server.stop()


async def test_what_was_published_last_still_goes_out_when_a_node_ends(server: RedisServer) -> None:
    async with two_ears(server.url) as (_, listener):
        leaver = Ear(server.url)
        running = asyncio.create_task(leaver.bus.run())
        await eventually(lambda: leaver.bus.is_healthy)

        leaver.bus.publish("acc_1", b"the last word")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

        await eventually(lambda: listener.heard == [b"the last word"])
    server.stop()


async def test_a_redis_that_is_away_is_told_once_however_often_it_is_tried(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.kill()
    ear = Ear(server.url)
    running = asyncio.create_task(ear.bus.run())
    with caplog.at_level("INFO", "gateway.bus.redis"):
        await asyncio.sleep(0.5)
        for _ in range(3):
            ear.bus.publish("acc_1", b"nobody hears this")
            await asyncio.sleep(0.15)
        assert len(caplog.messages) == 1

        server.start()
        await eventually(lambda: ear.bus.is_healthy)

    assert "away" in caplog.messages[0]
    assert caplog.messages[1:] == ["the bus is here again"]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    server.stop()


async def test_what_waits_for_redis_is_bounded_and_the_oldest_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PENDING", 3)
    bus = RedisBus("redis://127.0.0.1:1/0")

    for number in range(5):
        bus.publish("acc_1", b"%d" % number)

    assert [payload for _, payload in bus._pending] == [b"2", b"3", b"4"]
    assert bus.dropped == 2
