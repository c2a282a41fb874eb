"""What nodes tell each other on an account's channel: the first byte is the kind, and each kind has one taker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from prometheus_client import Counter

from gateway.bus import Bus, Gap, Hear

# Behind the kind stands a byte for its version. What a node doesn't know of a newer one must do no harm to it: of the
# ledger it hears a bell, of a revocation or a duty that it must look for itself, and a signal is left out.
LEDGER = 1
SIGNAL = 2
REVOCATION = 3
PRESENCE = 4
DUTY = 5


class Switchboard:
    """`flush` writes out all outboxes: it is called once behind whatever is heard in one turn of the loop."""

    def __init__(self, bus: Bus, flush: Callable[[], None], unknown: Counter) -> None:
        self._bus = bus
        self._flush = flush
        self._unknown = unknown
        self._takers: dict[int, Hear] = {}
        self._gaps: list[Gap] = []
        self._is_flushing = False
        bus.listen(self._hear, self._lose)

    def on_gap(self, call: Gap) -> None:
        """Called when something may have been lost, of whatever kind."""
        self._gaps.append(call)

    def connect(self, kind: int, hear: Hear) -> None:
        """Payloads of this kind go here, whole."""
        self._takers[kind] = hear

    def wants(self, account: str) -> bool:
        """Whether another node may listen, so that a payload is worth making."""
        return self._bus.wants(account)

    def tell(self, account: str, payload: bytes) -> None:
        """To the other nodes that follow the account. Doesn't wait and doesn't fail; it may get lost."""
        self._bus.publish(account, payload)

    def _hear(self, account: str, payload: bytes) -> None:
        taker = self._takers.get(payload[0]) if payload else None
        if taker is None:  # of a newer version, whose nodes know that this one lets it pass
            self._unknown.inc()
            return
        taker(account, payload)
        if not self._is_flushing:
            self._is_flushing = True
            asyncio.get_running_loop().call_soon(self._flush_heard)

    def _lose(self) -> None:
        for call in self._gaps:
            call()

    def _flush_heard(self) -> None:
        self._is_flushing = False
        self._flush()
