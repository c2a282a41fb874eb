"""People come, go and vanish, nodes die: within the bound everybody is told who is here (L8)."""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from bots import Client, Staff
from presence import Times
from tests.chaos.nodes import Nodes
from tests.chaos.people import QUICK
from tests.chaos.server import EMAILS, PASSWORD
from tests.history import Bounds, Log, Verdict, check

LONG = int(os.environ.get("SHOPBELL_KILLS", "20")) >= 100
ROUNDS = 8 if LONG else 4
# As it is, or shorter, so that it takes no minutes.
SHORTER = {
    "lease": 4,
    "refresh": 1,
    "jitter": 0.1,
    "grace": 2,
    "drain_grace": 3,
    "beat": 0.5,
    "node_lease": 3,
    "hold": 2,
}
TIMES = Times() if LONG else Times(**SHORTER)
COME_SECONDS = 2.0
GONE_SECONDS = 21.0 if LONG else 6.0
BOUNDS = Bounds(COME_SECONDS, GONE_SECONDS, gap=TIMES.grace * 0.75)


@dataclass
class Colleague:
    """Somebody of the staff, who is here or isn't."""

    name: str
    actor: str
    kind: Literal["agent", "bot"]
    client: Callable[[Log], Client]
    logs: list[Log] = field(default_factory=list)
    stack: AsyncExitStack | None = None

    async def come(self) -> None:
        """On any node."""
        self.logs.append(Log(f"{self.name} {len(self.logs)}", self.actor, self.kind))
        self.stack = AsyncExitStack()
        await (await self.stack.enter_async_context(self.client(self.logs[-1]))).synced()

    async def go(self) -> None:
        """With a goodbye if the node is there to hear it."""
        assert self.stack is not None
        stack, self.stack = self.stack, None
        await stack.aclose()
        self.logs[-1].stop()


async def a_staffroom(nodes: Nodes) -> list[Colleague]:
    """Two witnesses, who stay; and tabs of both agents and a bot, who come and go."""
    url = nodes.door(0)
    colleagues = []
    for email in EMAILS:
        staff = await Staff.login(url, email, PASSWORD)
        for role in ("witness", "tab"):
            client = partial(_agents, staff)
            colleagues.append(Colleague(f"{role} {email}", staff.agent["id"], "agent", client))
    bot = (await staff.ask("GET", "/v1/staff"))["bots"][0]["id"]
    colleagues.append(Colleague("bot", bot, "bot", lambda log: Client(url, nodes.bot_token, pace=QUICK, tap=log)))
    return colleagues


def _agents(staff: Staff, log: Log) -> Client:
    return staff.client(tap=log, pace=QUICK)


async def a_round(nodes: Nodes, colleagues: list[Colleague], dice: random.Random) -> None:
    """Some come and some go; as often as not a node dies, and who was about to go has gone without a word."""
    moving = dice.sample(colleagues[1:], dice.randint(1, 3))  # the first one stays
    if dice.random() < 0.5:
        await nodes.kill(dice.choice(nodes.servers))
    for colleague in moving:
        await (colleague.come() if colleague.stack is None else colleague.go())
    await asyncio.sleep(dice.uniform(0.2, GONE_SECONDS / 2))


def test_who_is_here_is_told_to_all_in_time(nodes: Nodes, dice: random.Random, tell: Callable[[object], None]) -> None:
    for server in nodes.servers:
        server.settings["CHAOS_PRESENCE"] = json.dumps({} if LONG else SHORTER)

    async def play() -> Verdict:
        async with nodes.running():
            colleagues = await a_staffroom(nodes)
            for colleague in colleagues:
                await colleague.come()
            for _ in range(ROUNDS):
                await a_round(nodes, colleagues, dice)
            await asyncio.sleep(GONE_SECONDS + 0.5)
            logs = [log for colleague in colleagues for log in colleague.logs]
            for colleague in colleagues:
                if colleague.stack is not None:
                    colleague.logs[-1].stop()
            for colleague in colleagues:
                if colleague.stack is not None:
                    await colleague.go()
            return check(logs, nodes.read(), faults=ROUNDS, presence_bounds=BOUNDS)

    verdict = asyncio.run(play())

    tell(verdict)
    assert verdict.violations == []
    assert verdict.counts["presence"] > ROUNDS
