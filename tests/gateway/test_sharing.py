"""Sharing: several nodes let through hardly more than one would, a lone one no less, and alone each counts alone."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from chat.clock import SystemClock
from chat.errors import Unavailable
from gateway import sharing as module
from gateway.debts import Taken
from gateway.debts.memory import MemoryDebts
from gateway.debts.redis import RedisDebts
from gateway.limits import Meter, Rate
from gateway.metrics import new_metrics
from gateway.redis_client import new_client
from gateway.shared_meter import SOON, SharedMeter
from gateway.sharing import EVERY_SECONDS, TOGETHER, Sharing
from tests.builders import StillClock
from tests.node import Node as WholeNode
from tests.pair import two_healthy_nodes, two_nodes
from tests.peer import Peer, new_id
from tests.servers import RedisServer, a_free_port

pytestmark = pytest.mark.chaos

SEED = int(os.environ.get("SHOPBELL_SEED", "1"))
OPERATIONS = max(20_000, 50 * int(os.environ.get("SHOPBELL_EXAMPLES", "0")))  # 100,000 by `make chaos`
LIMIT = Rate(1, 10)


class SlowClock:
    """Ticks that a test moves by as little as it likes."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> int:
        return round(self.seconds * 1000)

    def ticks(self) -> float:
        return self.seconds


class Wire:
    """Debts behind a network: what is said arrives later, and what is answered later still, as the test says."""

    is_shared = True

    def __init__(self, clock: SlowClock, free: dict[str, float]) -> None:
        self._debts = MemoryDebts(clock.ticks, free)
        self._clock = clock
        self._gates: list[tuple[float, asyncio.Future[None]]] = []
        self.is_away = False
        self.said: list[int] = []

    async def add(self, taken: Sequence[Taken]) -> list[float]:
        self.said.append(len(taken))
        await self._gate()
        if self.is_away:
            raise Unavailable("on purpose")
        owed = await self._debts.add(taken)
        await self._gate()
        return owed

    async def _gate(self) -> None:
        gate = asyncio.get_running_loop().create_future()
        self._gates.append((self._clock.ticks(), gate))
        await gate

    @property
    def is_busy(self) -> bool:
        return bool(self._gates)

    async def moves_on(self, since: float) -> None:
        """What has waited since then goes one step on."""
        while self._gates and self._gates[0][0] <= since:
            self._gates.pop(0)[1].set_result(None)
            for _ in range(3):
                await asyncio.sleep(0)


class Node:
    """One of several with the same limit."""

    def __init__(self, clock: SlowClock, free: dict[str, float], rate: Rate) -> None:
        self.wire = Wire(clock, free)
        self.metrics = new_metrics()
        self.sharing = Sharing(self.wire, clock, self.metrics)
        self.meter = self.sharing.meter("m", rate)
        self.telling: asyncio.Task[list[float]] | None = None

    def unconfirmed(self, key: str) -> float:
        assert isinstance(self.meter, SharedMeter)
        _, untold, _, telling = self.meter._keys[key]
        return untold + telling

    def begin(self) -> None:
        """Tell what is due, unless it is at that already."""
        if self.telling is not None and self.telling.done():
            self.telling.result()
            self.telling = None
        if self.telling is None and (due := self.sharing._due()):
            self.telling = asyncio.get_running_loop().create_task(self.sharing._tell(due))


# --- the bound -------------------------------------------------------------------------------------------------------

DELAY = 0.05  # at most, each way


class World:
    """Nodes, people who take as much as they can in many ways, and a single meter that knows of all that was taken."""

    def __init__(self, seed: int, nodes: int, rate: Rate) -> None:
        self.dice = random.Random(f"{seed} {nodes} {rate}")
        self.clock = SlowClock()
        free: dict[str, float] = {}
        self.nodes = [Node(self.clock, free, rate) for _ in range(nodes)]
        self.rate, self.gap, self.half = rate, 1 / rate.per_second, max(1, rate.burst // 2)
        self.truth: dict[str, float] = {}
        self.let_through = self.refused = 0
        self.too_many = self.too_few = 0.0

    def owed(self, key: str) -> float:
        """By all that was let through; as a number of them."""
        return max(0.0, self.truth.get(key, 0.0) - self.clock.ticks()) / self.gap

    def take(self, node: Node, key: str) -> None:
        now = self.clock.ticks()
        if not node.meter.take(key, now):
            self.let_through += 1
            self.truth[key] = max(self.truth.get(key, 0.0), now) + self.gap
            self.too_many = max(self.too_many, self.owed(key) - self.rate.burst)
        elif node.unconfirmed(key) < self.half:
            self.refused += 1
            self.too_few = max(self.too_few, self.rate.burst - 1 - self.owed(key))

    async def play(self, operations: int) -> None:
        manner, favourite, key = "one", self.nodes[0], "a"
        for operation in range(operations):
            if operation % 200 == 0:
                manner = self.dice.choice(["one", "all", "slow", "all in turn"])
                favourite, key = self.dice.choice(self.nodes), self.dice.choice("abc")
            if self.dice.random() < (0.4 if manner == "slow" else 0.9):
                node = favourite if manner == "one" else self.dice.choice(self.nodes)
                if manner == "all in turn":
                    node = self.nodes[operation // 20 % len(self.nodes)]
                self.take(node, key if self.dice.random() < 0.8 else self.dice.choice("abc"))
            else:
                self._pass_time()
            for node in self.nodes:
                if self.dice.random() < 0.3:
                    node.begin()
                    await asyncio.sleep(0)
                late = self.clock.ticks() - DELAY
                await node.wire.moves_on(self.clock.ticks() if self.dice.random() < 0.3 else late)
        for node in self.nodes:
            while node.wire.is_busy:
                await node.wire.moves_on(self.clock.ticks())

    def _pass_time(self) -> None:
        pause = self.dice.choice([0.001, 0.01, DELAY, self.gap, self.gap * self.rate.burst / 2])
        is_busy = any(node.wire.is_busy for node in self.nodes)
        self.clock.seconds += min(pause, DELAY / 2) if is_busy else pause


@pytest.mark.parametrize("nodes", [1, 2, 3, 5])
async def test_nodes_together_let_through_hardly_more_than_one_and_a_lone_one_no_less(nodes: int) -> None:
    """Each node beyond the first at most half a burst more, once; with three that is one burst. Nothing is refused
    earlier than one meter would, by more than the quarter of a burst that each node may say late."""
    rates = [LIMIT, Rate(10, 40), Rate(0.1, 60), Rate(20, 50), Rate(2, 3)]
    for rate in rates:
        world = World(SEED, nodes, rate)
        await world.play(OPERATIONS // len(rates))

        delayed = 2 * DELAY * rate.per_second  # what a telling takes, the debt passes
        assert world.let_through > 100
        assert world.refused > 100
        assert world.too_many <= (nodes - 1) * world.half + delayed + 0.01, f"{rate}, seed {SEED}"
        assert world.too_few <= (nodes > 1) * nodes * rate.burst / 4 + delayed + 0.01, f"{rate}, seed {SEED}"


# --- the task --------------------------------------------------------------------------------------------------------


class Engine:
    """Debts that answer at once, or not at all."""

    is_shared = True

    def __init__(self, clock: StillClock) -> None:
        self.debts = MemoryDebts(clock.ticks, {})
        self.is_away = False
        self.asked: list[list[str]] = []

    async def add(self, taken: Sequence[Taken]) -> list[float]:
        self.asked.append([each.key for each in taken])
        if self.is_away:
            raise Unavailable("on purpose")
        return await self.debts.add(taken)


@asynccontextmanager
async def a_sharing(monkeypatch: pytest.MonkeyPatch, every: float = 0.02) -> AsyncIterator[tuple[Sharing, Engine]]:
    monkeypatch.setattr(module, "EVERY_SECONDS", every)
    monkeypatch.setattr(module, "AWAY_SECONDS", 0.02)
    clock = StillClock()
    engine = Engine(clock)
    sharing = Sharing(engine, clock, new_metrics())
    running = asyncio.create_task(sharing.run())
    yield sharing, engine
    running.cancel()
    await asyncio.wait([running])


async def test_what_many_take_is_told_together_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    assert EVERY_SECONDS <= 0.25
    async with a_sharing(monkeypatch) as (sharing, engine):
        first, second = sharing.meter("m", LIMIT), sharing.meter("n", LIMIT)
        for key in "abc":
            for meter in (first, second):
                for _ in range(4):
                    meter.take(key, 1000.0)
        await asyncio.sleep(0.005)
        assert engine.asked == []
        await asyncio.sleep(0.06)

    assert engine.asked == [["m:a", "m:b", "m:c", "n:a", "n:b", "n:c"]]


async def test_who_waits_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_sharing(monkeypatch, every=30) as (sharing, engine):
        meter, now = sharing.meter("m", LIMIT), StillClock().ticks()
        assert [meter.take("a", now) for _ in range(6)] == [0.0] * 5 + [SOON]

        await asyncio.sleep(0.03)

        assert engine.asked == [["m:a"]]
        assert meter.take("a", now) == 0


async def test_many_keys_are_told_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_sharing(monkeypatch) as (sharing, engine):
        meter = sharing.meter("m", LIMIT)
        for number in range(2 * TOGETHER + 1):
            for _ in range(3):
                meter.take(str(number), 1000.0)

        await asyncio.sleep(0.15)

    assert [len(asked) for asked in engine.asked] == [TOGETHER, TOGETHER, 1]


async def test_while_nobody_answers_each_node_counts_for_itself_and_says_so_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "gateway.sharing")
    async with a_sharing(monkeypatch) as (sharing, engine):
        meter, now = sharing.meter("m", LIMIT), StillClock().ticks()
        engine.is_away = True
        for _ in range(3):
            meter.take("a", now)
        await asyncio.sleep(0.1)

        assert [meter.take("a", now) for _ in range(8)] == [0.0] * 7 + [pytest.approx(1.0)]
        assert [meter.take("b", now) for _ in range(11)] == [0.0] * 10 + [pytest.approx(1.0)]
        assert sharing._is_shared._value.get() == 0

        engine.is_away = False
        await asyncio.sleep(0.1)
        assert engine.asked[-1] == ["m:a", "m:b"]
        assert sharing._is_shared._value.get() == 1
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "each node counts limits for itself until Redis is back",
        "limits are counted together again",
    ]


async def test_for_an_answer_that_is_late_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy bot would be turned away for Redis being slow."""
    monkeypatch.setattr(module, "LATE_SECONDS", 0.02)
    clock = SlowClock()
    node, now = Node(clock, {}, LIMIT), clock.ticks()
    taken = [node.meter.take("a", now) for _ in range(6)]
    node.begin()
    await asyncio.sleep(0)
    assert [*taken, node.meter.take("a", now)] == [*[0.0] * 5, SOON, SOON]

    await asyncio.sleep(0.04)

    assert [node.meter.take("a", now) for _ in range(6)] == [0.0] * 5 + [pytest.approx(1.0)]
    for _ in range(2):
        await node.wire.moves_on(now)
        await asyncio.sleep(0)
    assert [node.meter.take("b", now) for _ in range(6)] == [0.0] * 5 + [SOON]


async def test_whoever_asks_and_goes_leaves_nothing_unconfirmed() -> None:
    clock = SlowClock()
    node = Node(clock, {}, LIMIT)
    node.meter.take("a", clock.ticks())
    asking = asyncio.create_task(node.sharing.confirm("m", "a"))
    await asyncio.sleep(0)
    assert node.unconfirmed("a") == 1

    asking.cancel()
    await asyncio.wait([asking])

    assert node.unconfirmed("a") == 0


def test_a_node_that_is_alone_has_plain_meters() -> None:
    clock = StillClock()
    metrics = new_metrics()

    sharing = Sharing(MemoryDebts(clock.ticks), clock, metrics)

    assert type(sharing.meter("m", LIMIT)) is Meter
    assert metrics.registry.get_sample_value("shopbell_limits_shared") == 0


# --- what must be confirmed ------------------------------------------------------------------------------------------


async def test_what_must_be_confirmed_is_never_more_than_the_burst_on_all_nodes() -> None:
    clock, free = StillClock(), dict[str, float]()
    nodes = [Sharing(MemoryDebts(clock.ticks, free), clock, new_metrics()) for _ in range(3)]
    meters = [node.meter("m", LIMIT) for node in nodes]

    async def tries(number: int) -> bool:
        node, meter = nodes[number % 3], meters[number % 3]
        return not (meter.take("a", clock.ticks()) or await node.confirm("m", "a"))

    assert sum(await asyncio.gather(*map(tries, range(90)))) == LIMIT.burst
    for node in nodes:
        await node._tell(node._due())  # what was refused is given back
    assert not any([await tries(number) for number in range(3)])
    clock.move(2)
    assert sum([await tries(number) for number in range(12)]) == 2


async def test_what_was_confirmed_and_not_used_can_be_given_back() -> None:
    clock = StillClock()
    node = Sharing(MemoryDebts(clock.ticks, {}), clock, new_metrics())
    meter = node.meter("m", LIMIT)

    for _ in range(100):
        assert not meter.take("a", clock.ticks())
        assert not await node.confirm("m", "a")
        meter.give_back("a")
        await node._tell(node._due())


async def test_while_nobody_answers_everything_is_confirmed() -> None:
    clock = StillClock()
    engine = Engine(clock)
    engine.is_away = True
    node = Sharing(engine, clock, new_metrics())
    meter = node.meter("m", LIMIT)

    assert [meter.take("a", clock.ticks()) or await node.confirm("m", "a") for _ in range(11)] == [
        *[0.0] * 10,
        pytest.approx(1.0),
    ]
    assert len(engine.asked) == 1


# --- with a real Redis -----------------------------------------------------------------------------------------------


@pytest.fixture
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One that a test may kill."""
    server = RedisServer(tmp_path_factory.mktemp("redis"), a_free_port())
    yield server
    server.stop()


async def test_three_nodes_on_one_redis_let_through_a_burst_more_and_alone_again_without_it(redis: RedisServer) -> None:
    clock, rate = SystemClock(), Rate(1, 100)
    clients = [new_client(redis.url) for _ in range(3)]
    nodes = [Sharing(RedisDebts(client), clock, new_metrics()) for client in clients]
    meters = [node.meter("m", rate) for node in nodes]
    running = [asyncio.create_task(node.run()) for node in nodes]

    async def takes(key: str, seconds: float) -> int:
        """As many as they get, at all three at once."""
        end, taken = clock.ticks() + seconds, 0
        while clock.ticks() < end:
            taken += sum(not meter.take(key, clock.ticks()) for meter in meters)
            await asyncio.sleep(0)
        return taken

    assert 100 <= await takes("a", 0.5) <= 200 + 3
    await asyncio.to_thread(redis.ask, "FLUSHALL")  # what each knows already it doesn't forget
    assert await takes("a", 0.3) <= 3
    await asyncio.to_thread(redis.kill)
    await takes("b", 0.2)
    assert await takes("c", 0.1) == 300

    for task in running:
        task.cancel()
    await asyncio.wait(running)
    for client in clients:
        await client.aclose()


async def answers(peer: Peer, conversation: str, count: int) -> list[str]:
    """Of so many messages at once."""
    for number in range(count):
        text = f"{number}"
        await peer.begin("message.send", id=new_id(), conversation=conversation, text=text)
    found: list[str] = []
    while len(found) < count:
        frame = await peer.hear()
        if frame["type"] in ("ok", "refused"):
            found.append(frame.get("code", "ok"))
    return found


async def test_a_contact_on_two_nodes_has_hardly_more_than_one_allowance(tmp_path: Path) -> None:
    async with two_healthy_nodes(tmp_path, rate_contact_messages="1/s burst 40") as (first, second):
        session = await first.contact_session()
        here, there = await first.contact(session), await second.contact(session)
        conversation = await first.started(here)

        async with asyncio.timeout(10):
            at_once = await asyncio.gather(answers(here, conversation, 14), answers(there, conversation, 14))
            await asyncio.sleep(2 * EVERY_SECONDS)
            again = await asyncio.gather(answers(here, conversation, 14), answers(there, conversation, 14))

        assert list(at_once) == [["ok"] * 14] * 2
        taken = 1 + sum(each == "ok" for answered in (*at_once, *again) for each in answered)
        assert 40 <= taken <= 60 + 2


async def test_a_password_is_guessed_on_all_nodes_together_no_more_often_than_on_one(tmp_path: Path) -> None:
    async with two_nodes(tmp_path, rate_failed_logins="4/600s") as (first, second):

        async def guess(node: WholeNode, number: int) -> int:
            async with httpx.AsyncClient(base_url=node.origin, headers={"origin": node.origin}) as browser:
                body = {"email": "agent@mine.example", "password": f"guess {number}"}
                return (await browser.post("/v1/login", json=body)).status_code

        assert [await guess(first, number) for number in range(2)] == [401, 401]
        await asyncio.sleep(2 * EVERY_SECONDS)
        assert await guess(first, 2) == 401
        found = await asyncio.gather(*(guess((second, first)[number % 2], number) for number in range(8)))

        assert sorted(found) == [401] + [429] * 7
