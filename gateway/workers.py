"""Several nodes on one port of one machine: `shopbell serve --workers 4` starts them, and again those that die.

Each is a process like any other node, with a listening socket of its own on the shared port (SO_REUSEPORT): the kernel
spreads connections over those that listen. They end when their parent tells them to, and also when it is gone.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

log = logging.getLogger("gateway.workers")

FIRST_SECONDS, MOST_SECONDS = 0.5, 30.0  # before one that died is started again
CALM_SECONDS = 60.0  # having lived so long, its earlier deaths are forgotten
STOP_SECONDS = 300.0  # a drain of the largest crowd takes a minute; who takes longer hangs
HESITATION_SECONDS = 0.5  # systemd signals parent and workers at once, and a second signal would cut the drain short


def delay(deaths: int) -> float:
    """Seconds until a worker is started again that has died so many times in a row."""
    return float(min(MOST_SECONDS, FIRST_SECONDS * 2 ** min(deaths - 1, 16)))


@contextmanager
def reserved(host: str, port: int) -> Iterator[None]:
    """While it lasts, only who shares the port may have it. Raises OSError when somebody has it already."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    socket.create_server((host, port), family=family).close()  # without sharing: another set of workers is seen too
    with socket.socket(family) as reservation:
        reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reservation.bind((host, port))  # it doesn't listen, so nobody is sent here
        yield


class Workers:
    """So many processes of this command, each told its number by `--worker`."""

    def __init__(self, command: Sequence[str], count: int, delay: Callable[[int], float] = delay) -> None:
        self._command = command
        self._count = count
        self._delay = delay
        self._processes: dict[int, Process] = {}
        self._stopping = asyncio.Event()
        self._is_well = True

    async def run(self) -> bool:
        """Until SIGTERM or Ctrl-C; whether all of them ended well then. A second signal ends them at once."""
        loop = asyncio.get_running_loop()
        for told in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(told, self.stop)
        async with asyncio.TaskGroup() as group:
            for number in range(1, self._count + 1):
                group.create_task(self._keep(number))
        return self._is_well

    def stop(self) -> None:
        """Let all of them drain; asked again, end."""
        is_second = self._stopping.is_set()
        self._stopping.set()
        for process in self._processes.values():
            _dismiss(process)
            if is_second and process.returncode is None:
                process.terminate()

    async def _keep(self, number: int) -> None:
        """One of them, started again and again."""
        deaths = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            status = await self._one_life(number)
            if self._stopping.is_set():
                self._is_well = self._is_well and status == 0
                return
            deaths = 1 if time.monotonic() - began > CALM_SECONDS else deaths + 1
            wait = self._delay(deaths)
            log.error("worker %d ended with %d; it is started again in %.1f s", number, status, wait)
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._stopping.wait()

    async def _one_life(self, number: int) -> int:
        # In a session of its own: a terminal's Ctrl-C is for the parent, who passes it on.
        process = await asyncio.create_subprocess_exec(
            *self._command, "--worker", str(number), stdin=PIPE, start_new_session=True
        )
        self._processes[number] = process
        if not self._stopping.is_set():
            dying = asyncio.ensure_future(process.wait())
            stopping = asyncio.ensure_future(self._stopping.wait())
            await asyncio.wait([dying, stopping], return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
        _dismiss(process)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                return await process.wait()
        except TimeoutError:
            process.kill()
            return await process.wait()


def _dismiss(process: Process) -> None:
    """Closing its input tells it to drain, as our own death would."""
    if process.stdin is not None:
        process.stdin.close()


def run(command: Sequence[str], count: int, host: str, port: int) -> bool:
    """Keep so many workers running on this port until a signal comes; whether they ended well. Raises OSError when the
    port can't be had."""
    with reserved(host, port):
        log.info("%d workers on http://%s:%d", count, host, port)
        return asyncio.run(Workers(command, count).run())


def follow_parent(is_stopping: Callable[[], bool]) -> None:
    """In a worker: drain when the parent says so or is gone, unless that has begun already."""

    def wait() -> None:
        with suppress(OSError, ValueError):
            while os.read(sys.stdin.fileno(), 1024):
                pass
        time.sleep(HESITATION_SECONDS)
        if not is_stopping():
            os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="parent", daemon=True).start()
