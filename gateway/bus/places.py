"""Which server has which channel: one for all, the primary that the Sentinels name, or a Cluster's by slots."""

from __future__ import annotations

import asyncio
import random
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from redis.asyncio import Connection
from redis.asyncio.connection import SSLConnection
from redis.crc import key_slot

from gateway.redis_client import Trouble, connection_options, new_sentinel
from gateway.redis_url import RedisAddress

SLOTS = 16384
LOOK_SECONDS = 1.0  # for one of the Cluster's nodes or Sentinels to say who has what
SENTINEL_SECONDS = 5.0  # between two looks: the primary of before stays one for some 10 s after it was replaced
CLUSTER_SECONDS = 30.0  # the same; nodes say it themselves, as a rule


class Server(NamedTuple):
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Chart:
    """Who has which slots. `is_sharded` says whether channels are bound to their slot's server."""

    def __init__(self, ranges: Iterable[tuple[int, int, Server]], *, is_sharded: bool) -> None:
        self._ranges = sorted(ranges)
        self._starts = [start for start, _, _ in self._ranges]
        self.is_sharded = is_sharded
        self.servers = frozenset(server for _, _, server in self._ranges)
        self.slots = sum(end - start + 1 for start, end, _ in self._ranges)
        """How many have a server."""
        self.is_whole = self.slots == SLOTS

    def server_of(self, channel: bytes) -> Server | None:
        """Whom to publish it to and hear it from; None while nobody has its slot."""
        if not self.is_sharded:
            return self._ranges[0][2] if self._ranges else None
        slot = key_slot(channel)
        at = bisect_right(self._starts, slot) - 1
        if at < 0 or slot > self._ranges[at][1]:
            return None
        return self._ranges[at][2]

    def meeting_place(self, prefix: str, server: Server) -> bytes:
        """A channel that this server has, the same for every node that has this chart."""
        for number in range(SLOTS * 64):
            name = f"{prefix}:{{{number}}}".encode()
            if self.server_of(name) == server:
                return name
        raise LookupError(f"{server} has no slot")


NOBODY = Chart((), is_sharded=False)


class Places(Protocol):
    """Finds out who has what."""

    @property
    def seconds(self) -> float:
        """How long that may be believed, if nobody says that it has changed."""
        ...

    async def look(self) -> Chart:
        """As it is now. Raises one of Trouble."""
        ...

    async def close(self) -> None: ...


class OnePlace:
    """One server has everything."""

    def __init__(self, address: RedisAddress) -> None:
        self._chart = Chart([(0, SLOTS - 1, Server(*address.hosts[0]))], is_sharded=False)

    @property
    def seconds(self) -> float:
        return CLUSTER_SECONDS

    async def look(self) -> Chart:
        return self._chart

    async def close(self) -> None:
        pass


class PrimaryPlace:
    """The server that the Sentinels say is the primary."""

    def __init__(self, address: RedisAddress) -> None:
        self._service = address.service
        self._sentinel = new_sentinel(address, LOOK_SECONDS)

    @property
    def seconds(self) -> float:
        return SENTINEL_SECONDS

    async def look(self) -> Chart:
        host, port = await self._sentinel.discover_master(self._service)
        return Chart([(0, SLOTS - 1, Server(host, int(port)))], is_sharded=False)

    async def close(self) -> None:
        await self._sentinel.aclose()


class ClusterPlaces:
    """The primaries of a Cluster, by their slots. Any node of it that answers is believed."""

    def __init__(self, address: RedisAddress) -> None:
        self._address = address
        self._seeds = [Server(*host) for host in address.hosts]
        self._known = list(self._seeds)

    @property
    def seconds(self) -> float:
        return CLUSTER_SECONDS

    async def look(self) -> Chart:
        last: Exception | None = None
        best = NOBODY
        for server in random.sample(self._known, len(self._known)):
            try:
                chart, nodes = read_slots(await self._ask(server), server)
            except Trouble as error:
                last = error
                continue
            if chart.slots > best.slots:  # one that has just joined doesn't know of all yet
                best = chart
                self._known = list(dict.fromkeys([*self._seeds, *nodes]))
            if best.is_whole:
                break
        if not best.servers:
            raise ConnectionError("none of the Cluster's nodes says who has which slots") from last
        return best

    async def close(self) -> None:
        pass

    async def _ask(self, server: Server) -> Sequence[Any]:
        connection = new_connection(self._address, server)
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await connection.connect()  # type: ignore[no-untyped-call]
                await connection.send_command("CLUSTER", "SLOTS")
                rows: Sequence[Any] = await connection.read_response()
                return rows
        finally:
            await connection.disconnect(nowait=True)


def new_places(address: RedisAddress) -> Places:
    if address.kind == "cluster":
        return ClusterPlaces(address)
    return PrimaryPlace(address) if address.kind == "sentinel" else OnePlace(address)


def new_connection(address: RedisAddress, server: Server) -> Connection:
    """One that isn't connected yet. RESP3, so that it can publish and listen at once."""
    options = connection_options(address, LOOK_SECONDS) | {"host": server.host, "port": server.port, "protocol": 3}
    del options["socket_connect_timeout"]  # whoever connects has a limit for all of it
    return (SSLConnection if address.is_tls else Connection)(**options, socket_timeout=None)


def read_slots(rows: Sequence[Any], asked: Server) -> tuple[Chart, list[Server]]:
    """The answer to CLUSTER SLOTS: the primaries' chart, and all nodes in it."""
    ranges: list[tuple[int, int, Server]] = []
    nodes: list[Server] = []
    for start, end, *named in rows:
        servers = [_server(node, asked) for node in named]
        ranges.append((start, end, servers[0]))
        nodes += servers
    return Chart(ranges, is_sharded=True), nodes


def _server(node: Sequence[Any], asked: Server) -> Server:
    """A node that doesn't know its own address is where it was asked."""
    host = node[0].decode() if node[0] else ""
    return Server(asked.host if host in ("", "?") else host, int(node[1]))
