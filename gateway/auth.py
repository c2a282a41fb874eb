"""Who is this: socket tokens, and what a hello's token says about its sender."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jwt
from msgspec import Struct

from chat.clock import Clock
from chat.keys import API_TOKEN_PREFIX
from chat.model import Actor, ActorKind
from chat.sessions import Session, Sessions
from gateway.batched import Batched

ALGORITHM = "HS256"
AUDIENCE = "shopbell:socket"
LEEWAY_SECONDS = 5  # between clocks of nodes
TOKEN_LIMIT = 2048  # characters; ours have about 300


class Unauthorized(Exception):
    """This token lets nobody in. Why isn't said: forged, expired and ended look the same from outside."""


class Identity(Struct, frozen=True, gc=False):
    """Who a peer is, by which session or API token, and when (ms) that ends."""

    actor: Actor
    session: str
    expires_at: int
    is_vouched: bool = False
    """A contact that a shop's backend has signed for."""
    inbox: str | None = None
    """The door that a contact came to."""

    @property
    def account(self) -> str:
        return self.actor.account

    @property
    def kind(self) -> ActorKind:
        return self.actor.kind

    @property
    def id(self) -> str:
        return self.actor.id


class Tokens:
    """Short-lived socket tokens, signed by us and bound to a session."""

    def __init__(self, secret: bytes, clock: Clock, life: int, older: Sequence[bytes] = ()) -> None:
        """`older`: secrets that are being replaced, by which other nodes may still sign."""
        self._secret = secret
        self._secrets = (secret, *older)
        self._clock = clock
        self.life = life
        """seconds"""
        # Time is looked at by our own clock, below.
        self._decoder = jwt.PyJWT({"require": ["sub", "acc", "ses", "exp", "aud"], "verify_exp": False})

    def mint(self, session: Session) -> str:
        """A token with which this session's holder may say hello."""
        claims = {
            "sub": session.actor.id,
            "acc": session.actor.account,
            "ses": session.id,
            "exp": self._clock.now() // 1000 + self.life,
            "aud": AUDIENCE,
        }
        return jwt.encode(claims, self._secret, ALGORITHM)

    def verify(self, token: str) -> Mapping[str, Any]:
        """The claims of a token that we signed and that hasn't expired, or Unauthorized."""
        if len(token) > TOKEN_LIMIT:
            raise Unauthorized
        claims = self._decoded(token)
        if not isinstance(claims["ses"], str) or not isinstance(claims["exp"], int):
            raise Unauthorized
        if claims["exp"] + LEEWAY_SECONDS < self._clock.now() / 1000:
            raise Unauthorized
        return claims

    def _decoded(self, token: str) -> Mapping[str, Any]:
        for secret in self._secrets:
            try:
                claims: Mapping[str, Any] = self._decoder.decode(
                    token, secret, algorithms=[ALGORITHM], audience=AUDIENCE
                )
            except jwt.InvalidSignatureError:
                continue
            except (jwt.InvalidTokenError, ValueError) as error:
                raise Unauthorized from error
            return claims
        raise Unauthorized


class Doorkeeper:
    """Looks at the token of a hello."""

    def __init__(self, tokens: Tokens, sessions: Sessions) -> None:
        self._tokens = tokens
        self._sessions = sessions
        self._by_id = Batched(sessions.by_ids)

    async def identify(self, token: str) -> Identity:
        """Who holds this token. Raises Unauthorized, or Unavailable when the store is away.

        A socket token counts while its session does; a bot's API token while the bot is active.
        """
        if token.startswith(API_TOKEN_PREFIX):
            return await self._bot(token)
        claims = self._tokens.verify(token)
        session = await self._by_id.get(claims["ses"])
        if session is None or (session.actor.account, session.actor.id) != (claims["acc"], claims["sub"]):
            raise Unauthorized
        return Identity(session.actor, session.id, session.expires_at, session.is_vouched, session.inbox)

    async def close(self) -> None:
        await self._by_id.close()

    async def _bot(self, token: str) -> Identity:
        session = await self._sessions.by_api_token(token)
        if session is None:
            raise Unauthorized
        return Identity(session.actor, session.id, session.expires_at)
