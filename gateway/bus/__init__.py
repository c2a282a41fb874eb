"""The Bus seam: how nodes tell each other that an account has moved. A doorbell, never the truth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

Hear = Callable[[str, bytes], None]
"""Called with (channel, payload), on the event loop; must not wait."""
Gap = Callable[[], None]
"""Called when something may have been lost: whoever listens reads the store."""


class Bus(Protocol):
    """Promises while `run` runs as a task: at most once, in the order of publishing per channel and publisher while
    connected; never an echo to the node that published; every loss of connection is reported by `on_gap`, when it
    begins and when it ends. Payloads are opaque."""

    @property
    def is_healthy(self) -> bool:
        """Whether what others publish arrives here: this node can hear, and none of the others went silent. While that
        isn't so, whoever listens looks at the store often."""
        ...

    @property
    def is_here(self) -> bool:
        """Whether this node can hear and be heard, whatever the others can."""
        ...

    async def run(self) -> None:
        """Read and publish until cancelled; what was published before that still goes out, if it takes no long time."""
        ...

    def listen(self, hear: Hear, on_gap: Gap) -> None:
        """Say who hears. Once, before anything else."""
        ...

    async def subscribe(self, channel: str) -> None:
        """When this returns, everything published later is heard, or a gap is reported."""
        ...

    async def unsubscribe(self, channel: str) -> None: ...

    def wants(self, channel: str) -> bool:
        """Whether anybody else may listen, so that a payload is worth encoding."""
        ...

    def publish(self, channel: str, payload: bytes) -> None:
        """Ring. Doesn't wait and doesn't fail: what gets lost is healed from the store."""
        ...

    async def close(self) -> None: ...
