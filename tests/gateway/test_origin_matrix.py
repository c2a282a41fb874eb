"""From where one may knock, and who may show the widget, as tables. The shop is always another origin than ours.

What browsers do with it (frames refused, messages between windows) is in tests/browser/test_embedding.py.
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.node import Node, on_a_node
from tests.peer import Answer
from tests.shop import OWN, PASSWORD, Shop, in_a_shop

OURS = "https://chat.example"
SHOP = "https://shop.example"
NODE: dict[str, Any] = {
    "public_url": f"{OURS}, https://chat.example:8443, http://127.0.0.1:8000",
    "unauthenticated_per_address": "100000",
    "rate_address_connects": "100000/s",
    "rate_address_requests": "100000/s",
    "rate_address_sessions": "100000/s",
}
OPEN, REFUSED = 101, 403

# Origin headers, as they are sent: several, one or none.
ORIGINS: dict[str, tuple[list[str], bool]] = {
    "ours": ([OURS], True),
    "ours with its own port": ([f"{OURS}:443"], True),
    "ours in capitals": (["HTTPS://CHAT.EXAMPLE"], True),
    "ours at another port that is ours": (["https://chat.example:8443"], True),
    "ours by address": (["http://127.0.0.1:8000"], True),
    "the shop that embeds us": ([SHOP], False),
    "another scheme": (["http://chat.example"], False),
    "another port": (["https://chat.example:444"], False),
    "the other scheme's port": (["https://chat.example:80"], False),
    "port 0": (["https://chat.example:0"], False),
    "an empty port": (["https://chat.example:"], False),
    "two ports": (["https://chat.example:443:443"], False),
    "null": (["null"], False),
    "nothing in it": ([""], False),
    "a star": (["*"], False),
    "a subdomain": (["https://evil.chat.example"], False),
    "the domain above": (["https://example"], False),
    "ours as a beginning": (["https://chat.example.evil.test"], False),
    "ours as an end": (["https://evilchat.example"], False),
    "ours as a user": (["https://chat.example@evil.test"], False),
    "ours with a user": (["https://user@chat.example"], False),
    "ours with a password": (["https://user:pass@chat.example"], False),
    "ours as a path": (["https://evil.test/https://chat.example"], False),
    "ours with a slash": (["https://chat.example/"], False),
    "ours with a path": (["https://chat.example/widget"], False),
    "ours with a question": (["https://chat.example?x"], False),
    "ours with a hash": (["https://chat.example#x"], False),
    "a trailing dot": (["https://chat.example."], False),
    "backslashes": (["https:\\\\chat.example"], False),
    "percent": (["https://chat%2eexample"], False),
    "a letter that looks like ours": (["https://chаt.example"], False),
    "its punycode": (["https://xn--cht-5cd.example"], False),
    "no scheme": (["chat.example"], False),
    "a scheme of sockets": (["wss://chat.example"], False),
    "a file": (["file://"], False),
    "an extension": (["chrome-extension://chat.example"], False),
    "two in one": ([f"{OURS}, {OURS}"], False),
    "two with a space": ([f"{OURS} https://evil.test"], False),
    "ours twice": ([OURS, OURS], False),
    "ours and another": ([OURS, "https://evil.test"], False),
    "another and ours": (["https://evil.test", OURS], False),
    "another spelling of the address": (["http://127.1:8000"], False),
    "the address as a number": (["http://2130706433:8000"], False),
    "the address, mapped": (["http://[::ffff:127.0.0.1]:8000"], False),
}


async def handshake(node: Node, origins: list[str]) -> int:
    headers = [f"Origin: {origin}" for origin in origins]
    try:
        (await node.peer(origin=None, headers=headers)).leave()
    except Answer as answer:
        return answer.status
    return OPEN


@on_a_node(**NODE)
async def test_handshakes(node: Node) -> None:
    """Without any Origin it is no browser: let in, but only a bot's token counts; see test_auth_matrix."""
    found = {name: await handshake(node, origins) for name, (origins, _) in ORIGINS.items()}

    assert found == {name: OPEN if is_ours else REFUSED for name, (_, is_ours) in ORIGINS.items()}
    assert await handshake(node, []) == OPEN


def sent(origins: list[str]) -> list[tuple[bytes, bytes]]:
    return [(b"origin", origin.encode()) for origin in origins]


@on_a_node(**NODE)
async def test_sessions_of_contacts(node: Node) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{node.port}") as http:

        async def status(origins: list[str]) -> int:
            answer = await http.post("/v1/session", json={"inbox": "mine"}, headers=sent(origins))
            assert not [name for name in answer.headers if name.startswith("access-control-")]
            return answer.status_code

        found = {name: await status(origins) for name, (origins, _) in ORIGINS.items()}

        assert found == {name: 200 if is_ours else 403 for name, (_, is_ours) in ORIGINS.items()}
        assert await status([]) == 200  # no browser: a shop's own program


@pytest.mark.parametrize(
    ("method", "path", "body", "without"),
    [
        ("POST", "/v1/login", {"email": "agent@mine.example", "password": PASSWORD}, 200),
        ("POST", "/v1/logout", None, 204),
        ("POST", "/v1/session/end", {"session": "sbs_x"}, 204),
        ("POST", "/v1/token", None, 403),
        ("POST", "/v1/me/totp", {"password": PASSWORD}, 403),
        ("POST", "/v1/me/totp/confirm", {"code": "123456"}, 403),
        ("POST", "/v1/me/totp/off", {"password": PASSWORD}, 403),
        ("POST", "/v1/inboxes/{inbox}/keys", None, 403),
        ("DELETE", "/v1/agents/{agent}/totp", None, 403),
    ],
    ids=str,
)
@in_a_shop
async def test_what_a_cookie_opens_is_asked_from_our_own_pages_alone(
    shop: Shop, method: str, path: str, body: Any, without: int
) -> None:
    path = path.format(inbox=shop.mine.door.id, agent=shop.mine.agent.id)
    for origin in (
        "https://shop.example",
        "null",
        "http://shop.test.evil.test",
        "http://shop.test:81",
        "https://shop.test",
    ):
        client = await shop.agents_client()
        answer = await client.request(method, path, json=body, headers={"origin": origin})
        assert (answer.status_code, answer.json()["code"]) == (403, "origin_refused"), origin
    client = await shop.agents_client()

    assert (await client.request(method, path, json=body)).status_code == without
    client = await shop.agents_client()
    assert (await client.request(method, path, json=body, headers={"origin": str(OWN)})).status_code != 403


@pytest.mark.parametrize("path", ["/v1/session", "/v1/token", "/v1/login", "/v1/conversations", "/widget/mine", "/"])
@in_a_shop
async def test_no_other_origin_is_ever_let_read_an_answer(shop: Shop, path: str) -> None:
    asked = {"origin": SHOP, "access-control-request-method": "POST", "access-control-request-headers": "authorization"}

    for method in ("OPTIONS", "GET", "POST"):
        answer = await shop.client.request(method, path, headers=asked)
        assert not [name for name in answer.headers if name.startswith("access-control-")]


# --- who may show the widget: (an inbox's origins, what frame-ancestors says besides ourselves) ----------------------

EMBEDDINGS: dict[str, tuple[list[str], list[str]]] = {
    "nobody": ([], []),
    "one shop": ([SHOP], [SHOP]),
    "two shops": ([SHOP, "https://shop.test"], [SHOP, "https://shop.test"]),
    "a shop with a port": (["https://shop.example:8443"], ["https://shop.example:8443"]),
    "its own port": (["https://shop.example:443"], [SHOP]),
    "capitals": (["HTTPS://Shop.Example"], [SHOP]),
    "a shop without https": (["http://localhost:3000"], ["http://localhost:3000"]),
    "any shop": (["*"], []),
    "any shop of a domain": (["https://*.example"], []),
    "null": (["null"], []),
    "a path": (["https://shop.example/path"], []),
    "another directive": (["https://shop.example; script-src *"], []),
    "a new line": (["https://shop.example\r\nset-cookie: a=b"], []),
    "a keyword": (["'unsafe-inline'"], []),
    "a script": (["javascript:alert(1)"], []),
    "data": (["data:"], []),
    "a scheme alone": (["https:"], []),
    "one good, one bad": ([SHOP, "*"], [SHOP]),
}


@pytest.mark.parametrize("name", EMBEDDINGS)
@in_a_shop
async def test_the_frame_is_shown_by_the_origins_of_its_inbox_alone(shop: Shop, name: str) -> None:
    origins, shown = EMBEDDINGS[name]
    (shop.folder / "static").mkdir()
    (shop.folder / "static" / "frame.html").write_text("<p>frame</p>")
    (shop.folder / "static" / "manifest.json").write_text("{}")
    await shop.directory.add_inbox(shop.mine.id, "Demo", public_key="shown", origins=origins)

    answer = await shop.client.get("/widget/shown")

    policy = dict(part.partition(" ")[::2] for part in answer.headers["content-security-policy"].split("; "))
    assert policy["frame-ancestors"].split(" ") == ["'self'", str(OWN), *shown]
    assert policy["script-src"] == "'self'"
    assert "set-cookie" not in answer.headers


@in_a_shop
async def test_a_frame_of_no_inbox_is_shown_by_nobody(shop: Shop) -> None:
    answer = await shop.client.get("/widget/nothing")

    assert answer.status_code == 404
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def test_the_tables_have_their_forty_cases_and_more() -> None:
    assert len(ORIGINS) + len(EMBEDDINGS) >= 60
