"""Whatever happens to Redis, or between it and the nodes: messages cross within 2 s, and soon it is as before."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.chaos.nodes import Nodes
from tests.chaos.people import Crowd, busy, crowd
from tests.chaos.server import POLL_SECONDS
from tests.chaos.weak_spots import STALL, STALL_SECONDS
from tests.history import Arrival, Verdict, crossings
from tests.proxy import TcpProxy, tcp_proxy

KILLS = int(os.environ.get("SHOPBELL_KILLS", "20"))
FEW = 8  # faults of a short run, by the dice; a long one has each of them some times
LONG, ROUNDS = KILLS >= 100, KILLS // 100
HOLD_SECONDS = 10.0 if LONG else 2.0
WITHOUT_SECONDS = 2.0  # at most, from one node to the other while Redis is away
HEALED_SECONDS = 5.0  # at most, after it is back
CALM_SECONDS = 0.5  # between two faults


@dataclass
class Stage:
    """What faults can be done to. Each node reaches Redis by a proxy of its own."""

    nodes: Nodes
    proxies: list[TcpProxy]
    dice: random.Random

    def some(self) -> list[TcpProxy]:
        """Of one node, or of both."""
        return self.dice.sample(self.proxies, self.dice.choice([1, 2]))

    async def redis(self, *words: str) -> None:
        await asyncio.to_thread(self.nodes.redis.ask, *words)


Fault = Callable[[Stage], Awaitable[None]]


async def killed(stage: Stage) -> None:
    """And it comes back empty."""
    await asyncio.to_thread(stage.nodes.redis.kill)
    await asyncio.sleep(HOLD_SECONDS)
    await asyncio.to_thread(stage.nodes.redis.start)


async def restarted_at_once(stage: Stage) -> None:
    await asyncio.to_thread(stage.nodes.redis.kill)
    await asyncio.to_thread(stage.nodes.redis.start)


async def flushed(stage: Stage) -> None:
    await stage.redis("FLUSHALL")


async def listeners_killed(stage: Stage) -> None:
    await stage.redis("CLIENT", "KILL", "TYPE", "pubsub")


async def everybody_killed(stage: Stage) -> None:
    await stage.redis("CLIENT", "KILL", "TYPE", "normal")


async def paused(stage: Stage) -> None:
    await stage.redis("CLIENT", "PAUSE", str(round(HOLD_SECONDS * 1000)), "ALL")
    await asyncio.sleep(HOLD_SECONDS)


async def another_password(stage: Stage) -> None:
    await stage.redis("CONFIG", "SET", "requirepass", "another")
    for kind in ("pubsub", "normal"):  # connections of before would stay let in
        await stage.redis("-a", "another", "CLIENT", "KILL", "TYPE", kind)
    await asyncio.sleep(HOLD_SECONDS)
    await stage.redis("-a", "another", "CONFIG", "SET", "requirepass", "")


async def thrown_out_while_it_stalls(stage: Stage) -> None:
    """A node's loop stands still, and Redis doesn't keep for it what it doesn't read."""
    await stage.redis("CONFIG", "SET", "client-output-buffer-limit", "pubsub 4096 0 0")
    server = stage.dice.choice(stage.nodes.servers)
    assert server.process is not None
    server.process.send_signal(STALL)
    flood = asyncio.create_task(_flood(stage))
    await asyncio.sleep(STALL_SECONDS)
    flood.cancel()
    info = await asyncio.to_thread(stage.nodes.redis.ask, "INFO", "stats")
    assert "client_output_buffer_limit_disconnections:0" not in info, "nobody was thrown out: not much of a fault"
    await stage.redis("CONFIG", "SET", "client-output-buffer-limit", "pubsub 33554432 8388608 60")


async def _flood(stage: Stage) -> None:
    """More than the system's own buffers take."""
    script = """
        for _, channel in ipairs(redis.call('PUBSUB', 'CHANNELS')) do
          redis.call('PUBLISH', channel, string.rep('x', 1048576))
        end"""
    while True:
        await stage.redis("EVAL", script, "0")


async def blackholed(stage: Stage, *directions: Any) -> None:
    proxies = stage.some()
    for proxy in proxies:
        proxy.blackhole(*directions)
    await asyncio.sleep(HOLD_SECONDS)
    for proxy in proxies:
        proxy.heal()


async def reset(stage: Stage) -> None:
    for proxy in stage.some():
        proxy.reset()


async def refused(stage: Stage) -> None:
    proxies = stage.some()
    for proxy in proxies:
        proxy.refuse()
        proxy.reset()
    await asyncio.sleep(HOLD_SECONDS)
    for proxy in proxies:
        proxy.heal()


async def late(stage: Stage) -> None:
    await _made_bad(stage, latency=0.5)


async def sliced(stage: Stage) -> None:
    await _made_bad(stage, slices=3)


async def _made_bad(stage: Stage, **how: Any) -> None:
    proxies = stage.some()
    for proxy in proxies:
        for name, value in how.items():
            setattr(proxy, name, value)
    await asyncio.sleep(HOLD_SECONDS)
    for proxy in proxies:
        proxy.heal()


FAULTS: dict[str, Fault] = {
    "killed": killed,
    "restarted at once": restarted_at_once,
    "FLUSHALL": flushed,
    "CLIENT KILL pubsub": listeners_killed,
    "CLIENT KILL normal": everybody_killed,
    "CLIENT PAUSE": paused,
    "another password": another_password,
    "thrown out while it stalls": thrown_out_while_it_stalls,
    "nothing goes there": lambda stage: blackholed(stage, "up"),
    "nothing comes back": lambda stage: blackholed(stage, "down"),
    "nothing goes either way": lambda stage: blackholed(stage, "up", "down"),
    "reset": reset,
    "refused": refused,
    "500 ms late": late,
    "in slices": sliced,
}


@dataclass
class Round:
    """One fault, when it was, and how long until both nodes said that they hear each other."""

    name: str
    began: float
    ended: float = 0.0
    healed: float = 0.0
    slowest: float = 0.0  # message from node to node that was sent while it lasted

    def __str__(self) -> str:
        return f"{self.name}: slowest {self.slowest:.2f} s, healed {self.healed - self.ended:.2f} s after"


@asynccontextmanager
async def a_stage(nodes: Nodes, dice: random.Random) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        proxies = []
        for server in nodes.servers:
            proxies.append(await stack.enter_async_context(tcp_proxy(nodes.redis.port)))
            server.settings["SHOPBELL_BUS"] = f"redis://127.0.0.1:{proxies[-1].port}/0"
        nodes.is_balanced = False
        yield Stage(nodes, proxies, dice)


async def whisper(people: Crowd, name: str, conversation: str) -> None:
    """A message now and then, and else nothing: no other change tells nodes that they missed one."""
    client, _ = people.clients[name]
    number = 0
    while True:
        number += 1
        await client.send(conversation, f"{name} {number}")
        await asyncio.sleep(people.dice.uniform(0.2, 0.6))


@asynccontextmanager
async def quiet(people: Crowd) -> AsyncIterator[None]:
    """One shopper writes now and then, to agents on either node."""
    shopper = people.dice.choice([name for name, (_, log) in people.clients.items() if log.kind == "contact"])
    client, _ = people.clients[shopper]
    conversation = (await client.start(people.inbox, "Hello"))["conversation"]
    for agent, its in people.clients.values():
        if its.kind == "agent":
            await agent.watch([conversation])
    async with asyncio.TaskGroup() as tasks:
        writing = tasks.create_task(whisper(people, shopper, conversation))
        yield
        writing.cancel()
    await people.settle()


@pytest.mark.parametrize(("manner", "faults"), [("busy", FEW), ("quiet", FEW // 2)])
def test_whatever_happens_to_redis_chat_goes_on(
    manner: str, faults: int, nodes: Nodes, dice: random.Random, tell: Callable[[object], None]
) -> None:
    names = [*FAULTS] * ROUNDS if LONG else dice.sample([*FAULTS], faults)
    rounds: list[Round] = []
    crossed: list[Arrival] = []

    async def play() -> Verdict:
        async with a_stage(nodes, dice) as stage, nodes.running(), crowd(nodes, dice, tabs=2) as people:
            await _healed(nodes)
            async with busy(people) if manner == "busy" else quiet(people):
                for name in dice.sample(names, len(names)):
                    await asyncio.sleep(dice.uniform(0, CALM_SECONDS))
                    rounds.append(Round(name, time.monotonic()))
                    await FAULTS[name](stage)
                    rounds[-1].ended = time.monotonic()
                    await _healed(nodes)
                    rounds[-1].healed = time.monotonic()
            crossed.extend(crossings(people.logs))
            return people.verdict(faults=len(rounds))

    verdict = asyncio.run(play())
    for each in rounds:
        during = [arrival.seconds for arrival in crossed if each.began - 0.1 <= arrival.at < each.healed]
        each.slowest = max(during, default=0.0)

    tell(f"{verdict}, crossings {len(crossed)}, holes healed {nodes.holes:g}")
    tell("; ".join(map(str, rounds)))
    assert verdict.violations == []
    assert verdict.counts["asleep"] == 0
    assert max(each.healed - each.ended for each in rounds) < HEALED_SECONDS
    for each in rounds:
        stalled = STALL_SECONDS if FAULTS[each.name] is thrown_out_while_it_stalls else 0.0
        assert each.slowest < WITHOUT_SECONDS + stalled, each


async def _healed(nodes: Nodes) -> None:
    """Return when every node says that it hears the others."""
    async with asyncio.timeout(4 * HEALED_SECONDS):
        while not all([await server.is_bus_here() for server in nodes.servers]):  # noqa: ASYNC110 - over HTTP
            await asyncio.sleep(POLL_SECONDS)
