"""Open loop: so many messages a second, spread evenly over conversations and sides; from send to the peer's receive."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from bench.crowd import Crowd, gather_crowd
from bench.figures import Figure, figure
from bench.relay import ONE_ACCOUNT
from bench.server import prepared, shopbell
from bench.stage import Stage

BARS_MS = {1_000: 10.0, 4_000: 20.0}
"""messages/s: p99"""
WARM_SECONDS = 1.0
LATE_SECONDS = 5.0  # a message that isn't there by then is lost


@dataclass(frozen=True)
class Latencies:
    """Seconds, sorted. `lag` is how late the load itself was with its sends at most (p99)."""

    seconds: list[float]
    lag: float

    def ms(self, percent: float) -> float:
        return percentile(self.seconds, percent) * 1000

    def __str__(self) -> str:
        points = "   ".join(f"p{percent:g} {self.ms(percent):6.2f} ms" for percent in (50, 99, 99.9))
        return f"{points}   (sends late by {self.lag * 1000:.2f} ms, p99)"


class Paced:
    """The load itself. It spins on its core instead of sleeping, as timers are too coarse for even gaps."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._sent: dict[str, float] = {}
        self._took: list[float] = []
        for peer in crowd.peers:
            peer.hear = self._heard

    async def run(self, rate: int, seconds: float) -> Latencies:
        """A warm-up, then so many seconds that count."""
        await self._send(rate, WARM_SECONDS)
        await self._until_all_came()
        self._took = []
        lags = await self._send(rate, seconds)
        await self._until_all_came()
        return Latencies(sorted(self._took), percentile(sorted(lags), 99))

    async def _send(self, rate: int, seconds: float) -> list[float]:
        began = time.perf_counter()
        lags = []
        for n in range(round(rate * seconds)):
            due = began + n / rate
            while (now := time.perf_counter()) < due:  # noqa: ASYNC110 - spinning is the point
                await asyncio.sleep(0)
            lags.append(now - due)
            entry = self._say(n)
            self._sent[entry] = now
        return lags

    def _say(self, n: int) -> str:
        """Shoppers and agents in turn; the two sides of a conversation half a cycle apart."""
        pairs = self._crowd.pairs
        if n % 2 == 0:
            return pairs[n // 2 % len(pairs)].ask()
        return pairs[(n // 2 + len(pairs) // 2) % len(pairs)].answer()

    def _heard(self, conversation: str, entry: dict[str, Any]) -> None:
        self._took.append(time.perf_counter() - self._sent.pop(entry["id"]))

    async def _until_all_came(self) -> None:
        deadline = time.monotonic() + LATE_SECONDS
        while self._sent and time.monotonic() < deadline:  # noqa: ASYNC110 - an event would be set per message
            await asyncio.sleep(0.01)
        if self._sent:
            raise RuntimeError(f"{len(self._sent)} messages never came")


async def measure(stage: Stage) -> list[Figure]:
    found: dict[int, list[Latencies]] = {rate: [] for rate in BARS_MS}
    accounts = prepared(stage.folder / "paced", ONE_ACCOUNT)
    with shopbell(stage.folder / "paced", stage.cores) as server:
        load = Paced(await gather_crowd(server, accounts))
        for _ in range(stage.rounds):
            for rate, rounds in found.items():
                rounds.append(stage.say("paced", f"{rate:,}/s", await load.run(rate, stage.seconds)))
    return [
        figure("paced", f"{rate:,} messages/s, p{percent:g}", "ms", [each.ms(percent) for each in rounds], bar)
        for rate, rounds in found.items()
        for percent, bar in ((50, None), (99, BARS_MS[rate]), (99.9, None))
    ]


def percentile(ordered: list[float], percent: float) -> float:
    """The nearest-rank percentile."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
