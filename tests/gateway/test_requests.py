"""Connections that never send a whole request are cut off; others aren't."""

from __future__ import annotations

import asyncio
import contextlib
import gc

import pytest

from gateway import line, requests
from tests.node import Node, on_a_node
from tests.peer import Answer, Peer


async def _open(node: Node, data: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
    writer.write(data)
    await writer.drain()
    return reader, writer


async def rest(reader: asyncio.StreamReader) -> bytes:
    """What comes until the end; the kernel may say it as a reset."""
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""


@on_a_node(tick=0.02)
async def test_who_sends_half_a_request_is_cut_off_in_time(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "REQUEST_SECONDS", 0.1)
    reader, writer = await _open(node, b"GET /healthz HTTP/1.1\r\nHost: ")

    async with asyncio.timeout(5):
        assert await rest(reader) == b""
    writer.close()


@on_a_node(tick=0.02)
async def test_who_sends_nothing_is_cut_off_too(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "REQUEST_SECONDS", 0.1)
    reader, writer = await _open(node, b"")

    async with asyncio.timeout(5):
        assert await rest(reader) == b""
    writer.close()


@on_a_node(tick=0.02)
async def test_a_connection_that_was_answered_may_rest(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "REQUEST_SECONDS", 0.1)
    resting, writer = await _open(node, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    async with asyncio.timeout(5):
        assert b'{"status":"ok"}' in await resting.readuntil(b"}")

        slow, slow_writer = await _open(node, b"GET ")  # cut off later than the first was answered
        await rest(slow)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b'{"status":"ok"}' in await resting.readuntil(b"}")
    writer.close()
    slow_writer.close()


@on_a_node(tick=0.02)
async def test_beyond_so_many_pending_connections_the_newest_is_cut_off(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "PENDING", 2)
    pending = [await _open(node, b"GET ") for _ in range(2)]

    reader, writer = await _open(node, b"")
    async with asyncio.timeout(5):
        assert await rest(reader) == b""
    for _, other in [*pending, (reader, writer)]:
        other.close()


@on_a_node(tick=0.02)
async def test_a_file_may_take_longer_than_other_requests(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "REQUEST_SECONDS", 0.1)
    head = (
        f"POST /v1/uploads?inbox={node.mine.door.id} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
        f"Authorization: Bearer {node.mine.bot_token}\r\n\r\n"
    )
    sending, writer = await _open(node, f"{head}he".encode())
    slow, slow_writer = await _open(node, b"GET ")  # cut off later than the file was begun
    async with asyncio.timeout(5):
        await rest(slow)
        writer.write(b"llo")
        assert b" 201 " in await sending.readline()
    for each in (writer, slow_writer):
        each.close()


@on_a_node(tick=0.02)
async def test_what_comes_after_a_refused_file_has_an_end(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "REQUEST_SECONDS", 0.1)
    head = (
        f"POST /v1/uploads?inbox={node.mine.door.id} HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n"
        f"Authorization: Bearer {node.mine.bot_token}\r\n\r\n"
    )
    refused, writer = await _open(node, f"{head}he".encode())

    async with asyncio.timeout(5):
        assert b" 413 " in await refused.readline()
        await rest(refused)  # the end: nobody reads the other 99 MB
    writer.close()


@on_a_node(tick=0.02)
async def test_one_address_has_its_share_of_pending_connections(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "PENDING_PER_ADDRESS", 2)
    pending = [await _open(node, b"GET ") for _ in range(2)]

    reader, writer = await _open(node, b"")
    async with asyncio.timeout(5):
        assert await rest(reader) == b""
    elsewhere = await _open_from("127.0.0.2", node, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    async with asyncio.timeout(5):
        assert b'{"status":"ok"}' in await elsewhere[0].readuntil(b"}")
    pending[0][1].close()
    await node.eventually(lambda: _has_room(node))
    for _, other in [*pending, (reader, writer), elsewhere]:
        other.close()


@on_a_node(unauthenticated_sockets="1")
async def test_a_handshake_too_many_is_refused_without_a_socket(node: Node) -> None:
    first = await node.peer()
    sockets = len(node.shopbell.node.sockets)

    with pytest.raises(Answer) as refused:
        await node.peer()
    assert refused.value.status == 503
    assert "retry-after: 1" in refused.value.head
    assert len(node.shopbell.node.sockets) == sockets
    await first.hello(node.token(await node.contact_session()))
    await node.peer()


@on_a_node()
async def test_strangers_wait_when_the_turn_has_no_time_left(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "TURN_SECONDS", 1e-9)  # one piece of work in each turn
    asked = [await _open(node, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(20)]
    peers = [node.peer() for _ in range(20)]

    async with asyncio.timeout(10):
        for reader, _ in asked:
            assert b'{"status":"ok"}' in await reader.readuntil(b"}")
        for peer in await asyncio.gather(*peers):
            await peer.hello(node.token(await node.contact_session()))
        for reader, writer in asked:  # and they are read on
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b'{"status":"ok"}' in await reader.readuntil(b"}")
    for _, writer in asked:
        writer.close()


@on_a_node()
@pytest.mark.parametrize("path", ["/v1/socket", "/nowhere"], ids=["let in", "turned away"])
async def test_a_handshake_leaves_nothing_to_the_collector(node: Node, path: str) -> None:
    """It stops everything for as long as it takes, and thousands may come at once."""
    sockets = node.shopbell.node.sockets

    async def come_and_go() -> None:
        with contextlib.suppress(Answer):
            (await Peer.connect(node.port, path=path, origin=node.origin)).leave()
        await node.eventually(lambda: not sockets)

    await come_and_go()  # makes what is made once
    gc.collect()
    gc.disable()
    try:
        for _ in range(10):
            await come_and_go()
        assert gc.collect() < 10
    finally:
        gc.enable()


async def _open_from(host: str, node: Node, data: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", node.port, local_addr=(host, 0))
    writer.write(data)
    return reader, writer


def _has_room(node: Node) -> bool:
    return not node.shopbell.pending.is_full("127.0.0.1")
