"""The history checker: record clients by `Log`, read the store, and `check` that no law was broken."""

from tests.history.arrivals import Arrival, answers, crossings
from tests.history.laws import Verdict, check
from tests.history.log import Event, Line, Log
from tests.history.presence import Bounds
from tests.history.stored import Kept, Row, Stored, read_postgres, read_sqlite, stored

__all__ = [
    "Arrival",
    "Bounds",
    "Event",
    "Kept",
    "Line",
    "Log",
    "Row",
    "Stored",
    "Verdict",
    "answers",
    "check",
    "crossings",
    "read_postgres",
    "read_sqlite",
    "stored",
]
