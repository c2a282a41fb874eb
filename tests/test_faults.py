"""The proxy does the harm it promises, and no other."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidMessage

from tests.faults import Proxy, Splitter, proxy_to

Play = Callable[[Proxy, ClientConnection, list[str]], Awaitable[None]]


def play(scene: Play) -> None:
    """An echo server, the proxy before it, one client through both; `heard` is what reached the server."""

    async def run() -> None:
        heard: list[str] = []

        async def echo(socket: ServerConnection) -> None:
            try:
                async for text in socket:
                    heard.append(str(text))
                    await socket.send(text)
            except ConnectionClosed:
                pass

        async with (
            asyncio.timeout(10),
            serve(echo, "127.0.0.1", 0, compression=None) as server,
            proxy_to("127.0.0.1", server.sockets[0].getsockname()[1]) as proxy,
            connect(proxy.url.replace("http", "ws"), compression=None, close_timeout=0.2) as client,
        ):
            await scene(proxy, client, heard)

    asyncio.run(run())


def frame(name: str) -> str:
    return f'{{"type":"{name}"}}'


async def says(client: ClientConnection, name: str) -> str:
    await client.send(frame(name))
    return str(await client.recv())


def test_frames_pass_and_are_listed_in_order() -> None:
    async def scene(proxy: Proxy, client: ClientConnection, heard: list[str]) -> None:
        assert await says(client, "a") == frame("a")
        large = f'{{"type":"b","text":"{"x" * 70_000}"}}'
        await client.send(large)
        assert await client.recv() == large
        await client.send(frame("c") + "\n" + frame("d"))
        await client.recv()

        assert [(passed.direction, passed.types) for passed in proxy.frames] == [
            ("up", ["a"]), ("down", ["a"]), ("up", ["b"]), ("down", ["b"]), ("up", ["c", "d"]), ("down", ["c", "d"]),
        ]  # fmt: skip

    play(scene)


def test_a_cut_after_an_ask_lets_the_server_have_it_and_the_client_no_answer() -> None:
    async def scene(proxy: Proxy, client: ClientConnection, heard: list[str]) -> None:
        await says(client, "a")
        proxy.cut_after = 3
        with pytest.raises(ConnectionClosed):
            await says(client, "b")

        assert heard == [frame("a"), frame("b")]
        assert proxy.cuts == 1

    play(scene)


def test_a_cut_after_an_answer_lets_the_client_have_it() -> None:
    async def scene(proxy: Proxy, client: ClientConnection, heard: list[str]) -> None:
        proxy.cut_after = 2
        assert await says(client, "a") == frame("a")
        with pytest.raises(ConnectionClosed):
            await says(client, "b")

        assert heard == [frame("a")]

    play(scene)


def test_a_cut_resets_everybody_and_new_connections_work() -> None:
    async def scene(proxy: Proxy, client: ClientConnection, heard: list[str]) -> None:
        await says(client, "a")
        proxy.cut()
        with pytest.raises(ConnectionClosed):
            await client.recv()
        async with connect(proxy.url.replace("http", "ws"), compression=None) as again:
            assert await says(again, "b") == frame("b")

        assert proxy.connections == 2

    play(scene)


def test_who_is_refused_does_not_get_in() -> None:
    async def scene(proxy: Proxy, client: ClientConnection, heard: list[str]) -> None:
        proxy.refuse()
        with pytest.raises((OSError, InvalidMessage)):
            await connect(proxy.url.replace("http", "ws"), open_timeout=1)

    play(scene)


def test_a_stall_delays_and_loses_nothing() -> None:
    async def scene(proxy: Proxy, client: ClientConnection, heard: list[str]) -> None:
        proxy.stall("down")
        await client.send(frame("a"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await client.recv()
        proxy.heal()

        assert await client.recv() == frame("a")

    play(scene)


def test_a_blackhole_takes_everything_and_says_nothing() -> None:
    async def scene(proxy: Proxy, client: ClientConnection, heard: list[str]) -> None:
        await says(client, "a")
        proxy.blackhole("up")
        await client.send(frame("b"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await client.recv()

        assert heard == [frame("a")]

    play(scene)


def test_frames_are_whole_however_the_bytes_come() -> None:
    stream = b"HTTP/1.1 101\r\nUpgrade: websocket\r\n\r\n" + b"\x81\x0e" + b'{"type":"ping"}'[:14] + b"\x81\x00"
    for size in range(1, len(stream)):
        splitter = Splitter()
        pieces = [
            piece for start in range(0, len(stream), size) for piece in splitter.feed(stream[start : start + size])
        ]

        assert b"".join(piece for piece, _ in pieces) == stream
        assert [payload for _, payload in pieces] == [None, b'{"type":"ping"', b""]


def test_plain_http_passes_as_it_came() -> None:
    stream = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\x81\xff\xff" * 2
    for size in range(1, len(stream) + 1):
        splitter = Splitter()
        pieces = [
            piece for start in range(0, len(stream), size) for piece in splitter.feed(stream[start : start + size])
        ]

        assert b"".join(piece for piece, _ in pieces) == stream
        assert {payload for _, payload in pieces} == {None}
