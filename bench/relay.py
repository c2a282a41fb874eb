"""Closed loop: 4 messages in flight per shopper, the agent answers each at once; beside a bare Starlette relay."""

from __future__ import annotations

import asyncio
import time
from statistics import mean
from typing import Any

from bench.crowd import Crowd, gather_crowd
from bench.figures import Figure, figure
from bench.server import Measured, Server, bare, prepared, shopbell
from bench.stage import Stage
from bench.window import Window, until_it_rests, window

CONVERSATIONS = 200
AGENTS = 20
ONE_ACCOUNT = [(AGENTS, CONVERSATIONS)]
AN_ACCOUNT_PER_AGENT = [(1, CONVERSATIONS // AGENTS)] * AGENTS
IN_FLIGHT = 4
WARM_SECONDS = 1.0
QUIET_SECONDS = 0.3
LOOK_SECONDS = 0.01
SLOW_SECONDS = 2.0
LATE_SECONDS = 10.0  # what hasn't come by then is lost
BAR_CPU_MS = 45.0  # per 1,000 relayed messages


class Relay:
    """The load itself. A relayed message is one whole copy at the other side. `run` may be called again and again."""

    def __init__(self, server: Measured, crowd: Crowd) -> None:
        self._server = server
        self._crowd = crowd
        self._relayed = 0
        self._running = False
        for pair in crowd.pairs:
            pair.shopper.hear = self._answered
            pair.agent.hear = self._asked

    async def run(self, seconds: float, messages: int | None = None) -> Window:
        """A window of so many seconds, or of so many messages if they come sooner, after a warm-up. Afterwards every
        message must have come and been acked."""
        self._running = True
        before, used = self._relayed, sum(self._server.parts().values())
        for pair in self._crowd.pairs:
            for _ in range(IN_FLIGHT):
                pair.ask()
        await asyncio.sleep(WARM_SECONDS)
        async with window(self._server, lambda: self._relayed) as measured:
            await self._until(seconds, messages)
        self._running = False
        await self._until_quiet()
        self._crowd.check(self._relayed)
        await until_it_rests(self._server)
        measured.whole_count = self._relayed - before
        measured.whole_seconds = sum(self._server.parts().values()) - used
        return measured

    async def _until(self, seconds: float, messages: int | None) -> None:
        if messages is None:
            return await asyncio.sleep(seconds)
        enough, deadline = self._relayed + messages, time.monotonic() + seconds
        while self._relayed < enough and time.monotonic() < deadline:  # noqa: ASYNC110 - no event per message
            await asyncio.sleep(LOOK_SECONDS)

    def _asked(self, conversation: str, entry: dict[str, Any]) -> None:
        self._relayed += 1
        self._crowd.by_conversation[conversation].answer()

    def _answered(self, conversation: str, entry: dict[str, Any]) -> None:
        self._relayed += 1
        if self._running:
            self._crowd.by_conversation[conversation].ask()

    async def _until_quiet(self) -> None:
        """Nothing comes any more. Between nodes a message whose bell was lost comes later than others: say so."""
        before, began = -1, time.monotonic()
        while before != self._relayed or (self._is_owed and time.monotonic() - began < LATE_SECONDS):
            before = self._relayed
            await asyncio.sleep(QUIET_SECONDS)
        if (took := time.monotonic() - began) > SLOW_SECONDS:
            print(f"  the last messages of this round came {took:.1f} s after its end")

    @property
    def _is_owed(self) -> bool:
        return self._relayed != self._crowd.oks


async def load(server: Server, accounts: list[dict[str, Any]]) -> Relay:
    """Everybody connected and in conversation."""
    return Relay(server, await gather_crowd(server, accounts))


async def measure(stage: Stage) -> list[Figure]:
    """The three loads in turn, round by round, so that what disturbs the machine disturbs all of them."""
    accounts = prepared(stage.folder / "relay", ONE_ACCOUNT + AN_ACCOUNT_PER_AGENT)
    with shopbell(stage.folder / "relay", stage.cores) as ours, bare(stage.folder / "bare", stage.cores) as theirs:
        loads = {
            "one account": await load(ours, accounts[:1]),
            "20 accounts": await load(ours, accounts[1:]),
            "bare Starlette": await load(theirs, bare_accounts()),
        }
        rounds: dict[str, list[Window]] = {name: [] for name in loads}
        for _ in range(stage.rounds):
            for name, relay in loads.items():
                rounds[name].append(stage.say("relay", name, await relay.run(stage.seconds)))
    return _figures(rounds)


def bare_accounts() -> list[dict[str, Any]]:
    """Names in the place of tokens."""
    return [
        {
            "inbox": "inb_bare",
            "agents": [f"agent:{n}" for n in range(AGENTS)],
            "contacts": [f"contact:{n}" for n in range(CONVERSATIONS)],
        }
    ]


def _figures(rounds: dict[str, list[Window]]) -> list[Figure]:
    found = []
    for name, measured in rounds.items():
        bar = BAR_CPU_MS if name == "one account" else None
        cpu = [each.cpu_ms_per_1000 for each in measured]
        found.append(figure("relay", f"{name}, server CPU per 1,000 messages", "ms", cpu, bar))
        found.append(figure("relay", f"{name}, throughput", "messages/s", [each.per_second for each in measured]))
    for name in ("one account", "20 accounts"):
        ratios = [
            ours.cpu_ms_per_1000 / theirs.cpu_ms_per_1000
            for ours, theirs in zip(rounds[name], rounds["bare Starlette"], strict=True)
        ]
        found.append(figure("relay", f"{name} ÷ bare Starlette, CPU", "×", ratios))
    others = [mean(each.others_percent for each in turn) for turn in zip(*rounds.values(), strict=True)]
    found.append(figure("relay", "others on the server's core", "%", others))
    return found
