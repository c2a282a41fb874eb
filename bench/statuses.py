"""One status to many: an agent is away and back, and 1,000 sockets of its colleagues hear of it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from bench.figures import Figure, figure
from bench.server import prepared, shopbell
from bench.stage import Stage
from bench.wire import Peer, connect_all

LISTENERS = 1_000
AGENTS = 20  # each with so many sockets as make up the listeners
LAYOUT = [(AGENTS, 1)]
CHANGES = 20  # in a round
GAP_SECONDS = 0.4  # between two, so that none meets another
SETTLE_SECONDS = 3.0
PATIENCE_SECONDS = 5.0
BAR_MS = 250.0


class Colleague(Peer):
    """Counts who has heard what is awaited."""

    awaited: tuple[str, str] = ("", "")
    missing = 0
    done: asyncio.Event

    def _rare(self, frame: dict[str, Any]) -> None:
        if frame["type"] != "statuses":
            super()._rare(frame)
        elif any((line["agent"], line["availability"]) == Colleague.awaited for line in frame["statuses"]):
            Colleague.missing -= 1
            if not Colleague.missing:
                Colleague.done.set()


async def measure(stage: Stage) -> list[Figure]:
    folder = stage.folder / "statuses"
    (account,) = prepared(folder, LAYOUT)
    with shopbell(folder, stage.cores) as server:
        tokens = account["agents"] * (LISTENERS // AGENTS)
        listeners = await connect_all(server, [Colleague("agent", token) for token in tokens])
        await asyncio.sleep(SETTLE_SECONDS)
        me = (await _me(listeners[0])) if listeners else ""
        rounds = [stage.say("statuses", "1 to 1,000", await _slowest(listeners, me)) for _ in range(stage.rounds)]
    return [figure("statuses", "from an agent's ask to the last of 1,000 sockets, slowest", "ms", rounds, BAR_MS)]


async def _me(peer: Peer) -> str:
    """Its agent's id: the one whose line changes when it says so."""
    found: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    original = peer._rare

    def look(frame: dict[str, Any]) -> None:
        if frame["type"] == "statuses" and not found.done():
            for line in frame["statuses"]:
                if line["availability"] == "busy":
                    found.set_result(line["agent"])
        original(frame)

    peer._rare = look  # type: ignore[method-assign]
    await peer.ask("availability.set", availability="busy")
    async with asyncio.timeout(PATIENCE_SECONDS):
        agent = await found
    peer._rare = original  # type: ignore[method-assign]
    return agent


async def _slowest(listeners: list[Peer], agent: str) -> float:
    """ms from the ask to the last of them."""
    slowest = 0.0
    for number in range(CHANGES):
        wanted = "away" if number % 2 else "available"
        Colleague.awaited, Colleague.missing, Colleague.done = (agent, wanted), len(listeners), asyncio.Event()
        began = time.perf_counter()
        await listeners[0].ask("availability.set", availability=wanted)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await Colleague.done.wait()
        slowest = max(slowest, (time.perf_counter() - began) * 1000)
        Colleague.awaited = ("", "")
        await asyncio.sleep(GAP_SECONDS)
    return slowest
