"""An event loop in a thread of its own: servers and proxies live on while a test waits for the browser."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")

PATIENCE = 60.0


class Backstage:
    """`run` coroutines, `call` what isn't safe from another thread, `enter` contexts that last until `close`."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._entered: list[AbstractAsyncContextManager[Any]] = []
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    def call(self, act: Callable[..., T], *arguments: Any) -> T:
        async def inside() -> T:
            return act(*arguments)

        return self.run(inside())

    def enter(self, context: AbstractAsyncContextManager[T]) -> T:
        entered = self.run(_entering(context))
        self._entered.append(context)
        return entered

    def close(self) -> None:
        """Leave what was entered, the last first, and end the loop."""
        for context in reversed(self._entered):
            self.run(_leaving(context))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()


async def _entering(context: AbstractAsyncContextManager[T]) -> T:
    return await context.__aenter__()


async def _leaving(context: AbstractAsyncContextManager[Any]) -> None:
    await context.__aexit__(None, None, None)
