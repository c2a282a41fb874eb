"""Buses that run as nodes run them, and what is heard on them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from gateway.bus import line, pulse
from gateway.bus import redis as module
from gateway.bus.redis import RedisBus
from gateway.metrics import Metrics, new_metrics

HEALED_SECONDS = 5.0  # after Redis is back
long = pytest.mark.skipif("SHOPBELL_KILLS" not in os.environ, reason="waits for long: make chaos")


class Ear:
    """A bus that runs, and what was heard on it."""

    def __init__(self, url: str) -> None:
        self.metrics: Metrics = new_metrics()
        self.bus = RedisBus(url, "test", self.metrics)
        self.heard: list[bytes] = []
        self.gaps = 0
        self.bus.listen(lambda _, payload: self.heard.append(payload), self._gap)

    def count(self, name: str) -> float:
        value = self.metrics.registry.get_sample_value(f"shopbell_{name}")
        assert value is not None
        return value

    def _gap(self) -> None:
        self.gaps += 1


async def eventually(holds: Callable[[], object], seconds: float = HEALED_SECONDS) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110  # a bus has no event for a test's wishes
            await asyncio.sleep(0.005)


@asynccontextmanager
async def running(*ears: Ear) -> AsyncIterator[None]:
    """As nodes run them."""
    tasks = [asyncio.create_task(ear.bus.run()) for ear in ears]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for end in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(end, asyncio.CancelledError), "a bus that ends by itself ends its node"


@asynccontextmanager
async def two_ears(*urls: str) -> AsyncIterator[tuple[Ear, Ear]]:
    """A speaker and a listener to acc_1. Of two addresses the listener has the second."""
    speaker, listener = Ear(urls[0]), Ear(urls[-1])
    async with running(speaker, listener):
        await eventually(lambda: speaker.bus.is_healthy and listener.bus.is_healthy)
        await listener.bus.subscribe("acc_1")
        yield speaker, listener


async def assert_they_talk(speaker: Ear, listener: Ear, word: bytes) -> None:
    speaker.bus.publish("acc_1", word)
    await eventually(lambda: word in listener.heard)


def make_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fifth of the seconds is enough where nothing is far away."""
    monkeypatch.setattr(line, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(line, "TICK_SECONDS", 0.025)
    monkeypatch.setattr(line, "SILENCE_SECONDS", 0.8)
    monkeypatch.setattr(pulse, "SUSPECT_SECONDS", 0.25)
    monkeypatch.setattr(pulse, "DEAF_SECONDS", 1.0)
    monkeypatch.setattr(module, "GAP_SECONDS", 0.0)
