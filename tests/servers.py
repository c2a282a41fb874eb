"""Real servers for the tests: started when first wanted, in temporary folders on free ports, ended with the run."""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

START_SECONDS = 30.0
VERSIONS = Path("/usr/lib/postgresql")


def a_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


class PostgresServer:
    """One cluster that trusts whoever is on this machine. It runs as a user of its own: it refuses to be root."""

    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        self._folder = folder
        self._user = "postgres" if os.geteuid() == 0 else None
        if self._user:
            owner = pwd.getpwnam(self._user)
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        self._run("initdb", "--pgdata", str(folder / "data"), "--username=shopbell", "--auth=trust", "--no-sync")
        # Nobody pulls the plug of this machine in a test: what is proven is how we take the server's death.
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=200"
        self._options = options
        self.start()

    def url(self, database: str) -> str:
        return f"postgresql+asyncpg://shopbell@127.0.0.1:{self.port}/{database}"

    def sql(self, statement: str, database: str = "postgres") -> None:
        """Run one statement from outside."""
        arguments = ("--host=127.0.0.1", f"--port={self.port}", "--username=shopbell", "--quiet", "--no-psqlrc")
        command = [str(_binaries() / "psql"), *arguments, "--set=ON_ERROR_STOP=1", "--command", statement, database]
        subprocess.run(command, check=True, capture_output=True, timeout=START_SECONDS)

    def start(self) -> None:
        log = str(self._folder / "log")
        data = str(self._folder / "data")
        self._run("pg_ctl", "--pgdata", data, "--log", log, "--wait", "--options", self._options, "start")

    def kill(self) -> None:
        """As if the machine took it away: no goodbye to anybody."""
        pid = int((self._folder / "data/postmaster.pid").read_text().split()[0])
        children = _children(pid)
        for process in (pid, *children):  # the postmaster first: it would have the others replaced
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        deadline = time.monotonic() + START_SECONDS
        while any(_state(process) != "Z" for process in (pid, *children)):  # it doesn't start while one of them lives
            assert time.monotonic() < deadline
            time.sleep(0.01)
        # Where nobody buries a dead process, its number would look like a server that runs.
        for lock in (self._folder / "data/postmaster.pid", *self._folder.glob(".s.PGSQL.*")):
            lock.unlink()

    def stop(self) -> None:
        self._run("pg_ctl", "--pgdata", str(self._folder / "data"), "--mode=immediate", "stop", check=False)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str, check: bool = True) -> None:
        command = [str(_binaries() / program), *arguments]
        subprocess.run(
            command,
            check=check,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            timeout=START_SECONDS,
            user=self._user,
            cwd="/",
        )


class RedisServer:
    """One Redis that keeps nothing on disk."""

    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Empty, as it keeps nothing."""
        program = shutil.which("redis-server")
        if program is None:
            raise RuntimeError("Redis isn't installed: `make test` does that (setup/servers)")
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(
            [program, *options, "--dir", str(self._folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + START_SECONDS
        while self.ask("PING") != "PONG":
            assert time.monotonic() < deadline, "Redis doesn't start"
            time.sleep(0.02)

    def ask(self, *words: str) -> str:
        """One command from outside."""
        command = ["redis-cli", "-p", str(self.port), *words]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=START_SECONDS
        ).stdout.strip()

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


@cache
def redis() -> RedisServer:
    """The run's Redis."""
    server = RedisServer(Path(mkdtemp(prefix="shopbell-redis-")), a_free_port())
    atexit.register(server.stop)
    return server


@cache
def postgres() -> PostgresServer:
    """The run's PostgreSQL."""
    server = PostgresServer(Path(mkdtemp(prefix="shopbell-pg-", dir="/tmp")), a_free_port())
    atexit.register(server.stop)
    return server


@cache
def _binaries() -> Path:
    """Debian keeps the server's programs out of the PATH."""
    found = sorted(VERSIONS.glob("*/bin/initdb"))
    if not found:
        raise RuntimeError("PostgreSQL isn't installed: `make test` does that (setup/servers)")
    return found[-1].parent


def _children(pid: int) -> list[int]:
    return [int(child) for task in Path(f"/proc/{pid}/task").glob("*/children") for child in task.read_text().split()]


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"
