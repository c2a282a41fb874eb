"""Several nodes on one port: the kernel spreads who comes, the dead are replaced, and all end when they are told to."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from chat.clock import SystemClock
from chat.directory import Directory
from chat.passwords import Passwords
from gateway.__main__ import FAILED, MISUSED, main
from gateway.workers import MOST_SECONDS, Workers, delay, reserved
from tests.engines import PostgresEngine
from tests.peer import Answer, Peer
from tests.servers import a_free_port, redis
from tests.shop import an_account

pytestmark = pytest.mark.chaos

PATIENCE = 30.0
WAIT_SECONDS = 1.0  # of a drain, until sockets are closed
# A worker that says when it has begun, and ends well when its input is closed.
GOOD = "import sys; print('began', sys.argv[-1], flush=True); sys.stdin.read(); print('ended', flush=True)"
DEAF = (
    "import signal, time; signal.signal(signal.SIGTERM, lambda *_: exit(7)); print('began', flush=True); time.sleep(60)"
)


async def _until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110  # other processes tell nobody
            await asyncio.sleep(0.02)


async def play(code: str, path: Path, act: Callable[[Workers], object], count: int = 2) -> tuple[bool, list[str]]:
    """Run workers of this code until they have ended; `act` when all have begun. What they printed comes back."""
    told = f"import sys; sys.stdout = open({str(path)!r}, 'a')\n{code}"
    workers = Workers([sys.executable, "-c", told], count, delay=lambda deaths: 0.01)
    running = asyncio.ensure_future(workers.run())
    await _until(lambda: path.exists() and path.read_text().count("began") >= count)
    act(workers)
    async with asyncio.timeout(PATIENCE):
        return await running, path.read_text().splitlines()


# --- the parent -------------------------------------------------------------------------------------------------------


def test_who_dies_often_waits_longer_and_never_for_ever() -> None:
    waits = [delay(deaths) for deaths in range(1, 100)]

    assert waits[:3] == [0.5, 1.0, 2.0]
    assert waits == sorted(waits)
    assert waits[-1] == MOST_SECONDS


async def test_each_knows_its_number_and_all_end_when_told_to(tmp_path: Path) -> None:
    is_well, said = await play(GOOD, tmp_path / "said", Workers.stop, count=3)

    assert is_well
    assert sorted(said) == ["began 1", "began 2", "began 3", "ended", "ended", "ended"]


async def test_a_second_word_ends_those_who_dont_listen(tmp_path: Path) -> None:
    def twice(workers: Workers) -> None:
        workers.stop()
        workers.stop()

    is_well, _ = await play(DEAF, tmp_path / "said", twice)

    assert not is_well, "they ended with 7"


async def test_the_dead_are_replaced(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    dying = "import os, sys; print('began', flush=True); os._exit(3)"

    def stop_later(workers: Workers) -> None:
        async def wait() -> None:
            await _until(lambda: (tmp_path / "said").read_text().count("began") >= 6)
            workers.stop()

        _later.append(asyncio.ensure_future(wait()))

    _later: list[asyncio.Future[None]] = []
    await play(dying, tmp_path / "said", stop_later)
    await _later[0]

    assert any("ended with 3; it is started again" in line for line in caplog.messages)


def test_a_port_that_somebody_has_is_not_shared_with_them() -> None:
    with (
        socket.create_server(("127.0.0.1", 0), reuse_port=True) as other,
        pytest.raises(OSError, match="in use"),
        reserved("127.0.0.1", other.getsockname()[1]),
    ):
        pass


def test_nobody_else_gets_a_port_that_is_reserved() -> None:
    port = a_free_port()
    with reserved("127.0.0.1", port):
        with pytest.raises(OSError, match="in use"):
            socket.create_server(("127.0.0.1", port))
        socket.create_server(("127.0.0.1", port), reuse_port=True).close()


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bus", ["memory", "redis://127.0.0.1:1"])
def test_nodes_that_couldnt_see_each_other_are_refused(
    bus: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SHOPBELL_DATA", str(tmp_path))
    monkeypatch.setenv("SHOPBELL_BUS", bus)

    assert main(["serve", "--workers", "2"]) == FAILED
    assert "SHOPBELL_STORE=postgresql://… and SHOPBELL_BUS=redis://…" in capsys.readouterr().err


@pytest.mark.parametrize("count", ["0", "-1", "x", "65", "²"])
def test_a_number_that_makes_no_sense_is_refused(count: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["serve", "--workers", count])

    assert exit_.value.code == MISUSED
    assert "from 1 to 64" in capsys.readouterr().err


# --- for real ---------------------------------------------------------------------------------------------------------


class Service:
    """`shopbell serve --workers 2` as a process, and its log."""

    def __init__(self, folder: Path, port: int, store: str) -> None:
        self.port = port
        self._log = folder / "log"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SHOPBELL_")}
        environment |= {
            "SHOPBELL_DATA": str(folder / "data"),
            "SHOPBELL_STORE": store,
            "SHOPBELL_BUS": redis().url,
            "SHOPBELL_SECRET": "s" * 40,
            "SHOPBELL_PORT": str(port),
            "SHOPBELL_UNAUTHENTICATED_PER_ADDRESS": "500",
            "SHOPBELL_DRAIN_WAIT_SECONDS": str(WAIT_SECONDS),
            "SHOPBELL_DRAIN_SPREAD_SECONDS": "0",
        }
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gateway", "serve", "--workers", "2"], env=environment, stdout=log, stderr=log
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    def workers(self) -> list[int]:
        """The processes of those who serve."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(child) for child in children.read_text().split()]

    async def serve(self, count: int) -> None:
        """Wait until so many have said that they serve."""
        await _until(lambda: self.process.poll() is not None or self.log.count("serving on") >= count)
        assert self.process.poll() is None, self.log

    async def bots(self, store: PostgresEngine, count: int) -> list[Peer]:
        """So many sockets of somebody who has been let in."""
        opened = await store.open()
        passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        account = await an_account(Directory(opened, SystemClock()), passwords, "mine")
        await opened.close()
        peers = [await Peer.connect(self.port) for _ in range(count)]
        for peer in peers:
            await peer.hello(account.bot_token)
        return peers

    async def peers(self, count: int) -> list[Peer]:
        return [await Peer.connect(self.port, origin=f"http://127.0.0.1:{self.port}") for _ in range(count)]


@pytest.fixture
def store(tmp_path: Path) -> PostgresEngine:
    return PostgresEngine(tmp_path)


@pytest.fixture
def service(tmp_path: Path, store: PostgresEngine) -> Iterator[Service]:
    with ending(Service(tmp_path, a_free_port(), store.url)) as service:
        yield service


@contextmanager
def ending(service: Service) -> Iterator[Service]:
    workers: list[int] = []
    try:
        yield service
    finally:
        with suppress(FileNotFoundError):
            workers = service.workers()
        for pid in (service.process.pid, *workers):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        service.process.wait()


def sockets(pid: int) -> int:
    """How many a process has."""
    with suppress(FileNotFoundError):
        return sum(_target(link).startswith("socket:") for link in Path(f"/proc/{pid}/fd").iterdir())
    return 0


def _target(link: Path) -> str:
    with suppress(FileNotFoundError):
        return str(link.readlink())
    return ""


def is_alive(pid: int) -> bool:
    with suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


async def test_two_workers_share_a_port_and_one_that_dies_is_replaced(service: Service, store: PostgresEngine) -> None:
    await service.serve(2)
    before = {pid: sockets(pid) for pid in service.workers()}
    peers = await service.peers(40)
    assert len(before) == 2
    assert min(sockets(pid) - before[pid] for pid in before) > 5, "the kernel spreads them"

    dead = service.workers()[0]
    os.kill(dead, signal.SIGKILL)
    await service.serve(3)
    for peer in peers:
        peer.leave()
    peers = await service.bots(store, 4)

    assert dead not in service.workers()
    assert len(service.workers()) == 2
    assert "ended with -9; it is started again" in service.log
    assert '"worker":"2"' in service.log

    workers = service.workers()
    for pid in (*workers, service.process.pid):  # as systemd does: the parent's word is then no second one
        os.kill(pid, signal.SIGTERM)
    began = time.monotonic()
    codes = {await peer.closed() for peer in peers}
    assert await asyncio.to_thread(service.process.wait, PATIENCE) == 0
    assert codes == {4200}
    assert time.monotonic() - began > WAIT_SECONDS, "the drain wasn't cut short"
    assert [pid for pid in workers if is_alive(pid)] == []


async def test_workers_drain_when_their_parent_is_killed(service: Service) -> None:
    await service.serve(2)
    workers, peers = service.workers(), await service.peers(6)

    service.process.kill()
    began = time.monotonic()
    codes = {await peer.closed() for peer in peers}
    await _until(lambda: not any(is_alive(pid) for pid in workers))

    assert codes == {4200}
    assert time.monotonic() - began < 10
    with pytest.raises((OSError, Answer)):
        await Peer.connect(service.port)
