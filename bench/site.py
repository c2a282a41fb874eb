"""Two nodes and the engines that they share, measured as one: ours, and in the same place what others run."""

from __future__ import annotations

import secrets
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bench import engines, proc
from bench.engines import Postgres, Redis
from bench.server import Cores, Server, prepared, shopbell

WHOLE_SECONDS = 20.0
Layout = list[tuple[int, int]]
_BEHIND = """
    SELECT count(*) FROM ledgers l LEFT JOIN search_heads h ON h.account = l.account
    WHERE l.cursor > coalesce(h.cursor, 0)"""


@dataclass(frozen=True)
class Site:
    """Running. Shoppers go to the first node, agents to the second: every message crosses."""

    nodes: tuple[Server, Server]
    redis: Redis
    postgres: Postgres | None

    @property
    def core(self) -> int:
        return self.nodes[0].core

    def parts(self) -> dict[str, float]:
        own = {name: proc.cpu_seconds(node.process) for name, node in zip(("A", "B"), self.nodes, strict=True)}
        return own | self.redis.parts() | (self.postgres.parts() if self.postgres else {})

    def is_behind(self) -> bool:
        """Whether something that was said isn't indexed yet: between two turns the nodes rest."""
        return self.postgres is not None and self.postgres.rows(_BEHIND) != [["0"]]


@contextmanager
def two_nodes(
    folder: Path, cores: Cores, layout: Layout, library: str | None = None
) -> Iterator[tuple[Site, list[dict[str, Any]]]]:
    """Ours, with the accounts of this layout in a new database. `library` is for PostgreSQL to load."""
    with engines.postgres(folder / "postgres", cores, library) as postgres, engines.redis(folder, cores) as redis:
        shared = shared_by_nodes(folder, postgres, redis)
        accounts = prepared(folder / "A", layout, shared)
        with a_node(folder / "A", cores, shared) as first, a_node(folder / "B", cores, shared) as second:
            yield Site((first, second), redis, postgres), accounts


def shared_by_nodes(folder: Path, postgres: Postgres, redis: Redis) -> dict[str, str]:
    """The settings that make several nodes one service."""
    return {
        "SHOPBELL_STORE": postgres.url,
        "SHOPBELL_BUS": redis.url,
        "SHOPBELL_SECRET": secrets.token_urlsafe(32),
        "SHOPBELL_FILES": f"file://{folder / 'files'}",
    }


@contextmanager
def a_node(data: Path, cores: Cores, shared: Mapping[str, str]) -> Iterator[Server]:
    """One of several, once it hears the others."""
    with shopbell(data, cores, shared) as server:
        _wait_until_whole(server)
        yield server


def _wait_until_whole(server: Server) -> None:
    """A node serves before it hears the others."""
    deadline = time.monotonic() + WHOLE_SECONDS
    while time.monotonic() < deadline:
        with urllib.request.urlopen(f"{server.origin}/readyz", timeout=WHOLE_SECONDS) as answer:
            if orjson.loads(answer.read()) == {"status": "ok"}:
                return
        time.sleep(0.05)
    raise RuntimeError("a node doesn't find its bus")
