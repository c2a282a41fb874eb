"""The bus of one process: a single node hears nobody; several nodes in a test hear each other."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from gateway.bus import Bus, Gap, Hear


class Exchange:
    """What memory buses of one process share."""

    def __init__(self) -> None:
        self.subscribers: dict[str, list[MemoryBus]] = defaultdict(list)


class MemoryBus:
    """See `gateway.bus.Bus` for the promises."""

    def __init__(self, exchange: Exchange | None = None) -> None:
        self._exchange = exchange or Exchange()
        self._hear: Hear | None = None

    @property
    def is_healthy(self) -> bool:
        return True

    @property
    def is_here(self) -> bool:
        return True

    async def run(self) -> None:
        await asyncio.get_running_loop().create_future()  # nothing to do: payloads go by themselves

    def listen(self, hear: Hear, on_gap: Gap) -> None:
        self._hear = hear

    async def subscribe(self, channel: str) -> None:
        if self not in self._exchange.subscribers[channel]:
            self._exchange.subscribers[channel].append(self)

    async def unsubscribe(self, channel: str) -> None:
        subscribers = self._exchange.subscribers[channel]
        if self in subscribers:
            subscribers.remove(self)

    def wants(self, channel: str) -> bool:
        return any(bus is not self for bus in self._exchange.subscribers.get(channel, ()))

    def publish(self, channel: str, payload: bytes) -> None:
        for bus in self._exchange.subscribers.get(channel, ()):
            if bus is not self and bus._hear is not None:
                asyncio.get_running_loop().call_soon(bus._hear, channel, payload)

    async def close(self) -> None:
        for channel in list(self._exchange.subscribers):
            await self.unsubscribe(channel)


_: type[Bus] = MemoryBus
