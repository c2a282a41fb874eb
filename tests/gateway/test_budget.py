"""What one address may ask over HTTP, and what it hears beyond that."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from gateway.budget import PLACES, limited
from gateway.limits import Meter, Rate
from gateway.metrics import Metrics, new_metrics
from tests.builders import StillClock

AMPLE = Rate(1000, 1000)


class Browser:
    """Somebody at an address, in front of an application that answers everything."""

    def __init__(self, **rates: Rate) -> None:
        self.clock, self.metrics = StillClock(), new_metrics()
        budget = {"requests": AMPLE, "sessions": AMPLE, "logins": AMPLE, "uploads": AMPLE} | rates
        meters = {name: Meter(rate) for name, rate in budget.items()}
        self._app = limited(meters, self.clock, self.metrics)(_everything())

    async def asks(self, method: str = "GET", path: str = "/v1/me", host: str = "198.51.100.7") -> httpx.Response:
        transport = httpx.ASGITransport(self._app, client=(host, 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://shop.test") as client:
            return await client.request(method, path)

    async def tries(self, times: int, **what: Any) -> list[int]:
        return [(await self.asks(**what)).status_code for _ in range(times)]


def _everything() -> Starlette:
    async def fine(request: Request) -> PlainTextResponse:
        return PlainTextResponse("fine")

    return Starlette(routes=[Route("/{path:path}", fine, methods=["GET", "POST"])])


def turned_away(metrics: Metrics, limit: str) -> float | None:
    return metrics.registry.get_sample_value("shopbell_limited_total", {"limit": limit})


async def test_an_address_that_asks_too_often_hears_when_to_come_back() -> None:
    browser = Browser(requests=Rate(0.5, 2))
    assert await browser.tries(2) == [200, 200]

    answer = await browser.asks()

    assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "rate_limited"
    assert turned_away(browser.metrics, "requests") == 1
    browser.clock.move(2)
    assert await browser.tries(2) == [200, 429]


async def test_others_are_not_held_to_it_and_neighbours_in_one_ipv6_network_are() -> None:
    browser = Browser(requests=Rate(0.5, 1))
    assert await browser.tries(2) == [200, 429]

    assert await browser.tries(1, host="198.51.100.8") == [200]
    assert await browser.tries(1, host="2001:db8:1:2::1") == [200]
    assert await browser.tries(1, host="2001:db8:1:2::2") == [429]
    assert await browser.tries(1, host="2001:db8:1:3::1") == [200]


async def test_pages_and_probes_cost_nothing() -> None:
    browser = Browser(requests=Rate(0.5, 1))

    assert await browser.tries(5, path="/console/") == [200] * 5
    assert await browser.tries(5, path="/healthz") == [200] * 5
    assert await browser.tries(1) == [200]


@pytest.mark.parametrize(("place", "name"), PLACES.items(), ids=str)
async def test_what_costs_more_has_a_budget_of_its_own(place: tuple[str, str], name: str) -> None:
    method, path = place
    browser = Browser(**{name: Rate(0.5, 1)})

    assert await browser.tries(3, method=method, path=path) == [200, 429, 429]
    assert turned_away(browser.metrics, name) == 2
    assert await browser.tries(3) == [200] * 3
