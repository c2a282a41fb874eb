"""New connections, a few in each turn of the loop: thousands that come back at once hold nobody up who is here."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from functools import partial

log = logging.getLogger("gateway.accepting")

AT_ONCE = 2  # of one turn; the rest waits in the kernel
RETRY_SECONDS = 1.0  # when there are no files or buffers left


class Accepting:
    """Takes what comes in at a listening socket until `close`; `make` makes the protocol of each connection."""

    def __init__(self, listener: socket.socket, make: Callable[[], asyncio.BaseProtocol]) -> None:
        listener.setblocking(False)
        self._listener = listener
        self._make = make
        self._loop = asyncio.get_running_loop()
        self._connecting: set[asyncio.Task[object]] = set()
        self._again: asyncio.TimerHandle | None = None
        self._open()

    async def close(self) -> None:
        """Take no more; those that are being made are made still."""
        if self._again is not None:
            self._again.cancel()
        self._loop.remove_reader(self._listener)
        if self._connecting:
            await asyncio.wait(self._connecting)

    def _open(self) -> None:
        self._again = None
        self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        for _ in range(AT_ONCE):
            try:
                sock, _ = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError, InterruptedError):
                return
            except OSError as error:
                log.error("connections can't be accepted: %s", error)
                self._loop.remove_reader(self._listener)
                self._again = self._loop.call_later(RETRY_SECONDS, self._open)
                return
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            task = self._loop.create_task(self._loop.connect_accepted_socket(self._make, sock))
            self._connecting.add(task)
            task.add_done_callback(partial(self._connected, sock))

    def _connected(self, sock: socket.socket, task: asyncio.Task[object]) -> None:
        self._connecting.discard(task)
        if task.cancelled():
            sock.close()
        elif (error := task.exception()) is not None:
            sock.close()  # nobody else has it then
            log.warning("a connection failed at once: %s", error)
