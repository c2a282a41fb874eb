"""Who is here. Imports nothing of ours. The Presence seam; its engines are named for their technology."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from msgspec import Struct


class Times(Struct, frozen=True):
    """Seconds."""

    lease: float = 30.0
    refresh: float = 10.0  # so that two lost refreshes are survivable
    jitter: float = 1.0  # of a refresh, either way: nodes that start together don't ask together
    grace: float = 15.0  # after the last device has dropped: a page is loaded anew, a phone changes to another network
    drain_grace: float = 45.0  # when it was our own drain that dropped it
    beat: float = 2.0
    node_lease: float = (
        18.0  # longer than the grace by a beat that is late: whoever was on a node that died has one too
    )
    hold: float = 15.0  # nobody leaves for so long after the leases were lost: the other nodes must say theirs again


class Away(Exception):
    """The engine can't be reached. What was asked may have been done or not, and may be asked again."""


class Lease(Struct, frozen=True, gc=False):
    """Somebody is here."""

    actor: str
    node: str
    """On which node; empty: on none any more, but in grace."""
    seconds: float
    """How long it still lasts unless it is renewed."""


class Table(Struct, frozen=True, gc=False):
    """The leases of an account."""

    version: str
    """Of the kind `epoch:number`. Another one whenever a lease comes, goes or ends; renewing isn't a change. A table
    that was lost begins another epoch."""
    age: float
    """Seconds since the epoch began."""
    is_moved: bool
    """Whether this very call has changed it, so that the other nodes should be told."""
    leases: tuple[Lease, ...] | None
    """None: those of the version that is known."""

    @property
    def epoch(self) -> str:
        return epoch_of(self.version)


class About(Struct, frozen=True):
    """What a node says of itself."""

    version: str = ""
    is_draining: bool = False


class Nodes(Struct, frozen=True):
    """The nodes that are alive."""

    age: float
    """Seconds since somebody began to write them down: who isn't there may not have had the time."""
    alive: Mapping[str, About]


class Presence(Protocol):
    """Who has a live connection, on any device and any node: leases that end by themselves, on the engine's own clock.

    Promises: an actor has a lease from `here` until it is `gone` or until `Times.lease` has passed without another
    `here`. Each node speaks for its own leases alone. All that one call says happens at once. Every call may be
    repeated. Accounts know nothing of each other, and what nobody touches any more leaves nothing behind.
    """

    @property
    def node(self) -> str:
        """Whose leases these are: another one after each start."""
        ...

    async def touch(
        self, account: str, here: Collection[str], gone: Mapping[str, float | None] | None = None, known: str = ""
    ) -> Table:
        """Say who is here and who is gone from this node, and hear who is on any.

        Who is gone has a grace of so many seconds, on no node, which ends when it is here again. None is for whoever
        doesn't want to be waited for: then a grace that it has from elsewhere ends too. The leases of the version that
        is `known` aren't told again. Raises Away.
        """
        ...

    async def beat(self, about: About) -> Nodes:
        """This node is alive for `Times.node_lease`. Raises Away."""
        ...

    async def close(self) -> None:
        """This node is none any more. Its leases end by themselves, unless it has said that they are gone."""
        ...


def epoch_of(version: str) -> str:
    return version.partition(":")[0]
