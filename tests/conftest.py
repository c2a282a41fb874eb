"""Fixtures over every engine, and coroutines as tests: each runs in a loop that its fixtures share."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator

import pytest

from chat.store import Store
from tests.builders import StillClock, populate
from tests.engines import BUSES, DEBTS, PRESENCES, STORES, BusEngine, DebtsEngine, PresenceEngine, StoreEngine

pytest.register_assert_rewrite("tests.law", "tests.office")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a coroutine test to its end; a task that it leaves behind is a fault."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}

    async def play() -> None:
        async with asyncio.timeout(60):
            await pyfuncitem.obj(**arguments)
        assert asyncio.all_tasks() == {asyncio.current_task()}, "tasks left behind"

    runner = pyfuncitem.funcargs.get("runner")
    if isinstance(runner, asyncio.Runner):
        runner.run(play())
    else:
        asyncio.run(play())
    return True


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """The loop of this test, for fixtures that must wait for something."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture(params=STORES)
def new_engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], StoreEngine]:
    """Makes databases of one kind, migrated and empty."""
    return lambda: STORES[request.param](tmp_path_factory.mktemp("store"))


@pytest.fixture
def engine(new_engine: Callable[[], StoreEngine]) -> StoreEngine:
    return new_engine()


@pytest.fixture
def store(engine: StoreEngine, runner: asyncio.Runner) -> Iterator[Store]:
    """An open store with the people of `builders.populate`."""
    store = runner.run(engine.open())
    runner.run(populate(store))
    yield store
    runner.run(store.close())


@pytest.fixture(params=BUSES)
def buses(request: pytest.FixtureRequest) -> BusEngine:
    return BUSES[request.param]()


@pytest.fixture(params=DEBTS)
def debts(request: pytest.FixtureRequest, runner: asyncio.Runner) -> Iterator[DebtsEngine]:
    """Whatever it opens is closed in the end."""
    engine = DEBTS[request.param]()
    yield engine
    runner.run(engine.close())


@pytest.fixture(params=PRESENCES)
def presences(request: pytest.FixtureRequest, runner: asyncio.Runner) -> Iterator[PresenceEngine]:
    engine = PRESENCES[request.param]()
    yield engine
    runner.run(engine.close())
