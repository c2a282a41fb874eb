"""A TCP proxy before any server: it loses, delays, slices and cuts bytes of which it knows nothing.

`faults.py` has the one that knows WebSocket frames.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

Direction = Literal["up", "down"]  # up: from the client to the server
DIRECTIONS: tuple[Direction, Direction] = ("up", "down")
CHUNK = 65536
ON_THE_WAY = 64  # chunks of one direction that are delayed; beyond that the sender's own buffers fill
PACES = 20  # pieces a second under a cap, so that it is slow and not jerky
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with RST


@dataclass(eq=False)
class TcpProxy:
    """Listens on `port`. What is set concerns all connections of now and new ones, until `heal`."""

    target: tuple[str, int]
    port: int = 0
    connections: int = 0
    """How many have come."""
    passed: dict[Direction, int] = field(default_factory=lambda: dict.fromkeys(DIRECTIONS, 0))
    """Bytes that went through."""
    latency: float = 0.0
    """Seconds that every byte takes longer, each way."""
    slices: int = 0
    """Bytes of one write at most; 0: as they came."""
    bytes_per_second: int = 0
    """Of one direction of one connection; 0: as fast as they come."""
    cuts: int = 0
    """How many connections were cut by `cut_after`."""
    _gates: dict[Direction, asyncio.Event] = field(default_factory=dict)
    _swallows: set[Direction] = field(default_factory=set)
    _refuses: bool = False
    _cut_at: dict[Direction, int] = field(default_factory=dict)
    _links: set[_Link] = field(default_factory=set)

    def __post_init__(self) -> None:
        for direction in DIRECTIONS:
            self._gates[direction] = asyncio.Event()
            self._gates[direction].set()

    @property
    def open(self) -> int:
        """Connections that stand."""
        return len(self._links)

    def reset(self) -> None:
        """Reset every connection of now, on both sides."""
        for link in list(self._links):
            link.reset()

    def refuse(self, yes: bool = True) -> None:
        """Reset new connections at once, or (False) no longer."""
        self._refuses = yes

    def blackhole(self, *directions: Direction) -> None:
        """Take everything, also the end of a connection, and lose it: the sender believes that all is well."""
        self._swallows.update(directions or DIRECTIONS)

    def stall(self, *directions: Direction) -> None:
        """Let nothing through and lose nothing: the sender's writes pile up, and go on after `heal`."""
        for direction in directions or DIRECTIONS:
            self._gates[direction].clear()

    def half_close(self, direction: Direction) -> None:
        """Whoever reads this direction of a connection of now sees its end; the other direction goes on."""
        for link in self._links:
            link.half_close(direction)

    def cut_after(self, direction: Direction, count: int) -> None:
        """Once, when so many more bytes of this direction have passed: their reader gets them and then the end, the
        other side gets a reset, and what else is on its way is lost."""
        self._cut_at[direction] = self.passed[direction] + count

    def heal(self) -> None:
        """No fault from now on. Connections that lost bytes are reset: no network would let them go on."""
        self.latency, self.slices, self.bytes_per_second = 0.0, 0, 0
        self._swallows.clear()
        self._cut_at.clear()
        self._refuses = False
        for link in list(self._links):
            if link.has_lost:
                link.reset()
        for gate in self._gates.values():
            gate.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its accept to its end."""
        if self._refuses:
            _reset(writer)
            return
        self.connections += 1
        try:
            up_reader, up_writer = await asyncio.open_connection(*self.target)
        except OSError:
            _reset(writer)
            return
        link = _Link({"up": up_writer, "down": writer})
        self._links.add(link)
        try:
            async with asyncio.TaskGroup() as tasks:
                for direction, source in (("up", reader), ("down", up_reader)):
                    way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(ON_THE_WAY)
                    tasks.create_task(self._take(source, way, link))
                    tasks.create_task(self._bring(direction, way, link))  # type: ignore[arg-type]  # it is one of them
        except* (OSError, _Over):
            pass
        finally:
            self._links.discard(link)
            link.close()

    async def _take(self, source: asyncio.StreamReader, way: asyncio.Queue[tuple[float, bytes]], link: _Link) -> None:
        data = b"-"
        while data:
            data = await source.read(CHUNK)
            await way.put((asyncio.get_running_loop().time() + self.latency, data))

    async def _bring(self, direction: Direction, way: asyncio.Queue[tuple[float, bytes]], link: _Link) -> None:
        """Ends with the direction; the connection with both of them."""
        while True:
            due, data = await way.get()
            await asyncio.sleep(due - asyncio.get_running_loop().time())
            await self._gates[direction].wait()
            if direction in self._swallows:
                link.has_lost = True
                if data:
                    continue
                await link.over.wait()  # the end is lost too: the other side keeps the connection
            if not data:
                link.half_close(direction)
                return
            for piece in self._pieces(data):
                if await self._pass(direction, piece, link):
                    raise _Over

    def _pieces(self, data: bytes) -> list[bytes]:
        limits = [self.slices, self.bytes_per_second and max(1, self.bytes_per_second // PACES)]
        size = min((limit for limit in limits if limit), default=len(data))
        return [data[start : start + size] for start in range(0, len(data), size)]

    async def _pass(self, direction: Direction, piece: bytes, link: _Link) -> bool:
        """Whether this was the last of the connection."""
        cut_at = self._cut_at.get(direction)
        is_last = cut_at is not None and self.passed[direction] + len(piece) >= cut_at
        if is_last and cut_at is not None:
            piece = piece[: cut_at - self.passed[direction]]
        if self.bytes_per_second:
            await asyncio.sleep(len(piece) / self.bytes_per_second)
        self.passed[direction] += len(piece)
        await link.write(direction, piece)
        if is_last:
            del self._cut_at[direction]
            self.cuts += 1
            link.cut(direction)
        elif self.slices:
            await asyncio.sleep(0)  # the reader's turn, so that it gets this slice by itself
        return is_last


class _Over(Exception):
    """The connection is at its end."""


@dataclass(eq=False)
class _Link:
    """One connection: who reads each direction."""

    writers: dict[Direction, asyncio.StreamWriter]
    has_lost: bool = False
    over: asyncio.Event = field(default_factory=asyncio.Event)
    _ended: set[Direction] = field(default_factory=set)

    async def write(self, direction: Direction, piece: bytes) -> None:
        if direction in self._ended:
            return
        self.writers[direction].write(piece)
        await self.writers[direction].drain()

    def half_close(self, direction: Direction) -> None:
        writer = self.writers[direction]
        if direction not in self._ended and not writer.is_closing():
            with suppress(OSError):
                writer.write_eof()
        self._ended.add(direction)

    def cut(self, direction: Direction) -> None:
        """Who reads this direction sees its end, behind what was written; the other one a reset."""
        self.half_close(direction)
        _reset(self.writers["up" if direction == "down" else "down"])

    def reset(self) -> None:
        self.over.set()
        for writer in self.writers.values():
            _reset(writer)

    def close(self) -> None:
        self.over.set()
        for writer in self.writers.values():
            writer.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Closing alone would say a friendly goodbye."""
    connection = writer.get_extra_info("socket")
    if connection is not None:
        with suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()


@asynccontextmanager
async def tcp_proxy(port: int, host: str = "127.0.0.1", *, at: int = 0) -> AsyncIterator[TcpProxy]:
    """A proxy to this port until the block ends: `at` a port of your choice, or a free one."""
    proxy = TcpProxy((host, port))
    async with tcp_server(proxy.serve, at=at) as proxy.port:
        try:
            yield proxy
        finally:
            proxy.refuse()
            proxy.reset()


@asynccontextmanager
async def tcp_server(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], *, at: int = 0
) -> AsyncIterator[int]:
    """The port of a server that owns its connections' tasks and ends them with the block."""
    serving: set[asyncio.Task[None]] = set()

    async def own(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            await serve(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # the peer has gone, or the block ends; asyncio would log it
        finally:
            serving.discard(task)
            writer.close()

    server = await asyncio.start_server(own, "127.0.0.1", at)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(serving):
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        await server.wait_closed()
