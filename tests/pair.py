"""Two nodes in this process on one PostgreSQL and one Redis, each with a data folder of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.engines import PostgresEngine
from tests.node import Node, a_node
from tests.servers import RedisServer
from tests.servers import redis as the_runs_redis


@asynccontextmanager
async def two_nodes(folder: Path, redis: RedisServer | None = None, **more: Any) -> AsyncIterator[tuple[Node, Node]]:
    """They serve, whether Redis is there or not. By default it is the run's, which nobody hurts."""
    chosen: dict[str, Any] = {"store": PostgresEngine(folder).url, "bus": (redis or the_runs_redis()).url, **more}
    async with a_node(folder / "first", **chosen) as first:
        await serves(first)  # before the next one starts: each has the signals until it ends
        async with a_node(folder / "second", beside=first, **chosen) as second:
            await serves(second)
            yield first, second


@asynccontextmanager
async def two_healthy_nodes(
    folder: Path, redis: RedisServer | None = None, **more: Any
) -> AsyncIterator[tuple[Node, Node]]:
    """They hear each other."""
    async with two_nodes(folder, redis, **more) as (first, second):
        for node in (first, second):
            await heals(node)
        yield first, second


async def heals(node: Node) -> None:
    """Wait until the bus is healthy."""
    await node.eventually(lambda: node.shopbell._bus.is_healthy)


async def serves(node: Node) -> None:
    (await node.peer()).leave()
