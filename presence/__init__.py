"""Who is here. Imports nothing of ours. The Presence seam; its engines are named for their technology."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

LEASE_SECONDS = 30.0
REFRESH_SECONDS = 10.0  # so that two lost refreshes are survivable


class Presence(Protocol):
    """Who has a live connection, on any device and any node.

    Promises: an actor is present from `touch` until `leave` or until LEASE_SECONDS have passed without another
    touch, whichever comes first; touching and leaving twice are harmless; each node speaks only for its own leases,
    so that leaving on one node doesn't take away another's.
    """

    async def touch(self, account: str, actors: Collection[str]) -> None:
        """These have a live connection on this node."""
        ...

    async def leave(self, account: str, actor: str) -> None:
        """This one has none any more on this node."""
        ...

    async def present(self, account: str) -> frozenset[str]:
        """All of the account who are here, on any node."""
        ...

    async def close(self) -> None: ...
