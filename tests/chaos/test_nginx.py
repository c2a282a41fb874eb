"""Two nodes behind nginx as we ship it: its reload drops everybody at once, a node dies, and nobody loses anything.

SHOPBELL_STORM is how many are connected: 5,000 in `make chaos`.
"""

from __future__ import annotations

import asyncio
import os
import random
import resource
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import uvloop

from bots import Ask, Client, Pace
from bots.reconnect import Course
from tests.certificates import a_certificate
from tests.chaos.lurkers import Lurker
from tests.chaos.nodes import Nodes
from tests.chaos.town import Person, Town, town
from tests.history import Log, Verdict, check
from tests.nginx import Nginx, Ports, shipped

STORM = int(os.environ.get("SHOPBELL_STORM", "300"))
TALKERS = 6  # shoppers with a whole client, who write and are written to past TLS
A_SECOND = 40  # messages, by an agent to a talker or back
ARRIVING = 50  # at once, in the beginning
BACK_SECONDS = 20.0  # from the cut until everybody is up to date again
QUIET_SECONDS = 60.0


@pytest.fixture
def pair(nodes: Nodes) -> Nodes:
    nodes.set(trusted_proxies="127.0.0.1", unauthenticated_per_address="1000", drain_wait_seconds="0")
    return nodes


@dataclass
class Shop:
    """Everybody who is connected through nginx."""

    nodes: Nodes
    nginx: Nginx
    ports: Ports
    dice: random.Random
    clients: dict[str, Client] = field(default_factory=dict)
    logs: list[Log] = field(default_factory=list)
    lurkers: list[Lurker] = field(default_factory=list)
    conversations: dict[str, tuple[str, str]] = field(default_factory=dict)  # its shopper, its agent

    async def enter(self, stack: AsyncExitStack, person: Person) -> None:
        """Somebody with a whole client, over TLS."""
        url = f"https://127.0.0.1:{self.ports.tls}"
        log = Log(person.name, person.actor.id, person.actor.kind)  # type: ignore[arg-type]
        self.logs.append(log)
        client = Client(url, person.token, origin=url, tap=log, patience=QUIET_SECONDS)
        self.clients[person.name] = await stack.enter_async_context(client)
        await client.synced()

    async def crowd(self, tasks: asyncio.TaskGroup, people: list[Person]) -> list[asyncio.Task[None]]:
        """Everybody else, who listens; returns what keeps them connected."""
        gate, living = asyncio.Semaphore(ARRIVING), []

        async def come(lurker: Lurker) -> None:
            async with gate:
                living.append(tasks.create_task(lurker.live()))
                await lurker.until(lambda lurker: lurker.is_synced, QUIET_SECONDS)

        self.lurkers += [Lurker(person, lambda: self.ports.plain, self.dice, Course(Pace())) for person in people]
        self.logs += [lurker.log for lurker in self.lurkers]
        await asyncio.gather(*map(come, self.lurkers))
        return living

    @asynccontextmanager
    async def talking(self) -> AsyncIterator[None]:
        """Messages both ways in all conversations of the talkers, from beginning to end of the block."""
        asks: list[Ask] = []
        stopping = asyncio.Event()

        async def talk() -> None:
            while not stopping.is_set():
                conversation, sides = self.dice.choice(list(self.conversations.items()))
                by = self.dice.choice(sides)
                asks.append(self.clients[by].send(conversation, f"{by} {len(asks)}"))
                await asyncio.sleep(1 / A_SECOND)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(talk())
            yield
            stopping.set()
        await asyncio.gather(*asks)

    async def all_back(self, cut: int) -> float:
        """Wait until so many sockets were lost and everybody is up to date again; returns how long that took."""
        began = time.monotonic()
        async with asyncio.timeout(QUIET_SECONDS):
            while self.lost() < cut or not all(lurker.is_synced for lurker in self.lurkers):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        for client in self.clients.values():
            await client.synced(QUIET_SECONDS)
        return time.monotonic() - began

    def lost(self) -> int:
        """Sockets that lurkers had and lost."""
        return sum(len(lurker.codes) for lurker in self.lurkers)

    async def spread(self) -> list[int]:
        """How many sockets each node has."""
        return [int(await server.metric('shopbell_sockets{kind="contact"}')) for server in self.nodes.servers]

    async def settle(self) -> None:
        """Wait until everybody has all that the store has for them; the checker says who hasn't."""
        last = {name: rows[-1].seq for name, rows in self.nodes.read().by_conversation.items()}
        for conversation, sides in self.conversations.items():
            for side in sides:
                await self.clients[side].until(
                    lambda mirror, name=conversation: mirror.threads[name].state["seq"] >= last[name],  # type: ignore[misc]
                    QUIET_SECONDS,
                )

    def verdict(self, faults: int) -> Verdict:
        for log in self.logs:
            log.stop()
        return check(self.logs, self.nodes.read(), faults)


def test_nobody_loses_anything_by_its_reload_or_by_a_node_that_dies(
    pair: Nodes,
    dice: random.Random,
    tmp_path: Path,
    tell: Callable[[object], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _allow_files(2 * STORM + 1000)
    certificate = a_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    figures: dict[str, float] = {}

    async def play() -> Verdict:
        ports = Ports((pair.servers[0].port, pair.servers[1].port))
        pair.set(public_url=f"https://127.0.0.1:{ports.tls}, http://127.0.0.1:{ports.plain}")
        async with town(pair, tmp_path) as people:
            agents, shoppers, conversations = await inhabitants(people)
        await asyncio.gather(*(server.start() for server in pair.servers))
        text = shipped(tmp_path / "nginx", ports, certificate, worker_shutdown_timeout="1s")
        nginx = await asyncio.to_thread(Nginx, tmp_path / "nginx", text, ports.tls)
        shop = Shop(pair, nginx, ports, dice)
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
            stack.push_async_callback(asyncio.to_thread, nginx.stop)
            for person in [*agents, *shoppers[:TALKERS]]:
                await shop.enter(stack, person)
            for number, conversation in enumerate(conversations[:TALKERS]):
                agent = agents[number % len(agents)].name
                await shop.clients[agent].claim(conversation)
                shop.conversations[conversation] = (shoppers[number].name, agent)
            living = await shop.crowd(tasks, shoppers[TALKERS:])
            figures["least of a node"] = min(await shop.spread())
            async with shop.talking():
                await asyncio.to_thread(nginx.reload)
                figures["back after the reload"] = await shop.all_back(len(shop.lurkers))
                figures["least of a node after the reload"] = min(await shop.spread())
                lost, first = shop.lost(), pair.servers[0]
                there = (await shop.spread())[0]
                await first.end(signal.SIGKILL)
                figures["back after a node's death"] = await shop.all_back(lost + there - TALKERS)
            await shop.settle()
            verdict = shop.verdict(faults=2)
            for life in living:
                life.cancel()
        return verdict

    verdict = uvloop.run(play())

    tell(f"{STORM} sockets: {figures}\n{verdict}")
    assert verdict.violations == []
    assert verdict.counts["asleep"] == 0
    assert max(figures["back after the reload"], figures["back after a node's death"]) < BACK_SECONDS
    assert min(figures["least of a node"], figures["least of a node after the reload"]) > STORM / 4


async def inhabitants(people: Town) -> tuple[list[Person], list[Person], list[str]]:
    """Two agents, all shoppers, and a conversation of each of these."""
    agents, shoppers = await people.agents(2), await people.shoppers(STORM + TALKERS)
    return agents, shoppers, await people.begin(shoppers)


def _allow_files(wanted: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted <= hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
