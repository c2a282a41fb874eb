"""Asks that come over HTTP: their ids, and their line in the audit log."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from hashlib import blake2b
from uuid import UUID

from starlette.requests import Request

from chat.audit import Audit
from chat.clock import Clock
from chat.errors import BadRequest
from chat.model import Actor, Ask
from chat.ticket import Done
from gateway.asking import Asking

KEY_LIMIT = 255  # characters of an Idempotency-Key


class Asked:
    """Carries an ask out as whoever asks, and has it written down."""

    def __init__(self, asking: Asking, audit: Audit, clock: Clock) -> None:
        self._asking = asking
        self._audit = audit
        self._clock = clock

    def id(self, request: Request, actor: Actor) -> str:
        """See `ask_id`."""
        return ask_id(request.headers.get("idempotency-key"), actor, self._clock.now())

    async def ask(
        self, request: Request, actor: Actor, make: Callable[[str], Ask], target: str, told: Mapping[str, object]
    ) -> Done:
        """`make` gets the ask's id. `told` is for the audit log, and no personal data: an erasure leaves that alone."""
        id_ = self.id(request, actor)
        ask = make(id_)
        done = await self._asking.ask(actor.account, actor.id, ask)
        await self._audit.write(actor, id_, str(ask.__struct_config__.tag), target, told)
        return done


def ask_id(key: str | None, actor: Actor, at: int) -> str:
    """The key itself if it is a UUID, else one that follows from it; without a key a fresh UUIDv7."""
    if key is None:
        return _uuid(at.to_bytes(6, "big") + secrets.token_bytes(10), 7)
    if not 1 <= len(key) <= KEY_LIMIT:
        raise BadRequest("An Idempotency-Key has 1 to 255 characters.", field="Idempotency-Key")
    try:
        return str(UUID(key))
    except ValueError:
        parts = "\x1f".join((actor.account, actor.id, key))
        return _uuid(blake2b(parts.encode("utf-8", "surrogatepass"), digest_size=16).digest(), 8)


def _uuid(data: bytes, version: int) -> str:
    number = int.from_bytes(data, "big")
    number = number & ~(0xF << 76) | version << 76
    return str(UUID(int=number & ~(0x3 << 62) | 0x2 << 62))
