"""What connects the nodes of the simulated week: a bus that takes its time, and a presence engine that may be away."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from random import Random

from gateway.bus import Bus, Gap, Hear
from presence import About, Away, Nodes, Presence, Table
from tests.week.virtual import Outside


class Post:
    """Between all nodes. Without it nobody hears anything of another node."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.buses: list[PostBus] = []
        self.is_away = False

    def go_away(self) -> None:
        self.is_away = True
        self._report()

    def come_back(self) -> None:
        self.is_away = False
        self._report()

    def _report(self) -> None:
        for bus in self.buses:
            bus.on_gap()


class PostBus:
    """See `gateway.bus.Bus` for the promises. What one node says arrives in its order, some ms later."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._channels: set[str] = set()
        self._arrives: dict[PostBus, float] = {}
        self.hear: Hear = lambda channel, payload: None
        self.on_gap: Gap = lambda: None
        post.buses.append(self)

    @property
    def is_healthy(self) -> bool:
        return not self._post.is_away

    @property
    def is_here(self) -> bool:
        return not self._post.is_away

    async def run(self) -> None:
        await asyncio.get_running_loop().create_future()

    def listen(self, hear: Hear, on_gap: Gap) -> None:
        self.hear, self.on_gap = hear, on_gap

    async def subscribe(self, channel: str) -> None:
        self._channels.add(channel)

    async def unsubscribe(self, channel: str) -> None:
        self._channels.discard(channel)

    def wants(self, channel: str) -> bool:
        return any(bus is not self and channel in bus._channels for bus in self._post.buses)

    def publish(self, channel: str, payload: bytes) -> None:
        post = self._post
        if post.is_away:
            return
        loop = asyncio.get_running_loop()
        for bus in post.buses:
            if bus is not self and channel in bus._channels:
                at = max(self._arrives.get(bus, 0.0), loop.time() + post.random.uniform(0.0005, 0.01))
                self._arrives[bus] = at
                loop.call_at(at, bus._take, channel, payload)

    def _take(self, channel: str, payload: bytes) -> None:
        if channel in self._channels and not self._post.is_away:
            self.hear(channel, payload)

    async def close(self) -> None:
        """Also of a node that died: nobody delivers anything to it any more."""
        self._channels.clear()
        if self in self._post.buses:
            self._post.buses.remove(self)


class Cable:
    """Between a node and the presence engine."""

    def __init__(self, presence: Presence, post: Post, outside: Outside) -> None:
        self._presence = presence
        self._post = post
        self._outside = outside

    @property
    def node(self) -> str:
        return self._presence.node

    async def touch(
        self, account: str, here: Collection[str], gone: Mapping[str, float | None] | None = None, known: str = ""
    ) -> Table:
        self._check()
        with self._outside.work():
            return await self._presence.touch(account, here, gone, known)

    async def beat(self, about: About) -> Nodes:
        self._check()
        with self._outside.work():
            return await self._presence.beat(about)

    async def close(self) -> None:
        if not self._post.is_away:
            with self._outside.work():
                await self._presence.close()

    def _check(self) -> None:
        if self._post.is_away:
            raise Away("it is being restarted")


_: type[Bus] = PostBus
__: type[Presence] = Cable
