"""The real server as a process of its own: prepared, started, killed, stopped, and its log looked through."""

import asyncio
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.nursery import Born, Nursery
from tests.history import Stored, read_sqlite
from tests.servers import a_free_port

ROOT = Path(__file__).parent.parent.parent
READY_SECONDS = 60.0  # two seconds as a rule; the machine may be busy with other things
POLL_SECONDS = 0.02  # the operating system tells nobody when a port begins to listen
STOP_SECONDS = 15.0
ANSWER_SECONDS = 5.0
EMAILS = ("noa@demo.shop", "somchai@demo.shop")
PASSWORD = "shopbell-demo"
BOT = "Bell"
GENEROUS = {  # the tests are about other limits than these
    "SHOPBELL_RATE_CONTACT_MESSAGES": "100000/s",
    "SHOPBELL_RATE_ANONYMOUS_MESSAGES": "100000/s",
    "SHOPBELL_RATE_AGENT_MESSAGES": "100000/s",
    "SHOPBELL_RATE_BOT_MESSAGES": "100000/s",
    "SHOPBELL_RATE_CONTACT_FRAMES": "100000/s",
    "SHOPBELL_RATE_STAFF_FRAMES": "100000/s",
    "SHOPBELL_RATE_BOT_FRAMES": "100000/s",
    "SHOPBELL_RATE_HELLOS": "100000/s",
    "SHOPBELL_RATE_ADDRESS_CONNECTS": "100000/s",
    "SHOPBELL_RATE_ADDRESS_REQUESTS": "100000/s",
    "SHOPBELL_RATE_ADDRESS_SESSIONS": "100000/s",
}


@dataclass(frozen=True, slots=True)
class Prepared:
    """A migrated and seeded database, to be copied, with the data folder beside it and the API token of its bot."""

    data: Path
    bot_token: str


def prepare(data: Path, settings: dict[str, str] | None = None) -> Prepared:
    """Make a data folder, or what the settings name, with the demo account in it; once per test run is enough."""
    around = environment({"SHOPBELL_DATA": str(data)} | (settings or {}))
    for command in (["migrate"], ["seed"]):
        _run(command, around)
    _run([], around, "tests.chaos.by_hand")
    return Prepared(data, _run(["token", "--bot", BOT], around).strip())


def _run(command: list[str], around: dict[str, str], module: str = "gateway") -> str:
    done = subprocess.run(
        [sys.executable, "-m", module, *command],
        cwd=ROOT,
        env=around,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def environment(settings: dict[str, str]) -> dict[str, str]:
    """What is around this process, with these settings instead of its own."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SHOPBELL_")}
    return inherited | settings


@dataclass(slots=True)
class Server:
    """One data folder and port; `start` and `kill` it as often as you like."""

    data: Path
    log: Path
    bot_token: str
    port: int
    settings: dict[str, str] = field(default_factory=dict)
    command: list[str] = field(default_factory=lambda: ["-m", "gateway", "serve"])  # python's arguments
    nursery: Nursery | None = None  # that starts it, instead of the command
    process: subprocess.Popen[bytes] | Born | None = None

    @classmethod
    def copy(cls, prepared: Prepared, data: Path, log: Path) -> "Server":
        """A server on a copy of what was prepared. The log stands elsewhere: the data folder may be full."""
        shutil.copytree(prepared.data, data, dirs_exist_ok=True)
        return cls(data, log, prepared.bot_token, a_free_port())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def database(self) -> Path:
        return self.data / "shopbell.db"

    def door(self, _: int) -> str:
        """Where the person of this number comes in: there is one door."""
        return self.url

    def read(self) -> Stored:
        """What is in the database."""
        return read_sqlite(self.database)

    async def start(self) -> None:
        """Run it and wait until it is ready to be talked to."""
        self._run()
        try:
            async with asyncio.timeout(READY_SECONDS):
                while not await self._is_ready():
                    assert self.process is not None
                    assert self.process.poll() is None, f"the server ended:\n{self._log_end()}"
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            await self.end(signal.SIGABRT)  # with PYTHONFAULTHANDLER it says where it was
            raise AssertionError(f"the server isn't ready after {READY_SECONDS:g} s:\n{self._log_end()}") from None

    def _run(self) -> None:
        here = {"SHOPBELL_DATA": str(self.data), "SHOPBELL_PORT": str(self.port), "SHOPBELL_LOG": "plain"}
        here["PYTHONFAULTHANDLER"] = "1"
        if self.nursery is not None:
            self.process = self.nursery.bear(environment(GENEROUS | here | self.settings), self.log)
            return
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *self.command],
                cwd=ROOT,
                env=environment(GENEROUS | here | self.settings),
                stdout=log,
                stderr=log,
            )

    async def kill(self) -> None:
        """SIGKILL: no last word, no flush."""
        await self.end(signal.SIGKILL)

    async def stop(self) -> int:
        """SIGTERM, and wait for the drain; returns the exit status."""
        return await self.end(signal.SIGTERM)

    async def end(self, number: signal.Signals) -> int:
        """Send a signal that it dies of, at once or soon, and wait for that; returns the exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        return await asyncio.to_thread(self.process.wait, STOP_SECONDS)

    async def freeze(self, by: signal.Signals = signal.SIGSTOP) -> None:
        """By a signal that it freezes of, at once or soon: its sockets stay open, and nobody answers until `thaw`."""
        assert self.process is not None
        self.process.send_signal(by)
        async with asyncio.timeout(STOP_SECONDS):
            while not _is_stopped(self.process.pid):  # noqa: ASYNC110 - the system tells only a parent
                await asyncio.sleep(POLL_SECONDS)

    def thaw(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    async def get(self, path: str) -> bytes:
        """The whole answer with its head, or nothing when there is none."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return b""
        try:
            writer.write(b"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n" % path.encode())
            async with asyncio.timeout(ANSWER_SECONDS):
                return await reader.read()
        except (OSError, TimeoutError):
            return b""
        finally:
            writer.transport.abort()

    async def metric(self, name: str) -> float:
        """The sum over all labels; 0 while it can't be asked."""
        lines = [line for line in (await self.get("/metrics")).decode().splitlines() if line.startswith(name)]
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    async def is_bus_here(self) -> bool:
        """Whether this node hears the others, as it says itself."""
        answer = await self.get("/readyz")
        return b" 200 " in answer.partition(b"\n")[0] and b"away" not in answer

    def limit_files(self, size: int | None) -> None:
        """From now on no file may grow beyond this (None: again without limit); Python ignores the signal for it."""
        assert self.process is not None
        resource.prlimit(
            self.process.pid, resource.RLIMIT_FSIZE, (size or resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        )

    def close(self) -> None:
        """End it whatever it is doing."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(STOP_SECONDS)

    def complaints(self, pardoned: str = r"(?!)") -> list[str]:
        """Tracebacks and errors in the log: lines that no fault from outside may cause, but for the pardoned."""
        lines = re.sub(pardoned, "", self.log.read_text()).splitlines()
        return [line for line in lines if "Traceback" in line or " ERROR " in line]

    def _log_end(self) -> str:
        return self.log.read_text()[-4000:]

    async def _is_ready(self) -> bool:
        return b" 200 " in (await self.get("/readyz")).partition(b"\n")[0]


def _is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
