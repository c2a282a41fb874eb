"""Debts in Redis, beyond the contract: what is kept and for how long, what others left there, and Redis being away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Connection

from chat.errors import Unavailable
from gateway.debts import Taken
from gateway.debts import redis as module
from gateway.debts.redis import AT_ONCE, RedisDebts
from gateway.redis_client import new_client
from tests.engines import RedisDebtsEngine
from tests.servers import RedisServer, a_free_port, redis

A = "m:a"


@pytest.fixture
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One that a test may hurt."""
    server = RedisServer(tmp_path_factory.mktemp("redis"), a_free_port())
    yield server
    server.stop()


@asynccontextmanager
async def debts_in(server: RedisServer) -> AsyncIterator[RedisDebts]:
    client = new_client(server.url)
    yield RedisDebts(client)
    await client.aclose()


@pytest.fixture
def engine(runner: asyncio.Runner) -> Iterator[RedisDebtsEngine]:
    """On the run's server."""
    engine = RedisDebtsEngine()
    yield engine
    runner.run(engine.close())


async def test_a_key_lives_as_long_as_it_can_matter(engine: RedisDebtsEngine) -> None:
    debts = engine.open()

    await debts.add([Taken(A, 5.0, 5.0, 20.0)])
    assert 24_000 < int(redis().ask("PTTL", debts._name(A))) <= 25_000
    await debts.add([Taken(A, -100.0, -100.0, 20.0)])
    assert redis().ask("EXISTS", debts._name(A)) == "0"


async def test_a_connection_that_was_reset_just_now_is_a_redis_that_is_away(
    own: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def write(*_: object, **__: object) -> None:
        raise RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")  # uvloop

    monkeypatch.setattr(Connection, "send_packed_command", write)
    async with debts_in(own) as debts:
        with pytest.raises(Unavailable, match="the handler is closed"):
            await debts.add([Taken(A, 1.0, 1.0, 20.0)])


@pytest.mark.parametrize(
    "left", [("SET", "nonsense"), ("SET", "nan"), ("SET", "-1e300"), ("RPUSH", "a list"), ("SET", "")]
)
async def test_what_others_left_under_its_name_is_written_over(engine: RedisDebtsEngine, left: tuple[str, str]) -> None:
    debts = engine.open()
    command, value = left
    redis().ask(command, debts._name(A), value)

    assert [await debts.add([Taken(A, 5.0, 5.0, 20.0)]) for _ in range(2)] == [
        [pytest.approx(5, abs=0.5)],
        [pytest.approx(10, abs=0.5)],
    ]


async def test_whoever_is_away_is_unavailable_and_later_there_again_and_empty(own: RedisServer) -> None:
    async with debts_in(own) as debts:
        await debts.add([Taken(A, 5.0, 5.0, 20.0)])
        await asyncio.to_thread(own.kill)
        for taken in ([Taken(A, 1.0, 1.0, 20.0)], []):
            with pytest.raises(Unavailable):
                await debts.add(taken)

        await asyncio.to_thread(own.start)

        assert await debts.add([]) == []
        assert await debts.add([Taken(A, 1.0, 1.0, 20.0)]) == [pytest.approx(1, abs=0.5)]


async def test_nobody_waits_long_for_one_that_is_frozen_however_many_ask(
    own: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ASK_SECONDS", 0.2)
    async with debts_in(own) as debts:
        await debts.add([])
        own.freeze()
        began = time.monotonic()

        asked = [debts.add([Taken(A, 1.0, 1.0, 20.0)]) for _ in range(3 * AT_ONCE)]
        found = await asyncio.gather(*asked, return_exceptions=True)

        assert [type(each) for each in found] == [Unavailable] * len(asked)
        assert time.monotonic() - began < 1
        own.thaw()
        assert await debts.add([Taken("m:b", 1.0, 1.0, 20.0)]) == [pytest.approx(1, abs=0.5)]
