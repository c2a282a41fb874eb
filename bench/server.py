"""The process under measure: started as the Procfile starts it, pinned to its own core."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import orjson

from bench import proc

ROOT = Path(__file__).parent.parent
START_SECONDS = 20.0
STOP_SECONDS = 20.0

# Limits are on, but no honest load may meet them. All of it comes from one address. Tokens last as long as a run.
RAISED = {
    "SHOPBELL_RATE_CONTACT_MESSAGES": "1000000/s",
    "SHOPBELL_RATE_AGENT_MESSAGES": "1000000/s",
    "SHOPBELL_RATE_CONTACT_FRAMES": "1000000/s",
    "SHOPBELL_RATE_STAFF_FRAMES": "1000000/s",
    "SHOPBELL_RATE_ANONYMOUS_MESSAGES": "1000000/s",
    "SHOPBELL_RATE_HELLOS": "1000000/s",
    "SHOPBELL_RATE_ADDRESS_CONNECTS": "1000000/s",
    "SHOPBELL_UNAUTHENTICATED_PER_ADDRESS": "1000000",
    "SHOPBELL_TOKEN_SECONDS": "3600",
    "SHOPBELL_LOG": "json",
}


@dataclass(frozen=True)
class Cores:
    """One for what is measured, one for the load."""

    server: int
    load: int


class Measured(Protocol):
    """What runs on one core and is measured: a server, or several with their engines."""

    @property
    def core(self) -> int: ...

    def parts(self) -> dict[str, float]:
        """CPU seconds so far of each of its parts."""
        ...

    def is_behind(self) -> bool:
        """Whether it says that there is more to do, in its own time. It may rest and be behind."""
        ...


@dataclass(frozen=True)
class Server:
    """A running one."""

    port: int
    process: int
    core: int
    path: str = "/v1/socket"

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}{self.path}"

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def parts(self) -> dict[str, float]:
        return {"server": proc.cpu_seconds(self.process)}

    def is_behind(self) -> bool:
        return False  # nobody can be asked: a file has one reader

    def rss_bytes(self) -> int:
        return proc.rss_bytes(self.process)


def two_cores() -> Cores:
    """The first two this process may use."""
    mine = sorted(os.sched_getaffinity(0))
    if len(mine) < 2:
        sys.exit("bench wants two cores: one for the server, one for the load")
    return Cores(mine[0], mine[1])


def prepared(
    data: Path, layout: list[tuple[int, int]], settings: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """A fresh database with so many (agents, contacts) for each account: their inbox and tokens."""
    environment = {**os.environ, **RAISED, **(settings or {}), "SHOPBELL_DATA": str(data)}
    subprocess.run([_script("shopbell"), "migrate"], env=environment, check=True, stdout=subprocess.DEVNULL)
    command = [sys.executable, "-m", "bench.prepare", orjson.dumps(layout).decode()]
    made = subprocess.run(command, env=environment, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    accounts: list[dict[str, Any]] = orjson.loads(made.stdout)
    return accounts


@contextmanager
def shopbell(data: Path, cores: Cores, settings: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Our server on this data, exactly as the Procfile's web line runs it."""
    assignments, command = web_line()
    port = free_port()
    environment = {**assignments, **RAISED, **(settings or {})}
    environment |= {"SHOPBELL_DATA": str(data), "SHOPBELL_PORT": str(port)}
    data.mkdir(parents=True, exist_ok=True)
    with running([_script(command[0]), *command[1:]], environment, port, cores, data / "server.log") as server:
        yield server


@contextmanager
def bare(folder: Path, cores: Cores) -> Iterator[Server]:
    """The Starlette relay that stores nothing, on the same allocator settings."""
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "bench.peers.bare", str(port)]
    with running(command, web_line()[0], port, cores, folder / "bare.log") as server:
        yield server


def web_line() -> tuple[dict[str, str], list[str]]:
    """The Procfile's assignments and command for `web`."""
    for line in (ROOT / "Procfile").read_text().splitlines():
        if line.startswith("web:"):
            words = shlex.split(line.removeprefix("web:"))
            assignments = dict(word.split("=", 1) for word in words if "=" in word)
            return assignments, [word for word in words if "=" not in word]
    raise LookupError("the Procfile has no web line")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Whatever is started meanwhile stays on this core, with each of its threads and children."""
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, mine)


@contextmanager
def running(command: list[str], environment: Mapping[str, str], port: int, cores: Cores, log: Path) -> Iterator[Server]:
    """This command on the server's core, once it says under /healthz that it is well."""
    with pinned(cores.server), log.open("ab") as output:
        child = subprocess.Popen(
            command, env={**os.environ, **environment}, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        _wait_until_healthy(child, port)
        yield Server(port, child.pid, cores.server)
        if child.poll() is not None:
            raise RuntimeError("the server ended before its load")
    except Exception as error:
        error.add_note(f"the server's exit status is {child.poll()}; the end of its log:\n{log.read_text()[-2000:]}")
        raise
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _wait_until_healthy(child: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and child.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1):
                return
        except (OSError, urllib.error.URLError):
            time.sleep(0.05)
    raise RuntimeError("the server did not start")


def _script(name: str) -> str:
    return str(Path(sys.executable).with_name(name))
