"""A line to one server, and servers that behave as none should. What a bus makes of it is in test_redis.py."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from gateway.bus import line as module
from gateway.bus.line import Ear, Line
from gateway.bus.parcel import join, stamp
from gateway.bus.places import Server, new_connection
from gateway.bus.pulse import Pulse
from gateway.redis_url import parse_redis_url
from tests.proxy import tcp_server
from tests.servers import RedisServer, a_free_port

NODE = b"testnode"
PULSE = b"test:pulse:{0}"


@dataclass
class Told:
    """What a line has told."""

    taken: list[tuple[bytes, bytes]] = field(default_factory=list)
    lost: int = 0
    dropped: list[int] = field(default_factory=list)
    published: int = 0
    moves: int = 0
    away: list[Exception] = field(default_factory=list)

    @property
    def ear(self) -> Ear:
        return Ear(
            self._take, self._lose, self.dropped.append, self._publish, self._move, self.away.append, lambda: None
        )

    def _take(self, name: bytes, data: bytes) -> None:
        if name != PULSE:
            self.taken.append((name, data))

    def _lose(self) -> None:
        self.lost += 1

    def _publish(self, payloads: int) -> None:
        self.published += payloads

    def _move(self) -> None:
        self.moves += 1


@asynccontextmanager
async def a_line(port: int) -> AsyncIterator[tuple[Line, Told]]:
    address, told = parse_redis_url(f"redis://127.0.0.1:{port}"), Told()
    line = Line(lambda: new_connection(address, Server("127.0.0.1", port)), stamp(NODE), Pulse(NODE), PULSE, told.ear)
    running = asyncio.create_task(line.run())
    try:
        yield line, told
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def eventually(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110  # a line has no event for a test's wishes
            await asyncio.sleep(0.005)


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"), a_free_port())
    yield server
    server.stop()


async def test_many_channels_are_subscribed_with_few_commands(server: RedisServer) -> None:
    async with a_line(server.port) as (line, _):
        await eventually(lambda: line.is_steady)
        names = [b"test:%d" % n for n in range(2 * module.TOGETHER)]

        await asyncio.gather(*(line.subscribe(name) for name in names))

        assert "cmdstat_subscribe:calls=3," in await asyncio.to_thread(server.ask, "INFO", "commandstats")
        for name in names:
            line.unsubscribe(name)
        await eventually(lambda: not line._to_leave)
        await line.subscribe(b"test:last")
        assert "cmdstat_unsubscribe:calls=2," in await asyncio.to_thread(server.ask, "INFO", "commandstats")
        channels = (await asyncio.to_thread(server.ask, "PUBSUB", "CHANNELS")).splitlines()
        assert sorted(channels) == ["test:last", PULSE.decode()]


async def test_leaving_and_coming_back_at_once_is_hearing(server: RedisServer) -> None:
    async with a_line(server.port) as (line, told):
        await eventually(lambda: line.is_steady)
        for turns in range(6):
            subscribing = asyncio.create_task(line.subscribe(b"test:1"))
            for _ in range(turns):
                await asyncio.sleep(0)
            line.unsubscribe(b"test:1")
            for _ in range(turns):
                await asyncio.sleep(0)
            await line.subscribe(b"test:1")
            await subscribing
            line.publish(b"test:1", b"%d" % turns)
            heard = (b"test:1", join(stamp(NODE), [b"%d" % turns]))
            await eventually(lambda: heard in told.taken)  # noqa: B023
            line.unsubscribe(b"test:1")
        await eventually(lambda: b"test:1" not in line._confirmed)


async def test_a_channel_that_comes_to_this_server_may_have_missed_something(server: RedisServer) -> None:
    async with a_line(server.port) as (line, told):
        await eventually(lambda: line.is_steady)
        line.rearrange(PULSE, [b"test:1", b"test:2"])
        await eventually(lambda: told.lost)
        before = told.lost

        line.rearrange(PULSE, [b"test:1", b"test:2"])  # nothing new
        await line.subscribe(b"test:1")
        assert told.lost == before

        line.rearrange(b"test:pulse:{7}", [b"test:3"])
        await eventually(lambda: told.lost > before and line._confirmed == {b"test:pulse:{7}", b"test:3"})


async def test_who_keeps_subscribing_does_not_keep_a_line_from_coming_up() -> None:
    """As thousands come back at once: some subscription is always on its way."""
    waiting: list[bytes] = []
    seen = 0

    def says(words: list[bytes]) -> bytes:
        nonlocal seen
        if words[0] != b"SUBSCRIBE":
            return _ONE
        waiting.extend(words[1:])
        seen += len(words) - 1
        if seen < 10:
            return b""
        ripe, waiting[:] = waiting[:-1], waiting[-1:]  # the last one waits for the next
        return b"".join(map(confirmed, ripe))

    async with a_server_that_says(says) as (port, _), a_line(port) as (line, _told):
        await eventually(lambda: line._connection)
        subscribing = []
        for n in range(20):
            subscribing.append(asyncio.create_task(line.subscribe(b"test:%d" % n)))
            await asyncio.sleep(0.001)

        await eventually(lambda: line.is_up)

        assert line._asked != line._confirmed
        for task in subscribing:
            task.cancel()
        await asyncio.gather(*subscribing, return_exceptions=True)


async def test_a_server_that_refuses_each_time_is_not_asked_ever_more_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BACKOFF_SECONDS", (0.02, 10.0))

    def says(words: list[bytes]) -> bytes:
        return confirmed(words[1]) if words[0] == b"SUBSCRIBE" else b"-NOPERM not for you\r\n"

    async with a_server_that_says(says) as (port, connections), a_line(port):
        await asyncio.sleep(1)

        assert 2 < len(connections) < 15


async def test_a_subscription_that_is_never_confirmed_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CONFIRM_SECONDS", 0.1)
    confirms = iter([True, False])  # the heartbeats' channel, and no more on this connection

    def says(words: list[bytes]) -> bytes:
        if words[0] != b"SUBSCRIBE":
            return _ONE
        return b"".join(map(confirmed, words[1:])) if next(confirms, True) else b""

    async with a_server_that_says(says) as (port, connections), a_line(port) as (line, _):
        await eventually(lambda: line._is_up)

        await line.subscribe(b"test:1")

        await eventually(lambda: len(connections) > 1 and line._confirmed == {PULSE, b"test:1"})


@pytest.mark.parametrize(
    "answer",
    [
        b":1\r\n:1\r\n",  # an answer too many
        b"-NOPERM not for you\r\n",
        b"-LOADING for ever\r\n",
        b"no RESP at all\r\n",
        b"*-7\r\n",
    ],
)
async def test_a_server_that_answers_nonsense_is_left_and_tried_again(answer: bytes) -> None:
    def says(words: list[bytes]) -> bytes:
        return confirmed(words[1]) if words[0] == b"SUBSCRIBE" else answer

    async with a_server_that_says(says) as (port, connections), a_line(port) as (_, told):
        await eventually(lambda: len(connections) > 2)

        assert len(told.away) >= 2


async def test_an_answer_of_moved_is_for_what_was_sent_first() -> None:
    """Answers come in the order of the commands: a payload whose slot has moved is lost, those behind it aren't."""
    refused = iter([False, True, False])  # a heartbeat, the first payload, the second

    def says(words: list[bytes]) -> bytes:
        if words[0] == b"SUBSCRIBE":
            return confirmed(words[1])
        return b"-MOVED 7 127.0.0.1:1\r\n" if next(refused, False) else _ONE

    async with a_server_that_says(says) as (port, connections), a_line(port) as (line, told):
        await eventually(lambda: line._is_up)
        await eventually(lambda: not line._due)
        line.publish(b"test:1", b"moved")
        line.publish(b"test:1", b"moved too")
        line.publish(b"test:2", b"not")

        await eventually(lambda: told.published == 1 and told.dropped == [2])

        assert (len(connections), told.moves) == (1, 1)
        assert line._unanswered == line._unanswered_bytes == 0


_ONE = b":1\r\n"


def confirmed(name: bytes) -> bytes:
    return b">3\r\n$9\r\nsubscribe\r\n$%d\r\n%b\r\n:1\r\n" % (len(name), name)


@asynccontextmanager
async def a_server_that_says(says: Callable[[list[bytes]], bytes]) -> AsyncIterator[tuple[int, list[None]]]:
    """Its port and its connections: it greets as Redis does, and answers each command as it is told to."""
    connections: list[None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(None)
        while words := await command(reader):
            writer.write(b"%1\r\n$5\r\nproto\r\n:3\r\n" if words[0] == b"HELLO" else says(words))

    async with tcp_server(serve) as port:
        yield port, connections


async def command(reader: asyncio.StreamReader) -> list[bytes]:
    """The next one; none at the end."""
    head = await reader.readline()
    words = []
    for _ in range(int(head[1:]) if head else 0):
        length = int((await reader.readline())[1:])
        words.append((await reader.readexactly(length + 2))[:-2])
    return words
