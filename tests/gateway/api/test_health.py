"""Health: alive, ready, and the numbers."""

import httpx
import pytest

from gateway.api import health
from gateway.http import application
from gateway.metrics import new_metrics
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


@pytest.mark.parametrize("is_healthy", [True, False])
async def test_a_node_without_its_bus_is_ready_and_says_so(is_healthy: bool) -> None:
    routes = health.routes(lambda: False, _nothing, lambda: b"", is_bus_healthy=lambda: is_healthy)
    transport = httpx.ASGITransport(application(routes, new_metrics()))
    async with httpx.AsyncClient(transport=transport, base_url="http://shop.test") as client:
        answer = await client.get("/readyz")

    assert answer.status_code == 200
    assert answer.json() == ({"status": "ok"} if is_healthy else {"status": "ok", "bus": "away"})


async def asked(host: str, token: bytes | None, **headers: str) -> int:
    routes = health.routes(lambda: False, _nothing, lambda: b"figures", token, is_bus_healthy=lambda: True)
    transport = httpx.ASGITransport(application(routes, new_metrics()), client=(host, 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://shop.test") as client:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return (await client.get("/metrics", headers=sent)).status_code


async def _nothing() -> None: ...


async def test_without_a_token_metrics_are_for_this_machine() -> None:
    assert await asked("127.0.0.1", None) == 200
    assert await asked("::1", None) == 200
    assert await asked("10.0.0.7", None) == 403
    assert await asked("testclient", None) == 403
    assert await asked("127.0.0.1", None, x_forwarded_for="203.0.113.9") == 403
    assert await asked("127.0.0.1", None, forwarded="for=203.0.113.9") == 403


async def test_with_a_token_metrics_are_for_who_has_it_wherever_it_is() -> None:
    token = b"t" * 32

    assert await asked("10.0.0.7", token, authorization="Bearer " + "t" * 32) == 200
    assert await asked("10.0.0.7", token, authorization="bearer " + "t" * 32) == 200
    for wrong in ("Bearer " + "t" * 31, "Bearer ", "Basic " + "t" * 32, "t" * 32):
        assert await asked("127.0.0.1", token, authorization=wrong) == 401
    assert await asked("127.0.0.1", token) == 401


@in_a_shop
async def test_metrics_are_prometheus_text(shop: Shop) -> None:
    await shop.client.get("/healthz")

    answer = await shop.client.get("/metrics")

    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'shopbell_http_answers_total{resource="healthz",status="200"} 1.0' in answer.text
    assert "sbs_" not in answer.text
