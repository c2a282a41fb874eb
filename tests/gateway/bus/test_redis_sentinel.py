"""The bus behind a Sentinel: when the primary dies, everybody meets again at the replica."""

from __future__ import annotations

import asyncio

import pytest

from gateway.bus import places
from tests.ears import assert_they_talk, eventually, make_quick, two_ears
from tests.servers import RedisSentinel


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    make_quick(monkeypatch)


async def test_a_replica_that_is_made_the_primary_is_found(tmp_path_factory: pytest.TempPathFactory) -> None:
    sentinel = await asyncio.to_thread(RedisSentinel, tmp_path_factory.mktemp("sentinel"))
    try:
        async with two_ears(sentinel.url) as (speaker, listener):
            await assert_they_talk(speaker, listener, b"before")
            gaps = listener.gaps
            await asyncio.to_thread(sentinel.primary.kill)
            await eventually(lambda: not listener.bus.is_healthy and not speaker.bus.is_healthy)

            await eventually(lambda: listener.bus.is_healthy and speaker.bus.is_healthy, 15)

            assert listener.gaps > gaps
            await assert_they_talk(speaker, listener, b"after")
            assert {server.port for server in listener.bus._lines} == {sentinel.replica.port}
            await asyncio.to_thread(sentinel.primary.start)  # as a replica, when the Sentinel sees it
            await assert_they_talk(speaker, listener, b"still")
    finally:
        await asyncio.to_thread(sentinel.stop)


async def test_a_primary_that_is_replaced_while_it_lives_is_left(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "SENTINEL_SECONDS", 0.2)
    sentinel = await asyncio.to_thread(RedisSentinel, tmp_path_factory.mktemp("sentinel"))
    try:
        async with two_ears(sentinel.url) as (speaker, listener):
            await asyncio.to_thread(sentinel.fail_over)

            def are_there() -> bool:
                ports = {server.port for ear in (speaker, listener) for server in ear.bus._lines}
                return ports == {sentinel.replica.port} and speaker.bus.is_healthy and listener.bus.is_healthy

            await eventually(are_there, 15)
            await assert_they_talk(speaker, listener, b"after")
    finally:
        await asyncio.to_thread(sentinel.stop)
