"""Sockets of which only one side knows that they are dead: closed in time, forgotten by presence, and cheap until then.

A direction may lose all that it is given, so that its sender believes that all is well; or both stand still, so that
what is written piles up.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from picows import ws_connect

from bots import Client
from tests.chaos.figures import part, spread
from tests.chaos.lurkers import Line
from tests.chaos.nodes import Nodes
from tests.chaos.people import busy, crowd
from tests.chaos.server import POLL_SECONDS, Server
from tests.chaos.test_presence import SHORTER
from tests.chaos.town import Person, town
from tests.history import Log, Verdict, answers
from tests.proxy import TcpProxy, tcp_proxy

LONG = int(os.environ.get("SHOPBELL_KILLS", "20")) >= 100
EACH = 50 if LONG else 3  # sockets of each kind through each node
LIVENESS = {"ping_seconds": "2", "pong_seconds": "1", "outbox_seconds": "2"}
CLOSED_SECONDS = 10.0  # a ping every 2 s, 1 s for its pong, 5 s for the closing handshake, and the turns of the wheel
GONE_SECONDS = CLOSED_SECONDS + SHORTER["grace"] + 2.0
ANSWER_SECONDS = 1.0  # at most, for 99 of 100 others
LOUD = "x" * 8000
AT_ONCE = 8

FAULTS: dict[str, Callable[[TcpProxy], None]] = {
    "what it says is lost": lambda proxy: proxy.blackhole("up"),
    "what it is told is lost": lambda proxy: proxy.blackhole("down"),
    "nothing moves": lambda proxy: proxy.stall(),
}
SOCKETS = EACH * 2 * len(FAULTS)
MOST_MIB = 64 + SOCKETS / 2 * 0.6  # of a node: each of its sockets may have a full outbox


@dataclass
class Figures:
    """What is measured beside the laws."""

    closed: float = 0.0
    gone: float = 0.0
    grown: list[float] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{SOCKETS} half-open sockets, all closed after {self.closed:.1f} s, gone from presence after"
            f" {self.gone:.1f} s, {max(self.grown):.0f} MiB at most; answers to others {spread(self.waited)}"
        )


def test_half_open_sockets_end_in_time_and_nobody_else_notices(
    nodes: Nodes, dice: random.Random, tmp_path: Path, tell: Callable[[object], None]
) -> None:
    nodes.is_balanced = False
    nodes.set(**LIVENESS)
    for server in nodes.servers:
        server.settings["CHAOS_PRESENCE"] = json.dumps(SHORTER)
    figures = Figures()

    async def play() -> Verdict:
        async with (
            nodes.running(),
            town(nodes, tmp_path) as people,
            crowd(nodes, dice) as others,
            AsyncExitStack() as stack,
        ):
            # Every second one has a whole socket on the other node as well, the others nothing but a half-open one.
            (writer, *colleagues), shoppers = await people.agents(1 + SOCKETS), await people.shoppers(1)
            (conversation,) = await people.begin(shoppers)
            witness = await stack.enter_async_context(_client(nodes.servers[0], writer))
            await witness.synced()
            proxies = await _open(nodes, colleagues, conversation, stack)
            alone, elsewhere = _halves(colleagues)
            await witness.until(lambda mirror: _all_here(mirror.present, colleagues), GONE_SECONDS)
            before = [_mib(server) for server in nodes.servers]
            async with busy(others), asyncio.TaskGroup() as tasks:
                shouting = tasks.create_task(_shout(witness, conversation))
                began = time.monotonic()
                for proxy, fault in proxies:
                    fault(proxy)
                while await _closed(nodes) < SOCKETS and time.monotonic() < began + 2 * CLOSED_SECONDS:
                    figures.grown.append(max(_mib(each) - was for each, was in zip(nodes.servers, before, strict=True)))
                    assert _all_here(witness.mirror.present, elsewhere), "somebody with another device seems to be gone"
                    await asyncio.sleep(10 * POLL_SECONDS)
                figures.closed = time.monotonic() - began
                await witness.until(lambda mirror: _none_here(mirror.present, alone), 2 * GONE_SECONDS)
                figures.gone = time.monotonic() - began
                assert _all_here(witness.mirror.present, elsewhere)
                shouting.cancel()
            heard = min(proxy.passed["down"] for proxy, fault in proxies if fault is FAULTS["what it says is lost"])
            assert heard > EACH * len(LOUD), "there was nothing to hear"
            figures.waited += [seconds for _, at, seconds in answers(others.logs) if at >= began]
            return others.verdict(faults=SOCKETS)

    verdict = asyncio.run(play())

    tell(f"{figures}; {verdict}")
    assert verdict.violations == []
    assert verdict.counts["asleep"] == 0
    assert figures.closed < CLOSED_SECONDS
    assert figures.gone < GONE_SECONDS
    assert max(figures.grown) < MOST_MIB
    assert part(figures.waited, 0.99) < ANSWER_SECONDS


async def _open(
    nodes: Nodes, colleagues: Sequence[Person], conversation: str, stack: AsyncExitStack
) -> list[tuple[TcpProxy, Callable[[TcpProxy], None]]]:
    """A socket of each through one node; every second has one straight to the other node, too."""
    proxies = []
    rest = iter(enumerate(colleagues))
    for place, server in enumerate(nodes.servers):
        for fault in FAULTS.values():
            proxy = await stack.enter_async_context(tcp_proxy(server.port))
            proxies.append((proxy, fault))
            for _ in range(EACH):
                number, colleague = next(rest)
                stack.callback((await _watch(colleague, server, proxy.port, conversation)).leave)
                if number % 2:
                    other = nodes.servers[1 - place]
                    stack.callback((await _watch(colleague, other, other.port, conversation)).leave)
    return proxies


async def _watch(colleague: Person, server: Server, port: int, conversation: str) -> Line:
    """A socket that hears all of the conversation, and answers pings as long as it hears them."""
    line = Line(port, {"type": "hello", "protocol": 1, "token": colleague.token, "client": "half/1", "batch": True})
    await ws_connect(
        lambda: line, f"ws://127.0.0.1:{port}/v1/socket", extra_headers={"Origin": f"http://127.0.0.1:{server.port}"}
    )
    assert await line.is_synced
    line.say({"type": "watch", "ref": 1, "conversations": [conversation]})
    line.hear = _nothing
    return line


def _client(server: Server, person: Person) -> Client:
    log = Log(person.name, person.actor.id, person.actor.kind)  # type: ignore[arg-type]  # it is an agent
    return Client(server.url, person.token, origin=server.url, tap=log, patience=60.0)


async def _shout(client: Client, conversation: str) -> None:
    """Long messages, some at a time, that all of the sockets are to hear."""
    while True:
        await asyncio.gather(*(client.send(conversation, LOUD) for _ in range(AT_ONCE)))


def _halves(colleagues: Sequence[Person]) -> tuple[Sequence[Person], Sequence[Person]]:
    return colleagues[::2], colleagues[1::2]


def _all_here(present: Sequence[str], people: Sequence[Person]) -> bool:
    return {person.actor.id for person in people} <= set(present)


def _none_here(present: Sequence[str], people: Sequence[Person]) -> bool:
    return not {person.actor.id for person in people} & set(present)


async def _closed(nodes: Nodes) -> float:
    """Those without a pong, and those that didn't take what was written."""
    return sum(
        [
            await server.metric(f'shopbell_closes_total{{code="{code}"}}')
            for server in nodes.servers
            for code in (4104, 4106)
        ]
    )


def _mib(server: Server) -> float:
    assert server.process is not None
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def _nothing(frame: object) -> None:
    """What is heard doesn't matter."""
