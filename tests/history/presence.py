"""L8: who is said to be here is who is here: soon after they come, some time after they went, and without a flap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.history.log import Log

Actors = frozenset[str]


class Bounds(NamedTuple):
    """Seconds."""

    come: float  # until whoever has come is told to all
    gone: float  # until whoever has vanished isn't any more
    gap: float  # without a connection, and nobody may notice


@dataclass(slots=True)
class Connection:
    """One socket of one log, from `synced` to its end, and who was said to be here."""

    log: Log
    is_synced: bool = False
    since: float = 0.0
    until: float = 0.0
    told: list[tuple[float, Actors]] = field(default_factory=list)

    def told_at(self, moment: float) -> Actors | None:
        """The last word until then."""
        return next((actors for at, actors in reversed(self.told) if at <= moment), None)


Stays = dict[str, list[tuple[float, float]]]
"""actor -> from when to when it was here, on any socket, gaps that nobody may notice left out."""


def presence(history: Sequence[Log], bounds: Bounds) -> Iterator[str]:
    """One sentence for each moment at which what the socket of an agent was told changes to what it mustn't be, or
    ought to have changed. The truth is what the staff's own logs say: here is whoever has a socket that is up to date.
    """
    connections = [connection for log in history if log.kind != "contact" for connection in _connections(log)]
    stays = _stays(connections, bounds.gap)
    dues = {since + bounds.come for times in stays.values() for since, _ in times}
    dues |= {until + bounds.gone for times in stays.values() for _, until in times}
    for connection in connections:
        if connection.log.kind == "agent":
            first = connection.since + bounds.come
            moments = {first, *dues, *(at for at, _ in connection.told)}
            for moment in sorted(moment for moment in moments if first <= moment < connection.until):
                yield from _judged(connection, moment, stays, bounds)


def _judged(connection: Connection, moment: float, stays: Stays, bounds: Bounds) -> Iterator[str]:
    told = connection.told_at(moment)
    if told is None:
        yield f"L8 {connection.log.name} was told nothing of who is here"
        return
    for actor, times in stays.items():
        if actor not in told and any(since <= moment - bounds.come and moment < until for since, until in times):
            yield f"L8 {connection.log.name} was told that {actor} isn't here, who had been for {bounds.come:g} s"
    for actor in sorted(told):
        if not any(since <= moment and moment - bounds.gone < until for since, until in stays.get(actor, ())):
            yield f"L8 {connection.log.name} was told that {actor} is here, who hadn't been for {bounds.gone:g} s"


def _connections(log: Log) -> Iterator[Connection]:
    connection: Connection | None = None
    for event in log.events:
        if event.what in ("connected", "disconnected"):
            if connection is not None and connection.is_synced:
                connection.until = event.at
                yield connection
            connection = Connection(log)
        elif connection is not None and event.what == "synced" and not connection.is_synced:
            connection.is_synced, connection.since = True, event.at
        elif connection is not None and event.what == "presence":
            connection.told.append((event.at, frozenset(event.names)))
    if connection is not None and connection.is_synced:
        connection.until = log.ended_at
        yield connection


def _stays(connections: Sequence[Connection], gap: float) -> Stays:
    stays: Stays = {}
    for connection in sorted(connections, key=lambda connection: connection.since):
        times = stays.setdefault(connection.log.actor, [])
        if times and connection.since <= times[-1][1] + gap:
            since, until = times.pop()
            times.append((since, max(until, connection.until)))
        else:
            times.append((connection.since, connection.until))
    return stays
