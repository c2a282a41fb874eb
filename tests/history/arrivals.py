"""How long it took by the people's own clocks: to an answer, and from a sender's `ok` to listeners at another door."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tests.history.laws import WORDS
from tests.history.log import Log


class Arrival(NamedTuple):
    """One message at one listener."""

    at: float  # of the sender's ok (time.monotonic)
    seconds: float
    id: str
    by: str
    to: str


@dataclass(frozen=True, slots=True)
class _Told:
    at: float
    by: Log


def crossings(history: Sequence[Log]) -> list[Arrival]:
    """Of every acknowledged message at everybody who heard it live and had come in by another door than its sender.

    A message that a listener got in a snapshot, or when it came back, says nothing of the way between nodes. Of those
    that never came this says nothing: L1 does.
    """
    told: dict[str, _Told] = {}
    for log in history:
        for event in log.events:
            if event.what == "ok" and event.detail in WORDS and not event.flag:
                told[event.id] = _Told(event.at, log)
    return [arrival for log in history for arrival in _heard(log, told)]


def answers(history: Sequence[Log]) -> Iterator[tuple[Log, float, float]]:
    """Of every ask that got `ok`: whose it was, when it was first said, and how many seconds later it was settled."""
    for log in history:
        said: dict[str, float] = {}
        for event in log.events:
            if event.id and event.what == "said":
                said.setdefault(event.id, event.at)
            elif event.id and event.what == "ok" and event.id in said:
                yield log, said[event.id], event.at - said.pop(event.id)


def _heard(log: Log, told: dict[str, _Told]) -> Iterator[Arrival]:
    live_since: float | None = None
    seen: dict[str, bool] = defaultdict(bool)
    for event in log.events:
        if event.what in ("connected", "disconnected"):
            live_since = None
        elif event.what == "synced":
            live_since = event.at
        for line in event.lines:
            was_seen, seen[line.id] = seen[line.id], True
            sent = told.get(line.id)
            if was_seen or event.what != "change" or sent is None or sent.by.door == log.door:
                continue
            if live_since is not None and live_since <= sent.at:
                yield Arrival(sent.at, event.at - sent.at, line.id, sent.by.name, log.name)
