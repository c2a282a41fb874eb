"""Who a shop says that its customer is: a JWT signed with one of the inbox's keys. Pure: the moment comes in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import jwt
from msgspec import Struct

from chat.errors import Refused
from chat.model import AttributeType
from chat.rules.attributes import described
from chat.rules.contacts import NAME_LIMIT

ALGORITHM = "HS256"  # and no other: with a choice, the token's header would choose for us
SIZE_LIMIT = 8192  # characters
SUB_LIMIT = 200  # characters
EMAIL_LIMIT = 254  # characters, as a mail path has
LIFE_LIMIT = 24 * 3600  # seconds; whoever finds a copy mustn't be somebody else for ever
LEEWAY = 60  # seconds between the shop's clock and ours

# Time is looked at by our own clock, below; an audience is the shop's affair.
_DECODER = jwt.PyJWT(
    {
        "require": ["sub", "exp"],
        "verify_exp": False,
        "verify_iat": False,
        "verify_nbf": False,
        "verify_aud": False,
        "verify_iss": False,
        "verify_sub": False,
        "verify_jti": False,
    }
)


class BadIdentity(Refused):
    """Why is told only of what the inbox's shop itself has signed."""

    code = "bad_identity"
    says = "The identity isn't signed by a live key of this inbox."

    def __init__(self, says: str | None = None) -> None:
        super().__init__(says, field="identity")


class Signed(Struct, frozen=True):
    """What a shop's backend has signed about its customer. None and {} where it said nothing."""

    sub: str
    name: str | None
    email: str | None
    attributes: dict[str, Any]
    ignored: tuple[str, ...] = ()
    """What it said that can't be kept, by name: it doesn't keep the customer out."""


def verify(token: str, keys: Mapping[str, bytes], now: int) -> Signed:
    """What this token says, if one of these keys (id to secret) signed it and it counts at this moment (ms).

    Raises BadIdentity. Its attributes aren't compared with what the account has declared: see `kept`.
    """
    claims = _signed_by_one(token, keys)
    _check_times(claims, now / 1000)
    sub = claims["sub"]
    if not isinstance(sub, str) or not 1 <= len(sub) <= SUB_LIMIT or not _is_clean(sub):
        raise BadIdentity(f"`sub` must be a text of 1 to {SUB_LIMIT} characters.")
    name, email, attributes = claims.get("name"), claims.get("email"), claims.get("attributes")
    good = {
        "name": isinstance(name, str) and len(name) <= NAME_LIMIT and _is_clean(name),
        "email": isinstance(email, str) and _is_email(email),
        "attributes": isinstance(attributes, dict),
    }
    return Signed(
        sub,
        name if good["name"] else None,
        email if good["email"] else None,
        attributes if isinstance(attributes, dict) else {},
        tuple(each for each, is_good in good.items() if not is_good and claims.get(each) is not None),
    )


def kept(signed: Signed, types: Iterable[AttributeType]) -> Signed:
    """The same with those attributes alone that the account has declared, of the declared type. null takes one away."""
    types = list(types)
    attributes: dict[str, Any] = {}
    ignored = list(signed.ignored)
    for name, value in signed.attributes.items():
        try:
            if not _is_clean(name) or (isinstance(value, str) and not _is_clean(value)):
                raise BadIdentity
            described({}, {name: value}, types)
        except Refused:
            ignored.append(f"attributes.{name}" if _is_clean(name) else "attributes")
        else:
            attributes[name] = value
    return Signed(signed.sub, signed.name, signed.email, attributes, tuple(dict.fromkeys(ignored)))


def _signed_by_one(token: str, keys: Mapping[str, bytes]) -> dict[str, Any]:
    """The claims. A key that the header names is the only one tried; without a name each live one is."""
    if len(token) > SIZE_LIMIT:
        raise BadIdentity
    try:
        named = jwt.get_unverified_header(token).get("kid")
    except (jwt.InvalidTokenError, ValueError, RecursionError) as error:
        raise BadIdentity from error
    if named is not None and not isinstance(named, str):
        raise BadIdentity
    tried = keys.values() if named is None else filter(None, [keys.get(named)])
    for secret in tried:
        try:
            claims: dict[str, Any] = _DECODER.decode(token, secret, algorithms=[ALGORITHM])
        except jwt.InvalidSignatureError:
            continue
        except jwt.MissingRequiredClaimError as error:
            raise BadIdentity(f"`{error.claim}` is missing.") from error
        except (jwt.InvalidTokenError, ValueError, RecursionError) as error:
            raise BadIdentity from error
        return claims
    raise BadIdentity


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    """All in seconds since 1970."""
    times = {name: claims[name] for name in ("exp", "nbf", "iat") if name in claims}
    for name, value in times.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 2**53:
            raise BadIdentity(f"`{name}` must be a number of seconds since 1970.")
    if times["exp"] + LEEWAY <= now:
        raise BadIdentity("The identity has expired.")
    if times["exp"] > now + LIFE_LIMIT + LEEWAY:
        raise BadIdentity("`exp` may be at most 24 hours ahead.")
    if times.get("nbf", now) > now + LEEWAY or times.get("iat", now) > now + LEEWAY:
        raise BadIdentity("The identity counts only later: is a clock wrong?")


def _is_email(text: str) -> bool:
    local, _, domain = text.rpartition("@")
    is_one = bool(local and domain) and "@" not in local and not any(letter.isspace() for letter in text)
    return is_one and len(text) <= EMAIL_LIMIT and _is_clean(text)


def _is_clean(text: str) -> bool:
    """Whether every engine can store it: no U+0000, and nothing that UTF-8 doesn't have."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text
