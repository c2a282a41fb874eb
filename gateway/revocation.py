"""Closes the sockets of whoever is no longer allowed: at once on all nodes, at the next look if that got lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import suppress
from itertools import islice
from typing import Protocol

from msgspec import Struct, msgpack

from chat.errors import Unavailable
from chat.model import Actor
from gateway.protocol import CloseCode
from gateway.switchboard import REVOCATION, Switchboard

log = logging.getLogger("gateway.revocation")

VERSION = 1
SWEEP_SECONDS = 30.0  # by then a node has seen what a command or the calendar has ended, and what it wasn't told
PROMPT_SECONDS = 1.0  # between two looks, however often one is asked for
SLICE = 200  # sockets per statement: about a millisecond of the loop
PAUSE_SECONDS = 0.01  # between two, for whoever wants to be served meanwhile


class Peer(Protocol):
    """A socket, as far as revocation cares. `proof` is its session, or a bot's API token; empty before the hello."""

    @property
    def actor(self) -> Actor: ...

    @property
    def proof(self) -> str: ...

    def close(self, code: int) -> None: ...


class Revoked(Struct, frozen=True, gc=False, array_like=True):
    """Whose sockets close: of one session or API token, of one actor, or with neither of the whole account."""

    session: str | None = None
    actor: str | None = None
    code: CloseCode = CloseCode.REVOKED


class Revocations:
    """`peers` gives all sockets of this node; `standing` what still counts of some proofs, and whose it is now."""

    def __init__(
        self,
        peers: Callable[[], Iterable[Peer]],
        standing: Callable[[Collection[str]], Awaitable[Mapping[str, str]]],
        switchboard: Switchboard,
        flush: Callable[[], None],
    ) -> None:
        self._peers = peers
        self._standing = standing
        self._switchboard = switchboard
        self._flush = flush
        self._is_due = asyncio.Event()
        self.count = 0
        """How often something was revoked here: whoever is being let in while this moves is looked at once more."""
        switchboard.connect(REVOCATION, self._hear)
        switchboard.on_gap(self._look_soon)

    def close(
        self,
        account: str,
        *,
        session: str | None = None,
        actor: str | None = None,
        code: CloseCode = CloseCode.REVOKED,
    ) -> None:
        """Close the sockets of this account: those of one session or API token, those of one actor, or all. Call it
        after the commit: here they close at once, on other nodes as soon as they hear of it."""
        revoked = Revoked(session, actor, code)
        self._close(account, revoked)
        self._flush()
        if self._switchboard.wants(account):
            self._switchboard.tell(account, pack(revoked))

    async def run(self) -> None:
        """Look through all sockets now and then, for ever."""
        while True:
            await asyncio.sleep(PROMPT_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(SWEEP_SECONDS - PROMPT_SECONDS):
                    await self._is_due.wait()
            self._is_due.clear()
            await self.sweep()

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

    def _close(self, account: str, revoked: Revoked) -> None:
        """All sockets are looked at, 50 ns each: an index would cost every socket memory for what is rare."""
        self.count += 1
        session, actor = revoked.session, revoked.actor
        for peer in list(self._peers()):
            if (
                peer.proof
                and peer.actor.account == account
                and (session is None or peer.proof == session)
                and (actor is None or peer.actor.id == actor)
            ):
                peer.close(revoked.code)

    def _hear(self, account: str, payload: bytes) -> None:
        """Of another node."""
        revoked = unpack(payload)
        if revoked is None:  # of another version: that something was revoked is clear, so see for ourselves
            self._look_soon()
        else:
            self._close(account, revoked)

    def _look_soon(self) -> None:
        """Something may have been revoked, and it isn't known what."""
        self.count += 1
        self._is_due.set()


def pack(revoked: Revoked) -> bytes:
    """For other nodes. The account isn't in it: that is where it is sent."""
    return _HEAD + _ENCODER.encode(revoked)


def unpack(payload: bytes) -> Revoked | None:
    """What another node has packed; None if it is of another version, or nothing."""
    if not payload.startswith(_HEAD):
        return None
    try:
        return _DECODER.decode(payload[len(_HEAD) :])
    except (ValueError, RecursionError):
        return None


_HEAD = bytes([REVOCATION, VERSION])
_ENCODER = msgpack.Encoder()
_DECODER = msgpack.Decoder(Revoked)
