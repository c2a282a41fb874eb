"""Headers: on every answer, whatever it is, and it is counted."""

import pytest

from gateway.headers import DEFAULTS
from tests.shop import Shop, in_a_shop


@pytest.mark.parametrize("path", ["/healthz", "/v1/me", "/v1/nowhere", "/static/nothing.js", "/demo"])
@in_a_shop
async def test_every_answer_has_them(shop: Shop, path: str) -> None:
    answer = await shop.client.get(path)

    assert {name: answer.headers[name] for name in DEFAULTS} == DEFAULTS


@in_a_shop
async def test_strangers_paths_make_no_new_numbers(shop: Shop) -> None:
    for path in ("/a", "/b", "/v1/conversations/a", "/v1/conversations/b"):
        await shop.client.get(path)

    lines = [
        line for line in shop.metrics.render().decode().splitlines() if line.startswith("shopbell_http_answers_total")
    ]
    assert lines == [
        'shopbell_http_answers_total{resource="none",status="404"} 2.0',
        'shopbell_http_answers_total{resource="conversation",status="401"} 2.0',
    ]
