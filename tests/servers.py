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
SLOTS = 16384  # of a Redis Cluster
VERSIONS = Path("/usr/lib/postgresql")


def a_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


class PostgresServer:
    """One cluster that trusts whoever is on this machine. It runs as a user of its own: it refuses to be root.

    As a copy of another it has what that has now, and hears nothing of it any more. It isn't started: it may be to take
    the other's port. Then it is a standby until it is promoted.
    """

    def __init__(self, folder: Path, port: int, *, copy_of: PostgresServer | None = None) -> None:
        self.port = port
        self._folder = folder
        self._user = "postgres" if os.geteuid() == 0 else None
        if self._user:
            owner = pwd.getpwnam(self._user)
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        # Nobody pulls the plug of this machine in a test: what is proven is how we take the server's death.
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=200"
        self._options = options
        data = ("--pgdata", str(folder / "data"), "--no-sync", "--username=shopbell")
        if copy_of is None:
            self._run("initdb", *data, "--auth=trust")
            self.start()
        else:
            source = ("--host=127.0.0.1", f"--port={copy_of.port}")
            self._run("pg_basebackup", *data, *source, "--checkpoint=fast", "--wal-method=stream")
            (folder / "data/standby.signal").touch()

    def url(self, database: str) -> str:
        return f"postgresql+asyncpg://shopbell@127.0.0.1:{self.port}/{database}"

    def sql(self, statement: str, database: str = "postgres") -> None:
        """Run one statement from outside."""
        command = self._tool(
            "psql", "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--command", statement, database
        )
        subprocess.run(command, check=True, capture_output=True, timeout=START_SECONDS)

    def start(self) -> None:
        log = str(self._folder / "log")
        data = str(self._folder / "data")
        self._run("pg_ctl", "--pgdata", data, "--log", log, "--wait", "--options", self._options, "start")

    def promote(self) -> None:
        """It takes writes when this returns."""
        self._run("pg_ctl", "--pgdata", str(self._folder / "data"), "--wait", "promote")

    def dump(self, database: str, file: Path) -> None:
        """As who backs it up does it while it is in use."""
        with file.open("wb") as out:
            subprocess.run(self._tool("pg_dump", "--format=custom", database), check=True, stdout=out, timeout=60)

    def restore(self, database: str, file: Path) -> None:
        """The dump in the place of what is there."""
        options = ("--clean", "--if-exists", "--single-transaction", "--exit-on-error", f"--dbname={database}")
        subprocess.run(self._tool("pg_restore", *options, str(file)), check=True, timeout=60)

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

    def _tool(self, program: str, *arguments: str) -> list[str]:
        """A program that talks to the server, with what it needs for that."""
        where = ("--host=127.0.0.1", f"--port={self.port}", "--username=shopbell")
        return [str(_binaries() / program), *where, *arguments]

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
    """One Redis that keeps nothing on disk. `options` are more of its own, as on its command line."""

    def __init__(self, folder: Path, port: int, *options: str) -> None:
        self.port = port
        self._folder = folder
        self._options = options
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
            [program, *options, "--dir", str(self._folder), *self._options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
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

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def clients(self) -> int:
        """How many connections it has, this one not counted."""
        return len(self.ask("CLIENT", "LIST").splitlines()) - 1

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """It does nothing more, and its connections stand."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


class RedisCluster:
    """Three primaries, each with a third of the slots. Who is killed comes back with its slots, and empty."""

    PRIMARIES = 3

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.servers: list[RedisServer] = []
        share = -(-SLOTS // self.PRIMARIES)
        try:
            for n in range(self.PRIMARIES):
                server = self._new_server(f"node{n}")
                first, last = n * share, min((n + 1) * share, SLOTS) - 1
                server.ask("CLUSTER", "ADDSLOTSRANGE", str(first), str(last))
            self.settle()
        except BaseException:
            self.stop()
            raise

    @property
    def url(self) -> str:
        return f"redis+cluster://{','.join(f'127.0.0.1:{server.port}' for server in self.servers)}"

    def settle(self) -> None:
        """Until all agree on who has what, and say that they are well."""
        deadline = time.monotonic() + START_SECONDS
        while not all("cluster_state:ok" in server.ask("CLUSTER", "INFO") for server in self.servers) or (
            len({server.ask("CLUSTER", "SLOTS") for server in self.servers}) > 1
        ):
            assert time.monotonic() < deadline, "the Cluster doesn't come together"
            time.sleep(0.05)

    def owner(self, channel: str) -> RedisServer:
        """Who has this channel's slot."""
        slot = self.slot(channel)
        for row in self._living.ask("CLUSTER", "NODES").splitlines():
            _, address, flags, *rest = row.split()
            if "master" in flags and any(_has(slot, part) for part in rest[5:] if part[0] != "["):
                port = int(address.partition("@")[0].rpartition(":")[2])
                return next(server for server in self.servers if server.port == port)
        raise LookupError(channel)

    def slot(self, channel: str) -> int:
        return int(self._living.ask("CLUSTER", "KEYSLOT", channel))

    def move(self, slot: int, to: RedisServer, *, keys: tuple[str, ...] = ()) -> None:
        """As redis-cli's reshard does it, with no keys but these in it."""
        ids = {server: server.ask("CLUSTER", "MYID") for server in self.servers}
        source = next(server for server in self.servers if server is not to and self._has_slot(server, slot))
        to.ask("CLUSTER", "SETSLOT", str(slot), "IMPORTING", ids[source])
        source.ask("CLUSTER", "SETSLOT", str(slot), "MIGRATING", ids[to])
        if keys:
            source.ask("MIGRATE", "127.0.0.1", str(to.port), "", "0", "5000", "KEYS", *keys)
        for server in (to, source, *self.servers):
            server.ask("CLUSTER", "SETSLOT", str(slot), "NODE", ids[to])

    def add_replica(self, of: RedisServer) -> RedisServer:
        """One that takes over when its primary dies."""
        replica = self._new_server(f"replica{of.port}")
        deadline = time.monotonic() + START_SECONDS
        while "OK" not in replica.ask("CLUSTER", "REPLICATE", of.ask("CLUSTER", "MYID")) or (
            "master_link_status:up" not in replica.ask("INFO", "replication")
        ):
            assert time.monotonic() < deadline, "the replica doesn't join"
            time.sleep(0.05)
        while not all(str(replica.port) in server.ask("CLUSTER", "SLOTS").split() for server in self.servers):
            assert time.monotonic() < deadline, "the replica isn't known to all"
            time.sleep(0.05)
        return replica

    def stop(self) -> None:
        for server in self.servers:
            server.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _new_server(self, name: str) -> RedisServer:
        (self._folder / name).mkdir()
        options = {
            "cluster-enabled": "yes",
            "cluster-config-file": "nodes.conf",
            "cluster-node-timeout": "1000",
            "cluster-require-full-coverage": "no",
            "cluster-port": str(bus := a_free_port()),
            "repl-diskless-sync-delay": "0",
        }
        given = [word for option, value in options.items() for word in (f"--{option}", value)]
        server = RedisServer(self._folder / name, a_free_port(), *given)
        self.servers.append(server)
        for other in self.servers[:-1]:
            other.ask("CLUSTER", "MEET", "127.0.0.1", str(server.port), str(bus))
        return server

    @property
    def _living(self) -> RedisServer:
        return next(server for server in self.servers if server.is_running)

    def _has_slot(self, server: RedisServer, slot: int) -> bool:
        mine = next(row for row in server.ask("CLUSTER", "NODES").splitlines() if "myself" in row)
        return any(_has(slot, part) for part in mine.split()[8:] if part[0] != "[")


class RedisSentinel:
    """A primary, a replica, and a Sentinel that makes the replica the primary when that is gone."""

    SERVICE = "bell"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in ("primary", "replica", "sentinel"):
            (folder / name).mkdir()
        self.primary = RedisServer(folder / "primary", a_free_port())
        quick = ("--repl-diskless-sync-delay", "0")
        self.replica = RedisServer(
            folder / "replica", a_free_port(), "--replicaof", f"127.0.0.1 {self.primary.port}", *quick
        )
        self.port = a_free_port()
        conf = folder / "sentinel" / "sentinel.conf"
        conf.write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {folder / 'sentinel'}\n"
            f"sentinel monitor {self.SERVICE} 127.0.0.1 {self.primary.port} 1\n"
            f"sentinel down-after-milliseconds {self.SERVICE} 1000\n"
            f"sentinel failover-timeout {self.SERVICE} 3000\n"
        )
        program = shutil.which("redis-server")
        assert program is not None
        self._sentinel = subprocess.Popen(
            [program, str(conf), "--sentinel"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + START_SECONDS
        while "slaves=1" not in self.ask("INFO", "sentinel"):
            assert time.monotonic() < deadline, "the Sentinel doesn't find everybody"
            time.sleep(0.05)

    @property
    def url(self) -> str:
        return f"redis+sentinel://127.0.0.1:{self.port}/0?service={self.SERVICE}"

    def fail_over(self) -> None:
        """Have it make the replica the primary, as soon as it knows the replica well enough."""
        deadline = time.monotonic() + START_SECONDS
        while self.ask("SENTINEL", "FAILOVER", self.SERVICE) != "OK":
            assert time.monotonic() < deadline, "the Sentinel doesn't want to"
            time.sleep(0.1)

    def ask(self, *words: str) -> str:
        """The Sentinel, one command from outside."""
        command = ["redis-cli", "-p", str(self.port), *words]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=START_SECONDS
        ).stdout.strip()

    def stop(self) -> None:
        self._sentinel.kill()
        self._sentinel.wait()
        self.primary.stop()
        self.replica.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


@cache
def redis() -> RedisServer:
    """The run's Redis."""
    server = RedisServer(Path(mkdtemp(prefix="shopbell-redis-")), a_free_port())
    atexit.register(server.stop)
    return server


@cache
def redis_cluster() -> RedisCluster:
    """The run's Cluster: three primaries. Whoever hurts it mends it."""
    cluster = RedisCluster(Path(mkdtemp(prefix="shopbell-cluster-")))
    atexit.register(cluster.stop)
    return cluster


@cache
def redis_sentinel() -> RedisSentinel:
    """The run's Redis behind a Sentinel."""
    sentinel = RedisSentinel(Path(mkdtemp(prefix="shopbell-sentinel-")))
    atexit.register(sentinel.stop)
    return sentinel


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


def _has(slot: int, part: str) -> bool:
    """Whether a part such as 0-5460 of a node's slots has this one."""
    first, _, last = part.partition("-")
    return int(first) <= slot <= int(last or first)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"
