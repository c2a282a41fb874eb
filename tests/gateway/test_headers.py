"""Headers: on every answer of every route, whatever it is, and it is counted."""

import json
from typing import Any

import httpx
import pytest
from starlette.routing import Route

from gateway import http
from gateway.headers import DEFAULTS, STRICT_TRANSPORT
from tests.shop import OWN, Shop, in_a_shop

PAGES = ("home.html", "demo.html", "console.html", "frame.html")
FRAMED = "/widget/{key}"  # the only page that others may show
SHARED = (FRAMED, "/widget.js", "/static/{name}")  # what other origins may load


def build(shop: Shop) -> None:
    """Every page as the build makes it, as far as headers care."""
    static = shop.folder / "static"
    static.mkdir(exist_ok=True)
    for name in PAGES:
        (static / name).write_text("<p>page</p>")
    (static / "widget.js").write_text("loader()")
    (static / "manifest.json").write_text(json.dumps({"widget.js": "widget.js"}))


def client(shop: Shop, *, is_https: bool = False) -> httpx.AsyncClient:
    app = http.application(shop.routes(), shop.metrics, is_https=is_https)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url=str(OWN))


def directives(answer: httpx.Response) -> dict[str, str]:
    parts = (part.strip().partition(" ") for part in answer.headers["content-security-policy"].split(";"))
    return {name: rest for name, _, rest in parts}


def paths(shop: Shop) -> list[str]:
    return sorted({route.path for route in shop.routes() if isinstance(route, Route)} | {"/nowhere", "/v1/nowhere"})


@in_a_shop
async def test_every_route_has_them_asked_rightly_and_wrongly(shop: Shop) -> None:
    build(shop)
    await shop.directory.add_inbox(shop.mine.id, "Demo", public_key="demo", origins=["https://shop.example"])
    cookie = (await shop.agents_client()).cookies
    browser = client(shop)
    browser.cookies = cookie
    walked = 0
    for path in paths(shop):
        filled = path.replace("{key}", "demo").replace("{name}", "widget.js").replace("{id}", "nothing")
        filled = filled.replace("{", "").replace("}", "")
        asked: list[tuple[str, dict[str, Any]]] = [
            ("GET", {}),
            ("HEAD", {}),
            ("POST", {"json": {}, "headers": {"origin": str(OWN)}}),
            ("POST", {"content": b"\xff", "headers": {"origin": "https://evil.example"}}),
            ("DELETE", {}),
            ("PATCH", {"json": []}),
            ("OPTIONS", {"headers": {"origin": "https://evil.example", "access-control-request-method": "POST"}}),
        ]
        for method, more in asked:
            answer = await browser.request(method, filled, **more)
            where = f"{method} {path} {answer.status_code}"
            walked += 1
            assert answer.status_code < 500 or path == "/readyz", where
            for name, value in DEFAULTS.items():
                if name == "content-security-policy" or (name, path) in {
                    ("cross-origin-resource-policy", shared) for shared in SHARED
                }:
                    assert answer.headers[name], where
                else:
                    assert answer.headers[name] == value, where
            policy = directives(answer)
            assert policy["default-src"] == "'none'", where
            assert policy["base-uri"] == "'none'", where
            assert "unsafe" not in str(policy), where
            assert "*" not in str(policy), where
            if path != FRAMED:
                assert policy["frame-ancestors"] == "'none'", where
            assert not [name for name in answer.headers if name.startswith("access-control-")], where
            assert "server" not in answer.headers, where
            if path.startswith("/v1/") and answer.content:
                assert answer.headers["cache-control"] in ("no-store", "no-cache"), where
    assert walked >= 7 * 25


@in_a_shop
async def test_only_the_frame_may_be_shown_by_the_shops_of_its_inbox(shop: Shop) -> None:
    build(shop)
    await shop.directory.add_inbox(shop.mine.id, "Demo", public_key="demo", origins=["https://shop.example"])

    answer = await client(shop).get("/widget/demo")

    assert directives(answer)["frame-ancestors"] == f"'self' {OWN} https://shop.example"
    assert directives(answer)["script-src"] == "'self'"


@in_a_shop
async def test_over_https_browsers_are_told_to_stay_there(shop: Shop) -> None:
    plain, secure = await client(shop).get("/healthz"), await client(shop, is_https=True).get("/healthz")

    assert "strict-transport-security" not in plain.headers
    assert secure.headers["strict-transport-security"] == STRICT_TRANSPORT["strict-transport-security"]


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
