"""What all chaos tests share: a prepared data folder, the seed, and a place to print what was measured."""

import os
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest

from tests.chaos.nodes import Nodes, prepare_postgres
from tests.chaos.nursery import Nursery
from tests.chaos.server import ROOT, Prepared, Server, environment, prepare
from tests.servers import PostgresServer, a_free_port

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.chaos)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(tmp_path_factory.mktemp("prepared") / "data")


@pytest.fixture
def server(prepared: Prepared, tmp_path: Path) -> Iterator[Server]:
    """A server that isn't started yet. Whatever happens, it leaves no tracebacks and no process behind."""
    server = Server.copy(prepared, tmp_path / "data", tmp_path / "server.log")
    yield server
    server.close()
    assert server.complaints() == []


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One that a test may kill."""
    server = PostgresServer(Path(mkdtemp(prefix="shopbell-chaos-", dir="/tmp")), a_free_port())
    yield server
    server.stop()


@pytest.fixture(scope="session")
def prepared_nodes(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare_postgres(postgres, tmp_path_factory.mktemp("prepared_nodes"))


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    nursery = Nursery(ROOT, environment({}))
    yield nursery
    nursery.close()


@pytest.fixture
def nodes(
    prepared_nodes: Prepared, nursery: Nursery, postgres: PostgresServer, tmp_path: Path, dice: random.Random
) -> Iterator[Nodes]:
    """Two nodes that aren't started yet. Whatever happens, they leave no tracebacks and no process behind."""
    nodes = Nodes.new(prepared_nodes, nursery, postgres, tmp_path, dice)
    yield nodes
    nodes.close()
    assert nodes.complaints() == []


@pytest.fixture(scope="session")
def seed() -> int:
    """SHOPBELL_SEED, or one from the clock."""
    return int(os.environ.get("SHOPBELL_SEED") or random.randrange(2**32))


@pytest.fixture
def dice(seed: int, request: pytest.FixtureRequest) -> random.Random:
    """This test's own dice: the same for the same seed, whichever tests run with it."""
    return random.Random(f"{seed} {request.node.name}")


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str], seed: int, request: pytest.FixtureRequest) -> Callable[[object], None]:
    """Print what was measured, also when the test passes, with the seed to repeat it."""

    def write(what: object) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{request.node.name}, seed {seed}: {what}\n")

    return write
