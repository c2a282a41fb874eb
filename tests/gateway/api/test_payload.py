"""Bodies: small, typed, JSON; and the field at fault is named."""

import json
from collections.abc import AsyncIterator

import pytest

from gateway.api.payload import BODY_LIMIT
from tests.shop import PASSWORD, Shop, in_a_shop

JSON = {"content-type": "application/json"}
GOOD = json.dumps({"email": "agent@mine.example", "password": PASSWORD}).encode()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"email": 7, "password": "x"}', "email"),
        (b'{"email": "a"}', "password"),
        (b'{"email": "", "password": "x"}', "email"),
        (b'{"email": "a\\u0000b", "password": "x"}', "email"),
        (b'{"email": "a", "password": ["x"]}', "password"),
        (b'{"email": "a", "password": "' + b"x" * 2000 + b'"}', "password"),
        (b"[]", None),
        (b'"text"', None),
        (b"null", None),
        (b"{", None),
        (b"", None),
        (b"\xff\xfe", None),
        (b'{"email": "\xff", "password": "x"}', None),
        (b'{"email": "\\ud800", "password": "x"}', None),
        (b"[" * 16_000, None),
        (b'{"more": ' + b"[" * 16_000, None),
        (b'{"email": NaN, "password": "x"}', None),
    ],
    ids=lambda value: str(value)[:40],
)
@in_a_shop
async def test_a_body_that_makes_no_sense_is_told_where(shop: Shop, body: bytes, field: str | None) -> None:
    answer = await shop.client.post("/v1/login", content=body, headers=JSON)

    assert (answer.status_code, answer.json()["code"], answer.json().get("field")) == (400, "bad_request", field)


@in_a_shop
async def test_a_body_beyond_the_limit_is_too_large_announced_or_not(shop: Shop) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 1000

    announced = await shop.client.post("/v1/login", content=b" " * (BODY_LIMIT + 1), headers=JSON)
    streamed = await shop.client.post("/v1/login", content=chunks(), headers=JSON)

    for answer in (announced, streamed):
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


@in_a_shop
async def test_a_body_of_exactly_the_limit_is_read(shop: Shop) -> None:
    answer = await shop.client.post("/v1/login", content=GOOD.ljust(BODY_LIMIT), headers=JSON)

    assert answer.status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonp"])
@in_a_shop
async def test_what_a_form_elsewhere_can_send_is_not_read(shop: Shop, kind: str) -> None:
    answer = await shop.client.post("/v1/login", content=GOOD, headers={"content-type": kind})

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=utf-8"])
@in_a_shop
async def test_json_is_read_however_it_is_called(shop: Shop, kind: str) -> None:
    assert (await shop.client.post("/v1/login", content=GOOD, headers={"content-type": kind})).status_code == 200


@in_a_shop
async def test_unknown_fields_are_ignored(shop: Shop) -> None:
    answer = await shop.client.post(
        "/v1/login", json={"email": "agent@mine.example", "password": PASSWORD, "remember": True}
    )

    assert answer.status_code == 200
