"""Connections that never send a whole request are cut off; others aren't."""

from __future__ import annotations

import asyncio

import pytest

from gateway import requests
from tests.node import Node, on_a_node


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


async def _open_from(host: str, node: Node, data: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", node.port, local_addr=(host, 0))
    writer.write(data)
    return reader, writer


def _has_room(node: Node) -> bool:
    return not node.shopbell.pending.is_full("127.0.0.1")
