"""What a shop signs about its customer: only its own live keys count, only now, and only for as long as it says."""

import base64
import json
import math
from typing import Any

import jwt
import pytest

from chat.model import AttributeType
from gateway.identity import LEEWAY, LIFE_LIMIT, BadIdentity, Signed, kept, verify

NOW = 1_795_287_000  # seconds
KEYS = {"key_old": b"sbk_" + b"o" * 43, "key_new": b"sbk_" + b"n" * 43}
TYPES = [
    AttributeType("contact", "plan", "choice", ("basic", "gold")),
    AttributeType("contact", "orders", "number"),
    AttributeType("contact", "city", "text"),
]


def signed(secret: bytes = KEYS["key_new"], headers: dict[str, Any] | None = None, **claims: Any) -> str:
    good = {"sub": "user-7", "exp": NOW + 3600}
    given = {name: value for name, value in {**good, **claims}.items() if value is not ...}
    return jwt.encode(given, secret, "HS256", headers)


def raw(header: dict[str, Any], claims: object, signature: str = "") -> str:
    parts = (json.dumps(header), claims if isinstance(claims, str) else json.dumps(claims))
    return ".".join([*(base64.urlsafe_b64encode(p.encode()).rstrip(b"=").decode() for p in parts), signature])


def refused(token: str, keys: dict[str, bytes] = KEYS, now: int = NOW) -> str | None:
    """Why, or None when it counts."""
    try:
        verify(token, keys, now * 1000)
    except BadIdentity as error:
        return str(error)
    return None


def test_who_is_signed_is_known() -> None:
    found = verify(signed(name="Dana", email="dana@example.com", attributes={"plan": "gold"}), KEYS, NOW * 1000)

    assert found == Signed("user-7", "Dana", "dana@example.com", {"plan": "gold"})


def test_what_is_not_said_is_not_known() -> None:
    assert verify(signed(), KEYS, NOW * 1000) == Signed("user-7", None, None, {})


@pytest.mark.parametrize("key", KEYS)
def test_either_live_key_signs_with_and_without_its_name(key: str) -> None:
    assert refused(signed(KEYS[key])) is None
    assert refused(signed(KEYS[key], {"kid": key})) is None


def test_a_key_that_is_named_is_the_only_one_tried() -> None:
    assert refused(signed(KEYS["key_new"], {"kid": "key_old"})) is not None
    assert refused(signed(KEYS["key_new"], {"kid": "key_none"})) is not None


def test_a_key_that_expired_signs_nothing() -> None:
    assert refused(signed(KEYS["key_old"]), {"key_new": KEYS["key_new"]}) is not None
    assert refused(signed(), {}) is not None


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"exp": NOW - LEEWAY + 1}, None),
        ({"exp": NOW - LEEWAY}, "expired"),
        ({"exp": NOW + LIFE_LIMIT + LEEWAY}, None),
        ({"exp": NOW + LIFE_LIMIT + LEEWAY + 1}, "24 hours"),
        ({"exp": ...}, "`exp` is missing"),
        ({"exp": True}, "`exp` must be"),
        ({"exp": "4000000000"}, "`exp` must be"),
        ({"exp": None}, "`exp`"),
        ({"exp": math.inf}, "`exp` must be"),
        ({"exp": math.nan}, "`exp` must be"),
        ({"exp": 10**400}, "`exp` must be"),
        ({"nbf": NOW + LEEWAY}, None),
        ({"nbf": NOW + LEEWAY + 1}, "later"),
        ({"nbf": "soon"}, "`nbf` must be"),
        ({"iat": NOW + LEEWAY}, None),
        ({"iat": NOW + LEEWAY + 1}, "later"),
        ({"iat": [NOW]}, "`iat` must be"),
        ({"sub": ...}, "`sub` is missing"),
        ({"sub": ""}, "`sub`"),
        ({"sub": "x" * 200}, None),
        ({"sub": "x" * 201}, "`sub`"),
        ({"sub": "ดาน่า"}, None),
        ({"sub": "a\0b"}, "`sub`"),
        ({"sub": "\ud800"}, "`sub`"),
        ({"aud": "somebody else"}, None),
        ({"iss": "a shop"}, None),
    ],
    ids=str,
)
def test_the_claims_must_be_there_and_in_time(claims: dict[str, Any], why: str | None) -> None:
    found = refused(signed(**claims))

    assert found is None if why is None else why in (found or "")


@pytest.mark.parametrize("sub", [7, ["user-7"], {"id": 7}, True, None])
def test_a_sub_that_is_no_text_is_nobody(sub: Any) -> None:
    header, _, _ = signed().partition(".")
    body = base64.urlsafe_b64encode(json.dumps({"sub": sub, "exp": NOW + 60}).encode()).rstrip(b"=").decode()
    algorithm = jwt.get_algorithm_by_name("HS256")
    signature = algorithm.sign(f"{header}.{body}".encode(), KEYS["key_new"])
    token = f"{header}.{body}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"

    assert refused(token) is not None


@pytest.mark.parametrize(
    "token",
    [
        raw({"alg": "none", "typ": "JWT"}, {"sub": "user-7", "exp": NOW + 60}),
        raw({"alg": "None", "typ": "JWT"}, {"sub": "user-7", "exp": NOW + 60}, "x"),
        raw({"alg": "HS256"}, {"sub": "user-7", "exp": NOW + 60}),
        raw({"alg": "RS256"}, {"sub": "user-7", "exp": NOW + 60}, "x"),
        raw({"alg": "HS256", "kid": 7}, {"sub": "user-7", "exp": NOW + 60}, "x"),
        raw({"alg": "HS256", "kid": ["key_new"]}, {"sub": "user-7", "exp": NOW + 60}, "x"),
        raw({"alg": "HS256", "kid": {"a": 1}}, {"sub": "user-7", "exp": NOW + 60}, "x"),
        raw({"alg": "HS256"}, "[" * 3000, "x"),
        jwt.encode({"sub": "user-7", "exp": NOW + 60}, KEYS["key_new"] * 2, "HS512"),
        signed(b"sbk_" + b"x" * 43),
        signed() + "x",
        " " + signed(),
        signed()[:-3],
        "",
        ".",
        "..",
        "a.b.c",
        "\ud800.\ud800.\ud800",
        "é.é.é",
        "\0",
    ],
    ids=lambda token: token[:40].encode("ascii", "replace").decode(),
)
def test_what_no_live_key_has_signed_by_our_algorithm_is_all_refused_alike(token: str) -> None:
    assert refused(token) == BadIdentity.says


def test_one_that_is_too_long_is_not_looked_at() -> None:
    assert refused(signed(attributes={"city": "x" * 9000})) == BadIdentity.says


@pytest.mark.parametrize(
    ("claims", "ignored"),
    [
        ({"name": 7}, ("name",)),
        ({"name": "x" * 101}, ("name",)),
        ({"name": "a\0b"}, ("name",)),
        ({"name": None, "email": None, "attributes": None}, ()),
        ({"email": "nowhere"}, ("email",)),
        ({"email": "a@b@c"}, ("email",)),
        ({"email": "a b@c"}, ("email",)),
        ({"email": "@c"}, ("email",)),
        ({"email": "\ud800@c"}, ("email",)),
        ({"attributes": ["gold"]}, ("attributes",)),
    ],
    ids=str,
)
def test_what_can_not_be_kept_does_not_keep_the_customer_out(claims: dict[str, Any], ignored: tuple[str, ...]) -> None:
    found = verify(signed(**claims), KEYS, NOW * 1000)

    assert (found.sub, found.ignored) == ("user-7", ignored)
    assert (found.name, found.email, found.attributes) == (None, None, {})


def test_only_declared_attributes_of_the_declared_type_are_kept() -> None:
    given = {"plan": "silver", "orders": 7, "city": "\ud800", "height": 180, "\ud800": 1}

    found = kept(verify(signed(attributes=given), KEYS, NOW * 1000), TYPES)

    assert found.attributes == {"orders": 7}
    assert set(found.ignored) == {"attributes.plan", "attributes.city", "attributes.height", "attributes"}


def test_null_takes_a_declared_attribute_away() -> None:
    assert kept(verify(signed(attributes={"plan": None}), KEYS, NOW * 1000), TYPES).attributes == {"plan": None}


def test_a_number_that_is_none_is_ignored() -> None:
    assert kept(verify(signed(attributes={"orders": math.nan}), KEYS, NOW * 1000), TYPES).attributes == {}
