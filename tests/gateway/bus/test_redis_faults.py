"""Whatever happens to Redis or on the way to it: what is written is known everywhere within 2 s, and soon at once.

All faults at the same time, each on a Redis of its own with two nodes: the clocks are the real ones.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis import Redis

from gateway.bulletin import Bulletin
from gateway.bus.redis import RedisBus
from gateway.stream import Streams
from tests.ears import HEALED_SECONDS, eventually, make_quick, two_ears
from tests.proxy import TcpProxy, tcp_proxy
from tests.servers import RedisServer, a_free_port

pytestmark = pytest.mark.chaos

HOLD_SECONDS = 12.0 if "SHOPBELL_KILLS" in os.environ else 3.0
LATE_SECONDS = 2.0  # at most, while Redis is away
QUICK_SECONDS = 0.5  # at most, when it is back: a hundredth as a rule
WRITES_SECONDS = 0.1  # between two of one node


class Ledger:
    """What the store would have of one account: when each cursor was written."""

    def __init__(self) -> None:
        self.written_at = [time.monotonic()]

    @property
    def head(self) -> int:
        return len(self.written_at) - 1


class Node:
    """A bus and streams as a node has them. It writes to its own account alone, so that nothing but the bus or a look
    at the store tells it of the other's. `late` is how late it knew of what of any."""

    def __init__(self, port: int, own: str, ledgers: dict[str, Ledger]) -> None:
        self.bus = RedisBus(f"redis://127.0.0.1:{port}", "test")
        self.late: dict[tuple[str, int], float] = {}
        self._own = own
        self._ledgers = ledgers
        self.streams = Streams(self._deliver, self._missed, self._heads, lambda: None, lambda: self.bus.is_healthy)
        self.bus.listen(self._hear, self.streams.lose)

    def write(self) -> None:
        ledger = self._ledgers[self._own]
        ledger.written_at.append(time.monotonic())
        self.streams.offer(Bulletin(self._own, ledger.head - 1, ledger.head, ()))
        self.bus.publish(self._own, b"%d" % ledger.head)

    def _hear(self, account: str, payload: bytes) -> None:
        self.streams.offer(Bulletin(account, int(payload) - 1, int(payload), ()))

    def _deliver(self, bulletin: Bulletin) -> None:
        for cursor in range(bulletin.since + 1, bulletin.cursor + 1):
            at = (bulletin.account, cursor)
            assert at not in self.late
            self.late[at] = time.monotonic() - self._ledgers[bulletin.account].written_at[cursor]

    async def _missed(self, account: str, since: int) -> Bulletin:
        return Bulletin(account, since, self._ledgers[account].head, ())

    async def _heads(self, accounts: Mapping[str, int]) -> dict[str, int]:
        return {account: self._ledgers[account].head for account in accounts}


@dataclass
class Stage:
    """What a fault may be done to: a Redis, and each node's way to it."""

    redis: RedisServer
    proxies: tuple[TcpProxy, TcpProxy]

    async def ask(self, *words: str) -> None:
        await asyncio.to_thread(self.redis.ask, *words)

    def heal(self) -> None:
        for proxy in self.proxies:
            proxy.heal()


Fault = Callable[[Stage], Awaitable[None]]
"""Begins and ends a fault, HOLD_SECONDS later."""


async def killed_and_empty_when_it_is_back(stage: Stage) -> None:
    await asyncio.to_thread(stage.redis.kill)
    await asyncio.sleep(HOLD_SECONDS)
    await asyncio.to_thread(stage.redis.start)


async def restarted_at_once(stage: Stage) -> None:
    await asyncio.to_thread(stage.redis.kill)
    await asyncio.to_thread(stage.redis.start)


async def flushed(stage: Stage) -> None:
    await stage.ask("FLUSHALL")


async def clients_killed(stage: Stage) -> None:
    for _ in range(3):
        await stage.ask("CLIENT", "KILL", "TYPE", "pubsub")
        await asyncio.sleep(HOLD_SECONDS / 3)


async def paused(stage: Stage) -> None:
    await stage.ask("CLIENT", "PAUSE", str(round(HOLD_SECONDS * 1000)), "ALL")
    await asyncio.sleep(HOLD_SECONDS)


async def asleep(stage: Stage) -> None:
    await stage.ask("DEBUG", "SLEEP", str(HOLD_SECONDS))


async def frozen(stage: Stage) -> None:
    stage.redis.freeze()
    await asyncio.sleep(HOLD_SECONDS)
    stage.redis.thaw()


async def with_another_password(stage: Stage) -> None:
    await stage.ask("CONFIG", "SET", "requirepass", "hunter2")
    await stage.ask("-a", "hunter2", "CLIENT", "KILL", "TYPE", "pubsub")
    await asyncio.sleep(HOLD_SECONDS)
    await stage.ask("-a", "hunter2", "CONFIG", "SET", "requirepass", "")


def blackhole(*nodes: int, up: bool = True, down: bool = True) -> Fault:
    async def fault(stage: Stage) -> None:
        for node in nodes:
            if up:
                stage.proxies[node].blackhole("up")
            if down:
                stage.proxies[node].blackhole("down")
        await asyncio.sleep(HOLD_SECONDS)

    return fault


async def stalled(stage: Stage) -> None:
    for proxy in stage.proxies:
        proxy.stall()
    await asyncio.sleep(HOLD_SECONDS)


async def reset_again_and_again(stage: Stage) -> None:
    for _ in range(10):
        stage.proxies[0].reset()
        await asyncio.sleep(HOLD_SECONDS / 10)


async def refused(stage: Stage) -> None:
    for proxy in stage.proxies:
        proxy.refuse()
        proxy.reset()
    await asyncio.sleep(HOLD_SECONDS)


async def far_away(stage: Stage) -> None:
    for proxy in stage.proxies:
        proxy.latency = 0.5
    await asyncio.sleep(HOLD_SECONDS)


async def slow(stage: Stage) -> None:
    for proxy in stage.proxies:
        proxy.bytes_per_second = 1024
    await asyncio.sleep(HOLD_SECONDS)


async def in_slices(stage: Stage) -> None:
    for proxy in stage.proxies:
        proxy.slices = 3
    await asyncio.sleep(HOLD_SECONDS)


async def half_closed(stage: Stage) -> None:
    stage.proxies[0].half_close("down")
    stage.proxies[1].half_close("up")
    await asyncio.sleep(HOLD_SECONDS)


FAULTS: dict[str, Fault] = {
    "killed, and empty when it is back": killed_and_empty_when_it_is_back,
    "restarted at once": restarted_at_once,
    "flushed": flushed,
    "clients killed": clients_killed,
    "paused": paused,
    "asleep": asleep,
    "frozen": frozen,
    "with another password": with_another_password,
    "nothing comes through, of one": blackhole(0),
    "nothing comes through": blackhole(0, 1),
    "nothing comes through up": blackhole(0, 1, down=False),
    "nothing comes through down": blackhole(0, 1, up=False),
    "nothing comes through up, of one": blackhole(1, down=False),
    "nothing comes through down, of one": blackhole(1, up=False),
    "stalled": stalled,
    "reset again and again": reset_again_and_again,
    "refused": refused,
    "far away": far_away,
    "slow": slow,
    "in slices": in_slices,
    "half closed": half_closed,
}


@asynccontextmanager
async def a_stage(folder: Path) -> AsyncIterator[Stage]:
    folder.mkdir()
    server = await asyncio.to_thread(RedisServer, folder, a_free_port(), "--enable-debug-command", "local")
    try:
        async with tcp_proxy(server.port) as first, tcp_proxy(server.port) as second:
            yield Stage(server, (first, second))
    finally:
        await asyncio.to_thread(server.stop)


@asynccontextmanager
async def two_nodes(stage: Stage) -> AsyncIterator[tuple[Node, Node, dict[str, Ledger]]]:
    """They write all the time."""
    ledgers = {"acc_1": Ledger(), "acc_2": Ledger()}
    first, second = (Node(proxy.port, own, ledgers) for proxy, own in zip(stage.proxies, ledgers, strict=True))
    running = [asyncio.create_task(work) for node in (first, second) for work in (node.bus.run(), node.streams.run())]
    await eventually(lambda: first.bus.is_healthy and second.bus.is_healthy)
    for node in (first, second):
        for account in ledgers:
            await node.bus.subscribe(account)
            await node.streams.open(account)

    async def write() -> None:
        while True:
            for node in (first, second):
                node.write()
            await asyncio.sleep(WRITES_SECONDS)

    running.append(asyncio.create_task(write()))
    try:
        yield first, second, ledgers
    finally:
        for task in running:
            task.cancel()
        for end in await asyncio.gather(*running, return_exceptions=True):
            assert isinstance(end, asyncio.CancelledError), end
        for node in (first, second):
            await node.streams.aclose()


def latest(first: Node, second: Node, since: dict[str, int], until: dict[str, int]) -> float:
    """How late any of them knew of what was written in between; a hundred seconds, if one doesn't know yet."""
    return max(
        node.late.get((account, cursor), 100.0)
        for node in (first, second)
        for account in since
        for cursor in range(since[account] + 1, until[account] + 1)
    )


async def play(name: str, folder: Path) -> str:
    """How it went, in one line. Raises AssertionError if it went badly."""
    async with a_stage(folder) as stage, two_nodes(stage) as (first, second, ledgers):
        await asyncio.sleep(QUICK_SECONDS)
        await FAULTS[name](stage)
        stage.heal()
        ended_at = time.monotonic()
        with suppress(TimeoutError):
            await eventually(lambda: first.bus.is_healthy and second.bus.is_healthy, HEALED_SECONDS + 3)
        healed, heads = time.monotonic() - ended_at, {account: ledger.head for account, ledger in ledgers.items()}
        await asyncio.sleep(2 * QUICK_SECONDS)
        ends = {account: ledger.head for account, ledger in ledgers.items()}
        await asyncio.sleep(QUICK_SECONDS)
        during = latest(first, second, dict.fromkeys(ledgers, 0), heads)
        after = latest(first, second, heads, ends)
        line = f"{name}: {during:.2f} s late at most, healed in {healed:.2f} s, then {after:.3f} s late at most"
        assert during <= LATE_SECONDS, line
        assert healed <= HEALED_SECONDS, line
        assert after <= QUICK_SECONDS, line
        return line


async def test_what_is_written_is_known_everywhere_whatever_happens_to_redis(tmp_path: Path) -> None:
    ends = await asyncio.gather(
        *(play(name, tmp_path / str(number)) for number, name in enumerate(FAULTS)), return_exceptions=True
    )

    bad = "\n".join(f"{type(end).__name__} {end}" for end in ends if isinstance(end, BaseException))
    assert not bad, bad


async def test_a_node_that_stood_still_until_redis_gave_it_up_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """python-socketio #1581: the listener was dead for ever after its output buffer had been too full."""
    make_quick(monkeypatch)
    async with a_stage(tmp_path / "redis") as stage, two_ears(stage.redis.url) as (speaker, listener):
        await stage.ask("CONFIG", "SET", "client-output-buffer-limit", "pubsub 262144 0 0")
        client = Redis.from_url(stage.redis.url)
        pipeline = client.pipeline(transaction=False)
        for _ in range(600):
            pipeline.publish("test:{acc_1}:ledger", bytes(48 * 1024))
        heard = pipeline.execute()  # meanwhile this loop stands still
        client.close()
        assert heard[-1] == 0  # nobody listened any more

        await eventually(lambda: listener.gaps and listener.bus.is_healthy and speaker.bus.is_healthy)
        speaker.bus.publish("acc_1", b"after")
        await eventually(lambda: listener.heard == [b"after"])
