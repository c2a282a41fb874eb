"""Problem details: every code of the wire has a status, and no answer shows what is inside."""

import asyncio

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chat.errors import REFUSALS, RateLimited, Refused, Unavailable
from gateway import http
from gateway.api.problem import STATUS, problem
from gateway.metrics import new_metrics
from tests.shop import Shop, in_a_shop


def answer_to(error: Exception) -> httpx.Response:
    async def fail(request: Request) -> Response:
        raise error

    async def ask() -> httpx.Response:
        app = http.application([Route("/", fail)], new_metrics())
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop.test") as client:
            return await client.get("/")

    return asyncio.run(ask())


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.code)
def test_every_refusal_of_the_wire_has_its_status(refusal: type[Refused]) -> None:
    answer = answer_to(refusal(field="somewhere"))

    assert answer.status_code == STATUS[refusal.code]
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": answer.json()["title"],
        "status": answer.status_code,
        "code": refusal.code,
        "detail": refusal.says,
        "field": "somewhere",
    }


def test_what_may_be_tried_again_says_when() -> None:
    assert problem(RateLimited(after_ms=1200)).headers["retry-after"] == "2"


def test_a_store_that_is_away_is_503_without_its_reasons() -> None:
    answer = answer_to(Unavailable("disk sda1 is full"))

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert "sda1" not in answer.text


def test_a_bug_shows_nothing_of_itself_and_has_all_headers() -> None:
    answer = answer_to(ZeroDivisionError("the secret is 42"))

    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "42" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


@in_a_shop
async def test_no_such_path_and_no_such_method_are_problems_too(shop: Shop) -> None:
    nowhere = await shop.client.get("/v1/nowhere")
    wrong = await shop.client.get("/v1/login")

    assert (nowhere.status_code, nowhere.json()["code"]) == (404, "not_found")
    assert (wrong.status_code, wrong.json()["code"], wrong.headers["allow"]) == (405, "method_not_allowed", "POST")


@in_a_shop
async def test_a_wrong_method_is_told_all_right_ones(shop: Shop) -> None:
    answer = await shop.client.delete("/v1/account")

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, PATCH")
