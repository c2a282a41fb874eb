"""Honest, paced traffic while somebody abuses the server: how much later its messages come, and what memory that takes.

Honest people come from 127.0.0.1, abusers from other addresses of the same network, so that limits per address are on.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any

import orjson
import uvloop

from bench.crowd import gather_crowd
from bench.figures import Figure, figure
from bench.idle import allow_files
from bench.paced import Latencies, Paced
from bench.server import ROOT, prepared, shopbell
from bench.stage import Stage

RATE = 500  # honest messages a second: what a shop has on a good day, and far below what a core can
BAR = 1.2  # p99 with abuse, of that without
BAR_MIB = 256.0  # more than without any
SILENT = 2_000
READERS = 100
LINERS = 4  # at line rate each; more would only share the one core that they have
ADDRESSES = 100  # of a botnet's, 20 sockets each
HONEST = (50, 500)  # agents and shoppers: each well below the limits of one actor
CALM_SECONDS = 1.0
# What abusers run into is as in the table of settings, but for this: the honest come from one address, 50 at a time.
SETTINGS = {
    "SHOPBELL_RATE_HELLOS": "1/s burst 60",
    "SHOPBELL_RATE_ADDRESS_CONNECTS": "2/s burst 1000",
    "SHOPBELL_UNAUTHENTICATED_PER_ADDRESS": "60",
    "SHOPBELL_RATE_CONTACT_MESSAGES": "1/s burst 10",
    "SHOPBELL_RATE_AGENT_MESSAGES": "10/s burst 40",
    "SHOPBELL_RATE_CONTACT_FRAMES": "120/60s",
    "SHOPBELL_RATE_STAFF_FRAMES": "1200/60s",
}

Abuse = Callable[["Target"], Coroutine[None, None, None]]


class Target:
    """The server as abusers see it, and tokens of people who have let them go."""

    def __init__(self, port: int, origin: str, tokens: list[str], agent: str) -> None:
        self.port = port
        self.origin = origin
        self.tokens = tokens
        self.agent = agent
        self._addresses = 0

    async def connect(self, *, receive_buffer: int | None = None) -> socket.socket:
        """A connection from the next address of the botnet's."""
        self._addresses += 1
        host = f"127.0.{1 + self._addresses % ADDRESSES}.1"
        sock = socket.socket()
        sock.setblocking(False)
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.bind((host, 0))
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.port))
        return sock

    async def upgraded(self, **how: Any) -> socket.socket | None:
        """An open WebSocket that has said nothing; None where it was turned away."""
        sock = await self.connect(**how)
        request = (
            f"GET /v1/socket HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            f"Origin: {self.origin}\r\n\r\n"
        )
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(sock, request.encode())
        answer = await loop.sock_recv(sock, 4096)
        if b" 101 " in answer:
            return sock
        sock.close()
        return None


# --- The abuses: each goes on until it is cancelled -------------------------------------------------------------------


async def never_authenticates(target: Target) -> None:
    """2,000 who shake hands and keep silent, and come again as soon as they are closed or turned away."""

    async def one() -> None:
        loop = asyncio.get_running_loop()
        while True:
            sock = None
            with contextlib.suppress(OSError):
                sock = await target.upgraded()
                if sock is not None:
                    while await loop.sock_recv(sock, 4096):
                        pass
            if sock is not None:
                sock.close()
            await asyncio.sleep(1.0)

    await _all(one() for _ in range(SILENT))


async def one_byte_per_second(target: Target) -> None:
    """2,000 whose requests, and hellos, take for ever."""

    async def one(n: int) -> None:
        loop = asyncio.get_running_loop()
        while True:
            sock = None
            with contextlib.suppress(OSError):
                sock = await (target.upgraded() if n % 2 else target.connect())
                while sock is not None:
                    await loop.sock_sendall(sock, b"\x81" if n % 2 else b"G")
                    await asyncio.sleep(1.0)
            if sock is not None:
                sock.close()
            await asyncio.sleep(1.0)

    await _all(one(n) for n in range(SILENT))


async def line_rate(target: Target) -> None:
    """Frames of 64 KiB as fast as they are taken, by contacts who come again when they are closed."""
    ask = orjson.dumps({"type": "typing", "conversation": "cnv_none", "on": True})
    payload = ask[:-1] + b',"x":"' + b"x" * (65_536 - len(ask) - 7) + b'"}'
    frame = _masked(payload)

    async def one(n: int) -> None:
        loop = asyncio.get_running_loop()
        while True:
            with contextlib.suppress(OSError):
                sock = await _known(target, target.tokens[n])
                if sock is not None:
                    try:
                        while True:
                            await loop.sock_sendall(sock, frame)
                    finally:
                        sock.close()
            await asyncio.sleep(1.0)

    await _all(one(n) for n in range(LINERS))


async def stops_reading(target: Target) -> None:
    """100 sockets of an agent who asks for everything and reads nothing, again and again."""
    watch = orjson.dumps({"type": "watch", "conversations": []})

    async def one() -> None:
        loop = asyncio.get_running_loop()
        while True:
            with contextlib.suppress(OSError):
                sock = await _known(target, target.agent, receive_buffer=4096)
                if sock is not None:
                    try:
                        while True:
                            await loop.sock_sendall(sock, _masked(watch))
                            await asyncio.sleep(1.0)
                    finally:
                        sock.close()
            await asyncio.sleep(1.0)

    await _all(one() for _ in range(READERS))


ABUSES: dict[str, Abuse] = {
    "2,000 never authenticate": never_authenticates,
    "2,000 × one byte a second": one_byte_per_second,
    "64 KiB frames at line rate": line_rate,
    "100 stop reading": stops_reading,
}


async def _known(target: Target, token: str, **how: Any) -> socket.socket | None:
    sock = await target.upgraded(**how)
    if sock is not None:
        hello = {"type": "hello", "protocol": 1, "token": token, "client": "abuse", "batch": True}
        await asyncio.get_running_loop().sock_sendall(sock, _masked(orjson.dumps(hello)))
    return sock


def _masked(payload: bytes) -> bytes:
    """A text frame with a mask of zeros."""
    size = len(payload)
    if size < 126:
        head = bytes((0x81, 0x80 | size))
    else:
        head = b"\x81\xfe" + struct.pack("!H", size) if size < 65_536 else b"\x81\xff" + struct.pack("!Q", size)
    return head + b"\0\0\0\0" + payload


async def _all(works: Iterable[Coroutine[None, None, None]]) -> None:
    async with asyncio.TaskGroup() as group:
        for work in works:
            group.create_task(work)


# --- Measuring --------------------------------------------------------------------------------------------------------


async def measure(stage: Stage) -> list[Figure]:
    """Honest rounds with and without each abuse, in turns on one server: a slower minute of the machine is in both."""
    allow_files(2 * SILENT + 1_000)
    folder = stage.folder / "abuse"
    (account, others) = prepared(folder, [HONEST, (1, LINERS)])
    calm: dict[str, list[Latencies]] = {name: [] for name in ABUSES}
    abused: dict[str, list[Latencies]] = {name: [] for name in ABUSES}
    heavier: list[float] = []
    with shopbell(folder, stage.cores, SETTINGS) as server:
        load = Patient(await gather_crowd(server, [account]))
        target = Target(server.port, server.origin, others["contacts"], account["agents"][0])
        before = server.rss_bytes()
        for _ in range(stage.rounds):
            for name in ABUSES:
                calm[name].append(stage.say("abuse", "none", await load.run(RATE, stage.seconds)))
                async with _under(target, name):
                    abused[name].append(stage.say("abuse", name, await load.run(RATE, stage.seconds)))
                    heavier.append(round((server.rss_bytes() - before) / 2**20, 1))
                await asyncio.sleep(CALM_SECONDS)
    return [
        *(
            figure(
                "abuse",
                f"{name}: p99 ÷ without",
                "×",
                [with_it.ms(99) / without.ms(99) for with_it, without in zip(abused[name], calm[name], strict=True)],
                BAR,
            )
            for name in ABUSES
        ),
        figure("abuse", "p99 without any", "ms", [each.ms(99) for rounds in calm.values() for each in rounds]),
        figure("abuse", "RSS more than before", "MiB", heavier, BAR_MIB),
    ]


@asynccontextmanager
async def _under(target: Target, name: str) -> AsyncIterator[None]:
    """While it goes on, in a process of its own: at the end of the queue for the load's core, so that it delays nobody
    but the server."""
    told = {"port": target.port, "origin": target.origin, "tokens": target.tokens, "agent": target.agent, "name": name}
    command = [sys.executable, "-m", "bench.abuse"]
    child = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.PIPE, cwd=ROOT)
    try:
        assert child.stdin is not None
        child.stdin.write(orjson.dumps(told) + b"\n")
        await asyncio.sleep(CALM_SECONDS)
        yield
    finally:
        if child.returncode is not None:
            raise RuntimeError(f"the abusers of “{name}” gave up")
        child.kill()
        await child.wait()


class Patient(Paced):
    """Sleeps between its sends, as the core is needed by the abusers too."""

    async def _send(self, rate: int, seconds: float) -> list[float]:
        began = time.perf_counter()
        lags = []
        for n in range(round(rate * seconds)):
            due = began + n / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            now = time.perf_counter()
            lags.append(now - due)
            self._sent[self._say(n)] = now
        return lags


def main() -> None:
    """The abusers' process: what to do comes on its standard input."""
    told = orjson.loads(sys.stdin.buffer.readline())
    name = told.pop("name")
    os.nice(19)
    allow_files(SILENT + 1_000)
    uvloop.run(ABUSES[name](Target(**told)))


if __name__ == "__main__":
    main()
