"""One socket from its opening to its close: hello, frames both ways, silence noticed."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from bots.frames import Frame, decode, encode
from bots.outbox import Outbox
from bots.reconnect import LOST

OPEN_SECONDS = 10.0  # TCP, TLS, upgrade; and again from hello to welcome
MESSAGE_BYTES = 16 * 1024 * 1024  # a snapshot of fifty long messages alone is beyond the library's 1 MiB
SEND_SECONDS = 20.0  # a peer that takes nothing for so long is gone
CLOSE_SECONDS = 2.0
GRACE_SECONDS = 15.0  # beyond the ping interval, before silence counts as a dead connection
MOVED = 1000  # we close the old socket ourselves when we have a new one
SHUT_OUT = 4011  # the upgrade was refused (403): the same as the close code for a wrong Origin


class Tap(Protocol):
    """Somebody who writes down what passes, as the history checker does."""

    def connected(self) -> None: ...
    def said(self, frame: dict[str, Any]) -> None: ...
    def heard(self, frame: Frame) -> None: ...
    def disconnected(self, code: int) -> None: ...


@dataclass(frozen=True, slots=True)
class End:
    """How a connection ended."""

    code: int
    reason: str = ""
    has_moved: bool = False  # there is another one already


@dataclass(frozen=True, slots=True)
class Ready:
    """An open socket, and the hello for it. Are there messages, then hello was said and these were the answer."""

    socket: ClientConnection
    hello: dict[str, Any]
    messages: list[bytes]


class Connection:
    """Runs one socket. `heard` gets each frame; `room` is awaited between reads and holds us back."""

    def __init__(
        self,
        socket: ClientConnection,
        outbox: Outbox,
        heard: Callable[[Frame], None],
        room: Callable[[], Awaitable[None]],
    ) -> None:
        self._socket = socket
        self._outbox = outbox
        self._heard = heard
        self._room = room
        self._wake = asyncio.Event()
        self._extra: list[dict[str, Any]] = []  # pong, typing: no ref, not resent
        self._is_welcome = False
        self._silence = OPEN_SECONDS
        self._reader: asyncio.Task[None] | None = None
        self._has_moved = False

    async def run(self, hello: dict[str, Any], tap: Tap, messages: Sequence[bytes] = ()) -> End:
        """Say hello, then read and write until the socket closes, for whatever reason, or `leave` is called.

        `messages`: hello was said already, and these came.
        """
        try:
            if not messages:
                async with asyncio.timeout(SEND_SECONDS):
                    await self._socket.send(encode(hello))
            tap.said(hello)
            for data in messages:
                self._take(data)
            async with asyncio.TaskGroup() as tasks:
                writer = tasks.create_task(self._write(tap))
                self._reader = tasks.create_task(self._read())
                await asyncio.wait([self._reader])
                writer.cancel()
        except (ConnectionClosed, TimeoutError):
            pass
        finally:
            if not self._has_moved:
                self._socket.transport.abort()
        if self._has_moved:
            return End(MOVED, has_moved=True)
        return End(int(self._socket.close_code or LOST), self._socket.close_reason or "")

    def leave(self) -> None:
        """There is another connection: this one's `run` ends at once. Its socket is still to be closed."""
        self._has_moved = True
        if self._reader is not None:
            self._reader.cancel()

    def push(self, frame: dict[str, Any] | None = None) -> None:
        """Something is due; `frame` is one that goes out at once and isn't repeated."""
        if frame is not None:
            self._extra.append(frame)
        self._wake.set()

    async def close(self) -> None:
        """Say goodbye politely, for at most CLOSE_SECONDS."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._socket.close()
        except TimeoutError:
            self._socket.transport.abort()

    async def _read(self) -> None:
        clock = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._silence) as patience:
                while True:
                    self._take(await self._socket.recv(decode=False))
                    patience.reschedule(None)
                    await self._room()
                    patience.reschedule(clock.time() + self._silence)
        except (ConnectionClosed, TimeoutError):
            self._socket.transport.abort()

    def _take(self, data: bytes) -> None:
        for frame in decode(data):
            if frame["type"] == "ping":
                self.push({"type": "pong", "n": frame["n"]})
            elif frame["type"] == "welcome":
                self._silence = frame["ping"] / 1000 + GRACE_SECONDS
                self._is_welcome = True
            self._heard(frame)
        self._wake.set()

    async def _write(self, tap: Tap) -> None:
        clock = asyncio.get_running_loop()
        try:
            while True:
                self._wake.clear()
                now = clock.time()
                for frame in self._due(now):
                    tap.said(frame)
                    async with asyncio.timeout(SEND_SECONDS):
                        await self._socket.send(encode(frame))
                await self._sleep(now)
        except (ConnectionClosed, TimeoutError):
            self._socket.transport.abort()  # the reader notices, and it knows the close code

    def _due(self, now: float) -> list[dict[str, Any]]:
        extra, self._extra = self._extra, []
        asks = [ask.frame for ask in self._outbox.due(now)] if self._is_welcome else []
        return extra + asks

    async def _sleep(self, now: float) -> None:
        wait = self._outbox.next_due(now) if self._is_welcome else None
        try:
            async with asyncio.timeout(wait):
                await self._wake.wait()
        except TimeoutError:
            return


async def open_socket(url: str, origin: str | None, proxy: str | bool | None) -> ClientConnection | End:
    """Open the WebSocket, or tell how it failed."""
    try:
        return await connect(
            url,
            additional_headers={"Origin": origin} if origin else None,
            compression=None,  # the service has it off
            max_size=MESSAGE_BYTES,
            ping_interval=None,  # its pings are frames of the protocol, and we watch for silence ourselves
            open_timeout=OPEN_SECONDS,
            close_timeout=CLOSE_SECONDS,
            proxy=True if proxy is True else proxy or None,
            user_agent_header="shopbell-bots",
        )
    except InvalidStatus as refused:
        status = refused.response.status_code
        return End(SHUT_OUT, f"HTTP {status}") if 400 <= status < 500 and status != 429 else End(LOST, f"HTTP {status}")
    except (OSError, TimeoutError, WebSocketException) as error:
        return End(LOST, str(error) or type(error).__name__)


async def arrive(opened: Ready) -> Ready | End:
    """Say hello and keep what comes until the socket is up to date; within OPEN_SECONDS, or it is closed."""
    socket, is_up_to_date = opened.socket, False
    try:
        async with asyncio.timeout(OPEN_SECONDS):
            await socket.send(encode(opened.hello))
            while not is_up_to_date:
                opened.messages.append(await socket.recv(decode=False))
                is_up_to_date = any(frame["type"] == "synced" for frame in decode(opened.messages[-1]))
        return opened
    except (ConnectionClosed, TimeoutError):
        return End(int(socket.close_code or LOST), socket.close_reason or "")
    finally:
        if not is_up_to_date:
            socket.transport.abort()
