"""Nodes within a moment: a process that has everything imported already, and forks one whenever it is asked to.

`python -m tests.chaos.nursery` is that process; `Nursery` is what a test holds of it. Each node is a process of its own
with `shopbell serve` in it, as if it had been started by itself, which takes more than a second of a core.
"""

from __future__ import annotations

import faulthandler
import json
import os
import random
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Born:
    """A node of the nursery's, with as much of a Popen as tests need. How it ended is known to nobody."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._handle = os.pidfd_open(pid)
        self._has_ended = False

    def poll(self) -> int | None:
        """None while it lives."""
        return 0 if self._ends(0) else None

    def wait(self, timeout: float) -> int:
        if not self._ends(timeout):
            raise subprocess.TimeoutExpired(f"node {self.pid}", timeout)
        return 0

    def send_signal(self, number: int) -> None:
        if not self._has_ended:
            signal.pidfd_send_signal(self._handle, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _ends(self, seconds: float) -> bool:
        if not self._has_ended:
            ends = select.poll()  # with thousands of sockets beside it, its number is too great for `select`
            ends.register(self._handle, select.POLLIN)
            self._has_ended = bool(ends.poll(seconds * 1000))
            if self._has_ended:
                os.close(self._handle)
        return self._has_ended


class Nursery:
    """Start it once, `close` it in the end."""

    def __init__(self, root: Path, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.nursery"],
            cwd=root,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def bear(self, environment: dict[str, str], log: Path) -> Born:
        """A node with these settings, that writes to this log."""
        ask, answer = self._process.stdin, self._process.stdout
        assert ask is not None
        assert answer is not None
        ask.write(json.dumps({"environment": environment, "log": str(log)}).encode() + b"\n")
        ask.flush()
        return Born(int(answer.readline()))

    def close(self) -> None:
        self._process.communicate(timeout=10)


def main() -> None:
    """Fork nodes as asked on standard input, until that ends."""
    from tests.chaos.weak_spots import weaken  # imports all that a node does

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how they ended
    for line in sys.stdin:
        node = json.loads(line)
        pid = os.fork()
        if pid == 0:
            os._exit(_serve(node, weaken))
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


def _serve(node: dict[str, Any], weaken: Callable[[], None]) -> int:
    from gateway.__main__ import main as shopbell

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    random.seed()
    log = os.open(node["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    faulthandler.enable()
    os.environ.clear()
    os.environ.update(node["environment"])
    weaken()
    try:
        return shopbell(["serve"])
    except BaseException:  # nothing of this may go on as the nursery
        sys.excepthook(*sys.exc_info())
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


if __name__ == "__main__":
    main()
