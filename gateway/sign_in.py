"""A shopper signs in at the shop: its browser's anonymous contact becomes the one that the shop knows."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from hashlib import blake2b
from typing import Any, Protocol

from msgspec import Struct

from chat.access import SYSTEM
from chat.clock import Clock
from chat.directory import Door
from chat.errors import NotFound
from chat.identities import Identities, Known
from chat.model import Ask
from chat.rules.contacts import Merge, Update
from chat.sessions import Session, Sessions
from gateway.identity import Signed, kept, verify
from gateway.protocol import CloseCode

Asks = Callable[[str, str, Ask], Awaitable[object]]


class Closes(Protocol):
    """What closes a session's sockets; see Revocations."""

    def __call__(self, account: str, *, session: str, code: CloseCode) -> None: ...


class SignedIn(Struct, frozen=True):
    """The secret and session that the browser has from now on, what of its identity couldn't be kept, and the contact
    that it was, if that one has become this one."""

    secret: str
    session: Session
    ignored: tuple[str, ...] = ()
    merged: str | None = None


class SignIns:
    """`ask` carries out an ask of the service itself; `close` ends the sockets of a session."""

    def __init__(self, identities: Identities, sessions: Sessions, clock: Clock, ask: Asks, close: Closes) -> None:
        self._identities = identities
        self._sessions = sessions
        self._clock = clock
        self._ask = ask
        self._close = close

    async def sign_in(self, door: Door, before: tuple[str, Session] | None, token: str) -> SignedIn:
        """Who this browser is now. `before`: the session with which it came, if that counts at this door.

        Whatever comes of it, a session never passes from one contact to another: whoever has a copy of the anonymous
        one's secret would be in. Twice the same is harmless, also at the same moment. Raises BadIdentity.
        """
        signed = verify(token, await self._identities.live_keys(door.id), self._clock.now())
        candidate = before[1].actor.id if before else None
        known = await self._identities.sign_in(door, signed.sub, candidate)
        contact = known.contact.id
        merged = None
        if candidate is not None and known.candidate_is_anonymous and not known.is_candidate:
            await self._merge(door.account, candidate, contact)
            merged = candidate
        said = kept(signed, known.types)
        await self._update(door.account, known, said)
        if before is not None and known.is_candidate and known.was_known:
            await self._sessions.extend(before[1])
            return SignedIn(*before, said.ignored)
        secret, session = await self._sessions.open_for_contact(door, contact)
        if before is not None:
            await self.sign_out(before[1])
        return SignedIn(secret, session, said.ignored, merged)

    async def has_become(self, account: str, contact: str, into: str) -> bool:
        """Whether the one contact has been merged into the other."""
        return await self._identities.has_become(account, contact, into)

    async def sign_out(self, session: Session) -> None:
        """The session ends. What it wrote stays with its contact; its sockets come back as whoever they are then."""
        await self._sessions.end(session)
        self._close(session.actor.account, session=session.id, code=CloseCode.CHANGED)

    async def _merge(self, account: str, contact: str, into: str) -> None:
        """Also of a contact without conversations: one may be on its way, and after this it isn't that contact's."""
        # The id follows from both, so that two tabs that sign in at once merge once.
        digest = blake2b(f"{contact}>{into}".encode(), digest_size=16).digest()
        try:
            await self._ask(account, SYSTEM, Merge(id=str(uuid.UUID(bytes=digest)), contact=contact, into=into))
        except NotFound:  # another tab was first, and there was nothing in it that the ledger remembers
            return

    async def _update(self, account: str, known: Known, said: Signed) -> None:
        """Ask for what differs alone: most visits change nothing."""
        contact = known.contact
        news: dict[str, Any] = {}
        if said.name is not None and " ".join(said.name.split()) != contact.name:
            news["name"] = said.name
        if said.email is not None and said.email != contact.email:
            news["email"] = said.email
        attributes = {name: value for name, value in said.attributes.items() if contact.attributes.get(name) != value}
        if attributes:
            news["attributes"] = attributes
        if news:
            await self._ask(account, SYSTEM, Update(id=str(uuid.uuid4()), contact=contact.id, **news))
