"""Moving: as often as it takes while the old socket lives, and what becomes of the new one when that ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve

from bots.connection import MOVED, End, Ready
from bots.moving import Moving
from bots.reconnect import CHANGED, LOST, UNAUTHORIZED, Course, Pace

DRAIN, REVOKED, OVERLOADED = 4200, 4010, 4103


@dataclass
class Road:
    """What the next attempts come to, and a gate that they wait at."""

    socket: ClientConnection
    comes_to: list[End] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    tries: int = 0
    left: asyncio.Event = field(default_factory=asyncio.Event)
    knocked: asyncio.Event = field(default_factory=asyncio.Event)

    async def arrive(self) -> Ready | End:
        self.tries += 1
        self.knocked.set()
        await self.gate.wait()
        return self.comes_to.pop(0) if self.comes_to else Ready(self.socket, {}, [b"{}"])

    def moving(self) -> Moving:
        return Moving(self.arrive, self.left.set, Course(Pace(base=0.01, floor=0.0)))


@asynccontextmanager
async def a_road() -> AsyncIterator[Road]:
    async def hold(socket: ServerConnection) -> None:
        await socket.wait_closed()

    async with asyncio.timeout(10), serve(hold, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}") as socket:
            yield Road(socket)


async def test_it_tries_until_it_is_there_and_then_the_old_socket_is_left() -> None:
    async with a_road() as road, asyncio.TaskGroup() as tasks:
        road.comes_to = [End(LOST, "HTTP 503"), End(OVERLOADED)]
        road.gate.set()
        moving = road.moving()
        moving.begin(tasks, [0, 10])
        await road.left.wait()
        await moving.finish(End(MOVED, has_moved=True))

        ready = moving.take()
        assert ready is not None
        assert ready.socket is road.socket
        assert (road.tries, moving.take()) == (3, None)


async def test_asked_twice_it_is_one_move() -> None:
    async with a_road() as road, asyncio.TaskGroup() as tasks:
        road.gate.set()
        moving = road.moving()
        moving.begin(tasks, [0, 0])
        moving.begin(tasks, [0, 0])
        await road.left.wait()
        await moving.finish(End(MOVED, has_moved=True))

        assert road.tries == 1


async def test_a_new_socket_that_is_on_its_way_is_waited_for_when_the_old_one_goes() -> None:
    async with a_road() as road, asyncio.TaskGroup() as tasks:
        moving = road.moving()
        moving.begin(tasks, [0, 0])
        await road.knocked.wait()
        finishing = tasks.create_task(moving.finish(End(DRAIN)))
        await asyncio.sleep(0)
        road.gate.set()
        await finishing

        assert moving.take() is not None


async def test_a_move_that_has_not_begun_is_given_up_when_the_old_one_goes() -> None:
    async with a_road() as road, asyncio.TaskGroup() as tasks:
        moving = road.moving()
        moving.begin(tasks, [60_000, 60_000])
        await asyncio.sleep(0)
        await moving.finish(End(DRAIN))

        assert (moving.take(), road.tries) == (None, 0)


@pytest.mark.parametrize("code", [REVOKED, CHANGED, UNAUTHORIZED])
async def test_after_an_end_that_lets_nobody_back_just_so_the_new_socket_is_not_used(code: int) -> None:
    async with a_road() as road, asyncio.TaskGroup() as tasks:
        road.gate.set()
        moving = road.moving()
        moving.begin(tasks, [0, 0])
        await road.left.wait()
        await moving.finish(End(code))

        assert moving.take() is None
        await road.socket.wait_closed()


async def test_whoever_gives_up_leaves_nothing_open() -> None:
    async with a_road() as road, asyncio.TaskGroup() as tasks:
        road.gate.set()
        moving = road.moving()
        moving.begin(tasks, [0, 0])
        await road.left.wait()
        moving.give_up()

        await road.socket.wait_closed()


async def test_nobody_asked_and_nothing_happens() -> None:
    async with a_road() as road:
        moving = road.moving()
        await moving.finish(End(DRAIN))

        assert moving.take() is None
