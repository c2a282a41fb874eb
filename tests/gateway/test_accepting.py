"""New connections: a few in each turn of the loop, all in the end, and none when there is no room for them."""

from __future__ import annotations

import asyncio
import errno
import socket
from itertools import pairwise
from typing import Any

import pytest

from gateway import accepting
from gateway.accepting import AT_ONCE, Accepting


class Arrived(asyncio.Protocol):
    """Writes down that it was made."""

    def __init__(self, made: list[Arrived]) -> None:
        self._made = made

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self._made.append(self)


async def until(made: list[Arrived], count: int) -> None:
    async with asyncio.timeout(5):
        while len(made) < count:  # noqa: ASYNC110 - turns of the loop are what counts
            await asyncio.sleep(0)


async def test_a_crowd_comes_in_a_few_per_turn() -> None:
    made: list[Arrived] = []
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        crowd = [socket.create_connection(listener.getsockname()) for _ in range(20)]
        door = Accepting(listener, lambda: Arrived(made))
        counts = [0]
        async with asyncio.timeout(5):
            while len(made) < 20:
                await asyncio.sleep(0)
                counts.append(len(made))
        await door.close()
    for each in crowd:
        each.close()
    for one in made:
        one.transport.close()

    assert max(after - before for before, after in pairwise(counts)) <= AT_ONCE


async def test_a_connection_sends_at_once_what_is_written() -> None:
    made: list[Arrived] = []
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()):
        door = Accepting(listener, lambda: Arrived(made))
        await until(made, 1)
        taken = made[0].transport.get_extra_info("socket")
        assert taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        await door.close()
        made[0].transport.close()


async def test_closed_it_takes_nobody_more() -> None:
    made: list[Arrived] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        door = Accepting(listener, lambda: Arrived(made))
        await door.close()
        with socket.create_connection(listener.getsockname()):
            for _ in range(5):
                await asyncio.sleep(0)

    assert made == []


class Full:
    """A listening socket of a process that has no files left, for a while."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self.failures = 0
        self.is_full = True

    def accept(self) -> tuple[socket.socket, Any]:
        if self.is_full:
            self.failures += 1
            raise OSError(errno.EMFILE, "Too many open files")
        return self._listener.accept()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._listener, name)


async def test_without_files_it_waits_and_tries_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accepting, "RETRY_SECONDS", 0.05)
    made: list[Arrived] = []
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()):
        full: Any = Full(listener)
        door = Accepting(full, lambda: Arrived(made))
        for _ in range(20):
            await asyncio.sleep(0)
        assert full.failures == 1, "it doesn't run in circles"

        full.is_full = False
        await until(made, 1)
        await door.close()
        made[0].transport.close()


async def test_a_connection_that_cant_be_made_is_closed(caplog: pytest.LogCaptureFixture) -> None:
    def fails() -> asyncio.BaseProtocol:
        raise RuntimeError("no protocol today")

    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as peer,
    ):
        peer.setblocking(False)
        door = Accepting(listener, fails)
        async with asyncio.timeout(5):
            assert await asyncio.get_running_loop().sock_recv(peer, 1) == b""
        await door.close()

    assert "no protocol today" in caplog.text
