"""A WebSocket peer made of bytes: it sends exactly what a test says, and reads only when it is told to."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
from collections import deque
from collections.abc import Sequence
from typing import Any

from gateway.protocol import PROTOCOL

PATIENCE = 10.0  # seconds for anything that must come
CONT, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA

Frame = dict[str, Any]
DUTY = frozenset({"statuses", "queue", "inbox.status"})
"""What isn't kept and comes when it comes: only tests of it want to hear of it."""


class Closed(Exception):
    """The connection has ended: with this code, or with None when no close frame came."""

    def __init__(self, code: int | None, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code


class Answer(Exception):
    """The handshake was answered with a plain HTTP response."""

    def __init__(self, head: str) -> None:
        super().__init__(head)
        self.status = int(head.split(" ")[1])
        self.head = head.lower()


def masked(opcode: int, payload: bytes, *, fin: bool = True, rsv: int = 0, mask: bool = True) -> bytes:
    """A frame's bytes, right or wrong as the test wants it."""
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    size, bit = len(payload), 0x80 if mask else 0
    if size < 126:
        head = bytes((first, bit | size))
    elif size < 65536:
        head = bytes((first, bit | 126)) + struct.pack("!H", size)
    else:
        head = bytes((first, bit | 127)) + struct.pack("!Q", size)
    if not mask:
        return head + payload
    key = b"\x0f\xf0\x55\xaa"
    whole = int.from_bytes(payload, "big") ^ int.from_bytes((key * (size // 4 + 1))[:size], "big")
    return head + key + whole.to_bytes(size, "big")


def compact(frame: Frame) -> bytes:
    return json.dumps(frame, separators=(",", ":"), ensure_ascii=False).encode()


class Peer:
    """`connect` shakes hands; `say` and `send` write; `hear` gives frame after frame, one JSON object each."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._buffer = bytearray()
        self._ready: deque[Frame] = deque()
        self.messages: list[bytes] = []
        """Every text message that came, as it came."""
        self.pongs: list[bytes] = []
        self.response = ""
        self.answers_pings = True
        self.hears_duty = False
        self.duty: list[Frame] = []
        """What came of it, heard or not."""
        self.welcome: Frame = {}
        self._ref = 0

    @classmethod
    async def connect(
        cls,
        port: int,
        *,
        path: str = "/v1/socket",
        origin: str | None = None,
        headers: Sequence[str] = (),
        receive_buffer: int | None = None,
    ) -> Peer:
        """An open socket that has said nothing yet. Raises Answer if the upgrade was refused."""
        sock = socket.socket()
        sock.setblocking(False)
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        peer = cls(sock)
        try:
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
            await peer._shake_hands(port, path, [f"Origin: {origin}"] if origin else [], headers)
        except BaseException:
            sock.close()
            raise
        return peer

    async def _shake_hands(self, port: int, path: str, origin: Sequence[str], headers: Sequence[str]) -> None:
        lines = [
            f"GET {path} HTTP/1.1",
            f"Host: 127.0.0.1:{port}",
            "Upgrade: websocket",
            "Connection: keep-alive, Upgrade",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
            *origin,
            *headers,
        ]
        await self.send("\r\n".join([*lines, "", ""]).encode())
        while b"\r\n\r\n" not in self._buffer:
            await self._read()
        head, _, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        self._buffer[:] = rest
        self.response = head.decode()
        if " 101 " not in self.response.splitlines()[0]:
            raise Answer(self.response)
        assert "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=" in self.response.lower()

    # --- out ---------------------------------------------------------------------------------------------------

    async def send(self, data: bytes) -> None:
        """These bytes as they are."""
        async with asyncio.timeout(PATIENCE):
            await asyncio.get_running_loop().sock_sendall(self._socket, data)

    def send_at_once(self) -> None:
        """From now on whatever is sent goes out by itself, however small."""
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def say(self, frame: Frame | bytes | str) -> None:
        """One text frame."""
        if isinstance(frame, str):
            frame = frame.encode()
        await self.send(masked(TEXT, frame if isinstance(frame, bytes) else compact(frame)))

    async def ask(self, type: str, **fields: Any) -> Frame:
        """Ask with a fresh ref and return the answer; what came before it is dropped."""
        ref = await self.begin(type, **fields)
        return (await self.until(lambda frame: frame.get("ref") == ref))[-1]

    async def begin(self, type: str, **fields: Any) -> int:
        """Ask with a fresh ref, and return that."""
        self._ref += 1
        await self.say({"type": type, "ref": self._ref, **fields})
        return self._ref

    async def hello(self, token: str, *, batch: bool = True, **fields: Any) -> list[Frame]:
        """Say hello; returns all frames from welcome to synced."""
        await self.say({"type": "hello", "protocol": PROTOCOL, "token": token, "batch": batch, **fields})
        heard = await self.until("synced")
        self.welcome = heard[0]
        return heard

    # --- in ----------------------------------------------------------------------------------------------------

    async def hear(self) -> Frame:
        """The next frame that isn't a ping (those are answered). Raises Closed."""
        while True:
            while not self._ready:
                self._ready.extend(frames_in(await self.message()))
            frame = self._ready.popleft()
            if frame["type"] in DUTY:
                self.duty.append(frame)
                if not self.hears_duty:
                    continue
            if frame["type"] != "ping" or not self.answers_pings:
                return frame
            await self.say({"type": "pong", "n": frame["n"]})

    async def until(self, wanted: Any) -> list[Frame]:
        """All frames up to the first of this type, or for which this is true."""
        holds = wanted if callable(wanted) else lambda frame: frame["type"] == wanted
        heard = [await self.hear()]
        while not holds(heard[-1]):
            heard.append(await self.hear())
        return heard

    async def next(self, type: str) -> Frame:
        """The next frame of this type; what came before it is dropped."""
        return (await self.until(type))[-1]

    async def settle(self) -> list[Frame]:
        """Everything that was on its way when this was called: all up to the answer of an ask that does nothing."""
        ref = await self.begin("nothing.at_all")
        return (await self.until(lambda frame: frame.get("ref") == ref))[:-1]

    async def message(self) -> bytes:
        """The next text message. Control frames are dealt with. Raises Closed."""
        while True:
            opcode, payload = await self.frame()
            if opcode == TEXT:
                if self.hears_duty or any(frame["type"] not in DUTY for frame in frames_in(payload)):
                    self.messages.append(payload)
                return payload
            if opcode == PONG:
                self.pongs.append(payload)
            elif opcode == CLOSE:
                await self._answer_close(payload)

    async def frame(self) -> tuple[int, bytes]:
        """The next frame, which must be one that a server may send. Raises Closed when the stream ends."""
        head = await self._exactly(2)
        assert head[0] & 0xF0 == 0x80, "fin is set and the reserved bits aren't"
        assert not head[1] & 0x80, "a server doesn't mask"
        size = head[1]
        if size == 126:
            size = int.from_bytes(await self._exactly(2), "big")
        elif size == 127:
            size = int.from_bytes(await self._exactly(8), "big")
        return head[0] & 0xF, await self._exactly(size)

    async def closed(self) -> int | None:
        """Read on until the connection ends; returns the code of the close frame, None if there was none."""
        try:
            while True:
                await self.message()
        except Closed as closed:
            return closed.code

    async def closing(self, code: int = 1000) -> int | None:
        """Leave as one should: returns the code with which the server answered."""
        await self.send(masked(CLOSE, code.to_bytes(2, "big")))
        return await self.closed()

    async def ends(self) -> None:
        """Read until the server has closed the TCP connection, whatever comes before that."""
        async with asyncio.timeout(PATIENCE):
            while await self._receive():
                pass

    @property
    def is_there(self) -> bool:
        return self._socket.fileno() >= 0

    def leave(self) -> None:
        """Go without a word, also in the midst of sending or hearing."""
        if self._socket.fileno() >= 0:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._socket)
            loop.remove_writer(self._socket)
        self._socket.close()

    def vanish(self) -> None:
        """Go with a reset."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    async def _answer_close(self, payload: bytes) -> None:
        code = int.from_bytes(payload[:2], "big") if payload else None
        try:
            await self.send(masked(CLOSE, payload[:2]))
            await self.ends()
        except OSError:
            pass
        self._socket.close()
        raise Closed(code, payload[2:].decode())

    async def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            await self._read()
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    async def _read(self) -> None:
        async with asyncio.timeout(PATIENCE):
            data = await self._receive()
        if not data:
            self._socket.close()
            raise Closed(None)
        self._buffer += data

    async def _receive(self) -> bytes:
        try:
            return await asyncio.get_running_loop().sock_recv(self._socket, 65536)
        except ConnectionResetError:
            return b""


def frames_in(message: bytes) -> list[Frame]:
    """What one text message of the server says."""
    frames = [json.loads(line) for line in message.split(b"\n")]
    assert all(isinstance(frame, dict) for frame in frames)
    return frames


def new_id() -> str:
    """A UUIDv7 as clients make them, as far as anybody looks."""
    random = os.urandom(16).hex()
    return f"{random[:8]}-{random[8:12]}-7{random[13:16]}-8{random[17:20]}-{random[20:]}"
