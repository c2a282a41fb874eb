"""PostgreSQL and Redis as several nodes share them: begun empty, pinned to the server's core, ended with the block."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import proc
from bench.server import Cores, free_port, pinned

USER = "shopbell"
START_SECONDS = 60.0
VERSIONS = Path("/usr/lib/postgresql")  # Debian keeps the server's programs out of the PATH
# What docs/operations.md has whoever runs it set; all else is as PostgreSQL ships it: fsync and synchronous_commit on.
TUNING = {"shared_buffers": "1GB", "max_wal_size": "4GB"}


@dataclass(frozen=True)
class Postgres:
    """A running one."""

    port: int
    process: int

    @property
    def url(self) -> str:
        return f"postgresql://{USER}@127.0.0.1:{self.port}/postgres"

    def parts(self) -> dict[str, float]:
        """CPU seconds so far: of the backends that serve connections, of the writer of the log, and of the others.
        Those that have ended are the first process's: they were backends but for a vacuum now and then."""
        found = {"backends": 0.0, "walwriter": 0.0, "PostgreSQL's others": 0.0}
        for process, title, seconds in proc.each_cpu_seconds(self.process):
            kind = title.removeprefix("postgres: ")
            is_backend = process == self.process or kind.startswith(f"{USER} ")
            part = "backends" if is_backend else kind.split(" ")[0]
            found[part if part in found else "PostgreSQL's others"] += seconds
        return found

    def rows(self, statement: str) -> list[list[str]]:
        """What a statement finds, asked from outside."""
        separator = "\x1f"
        command = ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", f"--field-separator={separator}"]
        command += ["--set=ON_ERROR_STOP=1", "--command", statement, self.url]
        found = subprocess.run(command, check=True, capture_output=True, text=True, timeout=START_SECONDS).stdout
        return [line.split(separator) for line in found.splitlines() if line]


@dataclass(frozen=True)
class Redis:
    """A running one."""

    port: int
    process: int

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def parts(self) -> dict[str, float]:
        return {"Redis": proc.cpu_seconds(self.process)}


@contextmanager
def postgres(folder: Path, cores: Cores, library: str | None = None) -> Iterator[Postgres]:
    """A new cluster in this folder; `library` is loaded with it. It runs as a user of its own where we are root."""
    folder.mkdir(parents=True)
    user = "postgres" if os.geteuid() == 0 else None
    if user is not None:
        _let_through(folder)
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
    data, port = folder / "data", free_port()
    initdb = [_program("initdb"), "--pgdata", str(data), f"--username={USER}", "--auth=trust", "--encoding=UTF8"]
    subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, user=user, cwd="/")
    chosen = {**TUNING, **({"shared_preload_libraries": library, f"{library}.track_planning": "on"} if library else {})}
    command = [_program("postgres"), "-D", str(data), "-p", str(port), "-k", str(folder), "-h", "127.0.0.1"]
    for name, value in chosen.items():
        command += ["-c", f"{name}={value}"]
    with pinned(cores.server), (folder.parent / "postgres.log").open("ab") as log:
        child = subprocess.Popen(command, stdout=log, stderr=log, user=user, cwd="/")
    with _ending(child, signal.SIGINT):
        ready = [_program("pg_isready"), "--quiet", "--host=127.0.0.1", f"--port={port}"]
        _wait_until_it_answers(child, ready)
        yield Postgres(port, child.pid)


@contextmanager
def redis(folder: Path, cores: Cores) -> Iterator[Redis]:
    """One that keeps nothing on disk."""
    program = shutil.which("redis-server")
    if program is None:
        sys.exit("several nodes want Redis: it isn't installed")
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder)]
    with pinned(cores.server):
        child = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
    with _ending(child, signal.SIGTERM):
        _wait_until_it_answers(child, ["redis-cli", "-p", str(port), "PING"])
        yield Redis(port, child.pid)


@contextmanager
def _ending(child: subprocess.Popen[bytes], by: signal.Signals) -> Iterator[None]:
    try:
        yield
    finally:
        child.send_signal(by)
        try:
            child.wait(START_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _wait_until_it_answers(child: subprocess.Popen[bytes], question: list[str]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while subprocess.run(question, check=False, capture_output=True, timeout=START_SECONDS).returncode != 0:
        if child.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{child.args!r} did not start")
        time.sleep(0.05)


def _let_through(folder: Path) -> None:
    """Another user may walk to this folder, through the temporary ones above it that only we may enter."""
    for above in folder.parents:
        if above.stat().st_uid == os.geteuid() and not above.stat().st_mode & 0o001:
            above.chmod(above.stat().st_mode | 0o011)


def _program(name: str) -> str:
    found = sorted(VERSIONS.glob(f"*/bin/{name}"))
    program = str(found[-1]) if found else shutil.which(name)
    if program is None:
        sys.exit(f"several nodes want PostgreSQL: there is no {name}")
    return program
