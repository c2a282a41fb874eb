"""Several nodes on one PostgreSQL and one Redis, each node a process of its own, with a balancer in front of them."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from chat.store.urls import for_asyncpg
from tests.chaos.nursery import Nursery
from tests.chaos.server import Prepared, Server, prepare
from tests.history import Stored, read_postgres
from tests.proxy import tcp_server
from tests.servers import PostgresServer, RedisServer, a_free_port

SECRET = "the same for all the nodes of the tests"
TEMPLATE = "prepared"
CHUNK = 65536
LONELY_SECONDS = 1.0  # then a node that hasn't done what it is to die of may have nobody who has it do that
# asyncpg's own: a connection that breaks in the midst of a COPY, of which whoever waits is told in another way.
ASYNCPG = (
    r".* asyncio: Future exception was never retrieved\n"
    r"future: <Future finished exception=ConnectionDoesNotExistError\('connection was closed in the middle of operation"
)


def prepare_postgres(postgres: PostgresServer, folder: Path) -> Prepared:
    """Make the database that those of `Nodes` are copies of; once per test run is enough."""
    postgres.sql(f"CREATE DATABASE {TEMPLATE}")
    return prepare(folder, {"SHOPBELL_STORE": postgres.url(TEMPLATE), "SHOPBELL_SECRET": SECRET})


@dataclass
class Balancer:
    """Each connection goes to one of the nodes that take it, by the dice."""

    dice: random.Random
    ports: list[int]
    port: int = 0
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cut_half(self) -> None:
        """Cut a random half of the connections: whoever comes back is likely somewhere else."""
        for writer in self.dice.sample(self._writers, len(self._writers) // 2):
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its accept to its end."""
        up = await self._node()
        if up is None:
            return writer.transport.abort()
        self._writers.append(writer)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_pump(reader, up[1]))
                tasks.create_task(_pump(up[0], writer))
        except* OSError:
            pass
        finally:
            self._writers.remove(writer)
            for each in (writer, up[1]):
                each.transport.abort()

    async def _node(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        for port in self.dice.sample(self.ports, len(self.ports)):
            try:
                return await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                continue
        return None


async def _pump(reader: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
    while data := await reader.read(CHUNK):
        to.write(data)
        await to.drain()
    if not to.is_closing():
        to.write_eof()


@dataclass
class Nodes:
    """One database, one Redis, some nodes; make it by `new`, and `close` it."""

    postgres: PostgresServer
    redis: RedisServer
    database: str
    servers: list[Server]
    balancer: Balancer
    is_balanced: bool = True  # else people choose: each has a node, and comes back to the same
    holes: float = 0.0  # healed by nodes that are no more, as far as they could be asked
    _starting: dict[int, asyncio.Task[None]] = field(default_factory=dict)
    _numbers: ClassVar = iter(range(1, 1_000_000))

    @classmethod
    def new(
        cls,
        prepared: Prepared,
        nursery: Nursery,
        postgres: PostgresServer,
        folder: Path,
        dice: random.Random,
        count: int = 2,
    ) -> Nodes:
        """Nodes that aren't started yet, on a copy of what was prepared."""
        database = f"chaos_{next(cls._numbers)}"
        postgres.sql(f"CREATE DATABASE {database} TEMPLATE {TEMPLATE} STRATEGY file_copy")
        (folder / "redis").mkdir()
        redis = RedisServer(folder / "redis", a_free_port())
        ports = [a_free_port() for _ in range(count)]
        nodes = [Server(folder / f"node{port}", folder / f"node{port}.log", prepared.bot_token, port) for port in ports]
        for node in nodes:
            node.nursery = nursery
            node.settings = {
                "SHOPBELL_STORE": postgres.url(database),
                "SHOPBELL_BUS": redis.url,
                "SHOPBELL_SECRET": SECRET,
            }
        return cls(postgres, redis, database, nodes, Balancer(dice, ports))

    @property
    def bot_token(self) -> str:
        return self.servers[0].bot_token

    def door(self, number: int) -> str:
        """Where the person of this number comes in."""
        return self.balancer.url if self.is_balanced else self.servers[number % len(self.servers)].url

    def read(self) -> Stored:
        """What is in the database."""
        return read_postgres(for_asyncpg(self.postgres.url(self.database)))

    def set(self, **settings: str) -> None:
        """Settings of all the nodes that start from now on."""
        for server in self.servers:
            server.settings |= {f"SHOPBELL_{name.upper()}": value for name, value in settings.items()}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """All nodes are ready; in the end they are stopped kindly."""
        async with tcp_server(self.balancer.serve) as self.balancer.port:
            urls = [self.balancer.url, *(server.url for server in self.servers)]
            self.set(public_url=", ".join(urls))
            await asyncio.gather(*(server.start() for server in self.servers))
            yield
            await asyncio.gather(*self._starting.values())
            self.holes += sum([await _holes(server) for server in self.servers])
            await asyncio.gather(*(server.stop() for server in self.servers))

    async def kill(self, server: Server, by: signal.Signals = signal.SIGKILL) -> None:
        """End this node, when it is up, by a signal that it dies of; at once it is started again, beside the test.

        When it is back, half of the people are sent away from where they are, so that some are on either.
        """
        await self.is_up(server)
        self.holes += await _holes(server)
        ending = asyncio.create_task(server.end(by))
        while not (await asyncio.wait({ending}, timeout=LONELY_SECONDS))[0]:
            self.balancer.cut_half()
        await ending
        self._starting[server.port] = asyncio.create_task(self._restart(server))

    async def _restart(self, server: Server) -> None:
        await server.start()
        self.balancer.cut_half()

    async def is_up(self, server: Server) -> None:
        """Wait for a node that is being started."""
        if server.port in self._starting:
            await self._starting[server.port]

    def close(self) -> None:
        """End everything, whatever it is doing."""
        for server in self.servers:
            server.close()
        self.redis.stop()

    def complaints(self) -> list[str]:
        """Lines in the logs of the nodes that no fault from outside may cause."""
        return [line for server in self.servers for line in server.complaints(ASYNCPG)]


async def _holes(server: Server) -> float:
    return await server.metric("shopbell_holes_healed_total")
