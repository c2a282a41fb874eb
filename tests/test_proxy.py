"""The proxy does the harm to bytes that it promises, and no other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from tests.proxy import TcpProxy, tcp_proxy, tcp_server

SOON_SECONDS = 0.05  # within which something would have come, if it came


@dataclass
class Scene:
    """A client, the proxy, and a server that gives every byte back and notes what it got."""

    proxy: TcpProxy
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    got: list[bytes]
    ended: asyncio.Event

    async def says(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def hears(self, count: int) -> bytes:
        async with asyncio.timeout(5):
            return await self.reader.readexactly(count)

    async def hears_nothing(self) -> bool:
        try:
            async with asyncio.timeout(SOON_SECONDS):
                return not await self.reader.read(1)
        except TimeoutError:
            return True


@asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    got: list[bytes] = []
    ended = asyncio.Event()

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(100_000):
                got.append(data)
                writer.write(data)
        finally:
            ended.set()
        await asyncio.sleep(SOON_SECONDS)  # it may have something to say although nobody asks any more
        writer.write(b"goodbye")

    async with tcp_server(echo) as port, tcp_proxy(port) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        yield Scene(proxy, reader, writer, got, ended)
        writer.close()


async def test_bytes_pass_both_ways_and_are_counted() -> None:
    async with scene() as played:
        await played.says(b"x" * 300_000)

        assert await played.hears(300_000) == b"x" * 300_000
        assert played.proxy.passed == {"up": 300_000, "down": 300_000}
        assert (played.proxy.connections, played.proxy.open) == (1, 1)


async def test_a_reset_is_a_reset_on_both_sides() -> None:
    async with scene() as played:
        await played.says(b"a")
        await played.hears(1)
        played.proxy.reset()

        with pytest.raises(ConnectionResetError):
            await played.hears(1)
        await asyncio.wait_for(played.ended.wait(), 5)


async def test_who_is_refused_gets_nowhere() -> None:
    async with scene() as played:
        played.proxy.refuse()
        reader, writer = await asyncio.open_connection("127.0.0.1", played.proxy.port)

        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()


async def test_a_blackhole_up_loses_what_is_said_and_that_it_ended() -> None:
    async with scene() as played:
        played.proxy.blackhole("up")
        await played.says(b"a")
        played.writer.write_eof()

        assert await played.hears_nothing()
        assert played.got == []
        assert not played.ended.is_set()
        played.proxy.heal()
        with pytest.raises(ConnectionResetError):  # no network would let it go on without those bytes
            await played.hears(1)


async def test_a_blackhole_down_loses_the_answer() -> None:
    async with scene() as played:
        played.proxy.blackhole("down")
        await played.says(b"a")

        assert await played.hears_nothing()
        assert played.got == [b"a"]


async def test_a_stall_delays_and_loses_nothing() -> None:
    async with scene() as played:
        played.proxy.stall("down")
        await played.says(b"a")
        assert await played.hears_nothing()

        played.proxy.heal()

        assert await played.hears(1) == b"a"


async def test_latency_is_added_each_way_and_costs_no_throughput() -> None:
    async with scene() as played:
        played.proxy.latency = 0.05
        began = time.monotonic()
        for _ in range(20):
            await played.says(b"x" * 1000)

        await played.hears(20_000)

        assert 0.1 <= time.monotonic() - began < 0.6


async def test_slices_come_one_by_one() -> None:
    async with scene() as played:
        played.proxy.slices = 7
        await played.says(b"x" * 100)
        await played.hears(100)

        assert max(map(len, played.got)) < 100
        assert b"".join(played.got) == b"x" * 100


async def test_a_cap_holds() -> None:
    async with scene() as played:
        played.proxy.bytes_per_second = 1000
        began = time.monotonic()
        await played.says(b"x" * 200)
        await played.hears(200)

        assert time.monotonic() - began >= 0.19


async def test_a_half_closed_way_ends_and_the_other_one_goes_on() -> None:
    async with scene() as played:
        await played.says(b"a")
        await played.hears(1)
        played.proxy.half_close("up")
        await asyncio.wait_for(played.ended.wait(), 5)

        assert await played.hears(7) == b"goodbye"


@pytest.mark.parametrize("count", [0, 1, 4, 10])
async def test_a_cut_lets_exactly_so_many_bytes_through(count: int) -> None:
    async with scene() as played:
        await played.says(b"12345")
        await played.hears(5)
        played.proxy.cut_after("down", count)
        await played.says(b"0123456789")

        assert await asyncio.wait_for(played.reader.read(-1), 5) == b"0123456789"[:count]
        assert played.proxy.cuts == 1
        reader, writer = await asyncio.open_connection("127.0.0.1", played.proxy.port)  # once, and no more
        writer.write(b"again")
        assert await asyncio.wait_for(reader.readexactly(5), 5) == b"again"
        writer.close()
