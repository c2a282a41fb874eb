"""A small TCP proxy between client and server that cuts, stalls and swallows, down to a chosen WebSocket frame."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

import orjson

Direction = Literal["up", "down"]  # up: from the client to the server
DIRECTIONS: tuple[Direction, Direction] = ("up", "down")
CHUNK = 65536
LINGER_SECONDS = 1.0  # after a cut: for the side that got the last frame to see the end


@dataclass(slots=True)
class Passed:
    """One frame that went through: which way, and the types of what was in it."""

    direction: Direction
    types: list[str]


@dataclass(eq=False)
class Proxy:
    """Listens on `port`. Faults concern all connections of now, and new ones unless a method says otherwise."""

    target: tuple[str, int]
    port: int = 0
    connections: int = 0
    frames: list[Passed] = field(default_factory=list)  # of all connections, in the order of their passing
    cut_after: int | None = None  # cut the connection on which the frame of this number (from 1) has passed, once
    cuts: int = 0
    _gates: dict[Direction, asyncio.Event] = field(default_factory=dict)
    _swallows: set[Direction] = field(default_factory=set)
    _refuses: bool = False
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Reset every connection of now, as a dying router does."""
        self.cuts += 1
        for writer in list(self._writers):
            writer.transport.abort()

    def refuse(self, yes: bool = True) -> None:
        """Reset new connections at once, or (False) no longer."""
        self._refuses = yes

    def stall(self, *directions: Direction) -> None:
        """Let nothing through: the sender's writes pile up until its buffers are full."""
        for direction in directions or DIRECTIONS:
            self._gates[direction].clear()

    def blackhole(self, *directions: Direction) -> None:
        """Take everything and lose it: the sender believes that all is well."""
        self._swallows.update(directions or DIRECTIONS)

    def heal(self) -> None:
        """Let through what comes from now on. What was swallowed stays lost, so cut such connections."""
        self._swallows.clear()
        for gate in self._gates.values():
            gate.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its accept to its end."""
        if self._refuses:
            writer.transport.abort()
            return
        self.connections += 1
        try:
            up_reader, up_writer = await asyncio.open_connection(*self.target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, up_writer}
        link = Link()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pump("up", reader, up_writer, writer, link))
                tasks.create_task(self._pump("down", up_reader, writer, up_writer, link))
        except* OSError:
            pass
        finally:
            for each in (writer, up_writer):
                self._writers.discard(each)
                each.transport.abort()

    async def _pump(
        self,
        direction: Direction,
        reader: asyncio.StreamReader,
        to: asyncio.StreamWriter,
        back: asyncio.StreamWriter,
        link: "Link",
    ) -> None:
        splitter = Splitter()
        while data := await reader.read(CHUNK):
            await self._gates[direction].wait()
            if link.is_cut or direction in self._swallows:
                continue
            for piece, payload in splitter.feed(data):
                to.write(piece)
                if payload is not None and self._passed(direction, payload):
                    link.is_cut = True
                    return await self._cut_here(to, back)
            await to.drain()
        if not link.is_cut and not to.is_closing():
            to.write_eof()

    def _passed(self, direction: Direction, payload: bytes) -> bool:
        self.frames.append(Passed(direction, _types(payload)))
        return self.cut_after == len(self.frames)

    async def _cut_here(self, to: asyncio.StreamWriter, back: asyncio.StreamWriter) -> None:
        """The receiver gets this frame and then the end; the sender gets a reset. What they still say is lost."""
        self.cut_after = None
        self.cuts += 1
        back.transport.abort()
        await to.drain()
        to.write_eof()
        asyncio.get_running_loop().call_later(LINGER_SECONDS, to.transport.abort)


@dataclass(slots=True)
class Link:
    """What both directions of one connection know of each other."""

    is_cut: bool = False


@asynccontextmanager
async def proxy_to(host: str, port: int) -> AsyncIterator[Proxy]:
    """A proxy on a free port until the block ends."""
    proxy = Proxy((host, port), _gates={direction: asyncio.Event() for direction in DIRECTIONS})
    proxy.heal()
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.cut()
        await server.wait_closed()


class Splitter:
    """Cuts one direction's bytes into the HTTP head and whole WebSocket frames; plain HTTP it leaves as it came."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._is_upgraded = False
        self._is_plain = False

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bytes | None]]:
        """Pieces to pass on as they are; of text frames the payload too."""
        if self._is_plain:
            yield data, None
            return
        self._buffer += data
        while (end := self._piece_end()) is not None:
            piece = bytes(self._buffer[:end])
            del self._buffer[:end]
            if self._is_upgraded:
                yield piece, _payload(piece)
                continue
            self._is_upgraded = b"upgrade: websocket" in piece.lower()
            self._is_plain = not self._is_upgraded
            if self._is_plain:  # a page, a token: nothing of it is a frame
                yield piece + bytes(self._buffer), None
                return
            yield piece, None

    def _piece_end(self) -> int | None:
        if not self._is_upgraded:
            end = self._buffer.find(b"\r\n\r\n")
            return None if end < 0 else end + 4
        if len(self._buffer) < 2:
            return None
        head, size = _sizes(self._buffer)
        return None if len(self._buffer) < head or len(self._buffer) < head + size else head + size


def _sizes(frame: bytes | bytearray) -> tuple[int, int]:
    """Bytes of head and payload of the frame that begins here (RFC 6455, 5.2); a head that isn't whole yet: enough."""
    length = frame[1] & 0x7F
    extra = {126: 2, 127: 8}.get(length, 0)
    head = 2 + extra + (4 if frame[1] & 0x80 else 0)
    return head, int.from_bytes(frame[2 : 2 + extra], "big") if extra else length


def _payload(frame: bytes) -> bytes | None:
    if frame[0] & 0x0F != 1:
        return None
    head, _ = _sizes(frame)
    body = frame[head:]
    if not frame[1] & 0x80:
        return body
    mask = frame[head - 4 : head]
    return bytes(byte ^ mask[index % 4] for index, byte in enumerate(body))


def _types(payload: bytes) -> list[str]:
    return [str(orjson.loads(line).get("type")) for line in payload.split(b"\n")]
