"""Scenario: closed loop, 4 messages in flight per shopper, the agent answers each at once."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from bench.crowd import Crowd
from bench.server import Server

IN_FLIGHT = 4
WARM_SECONDS = 1.0
QUIET_SECONDS = 0.3


@dataclass(frozen=True)
class Round:
    """One window. A relayed message is one whole copy at the other side."""

    relayed: int
    seconds: float
    cpu_seconds: float

    @property
    def cpu_ms_per_1000(self) -> float:
        return self.cpu_seconds * 1e6 / self.relayed

    @property
    def per_second(self) -> float:
        return self.relayed / self.seconds

    @property
    def utilisation(self) -> float:
        return self.cpu_seconds / self.seconds


class Relay:
    """The load itself. `run` may be called again and again."""

    def __init__(self, server: Server, crowd: Crowd) -> None:
        self._server = server
        self._crowd = crowd
        self._relayed = 0
        self._running = False
        for pair in crowd.pairs:
            pair.shopper.hear = self._answered
            pair.agent.hear = self._asked

    async def run(self, seconds: float) -> Round:
        """A window of so many seconds, after a warm-up."""
        self._running = True
        for pair in self._crowd.pairs:
            for _ in range(IN_FLIGHT):
                pair.ask()
        await asyncio.sleep(WARM_SECONDS)
        began, cpu, relayed = time.perf_counter(), self._server.cpu_seconds(), self._relayed
        await asyncio.sleep(seconds)
        ended, cpu_end, relayed_end = time.perf_counter(), self._server.cpu_seconds(), self._relayed
        self._running = False
        await self._until_quiet()
        self._crowd.check()
        return Round(relayed_end - relayed, ended - began, cpu_end - cpu)

    def _asked(self, conversation: str, entry: dict[str, Any]) -> None:
        self._relayed += 1
        self._crowd.by_conversation[conversation].answer()

    def _answered(self, conversation: str, entry: dict[str, Any]) -> None:
        self._relayed += 1
        if self._running:
            self._crowd.by_conversation[conversation].ask()

    async def _until_quiet(self) -> None:
        before = -1
        while before != self._relayed:
            before = self._relayed
            await asyncio.sleep(QUIET_SECONDS)
        oks = self._crowd.oks()
        if oks != self._relayed:
            raise RuntimeError(f"{self._relayed} messages were relayed, but {oks} were acknowledged")
