"""Health: alive, ready, and the numbers."""

import pytest

from gateway.api import health
from tests.shop import Shop, in_a_shop


@in_a_shop
async def test_a_node_that_serves_is_alive_and_ready(shop: Shop) -> None:
    assert (await shop.client.get("/healthz")).json() == {"status": "ok"}
    assert (await shop.client.get("/readyz")).json() == {"status": "ok"}


@in_a_shop
async def test_a_draining_node_is_alive_and_not_ready(shop: Shop) -> None:
    shop.is_draining = True

    answer = await shop.client.get("/readyz")

    assert (answer.status_code, answer.json()) == (503, {"status": "draining"})
    assert (await shop.client.get("/healthz")).status_code == 200


@in_a_shop
async def test_a_node_whose_store_does_not_answer_is_not_ready(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PROBE_SECONDS", 0.01)
    shop.is_store_away = True

    answer = await shop.client.get("/readyz")

    assert (answer.status_code, answer.json()) == (503, {"status": "store away"})


@in_a_shop
async def test_metrics_are_prometheus_text(shop: Shop) -> None:
    await shop.client.get("/healthz")

    answer = await shop.client.get("/metrics")

    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'shopbell_http_answers_total{resource="healthz",status="200"} 1.0' in answer.text
    assert "sbs_" not in answer.text
