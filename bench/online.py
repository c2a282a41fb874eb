"""What it costs Redis that people are online: agents of many shops on three nodes, and every command is counted."""

from __future__ import annotations

import asyncio
import random
import re
import subprocess
import time
from contextlib import ExitStack
from typing import NamedTuple

import orjson
from picows import WSFrame, WSTransport

from bench import engines
from bench.engines import Redis
from bench.figures import Figure, figure
from bench.server import Server, prepared
from bench.site import a_node, shared_by_nodes
from bench.stage import Stage
from bench.wire import TEXT, Peer, connect_all

NODES = 3
SHOPS = 50
NEEDED = (b'{"type":"welcome"', b'{"type":"synced"', b'{"type":"ping"')
AT_ONCE = 24  # who come together: so many handshakes are under way
COUNT_SECONDS = 20.0  # two refreshes of every lease
QUIET_SECONDS = 10.0
SETTLE_SECONDS = 20.0  # after thousands came at once
GONE_SECONDS = 60.0  # from the last socket until nobody is in grace, nothing is followed, and no lease is left
RECONNECTS = 20  # a second: each of 5,000 every four minutes
BAR = 1_000.0  # commands a second
NOTHING = 1.0  # how far two counts of heartbeats lie apart
# What a node asks for in a script alone; all else it sends itself.
SCRIPTED = frozenset(
    ("del", "hdel", "hmget", "hset", "mget", "pexpire", "set", "time", "zadd", "zrangebyscore", "zrem")
)


class Colleague(Peer):
    """Hears of its shop's others all the time, and looks at nothing of it: it is Redis that is measured."""

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is TEXT:
            for line in frame.get_payload_as_bytes().split(b"\n"):
                if line.startswith(NEEDED):
                    self._rare(orjson.loads(line))


async def measure(stage: Stage) -> list[Figure]:
    layout = [(stage.sockets // SHOPS, 0)] * SHOPS
    folder = stage.folder / "online"
    with ExitStack() as stack:
        postgres = stack.enter_context(engines.postgres(folder / "postgres", stage.cores))
        redis = stack.enter_context(engines.redis(folder, stage.cores))
        shared = shared_by_nodes(folder, postgres, redis)
        accounts = prepared(folder / "node0", layout, shared)
        nodes = [stack.enter_context(a_node(folder / f"node{n}", stage.cores, shared)) for n in range(NODES)]
        tokens = [token for account in accounts for token in account["agents"]]
        return await _counted(stage, redis, nodes, tokens)


async def _counted(stage: Stage, redis: Redis, nodes: list[Server], tokens: list[str]) -> list[Figure]:
    nobody = stage.say("online", "nobody", await _per_second(redis, QUIET_SECONDS))
    began, before = time.monotonic(), _commands(redis)
    here = await _come(nodes, tokens)
    coming = stage.say("online", "all come", _commands(redis).since(before, time.monotonic() - began))
    await asyncio.sleep(SETTLE_SECONDS)
    still = [stage.say("online", "all here", await _per_second(redis, COUNT_SECONDS)) for _ in range(stage.rounds)]
    moving = []
    for _ in range(stage.rounds):
        restless = asyncio.create_task(_reconnect(nodes, here))
        moving.append(stage.say("online", "some move", await _per_second(redis, COUNT_SECONDS)))
        restless.cancel()
        await asyncio.gather(restless, return_exceptions=True)
    for peer in here:
        peer.drop()
    await asyncio.sleep(GONE_SECONDS)
    after = stage.say("online", "all gone", await _per_second(redis, QUIET_SECONDS))
    what = f"{len(tokens):,} agents on {NODES} nodes, commands sent to Redis"
    some = f"while {RECONNECTS} a second drop and come back"
    return [
        figure("online", what, "a second", [each.sent for each in still], BAR),
        figure("online", "with those that our scripts give there", "a second", [each.done for each in still]),
        figure("online", f"commands sent {some}", "a second", [each.sent for each in moving], BAR),
        figure("online", "with those of our scripts", "a second", [each.done for each in moving]),
        figure("online", "commands sent while all of them come", "a second", [coming.sent], BAR),
        figure(
            "online",
            "accounts without a socket, beyond heartbeats",
            "a second",
            [abs(after.sent - nobody.sent)],
            NOTHING,
        ),
    ]


async def _come(nodes: list[Server], tokens: list[str]) -> list[Peer]:
    """Each to a node, in turn: every shop has agents on each."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(nth: int, token: str) -> Peer:
        async with gate:
            return await _enter(nodes[nth % NODES], token)

    return await asyncio.gather(*(one(nth, token) for nth, token in enumerate(tokens)))


async def _enter(node: Server, token: str) -> Peer:
    """Whoever is sent away comes again, as clients do."""
    while True:
        peer = Colleague("agent", token)
        try:
            await connect_all(node, [peer])
            return peer
        except (ConnectionError, TimeoutError):
            await asyncio.sleep(1.0)
        finally:
            if not _is_synced(peer) and hasattr(peer, "transport"):
                peer.drop()


def _is_synced(peer: Peer) -> bool:
    return peer.synced.done() and not peer.synced.cancelled() and peer.synced.exception() is None


async def _reconnect(nodes: list[Server], here: list[Peer]) -> None:
    """Somebody drops, and is back within a second, on any node."""
    while True:
        nth = random.randrange(len(here))
        here[nth].drop()
        await asyncio.sleep(1 / RECONNECTS)
        here[nth] = await _enter(random.choice(nodes), here[nth].token)


class Count(NamedTuple):
    """Commands, so far or a second."""

    sent: float
    """By the nodes."""
    done: float
    """With those that their scripts give."""

    def since(self, before: Count, seconds: float) -> Count:
        return Count((self.sent - before.sent) / seconds, (self.done - before.done) / seconds)

    def __str__(self) -> str:
        return f"{self.sent:.0f}/s sent, {self.done:.0f}/s done"


async def _per_second(redis: Redis, seconds: float) -> Count:
    before, began = _commands(redis), time.monotonic()
    await asyncio.sleep(seconds)
    return _commands(redis).since(before, time.monotonic() - began)


def _commands(redis: Redis) -> Count:
    asked = ["redis-cli", "-p", str(redis.port), "INFO", "commandstats"]
    told = subprocess.run(asked, check=True, capture_output=True, text=True, timeout=10).stdout
    calls = {name: int(count) for name, count in re.findall(r"cmdstat_([^:]+):calls=(\d+)", told)}
    return Count(sum(count for name, count in calls.items() if name not in SCRIPTED), sum(calls.values()))
