"""The client: stays connected, keeps the mirror, sends asks until they are settled. For bots, tests and scripts."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit, urlunsplit

from bots.connection import Connection, End, Ready, Tap, arrive, open_socket
from bots.errors import Closed, Refused
from bots.events import ROOM, Subscription
from bots.frames import PROTOCOL, Frame, Ok, Welcome
from bots.mirror import Mirror
from bots.moving import Moving
from bots.outbox import Outbox
from bots.reconnect import CHANGED, LOST, UNAUTHORIZED, Course, Pace, manner
from bots.verbs import Verbs

log = logging.getLogger("shopbell.client")

T = TypeVar("T")
Token = str | Callable[[], Awaitable[str]]

TOKEN_SECONDS = 300.0  # a fetched one lives 10 minutes as a rule: near that it isn't worth a handshake


class Client(Verbs):
    """One peer of the service. Use it as `async with Client(url, token) as client:`.

    `token` is a bot's API token, or a function that fetches a fresh socket token whenever one is needed.
    """

    def __init__(
        self,
        url: str,
        token: Token,
        *,
        origin: str | None = None,
        name: str = "bots/1.0",
        pace: Pace | None = None,
        patience: float = 30.0,
        tap: Tap | None = None,
        room: int = ROOM,
        proxy: str | bool | None = None,
        batch: bool = True,
    ) -> None:
        super().__init__(Outbox(), Mirror(), patience)
        self._url = socket_url(url)
        self._token = token
        self._origin = origin
        self._name = name
        self._tap: Tap = tap or Quiet()
        self._room = room
        self._proxy = proxy
        self._batch = batch  # may the service join several frames into one message?
        self._resumed: dict[str, Any] | None = None
        self._course = Course(pace or Pace(), can_renew=callable(token))
        self._fresh: str | None = None
        self._fetched_at = 0.0
        self._connection: Connection | None = None
        self._synced_at: float | None = None
        self._moving = Moving(self._arrive, self._leave, self._course)
        self._subscriptions: list[Subscription] = []
        self._news = asyncio.Event()
        self._stir = asyncio.Event()
        self._ended: Closed | None = None
        self._tasks = asyncio.TaskGroup()
        self._life: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        self._life = self._tasks.create_task(self._live())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(Closed(reason="the client was closed"))
        if self._connection is not None:
            await self._connection.close()
        if self._life is not None:
            self._life.cancel()
        self._moving.give_up()
        # The body's own exception goes its way unwrapped; a cancellation may be the group's, after a crash of ours.
        is_cancelled = isinstance(error, asyncio.CancelledError)
        await (self._tasks.__aexit__(kind, error, trace) if is_cancelled else self._tasks.__aexit__(None, None, None))

    async def until(self, holds: Callable[[Mirror], T], timeout: float = 10.0) -> T:
        """Wait until something is true of the mirror and return what `holds` returned; TimeoutError, Closed."""
        async with asyncio.timeout(timeout):
            while True:
                if value := holds(self.mirror):
                    return value
                if self._ended is not None:
                    raise self._ended
                self._news.clear()
                await self._news.wait()

    async def synced(self, timeout: float = 10.0) -> None:
        """Wait until the socket is open and everything missed has arrived."""
        await self.until(lambda mirror: mirror.is_synced, timeout)

    def events(self) -> Subscription:
        """All frames from now on: `with client.events() as frames:`. A slow taker makes the client stop reading."""
        subscription = Subscription(self._room, self._stir.set, self._subscriptions.remove)
        self._subscriptions.append(subscription)
        if self._ended is not None:
            subscription.end(self._ended)
        return subscription

    @property
    def ended(self) -> Closed | None:
        """Why the client has stopped for good, or None while it lives."""
        return self._ended

    def _check_open(self) -> None:
        if self._ended is not None:
            raise self._ended

    def _wake(self, frame: dict[str, Any] | None = None) -> None:
        self._stir.set()
        if self._connection is not None:
            self._connection.push(frame)

    async def _live(self) -> None:
        ready: Ready | None = None
        while True:
            end = await self._one_connection(ready)
            self.outbox.disconnected()
            if not end.has_moved:
                self.mirror.disconnected()
                self._news.set()
            await self._moving.finish(end)
            if (ready := self._moving.take()) is not None:
                continue
            way, delay = self._next_step(end)
            log.info("socket closed (%s %s): %s in %.2f s", end.code, end.reason, way, delay)
            if way == "stop":
                return self._end(Closed(end.code, end.reason))
            if way == "renew" or end.code == CHANGED:
                self._fresh = None
            await asyncio.sleep(delay)

    def _next_step(self, end: End) -> tuple[str, float]:
        clock = asyncio.get_running_loop().time()
        return self._course.ended(end.code, None if self._synced_at is None else clock - self._synced_at)

    async def _one_connection(self, ready: Ready | None) -> End:
        self._synced_at = None
        opened = ready or await self._open()
        if isinstance(opened, End):
            return opened
        self._resumed = opened.hello.get("resume")
        self.mirror.resumed(self._resumed)
        self._connection = connection = Connection(opened.socket, self.outbox, self._hear, self._make_room)
        self._tap.connected()
        end = End(LOST)
        try:
            end = await connection.run(opened.hello, self._tap, opened.messages)
        finally:
            self._connection = None
            self._tap.disconnected(end.code)
        if end.has_moved:
            self._tasks.create_task(connection.close())
        return end

    async def _arrive(self) -> Ready | End:
        """A socket beside the one in use, up to date."""
        opened = await self._open()
        arrived = opened if isinstance(opened, End) else await arrive(opened)
        if isinstance(arrived, End) and manner(arrived.code) == "renew":
            self._fresh = None
        return arrived

    def _leave(self) -> None:
        if self._connection is not None:
            self._connection.leave()

    async def _open(self) -> Ready | End:
        """A socket on which nothing was said yet, and the hello for it."""
        try:
            token = await self._get_token()
        except (OSError, TimeoutError) as error:
            return End(LOST, f"no token: {error}")
        except Refused as refused:
            return End(UNAUTHORIZED, f"no token: {refused}")
        socket = await open_socket(self._url, self._origin, self._proxy)
        return socket if isinstance(socket, End) else Ready(socket, self._hello(token), [])

    async def _get_token(self) -> str:
        if isinstance(self._token, str):
            return self._token
        now = asyncio.get_running_loop().time()
        if self._fresh is None or now - self._fetched_at > TOKEN_SECONDS:
            async with asyncio.timeout(15):
                self._fresh, self._fetched_at = await self._token(), now
        return self._fresh

    def _hello(self, token: str) -> dict[str, Any]:
        hello = {"type": "hello", "protocol": PROTOCOL, "token": token, "client": self._name, "batch": self._batch}
        resume = self.mirror.resume()
        return hello | {"resume": resume} if resume else hello

    def _hear(self, frame: Frame) -> None:
        self._tap.heard(frame)
        now = asyncio.get_running_loop().time()
        if frame["type"] == "ok":
            self._answered(frame)
        elif frame["type"] == "refused" and not self.outbox.refused(frame, now):
            log.warning("refused without an ask of ours: %s", frame)
        self.mirror.apply(frame)
        if frame["type"] == "welcome":
            self._welcomed(frame)
        elif frame["type"] == "reconnect":
            self._moving.begin(self._tasks, frame["after"])
        elif frame["type"] == "synced":
            self._synced_at = now if self._synced_at is None else self._synced_at
        for subscription in self._subscriptions:
            subscription.put(frame)
        self._news.set()

    def _answered(self, frame: Ok) -> None:
        ask = self.outbox.ok(frame)
        if ask is not None and ask.frame["type"] == "watch":
            self.mirror.watched(ask.frame["conversations"])

    def _welcomed(self, frame: Welcome) -> None:
        self._course.welcomed()
        self.outbox.window = frame["limits"].get("inflight", self.outbox.window)
        self.frame_limit = frame["limits"].get("frame", self.frame_limit)
        if self.watched or (self._resumed or {}).get("watch"):
            # A resume makes the service watch all that we hold; what was only assigned to us must not stay watched.
            self.renew_watch()

    async def _make_room(self) -> None:
        # An answer may be what the consumer waits for, so while one is due we read on, up to a hard bound.
        while any(subscription.is_full(hard=len(self.outbox) > 0) for subscription in self._subscriptions):
            self._stir.clear()
            await self._stir.wait()

    def _end(self, why: Closed) -> None:
        if self._ended is None:
            self._ended = why
            self.outbox.close(why)
            for subscription in self._subscriptions:
                subscription.end(why)
            self._news.set()


class Quiet:
    """The tap of a client that nobody listens in on."""

    def connected(self) -> None: ...
    def said(self, frame: dict[str, Any]) -> None: ...
    def heard(self, frame: Frame) -> None: ...
    def disconnected(self, code: int) -> None: ...


def socket_url(url: str) -> str:
    """ws://host/v1/socket for http://host; a ws:// or wss:// URL with a path is taken as it is."""
    parts = urlsplit(url)
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
    path = parts.path.rstrip("/") or "/v1/socket"
    return urlunsplit((scheme, parts.netloc, path, parts.query, ""))
