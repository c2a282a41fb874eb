"""Shoppers by the thousand: each has a socket and listens. Light, as the load runs beside what it loads."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, Literal

import orjson
from picows import WSCloseCode, WSFrame, WSHandshakeError, WSListener, WSMsgType, WSTransport, ws_connect

from bots.connection import MOVED
from bots.reconnect import LOST, Course
from tests.chaos.town import Person
from tests.history import Log

TEXT, CLOSE = WSMsgType.TEXT, WSMsgType.CLOSE
ARRIVAL_SECONDS = 20.0  # from the first byte to `synced`
ARRIVING = 50  # at once, in the beginning
SETTLED_SECONDS = 60.0

# What somebody does who is asked to reconnect: as our clients do; as they did before; nothing, as it doesn't know that.
Manner = Literal["moves", "breaks", "stays"]
Door = Callable[[], int]
"""A port of a node that takes connections, as a load balancer knows it."""


class Line(WSListener):
    """One socket: hello goes out by itself, frames are kept until somebody takes them over."""

    def __init__(self, port: int, hello: dict[str, Any]) -> None:
        loop = asyncio.get_running_loop()
        self.port = port
        self.hello = hello
        self.kept: list[dict[str, Any]] = []
        self.hear: Callable[[dict[str, Any]], None] = self.kept.append
        self.code = LOST
        self.is_synced: asyncio.Future[bool] = loop.create_future()
        self.is_over: asyncio.Future[Any] = loop.create_future()
        self.is_asked: asyncio.Future[Any] = loop.create_future()
        self.transport: WSTransport | None = None

    def say(self, frame: dict[str, Any]) -> None:
        assert self.transport is not None
        self.transport.send(TEXT, orjson.dumps(frame))

    def leave(self) -> None:
        """Say goodbye; nothing more is heard of it."""
        self.hear = _nobody
        assert self.transport is not None
        self.transport.send_close(WSCloseCode.OK)
        self.transport.disconnect()

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        self.say(self.hello)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is CLOSE:
            self.code = int.from_bytes(frame.get_payload_as_bytes()[:2], "big") or LOST
            transport.send_close(frame.get_close_code())
            transport.disconnect()
        elif frame.msg_type is TEXT:
            for line in frame.get_payload_as_bytes().split(b"\n"):
                self._take(orjson.loads(line))

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        if not self.is_over.done():
            self.is_over.set_result(None)
        if not self.is_synced.done():
            self.is_synced.set_result(False)

    def _take(self, frame: dict[str, Any]) -> None:
        if frame["type"] == "ping":
            self.say({"type": "pong", "n": frame["n"]})
            return
        self.hear(frame)
        if frame["type"] == "synced" and not self.is_synced.done():
            self.is_synced.set_result(True)
        elif frame["type"] == "reconnect" and not self.is_asked.done():
            self.is_asked.set_result(tuple(frame["after"]))


_addresses = (f"127.1.{number // 250 % 250}.{number % 250 + 1}" for number in count())


class Lurker:
    """`live` keeps it connected until it is cancelled; its log is like a client's. Each has an address of its own."""

    def __init__(
        self, person: Person, door: Door, dice: random.Random, course: Course, manner: Manner = "moves"
    ) -> None:
        self.log = Log(person.name, person.actor.id, "contact")
        self.manner = manner
        self.gaps: list[float] = []
        """Seconds without a socket that was up to date, of each time that one followed another."""
        self.codes: list[int] = []
        """With which the sockets closed that it hadn't left."""
        self.back_at = 0.0
        """When it was up to date by the socket that it has now (time.monotonic)."""
        self.turned_away = 0
        self.line: Line | None = None
        self.may_come = asyncio.Event()
        """Cleared, it doesn't try to come back, as somebody without a network."""
        self.seqs: dict[str, int] = {}
        self._person = person
        self._door = door
        self._address = next(_addresses)
        self._dice = dice
        self._course = course
        self._epoch = ""
        self._ended_at: float | None = None
        self._news = asyncio.Event()
        self.may_come.set()

    @property
    def is_synced(self) -> bool:
        return self.line is not None and not self.line.is_over.done()

    async def until(self, holds: Callable[[Lurker], bool], seconds: float) -> None:
        """Wait until something is true of it, which only frames can change."""
        async with asyncio.timeout(seconds):
            while not holds(self):
                self._news.clear()
                await self._news.wait()

    async def live(self) -> None:
        try:
            line = await self._come_back(0.0)
            while True:
                self._take_over(line)
                line = await self._next(line)
        finally:
            if self.line is not None and not self.line.is_over.done():
                self.line.leave()

    # --- one socket after the other -----------------------------------------------------------------------------

    async def _next(self, line: Line) -> Line:
        """The socket after this one, which is over by then, or left for it."""
        await asyncio.wait([line.is_over, line.is_asked], return_when=asyncio.FIRST_COMPLETED)
        if line.is_asked.done() and self.manner != "stays":
            low, high = line.is_asked.result()
            await asyncio.wait([line.is_over], timeout=self._dice.uniform(low, high) / 1000)
            moved = await (self._move(line) if self.manner == "moves" else self._break(line))
            if moved is not None:
                return moved
        await line.is_over
        self._lost(line)
        _, delay = self._course.ended(line.code, 60.0)
        return await self._come_back(delay)

    async def _move(self, line: Line) -> Line | None:
        """A new socket before this one goes; None when it went first."""
        tries = 0
        while not line.is_over.done():
            if (arrived := await self._arrive()) is not None:
                if not line.is_over.done():
                    self._ended_at = None
                    self.log.disconnected(MOVED)
                    line.leave()
                else:
                    self._lost(line)
                return arrived
            await asyncio.wait([line.is_over], timeout=self._course.pace.delay(tries, self._dice))
            tries += 1
        return None

    async def _break(self, line: Line) -> Line | None:
        """This socket goes, and then comes a new one: so did clients that don't know better."""
        if line.is_over.done():
            return None
        line.code = MOVED
        self._lost(line)
        line.leave()
        return await self._come_back(0.0)

    async def _come_back(self, delay: float) -> Line:
        tries = 0
        await self.may_come.wait()
        while True:
            await asyncio.sleep(delay)
            if (arrived := await self._arrive()) is not None:
                return arrived
            tries += 1
            delay = self._course.pace.delay(tries, self._dice)

    def _lost(self, line: Line) -> None:
        self.line = None
        self._ended_at = time.monotonic()
        self.codes.append(line.code)
        self.log.disconnected(line.code)

    def _take_over(self, line: Line) -> None:
        self.back_at = time.monotonic()
        if self.line is not None or self._ended_at is not None:
            self.gaps.append(0.0 if self._ended_at is None else self.back_at - self._ended_at)
        self.line, self._ended_at = line, None
        self.log.connected()
        self.log.said(line.hello)
        for frame in line.kept:
            self._hear(frame)
        line.hear = self._hear

    async def _arrive(self) -> Line | None:
        """A socket that is up to date, whose frames are kept."""
        port = self._door()
        line = Line(port, self._hello())
        try:
            async with asyncio.timeout(ARRIVAL_SECONDS):
                await ws_connect(
                    lambda: line,
                    f"ws://127.0.0.1:{port}/v1/socket",
                    extra_headers={"Origin": f"http://127.0.0.1:{port}"},
                    read_buffer_init_size=4096,
                    local_addr=(self._address, 0),
                )
                if line.transport is None:  # ended before it was answered, which picows takes for a success
                    return None
                return line if await line.is_synced else None
        except WSHandshakeError:
            self.turned_away += 1
        except (OSError, TimeoutError):
            pass
        return None

    # --- what it knows --------------------------------------------------------------------------------------------

    def _hello(self) -> dict[str, Any]:
        token = self._person.token
        hello = {"type": "hello", "protocol": 1, "token": token, "client": "lurker/1.0", "batch": True}
        return hello | {"resume": {"epoch": self._epoch, "conversations": dict(self.seqs)}} if self.seqs else hello

    def _hear(self, frame: dict[str, Any]) -> None:
        self.log.heard(frame)  # type: ignore[arg-type]  # the frames are what the service says
        if frame["type"] == "welcome":
            self._epoch = frame["epoch"]
        elif frame["type"] in ("change", "snapshot"):
            name, seq = frame["conversation"], frame.get("seq") or frame["state"]["seq"]
            self.seqs[name] = max(seq, self.seqs.get(name, 0))
        self._news.set()


async def settle_in(lurkers: Sequence[Lurker], tasks: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
    """All of them connected, some at a time; returns what keeps them so."""
    gate = asyncio.Semaphore(ARRIVING)
    lives: list[asyncio.Task[None]] = []

    async def come(lurker: Lurker) -> None:
        async with gate:
            lives.append(tasks.create_task(lurker.live()))
            await lurker.until(lambda lurker: lurker.is_synced, SETTLED_SECONDS)

    await asyncio.gather(*map(come, lurkers))
    return lives


def _nobody(frame: dict[str, Any]) -> None:
    """Hears nothing."""
