"""What stands before nodes in a deploy: it asks each whether it is ready, and sends whoever comes to one that is."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from tests.chaos.nodes import Balancer
from tests.chaos.server import Server

ASK_SECONDS = 0.5  # between questions: load balancers ask every 1 to 5 s, so this one is a good one


@dataclass
class Front(Balancer):
    """`door` is for those who come past it: they choose as it would."""

    ready: list[int] = field(default_factory=list)
    sent: list[tuple[float, int]] = field(default_factory=list)
    """When it sent whom where: seconds (time.monotonic), port."""

    def door(self) -> int:
        """A node that takes connections, or one of them all when none does."""
        port = self.dice.choice(self.ready or self.ports)
        self.sent.append((time.monotonic(), port))
        return port

    def busiest(self, seconds: float = 1.0) -> Counter[int]:
        """How many came to each port within so many seconds, at most."""
        most: Counter[int] = Counter()
        recent: defaultdict[int, list[float]] = defaultdict(list)
        for at, port in self.sent:
            recent[port] = [before for before in recent[port] if before > at - seconds] + [at]
            most[port] = max(most[port], len(recent[port]))
        return most

    @asynccontextmanager
    async def asking(self, servers: list[Server]) -> AsyncIterator[None]:
        """Ask them until the block ends."""

        async def ask(server: Server) -> bool:
            return b" 200 " in (await server.get("/readyz")).partition(b"\n")[0]

        async def keep_asking() -> None:
            while True:
                answers = await asyncio.gather(*map(ask, servers))
                self.ready = [server.port for server, is_ready in zip(servers, answers, strict=True) if is_ready]
                await asyncio.sleep(ASK_SECONDS)

        async with asyncio.TaskGroup() as tasks:
            asker = tasks.create_task(keep_asking())
            yield
            asker.cancel()

    async def _node(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        with suppress(OSError):
            return await asyncio.open_connection("127.0.0.1", self.door())
        return None
