"""L8: who is said to be here is who is here, as soon as that has stood for so long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.history.log import Log

Actors = frozenset[str]


@dataclass(slots=True)
class Connection:
    """One socket of one log, from `synced` to its end, and who was said to be here."""

    log: Log
    since: float = 0.0
    until: float = 0.0
    told: list[tuple[float, Actors]] = field(default_factory=list)

    def told_from(self, due: float, end: float) -> Iterator[Actors | None]:
        """What was the last word at `due`, and every word after it until `end`."""
        before = [actors for at, actors in self.told if at < due]
        yield before[-1] if before else None
        yield from (actors for at, actors in self.told if due <= at < end)


def presence(history: Sequence[Log], within: float) -> Iterator[str]:
    """One sentence for each socket of an agent and each time in which it was told something else than the truth, though
    that had stood for `within` seconds. The truth is what the staff's own logs say: here is whoever has a socket that
    is up to date."""
    connections = [connection for log in history if log.kind != "contact" for connection in _connections(log)]
    for since, until, truth in _truths(connections):
        for connection in connections:
            due, end = max(connection.since, since) + within, min(connection.until, until)
            if connection.log.kind == "agent" and due < end:
                for told in connection.told_from(due, end):
                    if told != truth:
                        heard = "nothing" if told is None else f"of {_named(told)} as here"
                        yield (
                            f"L8 {connection.log.name} was told {heard}, when there had been {_named(truth)}"
                            f" for {within:g} s"
                        )


def _connections(log: Log) -> Iterator[Connection]:
    connection: Connection | None = None
    for event in log.events:
        if event.what in ("connected", "disconnected"):
            if connection is not None and connection.since:
                connection.until = event.at
                yield connection
            connection = Connection(log)
        elif connection is not None and event.what == "synced":
            connection.since = connection.since or event.at
        elif connection is not None and event.what == "presence":
            connection.told.append((event.at, frozenset(event.names)))
    if connection is not None and connection.since:
        connection.until = log.ended_at
        yield connection


def _truths(connections: Sequence[Connection]) -> Iterator[tuple[float, float, Actors]]:
    """Who was here, from one change of it to the next."""
    since, truth = float("-inf"), Actors()
    for moment in sorted({moment for each in connections for moment in (each.since, each.until)}):
        now = Actors(each.log.actor for each in connections if each.since <= moment < each.until)
        if now != truth:
            yield since, moment, truth
            since, truth = moment, now
    yield since, float("inf"), truth


def _named(actors: Actors) -> str:
    return ", ".join(sorted(actors)) or "nobody"
