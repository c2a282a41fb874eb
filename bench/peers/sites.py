"""Two nodes each of what others run, over a Redis of their own, pinned and started as ours: see `make bench-peers`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import orjson

from bench import engines
from bench.peers.socketio_wire import PATH
from bench.server import Cores, free_port, running, web_line
from bench.site import Site

HERE = Path(__file__).parent
PYTHON = HERE / ".venv" / "bin" / "python"
SOCKET_IO = HERE / "node_modules" / "socket.io"


def are_installed() -> bool:
    return PYTHON.exists() and SOCKET_IO.exists()


def channels_version() -> str:
    found = re.search(r"^channels==(\S+)", (HERE / "requirements.lock").read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


def socketio_version() -> str:
    return str(orjson.loads((HERE / "package.json").read_bytes())["dependencies"]["socket.io"])


@contextmanager
def channels(folder: Path, cores: Cores) -> Iterator[Site]:
    """Django Channels on uvicorn, with its pub/sub layer."""
    with _two_nodes(folder, cores, [str(PYTHON), "-m", "bench.peers.channels_node"], {}) as site:
        yield site


@contextmanager
def socketio(folder: Path, cores: Cores) -> Iterator[Site]:
    """socket.io on Node, with its Redis adapter."""
    command = ["node", str(HERE / "socketio_node.mjs")]
    with _two_nodes(folder, cores, command, {"NODE_ENV": "production"}) as site:
        first, second = (replace(node, path=PATH) for node in site.nodes)
        yield replace(site, nodes=(first, second))


@contextmanager
def _two_nodes(folder: Path, cores: Cores, command: list[str], environment: dict[str, str]) -> Iterator[Site]:
    allocator = web_line()[0]
    with ExitStack() as stack:
        redis = stack.enter_context(engines.redis(folder, cores))
        first, second = (
            stack.enter_context(
                running([*command, str(port), redis.url], allocator | environment, port, cores, folder / f"{name}.log")
            )
            for name, port in (("A", free_port()), ("B", free_port()))
        )
        yield Site((first, second), redis, None)
