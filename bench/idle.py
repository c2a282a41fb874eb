"""Thousands of shoppers who only stay connected: what each weighs, and how fast all are back when all were dropped."""

from __future__ import annotations

import asyncio
import random
import resource
import sys
import time
from dataclasses import dataclass
from typing import Any

from picows import WSHandshakeError

from bench.figures import Figure, figure
from bench.server import Server, prepared, shopbell
from bench.stage import Stage
from bench.wire import Peer, connect, connect_all, new_id

BAR_KIB = 14.0  # RSS of one
BAR_SECONDS = 10.0  # until the last is back
SPARE_FILES = 500
WARM_SOCKETS = 100  # come and go first, so that what is made once isn't counted
SETTLE_SECONDS = 3.0

# The wire clients' own rule: docs/protocol.md.
FIRST_SECONDS = 1.0
STEP_SECONDS = 0.5
LEAST_SECONDS = 0.25
MOST_SECONDS = 20.0


@dataclass(frozen=True)
class Shopper:
    """Who is known already: token and resume of a hello."""

    token: str
    resume: dict[str, Any]

    def peer(self) -> Peer:
        return Peer("contact", self.token, self.resume)


@dataclass(frozen=True)
class Return:
    """Everybody back after a drop."""

    seconds: float
    turned_away: int
    failed: int

    def __str__(self) -> str:
        return (
            f"{self.seconds:5.2f} s until the last is synced   ({self.turned_away:,} × 503, {self.failed:,} failures)"
        )


async def measure(stage: Stage) -> list[Figure]:
    allow_files(stage.sockets + SPARE_FILES)
    folder = stage.folder / "idle"
    (account,) = prepared(folder, [(0, stage.sockets)])
    with shopbell(folder, stage.cores) as server:
        shoppers = await first_visit(server, account)
    with shopbell(folder, stage.cores) as server:  # a fresh one, whose memory has seen nothing yet
        drop(await connect_all(server, [shopper.peer() for shopper in shoppers[:WARM_SOCKETS]]))
        before = await settled_rss(server)
        peers = await connect_all(server, [shopper.peer() for shopper in shoppers])
        weights = [stage.say("idle", "KiB each", await weight(server, before, len(peers)))]
        returns = []
        for _ in range(stage.rounds):
            peers, back = await drop_and_return(server, peers, shoppers)
            returns.append(stage.say("idle", "all dropped", back))
            weights.append(stage.say("idle", "KiB each", await weight(server, before, len(peers))))
    return [
        figure("idle", f"{stage.sockets:,} shoppers, RSS of each", "KiB", weights[:1], BAR_KIB),
        figure("idle", "the same after all came back", "KiB", weights[1:]),
        figure("idle", "all dropped, until all are back", "s", [each.seconds for each in returns], BAR_SECONDS),
    ]


async def first_visit(server: Server, account: dict[str, Any]) -> list[Shopper]:
    """Each says something once, so that there is a conversation to resume."""
    peers = await connect_all(server, [Peer("contact", token) for token in account["contacts"]])

    async def start(peer: Peer) -> Shopper:
        ok = await peer.ask("conversation.start", id=new_id(), inbox=account["inbox"], text="Hello?")
        return Shopper(peer.token, {"epoch": peer.epoch, "conversations": {ok["conversation"]: ok["seq"]}})

    shoppers = await asyncio.gather(*map(start, peers))
    drop(peers)
    return shoppers


async def drop_and_return(server: Server, peers: list[Peer], shoppers: list[Shopper]) -> tuple[list[Peer], Return]:
    """All sockets end at once; from that moment each shopper comes back as our clients do."""
    began = time.perf_counter()
    drop(peers)
    comings = [Coming(shopper) for shopper in shoppers]
    back = await asyncio.gather(*(coming.back(server) for coming in comings))
    took = time.perf_counter() - began
    turned_away, failed = sum(each.turned_away for each in comings), sum(each.failed for each in comings)
    return back, Return(took, turned_away, failed)


class Coming:
    """One shopper's way back."""

    def __init__(self, shopper: Shopper) -> None:
        self._shopper = shopper
        self.turned_away = 0
        self.failed = 0

    async def back(self, server: Server) -> Peer:
        """Connected and synced again, after as many attempts as it takes."""
        await asyncio.sleep(random.uniform(0, FIRST_SECONDS))
        while True:
            try:
                return await connect(server, self._shopper.peer())
            except WSHandshakeError as error:
                if error.response is None or error.response.status != 503:
                    raise
                self.turned_away += 1
                least = float(error.response.headers.get("Retry-After", "0"))
            except (TimeoutError, ConnectionError):
                self.failed += 1
                least = LEAST_SECONDS
            attempts = self.turned_away + self.failed
            await asyncio.sleep(least + random.uniform(0, min(MOST_SECONDS, STEP_SECONDS * 2**attempts)))


def drop(peers: list[Peer]) -> None:
    for peer in peers:
        peer.drop()


async def settled_rss(server: Server) -> int:
    await asyncio.sleep(SETTLE_SECONDS)
    return server.rss_bytes()


async def weight(server: Server, before: int, sockets: int) -> float:
    """KiB of RSS that each of the sockets added."""
    return round((await settled_rss(server) - before) / sockets / 1024, 2)


def allow_files(wanted: int) -> None:
    """As many open files as that, here and in the server that is started from here."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        sys.exit(f"the idle scenario wants {wanted} open files, but only {hard} are allowed (ulimit -Hn)")
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
