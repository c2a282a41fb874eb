"""THE table of metrics. Parts get the single ones that they count."""

# ruff: noqa: RUF009 - `counter` and the others make the field itself: the class is the table

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, cast

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "shopbell_"

_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


@dataclass(frozen=True, slots=True)
class Metric:
    """One line of the table. Prometheus wants `_total` behind the name of a counter."""

    name: str
    kind: type[Counter] | type[Gauge] | type[Histogram]
    help: str
    labels: tuple[str, ...]
    buckets: Sequence[float]

    @property
    def exposed(self) -> str:
        return PREFIX + self.name + ("_total" if self.kind is Counter else "")

    def make(self, registry: CollectorRegistry) -> Counter | Gauge | Histogram:
        named: dict[str, Any] = {
            "name": PREFIX + self.name,
            "documentation": self.help,
            "labelnames": self.labels,
            "registry": registry,
        }
        return self.kind(**named, buckets=self.buckets) if self.kind is Histogram else self.kind(**named)


def counter(help: str, *labels: str) -> Counter:
    return cast("Counter", field(metadata={"metric": (Counter, help, labels, ())}))


def gauge(help: str, *labels: str) -> Gauge:
    return cast("Gauge", field(metadata={"metric": (Gauge, help, labels, ())}))


def histogram(help: str, buckets: Sequence[float], *labels: str) -> Histogram:
    return cast("Histogram", field(metadata={"metric": (Histogram, help, labels, buckets)}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """All metrics of one node. Hot parts keep the child of a label, as `labels()` costs more than the counting."""

    registry: CollectorRegistry

    sockets: Gauge = gauge("Open sockets, after hello.", "kind")
    unauthenticated: Gauge = gauge("Open sockets that haven't said hello.")
    handshakes: Counter = counter(
        "Handshakes, by what became of them: accepted, address, origin, overloaded, draining.", "outcome"
    )
    resumes: Counter = counter("Hellos, by what they got: fresh, caught_up, reset.", "outcome")
    closes: Counter = counter("Sockets closed, by close code.", "code")
    asks: Counter = counter("Asks carried out, resends not counted.", "type")
    resends: Counter = counter("Asks that were carried out before and answered again.")
    refusals: Counter = counter("Asks refused, by code.", "code")
    limited: Counter = counter(
        "HTTP requests turned away by an address's limit: requests, sessions, logins, uploads.", "limit"
    )
    limits_told: Counter = counter("Keys of limits whose use this node told the others.")
    limits_shared: Gauge = gauge("1 while limits count over all nodes; 0: this node counts alone.")
    batch_asks: Histogram = histogram("Asks of one transaction.", _SIZES)
    signals_shed: Counter = counter("Signals dropped because their listener was slow.")
    signals_untold: Counter = counter("Signals that other nodes weren't told, as they were too many.")
    bus_unknown: Counter = counter("Payloads of other nodes of another version, which this one lets pass.")
    bus_healthy: Gauge = gauge("1 while what other nodes write is heard at once; else the store is polled.")
    bus_gaps: Counter = counter("Times that something on the bus may have been lost, so that the store was looked at.")
    bus_published: Counter = counter("Payloads to other nodes that Redis has taken.")
    bus_dropped: Counter = counter("Payloads to other nodes that went nowhere: they look at the store instead.")
    bus_heard: Counter = counter("Payloads of other nodes.")
    bus_senseless: Counter = counter("Payloads on the bus that made no sense: somebody else writes there.")
    bus_lag: Gauge = gauge("Seconds that this node's last heartbeat took to Redis and back.")
    holes_healed: Counter = counter("Holes in an account's stream that were read from the store.")
    pongs_missed: Counter = counter("Sockets that didn't answer a ping in time.")
    draining: Gauge = gauge("1 while this node lets go of its sockets.")
    upload_bytes: Counter = counter("Bytes of files that came, those of refused ones among them.")
    download_bytes: Counter = counter("Bytes of files that were handed out.")
    http_answers: Counter = counter("HTTP answers, by resource and status.", "resource", "status")

    def render(self) -> bytes:
        """All of them as Prometheus reads them."""
        return generate_latest(self.registry)


TABLE: tuple[Metric, ...] = tuple(
    Metric(each.name, *each.metadata["metric"]) for each in fields(Metrics) if "metric" in each.metadata
)


def new_metrics() -> Metrics:
    """Metrics with a registry of their own, all at zero."""
    registry = CollectorRegistry()
    made: dict[str, Any] = {metric.name: metric.make(registry) for metric in TABLE}
    return Metrics(registry=registry, **made)
