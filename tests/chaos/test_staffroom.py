"""A crowd of agents on three real nodes: they come, go, and have several devices; nodes die or can't reach Redis.

Short it is a matter of seconds with times of presence that are shorter too; in `make chaos` 200 agents and real times.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import uvloop

from bots.reconnect import Course
from presence import Times
from tests.chaos.figures import allow_files
from tests.chaos.lurkers import Lurker
from tests.chaos.nodes import Nodes
from tests.chaos.nursery import Nursery
from tests.chaos.people import QUICK
from tests.chaos.server import Prepared
from tests.chaos.town import Person, town
from tests.proxy import TcpProxy, tcp_proxy
from tests.servers import PostgresServer

LONG = int(os.environ.get("SHOPBELL_KILLS", "20")) >= 100
PEOPLE = 200 if LONG else 40
ROUNDS = 6 if LONG else 2
WITNESSES = 2  # on each node, who stay
SHORTER = {
    "lease": 6,
    "refresh": 2,
    "jitter": 0.2,
    "grace": 2,
    "drain_grace": 4,
    "beat": 0.4,
    "node_lease": 3,
    "hold": 2,
}
TIMES = Times() if LONG else Times(**SHORTER)
RIGHT = 2.0  # seconds, while nothing is wrong
DIED = 30.0 if LONG else TIMES.node_lease + TIMES.beat + RIGHT
"""After a node died or can reach Redis again."""


@pytest.fixture
def three(
    prepared_nodes: Prepared, nursery: Nursery, postgres: PostgresServer, tmp_path: Path, dice: random.Random
) -> Iterator[Nodes]:
    nodes = Nodes.new(prepared_nodes, nursery, postgres, tmp_path, dice, count=3)
    nodes.set(unauthenticated_per_address="100000")
    for server in nodes.servers:
        server.settings["CHAOS_PRESENCE"] = json.dumps({} if LONG else SHORTER)
    yield nodes
    nodes.close()
    assert nodes.complaints() == []


class Device(Lurker):
    """One of somebody's devices. It remembers what it was told of who is here, when it is a witness's."""

    def __init__(self, person: Person, door: Callable[[], int], dice: random.Random, *, is_witness: bool) -> None:
        super().__init__(person, door, dice, Course(QUICK))
        self.actor = person.actor.id
        self.told: list[tuple[float, frozenset[str]]] = []
        self._is_witness = is_witness
        self.log.stop()

    def _hear(self, frame: dict[str, Any]) -> None:
        super()._hear(frame)
        if self._is_witness and frame["type"] == "presence":
            self.told.append((time.monotonic(), frozenset(frame["present"])))

    @property
    def port(self) -> int | None:
        """The node it is on."""
        return self.line.port if self.is_synced and self.line is not None else None


@dataclass
class Staffroom:
    """Who is here in truth, and who was told what."""

    nodes: Nodes
    proxies: list[TcpProxy]
    dice: random.Random
    tasks: asyncio.TaskGroup
    devices: dict[Device, asyncio.Task[None]] = field(default_factory=dict)
    witnesses: list[Device] = field(default_factory=list)
    waited: dict[str, list[float]] = field(default_factory=dict)
    """Seconds until all were told the truth, by what had happened."""

    @property
    def present(self) -> frozenset[str]:
        return frozenset(device.actor for device in self.devices)

    async def come(self, person: Person, port: int | None = None) -> None:
        """With one device more; on a node of its choice, or always on this one."""
        ports = [server.port for server in self.nodes.servers]
        door = partial(self.dice.choice, ports) if port is None else lambda: port
        device = Device(person, door, self.dice, is_witness=port is not None)
        self.devices[device] = self.tasks.create_task(device.live())
        if port is not None:
            self.witnesses.append(device)
        await device.until(lambda device: device.is_synced, 20.0)

    async def go(self, device: Device) -> None:
        """This device is closed."""
        task = self.devices.pop(device)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    def some(self, count: int, port: int | None = None) -> list[Device]:
        """Devices that may close: nobody's who stays."""
        may = [device for device in self.devices if device not in self.witnesses and port in (None, device.port)]
        return self.dice.sample(may, min(count, len(may)))

    async def all_are_told(self, what: str, seconds: float) -> None:
        """Wait until the last word of every witness is the truth."""
        began = time.monotonic()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while any(self.wrong(witness) for witness in self.witnesses):  # noqa: ASYNC110  # many are asked
                    await asyncio.sleep(0.02)
        self.waited.setdefault(what, []).append(time.monotonic() - began)
        assert {witness.log.name: self.wrong(witness) for witness in self.witnesses if self.wrong(witness)} == {}, what

    def wrong(self, witness: Device) -> frozenset[str]:
        """Those of whom its last word isn't true."""
        return self.present ^ (witness.told[-1][1] if witness.told else frozenset())

    @asynccontextmanager
    async def nobody_leaves(self, but: Callable[[Device], bool]) -> AsyncIterator[None]:
        """None of the witnesses is told that somebody left who has a device all the time, of those that may be counted:
        `but` others."""
        began = time.monotonic()
        before = {device for device in self.devices if not but(device)}
        yield
        stayed = {device.actor for device in before & self.devices.keys()}
        for witness in [witness for witness in self.witnesses if not but(witness)]:
            for at, told in witness.told:
                settled = max(began, witness.back_at + RIGHT)
                assert at < settled or stayed <= told, f"{witness.log.name} was told that {stayed - told} left"


async def people_move(room: Staffroom, people: list[Person]) -> None:
    """Some come, some close one of their devices."""
    dice = room.dice
    await asyncio.gather(*(room.come(person) for person in dice.sample(people, PEOPLE // 8)))
    for device in room.some(PEOPLE // 8):
        await room.go(device)


async def calm(room: Staffroom, people: list[Person]) -> None:
    async with room.nobody_leaves(but=lambda device: False):
        await asyncio.gather(*(room.come(person) for person in room.dice.sample(people, PEOPLE // 8)))
        await room.all_are_told("come", RIGHT)
        for device in room.some(PEOPLE // 6):
            await room.go(device)
        await room.all_are_told("gone", TIMES.grace + RIGHT)


async def a_node_dies(room: Staffroom, people: list[Person]) -> None:
    """Some of its people go with it; the others come back elsewhere."""
    server = room.dice.choice(room.nodes.servers)
    async with room.nobody_leaves(but=lambda device: device.port == server.port):
        dying = asyncio.create_task(room.nodes.kill(server))
        for device in room.some(PEOPLE // 8, server.port):
            await room.go(device)
        await dying
        await room.nodes.is_up(server)
        await room.all_are_told("died", DIED)


async def a_node_is_cut_off(room: Staffroom, people: list[Person]) -> None:
    """From Redis, longer than it takes to be missed; people move meanwhile."""
    number = room.dice.randrange(len(room.nodes.servers))
    port, proxy = room.nodes.servers[number].port, room.proxies[number]
    async with room.nobody_leaves(but=lambda device: device.port == port):
        proxy.blackhole(*room.dice.choice([("up",), ("down",), ("up", "down")]))  # type: ignore[arg-type]  # they are
        await people_move(room, people)
        await asyncio.sleep(TIMES.node_lease + 2 * TIMES.beat)
        proxy.heal()
        await room.all_are_told("cut off", DIED)


@asynccontextmanager
async def a_staffroom(nodes: Nodes, people: list[Person], dice: random.Random) -> AsyncIterator[Staffroom]:
    async with asyncio.TaskGroup() as tasks:
        room = Staffroom(nodes, [], dice, tasks)
        stay = iter(people[: WITNESSES * len(nodes.servers)])
        for server in nodes.servers:
            for _ in range(WITNESSES):
                await room.come(next(stay), server.port)
        yield room
        for device in list(room.devices):
            await room.go(device)


def test_a_crowd_of_agents_is_told_right_in_time(
    three: Nodes, dice: random.Random, tmp_path: Path, tell: Callable[[object], None]
) -> None:
    allow_files(20_000)

    async def play() -> Staffroom:
        async with AsyncExitStack() as stack:
            proxies = [await stack.enter_async_context(tcp_proxy(three.redis.port)) for _ in three.servers]
            for server, proxy in zip(three.servers, proxies, strict=True):
                server.settings["SHOPBELL_BUS"] = f"redis://127.0.0.1:{proxy.port}/0"
            await stack.enter_async_context(three.running())
            its_town = await stack.enter_async_context(town(three, tmp_path))
            people = await its_town.agents(PEOPLE)
            room = await stack.enter_async_context(a_staffroom(three, people, dice))
            room.proxies = proxies
            moving = people[WITNESSES * len(three.servers) :]
            await asyncio.gather(*(room.come(person) for person in moving))
            for number in range(ROUNDS):
                await calm(room, moving)
                await (a_node_dies, a_node_is_cut_off)[number % 2](room, moving)
            return room

    room = uvloop.run(play())

    slowest = {what: round(max(seconds), 2) for what, seconds in room.waited.items()}
    tell(f"{PEOPLE} agents on three nodes, {ROUNDS} rounds; seconds until all were told, at most: {slowest}")
