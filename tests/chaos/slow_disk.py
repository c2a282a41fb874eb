"""The server on a slow disk: `python -m tests.chaos.slow_disk serve`. COMMIT takes long, before it is done and after.

So it runs in a worker thread, and the time in which something is stored but not yet answered is wide open for a kill.
"""

import sqlite3
import sys
import time
from functools import partial
from typing import Any

SECONDS = 0.006  # twice; more than the store allows itself on the loop's thread


class SlowConnection(sqlite3.Connection):
    """A connection whose commits a person could watch."""

    def execute(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
        if statement != "COMMIT":
            return super().execute(statement, *parameters)
        time.sleep(SECONDS)
        cursor = super().execute(statement, *parameters)
        time.sleep(SECONDS)
        return cursor


if __name__ == "__main__":
    sqlite3.connect = partial(sqlite3.connect, factory=SlowConnection)  # type: ignore[assignment]  # for this process
    from gateway.__main__ import main

    sys.exit(main())
