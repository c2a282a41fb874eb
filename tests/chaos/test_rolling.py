"""A rolling deploy of three nodes under load: nobody loses anything, hardly anybody notices, and nobody seems to leave.

SHOPBELL_CROWD is how many are connected: 3,000 in `make chaos`.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
import uvloop

from bots import Ask, Client, Pace
from bots.mirror import Mirror
from bots.reconnect import Course
from tests.chaos.figures import allow_files, part, spread
from tests.chaos.front import Front
from tests.chaos.lurkers import Lurker, Manner, settle_in
from tests.chaos.nodes import Nodes
from tests.chaos.nursery import Nursery
from tests.chaos.server import Prepared, Server
from tests.chaos.town import Person, town
from tests.history import Log, Verdict, check
from tests.history.laws import WORDS
from tests.servers import PostgresServer

CROWD = int(os.environ.get("SHOPBELL_CROWD", "150"))
A_SECOND = min(200, CROWD // 3)  # messages
AGENTS = max(3, CROWD // 300)
TALKERS = max(10, CROWD // 30)  # shoppers with a whole client, who write; and four times as many are only written to
WRITTEN_TO = 5 * TALKERS
OLD = 20  # one in so many comes back as older clients do, and one ignores that it is asked to
# Few needn't be given the time that thousands need.
TIMES = {} if CROWD > 1000 else {"drain_spread_seconds": "1", "drain_wait_seconds": "2"}
GAP_SECONDS = 1.0
HANDSHAKES = 300  # a second at any node
STOP_SECONDS = 60.0
QUIET_SECONDS = 30.0
DRAIN = 4200


@pytest.fixture
def three(
    prepared_nodes: Prepared, nursery: Nursery, postgres: PostgresServer, tmp_path: Path, dice: random.Random
) -> Iterator[Nodes]:
    nodes = Nodes.new(prepared_nodes, nursery, postgres, tmp_path, dice, count=3)
    nodes.set(unauthenticated_per_address="100000", **TIMES)
    yield nodes
    nodes.close()
    assert nodes.complaints() == []


@dataclass
class Figures:
    """What is measured beside the laws."""

    stops: list[float] = field(default_factory=list)
    answers: list[float] = field(default_factory=list)
    gaps: dict[str, list[float]] = field(default_factory=dict)
    handshakes: Counter[int] = field(default_factory=Counter)
    arrivals: list[float] = field(default_factory=list)
    leaves: list[str] = field(default_factory=list)
    codes: Counter[int] = field(default_factory=Counter)

    def __str__(self) -> str:
        gaps = "; ".join(f"{who} {spread(seconds)}" for who, seconds in self.gaps.items())
        return (
            f"{CROWD} connected, {A_SECOND} messages/s; stops {[round(each, 1) for each in self.stops]} s; "
            f"worst gap of each client: {gaps}; answers {spread(self.answers)}; "
            f"from ok to hearer {spread(self.arrivals)}; handshakes/s at most {[*self.handshakes.values()]}; "
            f"closes {dict(self.codes)}"
        )


@dataclass
class Deploy:
    """Everybody who lives through it."""

    nodes: Nodes
    front: Front
    dice: random.Random
    clients: dict[str, Client] = field(default_factory=dict)
    logs: dict[str, Log] = field(default_factory=dict)
    lurkers: list[Lurker] = field(default_factory=list)
    conversations: list[tuple[str, str, str]] = field(default_factory=list)  # id, its shopper, its agent
    figures: Figures = field(default_factory=Figures)

    async def enter(self, stack: AsyncExitStack, person: Person) -> None:
        log = self.logs[person.name] = Log(person.name, person.actor.id, person.actor.kind)  # type: ignore[arg-type]
        client = Client(self.front.url, person.token, origin=self.front.url, tap=log, patience=60.0)
        self.clients[person.name] = await stack.enter_async_context(client)
        await client.synced()

    def lurk(self, people: Sequence[Person]) -> list[Lurker]:
        for number, person in enumerate(people):
            manner: Manner = {0: "breaks", 1: "stays"}.get(number % OLD, "moves")  # type: ignore[assignment]
            self.lurkers.append(Lurker(person, self.front.door, self.dice, Course(Pace()), manner))
        return self.lurkers

    async def talk(self, asks: list[Ask], stopping: asyncio.Event) -> None:
        """So many messages a second, by either side of any conversation, whatever became of those before."""
        began, count = time.monotonic(), 0
        while not stopping.is_set():
            conversation, shopper, agent = self.dice.choice(self.conversations)
            by = shopper if shopper in self.clients and self.dice.random() < 0.5 else agent
            ask = self.clients[by].send(conversation, f"{by} {count}")
            count += 1
            ask.settled.add_done_callback(partial(self._answered, time.monotonic()))
            asks.append(ask)
            await asyncio.sleep(max(0.0, began + count / A_SECOND - time.monotonic()))

    def _answered(self, asked: float, _: object) -> None:
        self.figures.answers.append(time.monotonic() - asked)

    async def restart(self, server: Server) -> None:
        """As a deploy does: kindly, and the next one only when this one takes people again."""
        assert server.process is not None
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(server.process.wait, STOP_SECONDS)
        self.figures.stops.append(time.monotonic() - began)
        await server.start()
        async with asyncio.timeout(QUIET_SECONDS):
            while server.port not in self.front.ready:  # noqa: ASYNC110  # whoever asks tells nobody
                await asyncio.sleep(0.05)

    async def settle(self) -> None:
        """Wait until everybody has all that the store has for them; the checker says who hasn't."""
        store = self.nodes.read()
        last = {name: rows[-1].seq for name, rows in store.by_conversation.items()}
        for conversation, shopper, agent in self.conversations:
            for who in {shopper, agent} & self.clients.keys():
                await self.clients[who].until(partial(_has, conversation, last[conversation]), QUIET_SECONDS)
        for lurker in self.lurkers:
            await lurker.until(
                lambda lurker: lurker.is_synced and all(seq >= last[name] for name, seq in lurker.seqs.items()),
                QUIET_SECONDS,
            )

    def judge(self, staff: set[str], since: float) -> Verdict:
        """The laws, and what was measured."""
        logs = [*self.logs.values(), *(lurker.log for lurker in self.lurkers)]
        for log in logs:
            log.stop()
        figures = self.figures
        figures.gaps = {
            manner: [max(lurker.gaps, default=0.0) for lurker in self.lurkers if lurker.manner == manner]
            for manner in ("moves", "breaks", "stays")
        }
        figures.gaps["clients"] = [max(_gaps(log), default=0.0) for log in self.logs.values()]
        figures.codes = Counter(code for lurker in self.lurkers for code in lurker.codes)
        figures.handshakes = self.front.busiest()
        figures.arrivals = [*_arrivals(logs)]
        figures.leaves = [
            f"{log.name} was told at {event.at - since:.2f} s that {sorted(staff - set(event.names))} had gone"
            for log in self.logs.values()
            for event in log.events
            if event.what == "presence" and event.at > since and not staff <= set(event.names)
        ]
        return check(logs, self.nodes.read(), faults=len(figures.stops))


def test_three_nodes_are_replaced_one_by_one(
    three: Nodes, dice: random.Random, tmp_path: Path, tell: Callable[[object], None]
) -> None:
    allow_files(4 * CROWD + 1000)
    three.balancer = front = Front(dice, three.balancer.ports)
    deploy = Deploy(three, front, dice)

    async def play() -> Verdict:
        async with town(three, tmp_path) as people:
            agents, shoppers = await people.agents(AGENTS), await people.shoppers(CROWD - AGENTS)
            conversations = await people.begin(shoppers)
        async with three.running(), front.asking(three.servers), AsyncExitStack() as stack:
            for person in [*agents, *shoppers[:TALKERS]]:
                await deploy.enter(stack, person)
            for number, conversation in enumerate(conversations[:WRITTEN_TO]):
                agent = agents[number % AGENTS].name
                await deploy.clients[agent].claim(conversation)
                deploy.conversations.append((conversation, shoppers[number].name, agent))
            async with asyncio.TaskGroup() as tasks:
                lives = await settle_in(deploy.lurk(shoppers[TALKERS:]), tasks)
                front.sent.clear()
                since = time.monotonic()
                asks: list[Ask] = []
                stopping = asyncio.Event()
                talking = tasks.create_task(deploy.talk(asks, stopping))
                await asyncio.sleep(1.0)  # of usual business
                for server in three.servers:
                    await deploy.restart(server)
                stopping.set()
                await talking
                await asyncio.gather(*asks)
                await deploy.settle()
                verdict = deploy.judge({agent.actor.id for agent in agents}, since)
                for life in lives:
                    life.cancel()
        return verdict

    verdict = uvloop.run(play())

    figures = deploy.figures
    tell(f"{figures}\n{verdict}")
    assert verdict.violations == []
    assert verdict.counts["asleep"] == 0
    assert part([*figures.gaps["moves"], *figures.gaps["clients"]], 0.99) < GAP_SECONDS
    assert part(figures.arrivals, 0.99) < GAP_SECONDS
    assert figures.leaves == []
    assert max(figures.handshakes.values()) <= HANDSHAKES
    assert max(figures.stops) <= STOP_SECONDS
    # Those who don't know that they are asked to go are closed, with the code that brings them back.
    assert set(figures.codes) - {1000} == {DRAIN}
    # Whatever a stopped node left in Redis goes by itself.
    assert [key for key in three.redis.ask("KEYS", "*").split() if int(three.redis.ask("PTTL", key)) == -1] == []


def _has(conversation: str, seq: int, mirror: Mirror) -> bool:
    return mirror.threads[conversation].state["seq"] >= seq


def _gaps(log: Log) -> Iterator[float]:
    """Of a client: from the end of one socket to the next one's `synced`."""
    ended_at = None
    for event in log.events:
        if event.what == "disconnected":
            ended_at = event.at if ended_at is None else ended_at
        elif event.what == "synced" and ended_at is not None:
            yield event.at - ended_at
            ended_at = None


def _arrivals(logs: Sequence[Log]) -> Iterator[float]:
    """Seconds from each `ok` until each of those who were to hear the message had it, however it came to them."""
    told = {event.id: event.at for log in logs for event in log.events if event.what == "ok" and event.detail in WORDS}
    for log in logs:
        seen: set[str] = set()
        for event in log.events:
            for line in event.lines:
                if line.id not in seen and line.id in told:
                    seen.add(line.id)
                    yield max(0.0, event.at - told[line.id])
