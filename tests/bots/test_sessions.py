"""Getting a token over HTTP, from a server of a few lines."""

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
import pytest

from bots import Refused, Shopper, Staff
from bots.sessions import origin

SEEN: list[tuple[str, Any, dict[str, str]]] = []


class Answers(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = orjson.loads(self.rfile.read(int(self.headers["Content-Length"])))
        SEEN.append((self.path, body, dict(self.headers)))
        status, answer = self.answer(body)
        data = orjson.dumps(answer)
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        if self.path == "/v1/login":
            self.send_header("set-cookie", "shopbell=abc; HttpOnly; SameSite=Strict")
        self.end_headers()
        self.wfile.write(data)

    def answer(self, body: Any) -> tuple[int, Any]:
        if body.get("password") == "wrong":
            return 401, {"code": "bad_credentials", "detail": "no"}
        if body.get("inbox") == "down":
            return 503, {}
        session = {"session": "secret", "inbox": {"id": "inb_1"}, "contact": {"id": "con_1"}}
        return 200, session | {"token": f"token-{len(SEEN)}", "agent": {"id": "agt_1"}}

    def log_message(self, format: str, *args: Any) -> None:
        """Tests are quiet."""


@pytest.fixture
def url() -> Iterator[str]:
    SEEN.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_shopper_opens_a_session_and_gets_fresh_tokens_for_the_same_contact(url: str) -> None:
    async def play() -> list[str]:
        shopper = await Shopper.open(url, "demo")
        assert (shopper.secret, shopper.inbox, shopper.contact) == ("secret", "inb_1", "con_1")
        return [await shopper.token(), await shopper.token()]

    assert asyncio.run(play()) == ["token-1", "token-2"]
    assert [body for _, body, _ in SEEN] == [{"inbox": "demo"}, {"inbox": "demo", "session": "secret"}]
    assert SEEN[0][2]["Origin"] == url


def test_an_agent_logs_in_and_asks_with_the_cookie(url: str) -> None:
    async def play() -> str:
        staff = await Staff.login(url, "noa@demo.shop", "right")
        assert staff.agent == {"id": "agt_1"}
        return await staff.token()

    assert asyncio.run(play()) == "token-2"
    assert SEEN[1][0] == "/v1/token"
    assert SEEN[1][2]["Cookie"] == "shopbell=abc"


def test_wrong_credentials_are_refused_with_their_code(url: str) -> None:
    with pytest.raises(Refused, match="bad_credentials"):
        asyncio.run(Staff.login(url, "noa@demo.shop", "wrong"))


def test_a_service_in_trouble_may_be_tried_again(url: str) -> None:
    with pytest.raises(OSError, match="503"):
        asyncio.run(Shopper.open(url, "down"))


def test_an_origin_is_scheme_and_host() -> None:
    assert origin("https://chat.example:8443/path?x=1") == "https://chat.example:8443"
