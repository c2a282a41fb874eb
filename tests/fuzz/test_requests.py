"""Broken HTTP at the port that sockets use too: an answer below 500 or none, no traceback, and others are served."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable

from tests.node import Node, on_a_node

SEED = int(os.environ.get("SHOPBELL_SEED", "0")) or random.randrange(2**32)
REQUESTS = 600
PATIENCE = 0.5  # seconds: who waits for more of a request isn't waited for

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "get", "X" * 300, "", "PRI")
PATHS = (
    "/",
    "/v1/me",
    "/v1/session",
    "/v1/socket",
    "/v1/login",
    "/v1/conversations/%00",
    "/v1/conversations/%ff%fe",
    "/v1/conversations/" + "x" * 3_000,
    "/v1/uploads?name=%00&conversation=..%2f..",
    "/static/..%2f..%2fetc%2fpasswd",
    "/static/../../etc/passwd",
    "//v1/me",
    "http://evil.example/v1/me",
    "*",
    "/v1/search?q=" + "%F0%9F%9B%92" * 500,
    "/v1/conversations?limit=-1&limit=99999999999999999999",
    "/\x7f",
    "/ü",
)
VERSIONS = ("HTTP/1.1", "HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "HTTP/9.9", "http/1.1", "", "HTTP/1.1 x")
HEADERS = (
    "Host: shop.test",
    "Host: a\r\nHost: b",
    "Host: " + "x" * 5_000,
    "Content-Length: -1",
    "Content-Length: 5\r\nContent-Length: 6",
    "Content-Length: 99999999999999999999",
    "Content-Length: 0x10",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nContent-Length: 5",
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: identity",
    "Content-Type: application/json",
    "Content-Type: application/json; charset=\xff",
    "Content-Encoding: gzip",
    "Expect: 100-continue",
    "Connection: Upgrade\r\nUpgrade: websocket",
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x",
    "Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk",
    "Upgrade: websocket",
    "Cookie: shopbell=" + "x" * 4_000,
    "Cookie: shopbell=\xff; shopbell=sbs_x; =;;=",
    "Authorization: Bearer sbt_\xff",
    "Authorization: Bearer",
    "Authorization: Basic Og==",
    "Origin: null",
    "Origin: http://[::1",
    "X-Forwarded-For: 999.999.999.999, \xff, [::",
    "Range: bytes=0-0,1-1,2-2,-1,9999999999999999999999-",
    "If-None-Match: " + '"x",' * 1_000,
    "Accept-Encoding: gzip;q=banana",
    "Idempotency-Key: \x01",
    "no colon here",
    ": no name",
    "a b: c",
    " folded",
    "X: " + "y" * 70_000,
    "\0: \0",
)
BODIES = (
    b"",
    b"{}",
    b"hello",
    b"5\r\nhello\r\n0\r\n\r\n",
    b"ffffffffffffffff\r\n",
    b"-1\r\nx\r\n",
    b"5;ext=\xff\r\nhello\r\n0\r\nTrailer: x\r\n\r\n",
    b"\x1f\x8b\x08" + b"\0" * 50,
    b"[" * 20_000,
    b'{"inbox":' + b"9" * 5_000 + b"}",
    b"\xff" * 200,
)
WHOLE = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # a TLS hello
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\r\n" * 5_000,
    b"\0" * 5_000,
    b"GET /v1/me HTTP/1.1\nHost: x\n\n",
    b"GET /v1/me HTTP/1.1\r\nHost: x\r\n\r\n" * 50,
    b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(2_000)) + b"\r\n",
)


def a_request(dice: random.Random) -> bytes:
    """Something like a request, with a fault or three."""
    if dice.random() < 0.1:
        return dice.choice(WHOLE)
    line = " ".join((dice.choice(METHODS), dice.choice(PATHS), dice.choice(VERSIONS)))
    headers = [dice.choice(HEADERS) for _ in range(dice.randint(0, 4))]
    end = dice.choices(("\r\n", "\n", "\r"), (8, 1, 1))[0]
    data = (end.join([line, *headers]) + end + end).encode("latin-1", "replace") + dice.choice(BODIES)
    if dice.random() < 0.2:
        place = dice.randrange(len(data))
        data = data[:place] + dice.randbytes(dice.randint(1, 5)) + data[place + 1 :]
    return data


async def _answers(node: Node, data: bytes) -> list[int]:
    """The statuses of everything that looks like an answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
    said = b""
    try:
        writer.write(data)
        async with asyncio.timeout(PATIENCE):
            while piece := await reader.read(65_536):
                said += piece
    except (TimeoutError, OSError):
        pass
    finally:
        writer.transport.abort()
    return [int(line[9:12]) for line in said.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]


@on_a_node()
async def test_broken_requests_are_the_askers_own_matter(node: Node) -> None:
    dice = random.Random(SEED)
    gate = asyncio.Semaphore(40)
    found: list[int] = []

    async def one(make: Callable[[random.Random], bytes]) -> None:
        data = make(dice)
        async with gate:
            statuses = await _answers(node, data)
        assert all(status < 500 for status in statuses), (SEED, statuses, data[:500])
        found.extend(statuses)

    await asyncio.gather(*(one(a_request) for _ in range(REQUESTS)))

    assert {200, 400, 404} <= set(found)
    await node.still_works()
