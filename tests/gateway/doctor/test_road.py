"""What was seen on the way from a browser to the node is put into words that say what to do."""

from __future__ import annotations

import pytest

from gateway import settings
from gateway.doctor.road import Answer, Held, Seen, judge
from gateway.origins import parse_origin
from gateway.settings import Settings

CHOSEN = settings.read({"SHOPBELL_PUBLIC_URL": "https://chat.example.com", "SHOPBELL_TRUSTED_PROXIES": "10.0.0.1"})
READY = Answer("http", status=200, body='{"status":"ok"}')
WELL = Held(pong_ms=3.0, code=4005, silence=10.0, silence_code=4004)
OPEN = Answer("open")


def said(
    seen: Seen, *, is_node_here: bool = True, url: str = "https://chat.example.com", chosen: Settings = CHOSEN
) -> str:
    origin = parse_origin(url)
    assert origin is not None
    return "\n".join(map(str, judge(origin, seen, chosen, is_node_here=is_node_here)))


def refused(status: int, body: str = "", **headers: str) -> Seen:
    return Seen(READY, Answer("http", status=status, headers=headers, body=body))


def test_a_good_road_is_one_line() -> None:
    text = said(Seen(READY, OPEN, WELL))

    assert text == (
        "ok    https://chat.example.com: a WebSocket opens, a ping takes 3 ms, and it is closed properly (4005). "
        "10 s of silence are borne."
    )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer("name"), "can't be resolved"),
        (Answer("refused"), "Start the proxy"),
        (Answer("timeout"), "a firewall may drop"),
        (Answer("certificate", "certificate has expired"), "certificate has expired. Renew it"),
        (Answer("tls", "WRONG_VERSION_NUMBER"), "does this port speak https"),
        (Answer("broken", "reset"), "the connection is cut (reset)"),
        (Answer("unreachable", "No route to host"), "No route to host"),
        (Answer("http", status=301, headers={"location": "https://www.example.com/"}), "leads on to https://www.ex"),
        (Answer("http", status=502), "look at the address that the proxy sends to"),
        (Answer("http", status=401), "asks for a login"),
        (Answer("http", status=200, body="<html>Welcome to nginx", headers={"server": "nginx"}), "(200 (nginx))"),
        (Answer("http", status=200, body="[]"), "something else answers"),
        (Answer("http", status=503, body='{"status":"draining"}'), "is stopping"),
        (Answer("http", status=503, body='{"status":"store away"}'), "isn't ready: store away"),
    ],
)
def test_a_page_that_doesnt_come_is_explained(answer: Answer, words: str) -> None:
    text = said(Seen(answer))

    assert text.startswith("fail  https://chat.example.com: ")
    assert words in text


def test_where_no_node_runs_here_that_is_what_is_asked_first() -> None:
    assert "Start `shopbell serve`" in said(Seen(Answer("refused")), is_node_here=False)
    assert "Is a node running?" in said(Seen(Answer("http", status=502)), is_node_here=False)


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (
            refused(426, server="nginx"),
            "the proxy (nginx) passes the request on without its Upgrade header. nginx: pro",
        ),
        (refused(404, '{"code":"not_found"}'), "without its Upgrade header"),
        (refused(404, "<html>"), "knows no /v1/socket"),
        (refused(403, "This origin may not connect."), "another SHOPBELL_PUBLIC_URL than this command"),
        (refused(403, "Blocked"), "a firewall for web applications"),
        (refused(429), "SHOPBELL_TRUSTED_PROXIES"),
        (refused(503, "This node is stopping."), "is stopping"),
        (refused(503, "Too many connections at once."), "shopbell_handshakes_total"),
        (refused(502), "elsewhere than the rest"),
        (refused(302, location="/login"), "leads on to /login"),
        (refused(200, "<html>"), "200, not 101"),
        (refused(400), "400, not 101"),
        (Seen(READY, Answer("broken", "did not receive a valid HTTP response")), "the connection is cut"),
    ],
)
def test_an_upgrade_that_fails_is_explained(seen: Seen, words: str) -> None:
    text = said(seen)

    assert text.startswith("fail  https://chat.example.com: pages come through, and the WebSocket doesn't: ")
    assert words in text


@pytest.mark.parametrize(
    ("held", "words"),
    [
        (Held(code=1006), "cut at once"),
        (Held(), "buffering off"),
        (Held(pong_ms=2.0), "holds texts back"),
        (Held(pong_ms=2.0, code=1006), "cut at the first text"),
        (Held(pong_ms=2.0, code=4005, silence=5.0, silence_code=1006), "cut after 5 s of silence"),
    ],
)
def test_a_socket_that_opens_and_doesnt_work_is_explained(held: Held, words: str) -> None:
    text = said(Seen(READY, OPEN, held))

    assert text.startswith("fail  https://chat.example.com: a WebSocket opens and doesn't work: ")
    assert words in text


def test_a_node_of_another_version_that_closes_otherwise_is_still_a_working_socket() -> None:
    assert said(Seen(READY, OPEN, Held(pong_ms=2.0, code=4001, silence=3.0, silence_code=4004))).startswith("ok")


def test_a_proxy_that_isnt_trusted_is_noted() -> None:
    page = Answer("http", status=200, body='{"status":"ok"}', headers={"server": "nginx"})

    assert "SHOPBELL_TRUSTED_PROXIES isn't set" in said(Seen(page, OPEN, WELL), chosen=settings.read({}))
    assert "SHOPBELL_TRUSTED_PROXIES" not in said(Seen(page, OPEN, WELL))


def test_http_in_the_open_is_noted() -> None:
    assert "it isn't https" in said(Seen(READY, OPEN, WELL), url="http://chat.example.com")
    assert "it isn't https" not in said(Seen(READY, OPEN, WELL), url="http://127.0.0.1:8000")
