"""Opens clients of Redis from its URL, whatever kind it is. Nothing is connected before the first command."""

from __future__ import annotations

import socket
from typing import Any, TypeAlias

from redis.asyncio import Redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisClusterException, RedisError

from gateway.redis_url import RedisAddress, parse_redis_url

COMMAND_SECONDS = 1.0  # for an answer, and for a connection
CONNECTIONS = 16  # to one server; more commands at once fail as if Redis were away

# Keepalive says nothing while our own bytes aren't acknowledged; TCP_USER_TIMEOUT (in ms) ends the connection then.
_ALIVE = {
    getattr(socket, name): value
    for name, value in {
        "TCP_KEEPIDLE": 15,
        "TCP_KEEPINTVL": 5,
        "TCP_KEEPCNT": 3,
        "TCP_USER_TIMEOUT": 10_000,
    }.items()
    if hasattr(socket, name)
}

Client: TypeAlias = Redis | RedisCluster

Trouble = (RedisError, RedisClusterException, OSError, TimeoutError, RuntimeError)
"""How Redis is away. The last is what uvloop says of writing to a connection that was reset just now."""


class _PrimaryPool(SentinelConnectionPool):
    """Connections to the primary, and to the Sentinels that name it."""

    async def aclose(self) -> None:
        await super().aclose()
        await self.sentinel_manager.aclose()


def new_client(url: str, seconds: float = COMMAND_SECONDS) -> Client:
    """For commands of whoever keeps something in Redis. Whoever opens it closes it, by `aclose`.

    A command is tried once more on a new connection, as an old one may be dead: only ask what may be asked twice. It
    takes `seconds` at most for each of: connecting, writing, answering. One that is cancelled takes its connection with
    it, so that its answer reaches nobody else. Raises one of Trouble; on a Cluster all keys of a command must
    have the same hash tag.
    """
    address = parse_redis_url(url)
    options = connection_options(address, seconds) | {
        "retry": Retry(NoBackoff(), 1),
        "socket_timeout": seconds,
        "max_connections": CONNECTIONS,
    }
    if address.kind == "cluster":
        nodes = [ClusterNode(host, port) for host, port in address.hosts]
        # Without some of its slots it still has the others.
        return RedisCluster(startup_nodes=nodes, require_full_coverage=False, ssl=address.is_tls, **options)
    if address.kind == "sentinel":
        sentinel = new_sentinel(address, seconds)
        primary: Redis = sentinel.master_for(
            address.service, connection_pool_class=_PrimaryPool, ssl=address.is_tls, **options
        )
        return primary
    host, port = address.hosts[0]
    return Redis(host=host, port=port, ssl=address.is_tls, **options)


def new_sentinel(address: RedisAddress, seconds: float) -> Sentinel:
    """Whom to ask where the primary is."""
    options = connection_options(address, seconds) | {
        "db": 0,
        "username": address.sentinel_username,
        "password": address.sentinel_password,
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": seconds,
        "ssl": address.is_tls,
    }
    return Sentinel(address.hosts, sentinel_kwargs=options)  # type: ignore[no-untyped-call]


def connection_options(address: RedisAddress, seconds: float) -> dict[str, Any]:
    """What connections of every kind have in common. RESP2, which every version and every proxy speaks; without the
    library's name, which would be two more commands for each connection."""
    return {
        "db": address.database,
        "username": address.username,
        "password": address.password,
        "protocol": 2,
        "driver_info": None,
        "socket_connect_timeout": seconds,
        "socket_keepalive": True,
        "socket_keepalive_options": _ALIVE,
        **dict(address.tls),
    }
