"""One change to many: 1,000 staff sockets watch one conversation, whose shopper writes at a steady pace."""

from __future__ import annotations

import asyncio
from typing import Any

from bench.crowd import Pair, open_pair
from bench.figures import Figure, figure
from bench.server import Server, prepared, shopbell
from bench.stage import Stage
from bench.window import Window, window
from bench.wire import Peer, connect, connect_all

LISTENERS = 1_000
AGENTS = 20  # each with so many sockets as make up the listeners
LAYOUT = [(AGENTS, 1)]
GAP_SECONDS = 0.05  # long enough that no two changes meet in a batch or in an outbox
WARM_SECONDS = 0.5
SETTLE_SECONDS = 0.5
BAR_CPU_MS = 12.0  # per 1,000 deliveries


class Fanout:
    """The load itself. A delivery is one change frame's content at one listener."""

    def __init__(self, server: Server, pair: Pair, listeners: list[Peer]) -> None:
        self._server = server
        self._pair = pair
        self._listeners = listeners
        self._heard = 0
        for listener in listeners:
            listener.hear = self._hear

    async def run(self, seconds: float) -> Window:
        await self._say(round(WARM_SECONDS / GAP_SECONDS))
        self._heard = 0
        async with window(self._server, self._deliveries) as measured:
            said = round(seconds / GAP_SECONDS)
            await self._say(said)
        if self._heard != said * len(self._listeners):
            raise RuntimeError(f"{said} messages were heard {self._heard} times by {len(self._listeners)} listeners")
        if measured.count < self._heard:
            print(f"  {self._heard - measured.count} deliveries were merged with others: the machine is too busy")
        return measured

    async def _say(self, times: int) -> None:
        for _ in range(times):
            self._pair.ask()
            await asyncio.sleep(GAP_SECONDS)
        await asyncio.sleep(SETTLE_SECONDS)

    def _hear(self, conversation: str, entry: dict[str, Any]) -> None:
        self._heard += 1

    def _deliveries(self) -> int:
        return sum(listener.changes for listener in self._listeners)


async def load(server: Server, accounts: list[dict[str, Any]]) -> Fanout:
    """Everybody connected and watching."""
    (account,) = accounts
    tokens = account["agents"] * (LISTENERS // AGENTS)
    listeners = await connect_all(server, [Peer("agent", token) for token in tokens])
    shopper = await connect(server, Peer("contact", account["contacts"][0]))
    pair = await open_pair(account["inbox"], shopper, listeners[0])
    await asyncio.gather(*(peer.ask("watch", conversations=[pair.conversation]) for peer in listeners))
    await asyncio.sleep(SETTLE_SECONDS)
    return Fanout(server, pair, listeners)


async def measure(stage: Stage) -> list[Figure]:
    folder = stage.folder / "fanout"
    accounts = prepared(folder, LAYOUT)
    with shopbell(folder, stage.cores) as server:
        fanout = await load(server, accounts)
        rounds = [stage.say("fanout", "1 to 1,000", await fanout.run(stage.seconds)) for _ in range(stage.rounds)]
    cpu = [each.cpu_ms_per_1000 for each in rounds]
    return [figure("fanout", "server CPU per 1,000 deliveries", "ms", cpu, BAR_CPU_MS)]
