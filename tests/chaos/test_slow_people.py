"""People who stop reading, or read slowly, on either of two nodes: closed in time, and nobody else notices."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from bots import Staff
from bots.client import socket_url
from bots.frames import PROTOCOL, decode, encode
from bots.sessions import origin
from tests.chaos.nodes import Nodes
from tests.chaos.people import Crowd, busy, crowd
from tests.chaos.server import EMAILS, PASSWORD, POLL_SECONDS, Server
from tests.history import Verdict, answers

LONG = int(os.environ.get("SHOPBELL_KILLS", "20")) >= 100
EACH = 50 if LONG else 6  # that don't read at all, and as many that are slow, half of them on each node
OUTBOX_SECONDS = 2
CLOSED_SECONDS = 15.0
SLOWER_SECONDS = 0.25  # between two frames of the slow ones
RECEIVE_BUFFER = 4096
TOO_SLOW = 4106
MOST_MIB = 64 + 2 * EACH * 0.6
ANSWER_SECONDS = 1.0  # at most, for 99 of 100 others
LOUD = "x" * 8000


@asynccontextmanager
async def a_reader(staff: Staff, server: Server, conversation: str) -> AsyncIterator[ClientConnection]:
    """One socket of this agent's that is to hear all of the conversation, and reads as little as possible ahead."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", server.port))
    how = {"origin": origin(server.url), "compression": None, "ping_interval": None, "max_queue": 1}
    token = await staff.token()
    async with connect(socket_url(server.url), sock=sock, close_timeout=0.1, **how) as connection:  # type: ignore[arg-type]
        await connection.send(encode({"type": "hello", "protocol": PROTOCOL, "token": token, "client": "slow/1"}))
        await _until(connection, "synced")
        await connection.send(encode({"type": "watch", "ref": 1, "conversations": [conversation]}))
        await _until(connection, "snapshot")
        yield connection


async def _until(connection: ClientConnection, type: str) -> None:
    async with asyncio.timeout(CLOSED_SECONDS):
        while not any(frame["type"] == type for frame in decode(await connection.recv(decode=False))):
            pass


async def read_slowly(connection: ClientConnection) -> None:
    """A frame now and then, far fewer than come."""
    try:
        while True:
            await connection.recv(decode=False)
            await asyncio.sleep(SLOWER_SECONDS)
    except ConnectionClosed:
        return


async def shout(people: Crowd, conversation: str) -> None:
    """Long messages, some at a time."""
    client = next(client for client, log in people.clients.values() if log.kind == "agent")
    while True:
        await asyncio.gather(*(client.send(conversation, LOUD) for _ in range(8)))


def test_who_does_not_read_is_closed_and_nobody_else_notices(
    nodes: Nodes, dice: random.Random, tell: Callable[[object], None]
) -> None:
    nodes.is_balanced = False
    nodes.set(outbox_seconds=str(OUTBOX_SECONDS))
    grown: list[float] = []
    closed_after: list[float] = []

    async def play() -> tuple[Verdict, list[float]]:
        async with nodes.running(), crowd(nodes, dice) as people, AsyncExitStack() as stack:
            shopper = next(client for client, log in people.clients.values() if log.kind == "contact")
            conversation = (await shopper.start(people.inbox, "Hello"))["conversation"]
            async with busy(people), asyncio.TaskGroup() as tasks:
                before = [_mib(server) for server in nodes.servers]
                ours: list[asyncio.Task[None]] = []
                staff = await Staff.login(nodes.door(0), EMAILS[1], PASSWORD)
                for number in range(2 * EACH):
                    server = nodes.servers[number // 2 % 2]
                    reader = await stack.enter_async_context(a_reader(staff, server, conversation))
                    if number % 2:
                        ours.append(tasks.create_task(read_slowly(reader)))
                began = time.monotonic()
                ours.append(tasks.create_task(shout(people, conversation)))
                while await _closed(nodes) < 2 * EACH and time.monotonic() < began + 2 * CLOSED_SECONDS:
                    grown.append(max(_mib(each) - then for each, then in zip(nodes.servers, before, strict=True)))
                    await asyncio.sleep(10 * POLL_SECONDS)
                closed_after.append(time.monotonic() - began)
                for task in ours:
                    task.cancel()
            waited = sorted(seconds for _, at, seconds in answers(people.logs) if at >= began)
            return people.verdict(faults=2 * EACH), waited

    verdict, waited = asyncio.run(play())

    slowest = waited[len(waited) * 99 // 100]
    tell(
        f"{2 * EACH} closed within {closed_after[0]:.1f} s, {max(grown):.0f} MiB at most; answers to others:"
        f" p99 {slowest:.2f} s of {len(waited)}; {verdict}"
    )
    assert verdict.violations == []
    assert verdict.counts["asleep"] == 0
    assert closed_after[0] < CLOSED_SECONDS
    assert max(grown) < MOST_MIB
    assert slowest < ANSWER_SECONDS


async def _closed(nodes: Nodes) -> float:
    return sum([await server.metric(f'shopbell_closes_total{{code="{TOO_SLOW}"}}') for server in nodes.servers])


def _mib(server: Server) -> float:
    assert server.process is not None
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024
