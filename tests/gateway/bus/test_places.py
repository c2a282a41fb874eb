"""Who has which channel, by one server, by Sentinels and by a Cluster."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis.crc import key_slot

from gateway.bus.places import NOBODY, SLOTS, Chart, Server, new_places, read_slots
from gateway.redis_client import Trouble
from gateway.redis_url import parse_redis_url
from tests.servers import a_free_port, redis, redis_cluster, redis_sentinel

A, B, C = Server("a", 1), Server("b", 2), Server("c", 3)
CHANNELS = [f"shopbell:{{acc_{n}}}:ledger".encode() for n in range(200)]


def test_without_shards_one_server_has_all() -> None:
    chart = Chart([(0, SLOTS - 1, A)], is_sharded=False)

    assert {chart.server_of(channel) for channel in CHANNELS} == {A}
    assert chart.is_whole
    assert chart.meeting_place("p", A) == b"p:{0}"


def test_with_shards_a_channel_is_where_its_slot_is() -> None:
    chart = Chart([(8000, SLOTS - 1, B), (0, 7998, A), (7999, 7999, C)], is_sharded=True)

    for channel in CHANNELS:
        slot = key_slot(channel)
        assert chart.server_of(channel) == (A if slot < 7999 else C if slot == 7999 else B)
    assert chart.is_whole
    assert chart.servers == {A, B, C}


def test_a_slot_that_nobody_has_has_no_server() -> None:
    chart = Chart([(100, 8000, A), (8002, SLOTS - 1, B)], is_sharded=True)

    assert not chart.is_whole
    for channel in CHANNELS:
        slot = key_slot(channel)
        assert (chart.server_of(channel) is None) == (slot < 100 or slot == 8001)
    assert NOBODY.server_of(b"anything") is None
    assert not NOBODY.is_whole


def test_everybody_meets_at_the_same_channel_of_a_server() -> None:
    ranges = [(0, 8000, A), (8001, 8001, B), (8002, SLOTS - 1, C)]
    chart, same = Chart(ranges, is_sharded=True), Chart(reversed(ranges), is_sharded=True)

    for server in (A, B, C):  # also where that is a single slot
        place = chart.meeting_place("p", server)
        assert place == same.meeting_place("p", server)
        assert chart.server_of(place) == server


@pytest.mark.parametrize(
    ("host", "server"),
    [
        (b"10.0.0.7", "10.0.0.7"),
        (b"redis-1.example", "redis-1.example"),
        *((none, "asked") for none in (b"", None, b"?")),
    ],
)
def test_a_node_that_does_not_know_its_address_is_where_it_was_asked(host: bytes | None, server: str) -> None:
    rows: list[Any] = [[0, 16383, [host, 7001, b"id", []], [b"10.0.0.9", 7002, b"id", []]]]

    chart, nodes = read_slots(rows, Server("asked", 1))

    assert chart.servers == {Server(server, 7001)}
    assert nodes == [Server(server, 7001), Server("10.0.0.9", 7002)]


async def test_the_sentinels_say_who_is_the_primary() -> None:
    sentinel = redis_sentinel()
    places = new_places(parse_redis_url(sentinel.url))

    chart = await places.look()

    assert chart.servers <= {Server("127.0.0.1", each.port) for each in (sentinel.primary, sentinel.replica)}
    assert not chart.is_sharded
    await places.close()


async def test_a_cluster_is_found_by_any_of_its_nodes() -> None:
    cluster = redis_cluster()
    away = f"redis+cluster://127.0.0.1:{a_free_port()},127.0.0.1:{cluster.servers[1].port}"
    places = new_places(parse_redis_url(away))

    for _ in range(4):  # whichever is asked first
        chart = await places.look()

        assert chart.servers == {Server("127.0.0.1", server.port) for server in cluster.servers}
        assert chart.is_whole
        assert chart.is_sharded
        for channel in CHANNELS[:10]:
            owner = await asyncio.to_thread(cluster.owner, channel.decode())
            assert chart.server_of(channel) == Server("127.0.0.1", owner.port)


@pytest.mark.parametrize("url", ["redis+cluster://127.0.0.1:{}", "redis+sentinel://127.0.0.1:{}?service=bell"])
async def test_where_nobody_answers_that_is_trouble(url: str) -> None:
    places = new_places(parse_redis_url(url.format(a_free_port())))

    with pytest.raises(Trouble):
        await places.look()
    await places.close()


async def test_a_server_that_is_no_cluster_is_trouble() -> None:
    places = new_places(parse_redis_url(f"redis+cluster://127.0.0.1:{redis().port}"))

    with pytest.raises(Trouble):
        await places.look()
