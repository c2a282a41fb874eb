"""Links that open one file for some minutes: for whatever fetches without a header or a cookie, such as an <img>."""

from __future__ import annotations

import jwt
from msgspec import Struct

from chat.clock import Clock
from chat.errors import NotFound
from chat.model import KIND_OF_PREFIX, Actor

ALGORITHM = "HS256"
AUDIENCE = "shopbell:file"
LIFE = 300  # seconds; a page asks again
LIMIT = 1024  # characters; ours have about 300


class Opened(Struct, frozen=True):
    """What a link opens: an upload, as the one who asked for the link sees it."""

    actor: Actor
    upload: str


class Links:
    """Signed by the server's secret. A link opens what its asker may see at the moment of the download, no more."""

    def __init__(self, secret: bytes, clock: Clock) -> None:
        self._secret = secret
        self._clock = clock
        # Time is looked at by our own clock, below.
        self._decoder = jwt.PyJWT({"require": ["sub", "acc", "upl", "exp", "aud"], "verify_exp": False})

    def mint(self, actor: Actor, upload: str) -> str:
        """What stands in the path of a link."""
        exp = self._clock.now() // 1000 + LIFE
        claims = {"sub": actor.id, "acc": actor.account, "upl": upload, "exp": exp, "aud": AUDIENCE}
        return jwt.encode(claims, self._secret, ALGORITHM)

    def open(self, token: str) -> Opened:
        """What this token opens; NotFound if it isn't ours or not any more."""
        if len(token) > LIMIT:
            raise NotFound(field="upload")
        try:
            claims = self._decoder.decode(token, self._secret, algorithms=[ALGORITHM], audience=AUDIENCE)
            actor = Actor(claims["acc"], KIND_OF_PREFIX[claims["sub"][:3]], claims["sub"])
        except (jwt.InvalidTokenError, ValueError, KeyError, TypeError) as error:
            raise NotFound(field="upload") from error
        if not isinstance(claims["exp"], int) or claims["exp"] <= self._clock.now() / 1000:
            raise NotFound(field="upload")
        return Opened(actor, claims["upl"])
