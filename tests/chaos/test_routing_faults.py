"""The store, Redis or a node goes away while conversations are routed: it goes on, nothing is in two hands or in none.

Shoppers ask all the time; each of two agents is on a node of its own, answers what it is given, and settles it.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import asyncpg

from bots import Client, Refused, Shopper, Staff
from bots.errors import Unsettled
from chat.store.urls import for_asyncpg
from tests.chaos.nodes import Nodes
from tests.chaos.people import PATIENCE, QUICK
from tests.chaos.server import EMAILS, PASSWORD, POLL_SECONDS

LONG = int(os.environ.get("SHOPBELL_KILLS", "20")) >= 100
ROUNDS = 5 if LONG else 1
HOLD_SECONDS = 10.0 if LONG else 4.0  # longer than a lease: then nobody knows who is on the other node
SHORTER = {
    "lease": 3,
    "refresh": 1,
    "jitter": 0.1,
    "grace": 0.5,
    "drain_grace": 2,
    "beat": 0.2,
    "node_lease": 1.8,
    "hold": 1,
}
SETTLED = """
    SELECT c.id AS conversation, e.at FROM entries e JOIN conversations c ON c.key = e.conversation
    WHERE e.activity = 'resolved'"""
SETTINGS = {"policy": "least_busy", "answer_seconds": 10, "return_seconds": 2, "bounces": 100}
EVERY_SECONDS = 0.3  # between two conversations of a shopper's: one agent alone could do all of them
WORK_SECONDS = 0.5  # at most, until an answer, and from there until it is settled
BACK_SECONDS = 10.0  # at most, until all that was asked before is settled


@dataclass
class Floor:
    """Two nodes, and who is connected to each."""

    nodes: Nodes
    dice: random.Random
    shoppers: list[Client] = field(default_factory=list)
    inbox: str = ""
    first: str = ""
    """The agent on the first node."""
    started: int = 0
    is_open: bool = True

    async def rows(self, statement: str) -> list[Any]:
        connection = await asyncpg.connect(for_asyncpg(self.nodes.postgres.url(self.nodes.database)), timeout=10)
        try:
            return list(await connection.fetch(statement))
        finally:
            await connection.close()

    async def settles(self, before: int | None = None) -> float:
        """Wait until all is resolved, or all that was up to this key; returns the seconds that took."""
        began = time.monotonic()
        among = "" if before is None else f"AND key <= {before}"
        open_ones: list[Any] = [None]
        with suppress(TimeoutError):
            async with asyncio.timeout(BACK_SECONDS):
                while open_ones:
                    statement = f"SELECT id, status, assignee FROM conversations WHERE status <> 'resolved' {among}"
                    open_ones = await self.rows(statement)
                    await asyncio.sleep(POLL_SECONDS * 5)
        assert open_ones == [], open_ones
        return time.monotonic() - began

    async def ask(self, shopper: Client) -> None:
        """New conversations, one after the other."""
        while True:
            if self.is_open:
                self.started += 1
                with suppress(Refused, Unsettled):
                    await shopper.start(self.inbox, f"Number {self.started}")
            await asyncio.sleep(EVERY_SECONDS * self.dice.uniform(0.5, 1.5))

    async def work(self, agent: Client, me: str) -> None:
        """Whatever is given to this agent is answered, and settled in a moment."""
        begun: set[str] = set()
        async with asyncio.TaskGroup() as tasks:
            while True:
                for id_, thread in list(agent.mirror.threads.items()):
                    is_mine = (thread.state["assignee"], thread.state["status"]) == (me, "open")
                    if is_mine and id_ not in begun:
                        begun.add(id_)
                        tasks.create_task(self._settle(agent, id_, begun))
                await asyncio.sleep(POLL_SECONDS)

    async def _settle(self, agent: Client, conversation: str, begun: set[str]) -> None:
        try:
            await asyncio.sleep(self.dice.uniform(0.1, WORK_SECONDS))
            await agent.send(conversation, "Yes?")
            await asyncio.sleep(self.dice.uniform(0.1, WORK_SECONDS))
            await agent.resolve(conversation)
            await asyncio.sleep(1.0)  # until that is heard too
        except Refused:
            pass
        finally:
            begun.discard(conversation)


Fault = Callable[[Floor], Awaitable[None]]


async def store_killed(floor: Floor) -> None:
    await asyncio.to_thread(floor.nodes.postgres.kill)
    await asyncio.sleep(HOLD_SECONDS / 2)
    await asyncio.to_thread(floor.nodes.postgres.start)


async def redis_killed(floor: Floor) -> None:
    """And it comes back empty."""
    await asyncio.to_thread(floor.nodes.redis.kill)
    await asyncio.sleep(HOLD_SECONDS)
    await asyncio.to_thread(floor.nodes.redis.start)


async def redis_flushed(floor: Floor) -> None:
    for _ in range(5):
        await asyncio.to_thread(floor.nodes.redis.ask, "FLUSHALL")
        await asyncio.sleep(floor.dice.uniform(0, 0.5))


async def node_frozen(floor: Floor) -> None:
    """What its agent has goes to the other one while it is frozen: after the grace, and what is in progress later."""
    frozen = floor.nodes.servers[0]
    await frozen.freeze()
    try:
        while not await floor.rows(f"SELECT 1 FROM conversations WHERE status = 'open' AND assignee = '{floor.first}'"):
            frozen.thaw()  # it had nothing
            await asyncio.sleep(floor.dice.uniform(0.2, 0.5))
            await frozen.freeze()
        newest = (await floor.rows("SELECT max(key) AS key FROM conversations"))[0]["key"]
        await floor.settles(before=newest)
    finally:
        frozen.thaw()


FAULTS: dict[str, Fault] = {
    "the store is killed": store_killed,
    "Redis is killed": redis_killed,
    "Redis is flushed": redis_flushed,
    "a node is frozen": node_frozen,
}


@asynccontextmanager
async def a_floor(nodes: Nodes, dice: random.Random) -> AsyncIterator[Floor]:
    nodes.is_balanced = False
    for server in nodes.servers:
        server.settings["CHAOS_PRESENCE"] = json.dumps(SHORTER)
    nodes.postgres.sql(f"UPDATE teams SET settings = '{json.dumps(SETTINGS)}'", nodes.database)
    floor = Floor(nodes, dice)
    async with nodes.running(), AsyncExitStack() as stack:
        for number in range(2):
            shopper = await Shopper.open(nodes.door(number), "demo")
            floor.inbox = shopper.inbox
            floor.shoppers.append(await stack.enter_async_context(shopper.client(pace=QUICK, patience=PATIENCE)))
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        working = []
        for number, email in enumerate(EMAILS):
            staff = await Staff.login(nodes.door(number), email, PASSWORD)
            agent = await stack.enter_async_context(staff.client(pace=QUICK, patience=PATIENCE))
            await agent.synced()
            floor.first = floor.first or staff.agent["id"]
            working.append(tasks.create_task(floor.work(agent, staff.agent["id"])))
        working += [tasks.create_task(floor.ask(shopper)) for shopper in floor.shoppers]
        yield floor
        for task in working:
            task.cancel()


def test_whatever_goes_away_routing_goes_on_after_it(
    nodes: Nodes, dice: random.Random, tell: Callable[[object], None]
) -> None:
    took: list[str] = []
    decisions: list[Any] = []
    settled: list[Any] = []

    async def play() -> None:
        async with a_floor(nodes, dice) as floor:
            for name in dice.sample([*FAULTS] * ROUNDS, len(FAULTS) * ROUNDS):
                floor.is_open = True
                await asyncio.sleep(dice.uniform(0.5, 1.5))
                began = time.monotonic()
                await FAULTS[name](floor)
                lasted = time.monotonic() - began
                await asyncio.sleep(0.5)
                floor.is_open = False
                took.append(f"{name}: {lasted:.1f} s, all settled {await floor.settles():.1f} s after")
            decisions.extend(await floor.rows("SELECT * FROM routing_log ORDER BY key"))
            settled.extend(await floor.rows(SETTLED))

    asyncio.run(play())

    tell(f"{len(decisions)} decisions; " + "; ".join(took))
    _check(decisions, settled)


def _check(decisions: list[Any], settled: list[Any]) -> None:
    """Nothing was given to two, and nobody got what they couldn't take. What was settled is opened anew by whoever had
    it before and says something late: then it is given once more."""
    by_conversation: dict[str, list[Any]] = {}
    for each in decisions:
        by_conversation.setdefault(each["conversation"], []).append(each)
        if each["kind"] == "routed":
            chosen = next(row for row in json.loads(each["candidates"]) if row["member"] == each["chosen"])
            assert chosen["status"] == "accepting_chats", each
            assert chosen["used"] < chosen["slots"], each
    ends: dict[str, list[int]] = {}
    for each in settled:
        ends.setdefault(each["conversation"], []).append(each["at"])
    for conversation, lines in by_conversation.items():
        for before, after in pairwise(lines):
            if (before["kind"], after["kind"]) == ("routed", "routed"):
                assert any(before["at"] <= at <= after["at"] for at in ends.get(conversation, [])), lines
    assert {line["kind"] for line in decisions} >= {"routed", "returned"}
