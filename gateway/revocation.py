"""Closes the sockets of whoever is no longer allowed: at once on this node, at the next look for others' acts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from itertools import islice
from typing import Protocol

from chat.errors import Unavailable
from chat.model import Actor
from chat.store import Scoped
from gateway.protocol import CloseCode

log = logging.getLogger("gateway.revocation")

SWEEP_SECONDS = 30.0  # by then a node has seen what another one, a command or the calendar has ended
SLICE = 200  # sockets per statement: about a millisecond of the loop
PAUSE_SECONDS = 0.01  # between two, for whoever wants to be served meanwhile


class Peer(Protocol):
    """A socket, as far as revocation cares. `proof` is its session, or a bot's API token; empty before the hello."""

    @property
    def actor(self) -> Actor: ...

    @property
    def proof(self) -> str: ...

    def close(self, code: int) -> None: ...


class Revocations:
    """`peers` gives all sockets of this node; `standing` what still counts of some proofs, and whose it is now."""

    def __init__(
        self,
        peers: Callable[[], Iterable[Peer]],
        standing: Callable[[Collection[str]], Awaitable[Mapping[str, str]]],
        flush: Callable[[], None],
    ) -> None:
        self._peers = peers
        self._standing = standing
        self._flush = flush
        self.count = 0
        """How often something was revoked here: whoever is being let in while this moves is looked at once more."""

    def close(
        self,
        *,
        session: str | None = None,
        actor: Scoped | None = None,
        account: str | None = None,
        code: int = CloseCode.REVOKED,
    ) -> None:
        """Close the sockets of this session or API token, of this actor, or of this account. Call it after the commit.

        All sockets are looked at, 50 ns each: an index would cost every socket memory for what is rare.
        """
        self.count += 1
        for peer in list(self._peers()):
            if (
                (session and peer.proof == session)
                or (actor is not None and peer.actor.id == actor[1] and peer.actor.account == actor[0])
                or (account and peer.actor.account == account)
            ):
                peer.close(code)
        self._flush()

    async def sweep(self) -> None:
        """Look all sockets' proofs up, and close those that don't count any more.

        One that is over says so by 4005, so that its client asks for a token once and learns why there is none; one
        that has become another contact's by 4202.
        """
        waiting = iter([(peer, peer.proof) for peer in self._peers() if peer.proof])
        while slice_ := list(islice(waiting, SLICE)):
            try:
                standing = await self._standing({proof for _, proof in slice_})
            except Unavailable as error:
                log.warning("open sockets can't be looked through: %s", error)
                return
            for peer, proof in slice_:
                owner = standing.get(proof)
                if owner is None:
                    peer.close(CloseCode.UNAUTHORIZED)
                elif owner != peer.actor.id:
                    peer.close(CloseCode.CHANGED)
            self._flush()
            await asyncio.sleep(PAUSE_SECONDS)
