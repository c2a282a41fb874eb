"""Whatever happens to PostgreSQL, or on the way there: senders are asked to try again, and all is right afterwards."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import asyncpg

from bots import Shopper
from chat.store.urls import for_asyncpg
from tests.chaos.nodes import Nodes
from tests.chaos.people import NORMAL_REFUSALS, QUICK, Crowd, busy, crowd
from tests.chaos.server import POLL_SECONDS
from tests.history import Verdict, answers
from tests.proxy import TcpProxy, tcp_proxy

KILLS = int(os.environ.get("SHOPBELL_KILLS", "20"))
LONG, ROUNDS = KILLS >= 100, max(1, KILLS // 100)  # of every fault
HOLD_SECONDS = 10.0 if LONG else 2.0
LOCKED_SECONDS = 30.0 if LONG else 2.5
CUTS = 50 if LONG else 10
PATIENCE = 150.0 if LONG else 60.0  # of an ask that may meet several faults, one after the other
BACK_SECONDS = 5.0  # at most, until whoever comes is answered again
RETRYABLE = {"unavailable", "busy", "behind"}
OURS = "application_name = 'shopbell' AND datname = current_database()"


@dataclass
class Stage:
    """What faults can be done to. Each node reaches PostgreSQL by a proxy of its own."""

    nodes: Nodes
    proxies: list[TcpProxy]
    dice: random.Random

    @asynccontextmanager
    async def outsider(self) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
        """A connection of somebody who isn't a node."""
        connection = await asyncpg.connect(for_asyncpg(self.nodes.postgres.url(self.nodes.database)), timeout=10)
        try:
            yield connection
        finally:
            await connection.close()


Fault = Callable[[Stage], Awaitable[None]]


async def killed(stage: Stage) -> None:
    await asyncio.to_thread(stage.nodes.postgres.kill)
    await asyncio.sleep(stage.dice.uniform(0, HOLD_SECONDS / 2))
    await asyncio.to_thread(stage.nodes.postgres.start)


async def connections_ended(stage: Stage) -> None:
    """One by one, whatever they are at: also in the midst of a COMMIT."""
    async with stage.outsider() as outsider:
        for _ in range(CUTS):
            await outsider.execute(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {OURS} AND state <> 'idle'"
            )
            await asyncio.sleep(stage.dice.uniform(0, 0.1))


async def cut_in_the_midst(stage: Stage) -> None:
    """Of an ask on its way there, or of an answer on its way back: whether it was committed is known to nobody."""
    for _ in range(CUTS):
        stage.dice.choice(stage.proxies).cut_after(stage.dice.choice(["up", "down"]), stage.dice.randint(1, 4000))
        await asyncio.sleep(stage.dice.uniform(0, 0.2))


async def reset(stage: Stage) -> None:
    for _ in range(CUTS):
        stage.dice.choice(stage.proxies).reset()
        await asyncio.sleep(stage.dice.uniform(0, 0.2))


async def silent(stage: Stage) -> None:
    """One node and its database don't hear each other any more."""
    proxy = stage.dice.choice(stage.proxies)
    proxy.blackhole()
    await asyncio.sleep(HOLD_SECONDS)
    proxy.heal()


async def row_locked(stage: Stage) -> None:
    async with stage.outsider() as outsider, outsider.transaction():
        await outsider.execute("SELECT FROM ledgers FOR UPDATE")
        await asyncio.sleep(LOCKED_SECONDS)


async def all_connections_busy(stage: Stage) -> None:
    """Every read and every write waits, until no node has a connection left."""
    async with stage.outsider() as outsider, outsider.transaction():
        await outsider.execute("LOCK TABLE conversations")
        await asyncio.sleep(HOLD_SECONDS)


async def no_connection_allowed(stage: Stage) -> None:
    """As when others have them all."""
    postgres, database = stage.nodes.postgres, stage.nodes.database
    await asyncio.to_thread(postgres.sql, f"ALTER DATABASE {database} ALLOW_CONNECTIONS false")
    ours = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"
    await asyncio.to_thread(postgres.sql, ours)
    await asyncio.sleep(HOLD_SECONDS)
    await asyncio.to_thread(postgres.sql, f"ALTER DATABASE {database} ALLOW_CONNECTIONS true")


FAULTS: dict[str, Fault] = {
    "killed": killed,
    "connections ended": connections_ended,
    "cut in the midst": cut_in_the_midst,
    "reset": reset,
    "silent": silent,
    "row locked": row_locked,
    "all connections busy": all_connections_busy,
    "no connection allowed": no_connection_allowed,
}


@asynccontextmanager
async def a_stage(nodes: Nodes, dice: random.Random) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        proxies = []
        for server in nodes.servers:
            proxies.append(await stack.enter_async_context(tcp_proxy(nodes.postgres.port)))
            url = nodes.postgres.url(nodes.database)
            server.settings["SHOPBELL_STORE"] = url.replace(f":{nodes.postgres.port}/", f":{proxies[-1].port}/")
        yield Stage(nodes, proxies, dice)


def test_whatever_happens_to_postgresql_nothing_is_lost(
    nodes: Nodes, dice: random.Random, tell: Callable[[object], None]
) -> None:
    nodes.is_balanced = False
    back: dict[str, float] = {}
    refused: dict[str, int] = {}
    slowest: list[float] = []

    async def play() -> tuple[Verdict, Counter[str]]:
        async with a_stage(nodes, dice) as stage, nodes.running(), crowd(nodes, dice, patience=PATIENCE) as people:
            async with busy(people):
                for name in dice.sample([*FAULTS] * ROUNDS, len(FAULTS) * ROUNDS):
                    await asyncio.sleep(dice.uniform(0.2, 0.6))
                    before = people.refusals("unavailable")
                    await FAULTS[name](stage)
                    back[name] = max(back.get(name, 0.0), await _answered(nodes))
                    refused[name] = refused.get(name, 0) + people.refusals("unavailable") - before
            slowest.append(max(seconds for _, _, seconds in answers(people.logs)))
            return people.verdict(faults=len(FAULTS) * ROUNDS), _codes(people)

    verdict, codes = asyncio.run(play())

    tell(f"{verdict}, refusals {dict(codes)}; nobody waited for longer than {slowest[0]:.1f} s")
    tell("; ".join(f"{name}: {refused[name]} unavailable, answers again after {back[name]:.2f} s" for name in back))
    assert verdict.violations == []
    assert verdict.counts["asleep"] == 0
    assert set(codes) <= RETRYABLE | NORMAL_REFUSALS
    assert max(back.values()) < BACK_SECONDS
    for name in ("killed", "row locked", "all connections busy", "no connection allowed"):
        assert refused[name] > 0, f"nobody noticed: {name}"


async def _answered(nodes: Nodes) -> float:
    """Seconds until whoever comes now is answered by every node. Those who were refused wait longer the more often."""
    began = time.monotonic()
    await asyncio.gather(*(_somebody_new(server.url) for server in nodes.servers))
    return time.monotonic() - began


async def _somebody_new(url: str) -> None:
    while True:
        try:
            shopper = await Shopper.open(url, "demo")
            break
        except OSError:
            await asyncio.sleep(POLL_SECONDS)
    async with shopper.client(pace=QUICK) as client:
        await client.start(shopper.inbox, "Are you there?")


def _codes(people: Crowd) -> Counter[str]:
    return Counter(event.detail for log in people.logs for event in log.events if event.what == "refused")
