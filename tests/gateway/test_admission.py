"""Who is let in at the handshake, and with which answer the others are turned away."""

from collections.abc import Sequence
from typing import Any

import pytest
from websockets.datastructures import Headers

from gateway.address import Addresses
from gateway.admission import Admission, HandshakeLimits, Turned
from gateway.limits import Meter, Rate
from gateway.metrics import new_metrics
from gateway.origins import Origin, Origins
from tests.builders import StillClock

OWN = "https://chat.example"


HOME = "198.51.100.7"
AMPLE = Rate(1000, 1000)


def an_admission(
    clock: StillClock | None = None,
    *,
    per_second: int = 1000,
    unauthenticated: int = 500,
    connects: Rate = AMPLE,
    of_one: int = 500,
) -> Admission:
    return Admission(
        Origins([Origin("https", "chat.example", 443)]),
        Addresses(("10.0.0.1",)),
        clock or StillClock(),
        new_metrics(),
        HandshakeLimits(per_second, unauthenticated, Meter(connects), of_one),
    )


def knock(admission: Admission, path: str = "/v1/socket", origins: Sequence[str] = (OWN,), address: str = HOME) -> bool:
    headers = Headers()
    for origin in origins:
        headers["Origin"] = origin
    return admission.check(path, headers, address)


def turned(admission: Admission, **how: Any) -> Turned:
    with pytest.raises(Turned) as caught:
        knock(admission, **how)
    return caught.value


def test_our_own_origin_is_let_in() -> None:
    assert knock(an_admission())
    assert knock(an_admission(), origins=["https://chat.example:443"])
    assert knock(an_admission(), path="/v1/socket?v=1")


def test_who_has_no_origin_is_let_in_and_remembered_as_such() -> None:
    assert not knock(an_admission(), origins=[])


@pytest.mark.parametrize(
    "origin",
    [
        "https://chat.example.evil.example",
        "https://evil-chat.example",
        "http://chat.example",
        "https://chat.example:8443",
        "https://chat.example/",
        "null",
        "",
        "https://user@chat.example",
        "https://chat.example, https://evil.example",
    ],
)
def test_no_other_origin_is_let_in(origin: str) -> None:
    with pytest.raises(Turned) as turned:
        knock(an_admission(), origins=[origin])

    assert turned.value.status == 403


def test_two_origins_are_no_origin_of_ours() -> None:
    with pytest.raises(Turned) as turned:
        knock(an_admission(), origins=[OWN, "https://evil.example"])

    assert turned.value.status == 403


@pytest.mark.parametrize("path", ["/", "/v1/socket/", "/v1/sockets", "/V1/socket", "//v1/socket", "/v1", "?/v1/socket"])
def test_there_is_one_path(path: str) -> None:
    with pytest.raises(Turned) as turned:
        knock(an_admission(), path=path)

    assert turned.value.status == 404


def test_a_node_that_drains_says_come_back() -> None:
    admission = an_admission()
    admission.is_draining = True

    with pytest.raises(Turned) as turned:
        knock(admission)

    assert turned.value.status == 503
    assert turned.value.headers["Retry-After"]
    before = admission.shed("203.0.113.9")
    assert before is not None
    assert before.status == 503


def test_so_many_handshakes_a_second() -> None:
    clock = StillClock()
    admission = an_admission(clock, per_second=3)
    for _ in range(3):
        knock(admission)

    with pytest.raises(Turned) as turned:
        knock(admission)
    assert turned.value.status == 503

    clock.move(0.5)
    assert knock(admission)


def test_so_many_that_havent_said_who_they_are() -> None:
    admission = an_admission(unauthenticated=2)
    for _ in range(2):
        knock(admission)
        admission.enter(HOME)

    with pytest.raises(Turned) as turned:
        knock(admission)
    assert turned.value.status == 503

    admission.known(HOME)
    assert knock(admission)


def test_a_stranger_costs_the_others_none_of_their_handshakes() -> None:
    admission = an_admission(per_second=1)

    for _ in range(5):
        with pytest.raises(Turned):
            knock(admission, origins=["https://evil.example"])

    assert knock(admission)


# --- one address -----------------------------------------------------------------------------------------------------


def test_one_address_gets_so_many_sockets_and_the_others_theirs() -> None:
    clock = StillClock()
    admission = an_admission(clock, connects=Rate(0.5, 3))
    for _ in range(3):
        knock(admission)

    refused = turned(admission)

    assert (refused.status, refused.headers["Retry-After"]) == (429, "3")
    assert knock(admission, address="203.0.113.9")
    clock.move(2)
    assert knock(admission)


def test_bots_come_as_often_as_they_like_while_they_are_bots() -> None:
    admission = an_admission(connects=Rate(0.5, 2), of_one=1)

    for _ in range(10):
        assert not knock(admission, origins=[])
        admission.enter(HOME)
        admission.known(HOME)


def test_who_without_an_origin_is_not_let_in_counts_as_often_as_it_tries() -> None:
    admission = an_admission(connects=Rate(0.5, 2))
    for _ in range(2):
        knock(admission, origins=[])
        admission.enter(HOME)
        admission.left(HOME, has_origin=False)

    assert turned(admission, origins=[]).status == 429
    assert not knock(admission, origins=[], address="203.0.113.9")


def test_one_address_may_keep_so_many_silent_sockets() -> None:
    admission = an_admission(of_one=2)
    for _ in range(2):
        knock(admission)
        admission.enter(HOME)

    assert turned(admission).status == 429
    assert turned(admission, origins=[]).status == 429
    assert knock(admission, address="203.0.113.9")

    admission.left(HOME, has_origin=True)
    assert knock(admission)


def test_what_an_address_is_refused_costs_the_node_nothing() -> None:
    admission = an_admission(per_second=2, connects=Rate(0.5, 1))
    knock(admission)
    for _ in range(5):
        turned(admission)

    assert knock(admission, address="203.0.113.9")


def test_nothing_stays_of_an_address_whose_sockets_are_gone() -> None:
    admission = an_admission()
    for address in (HOME, HOME, "203.0.113.9"):
        admission.enter(address)
    admission.known(HOME)
    admission.left(HOME, has_origin=True)
    admission.left("203.0.113.9", has_origin=True)

    assert admission._waiting_by_address == {}


def test_the_address_is_the_clients_behind_a_trusted_proxy_only() -> None:
    headers = Headers()
    headers["X-Forwarded-For"] = "203.0.113.9"

    assert an_admission().address("10.0.0.1", headers) == "203.0.113.9"
    assert an_admission().address("10.0.0.2", headers) == "10.0.0.2"


def test_whoever_is_one_too_many_is_told_before_anything_is_looked_at() -> None:
    clock = StillClock()
    admission = an_admission(clock, per_second=2, connects=Rate(1, 3))
    assert admission.shed(HOME) is None

    knock(admission)
    knock(admission)
    refused = admission.shed(HOME)
    assert refused is not None
    assert (refused.status, refused.headers["Retry-After"]) == (503, "1")

    clock.move(1)
    assert admission.shed(HOME) is None, "nothing is taken by asking"
    for _ in range(2):
        knock(admission)
    clock.move(0.5)
    refused = admission.shed(HOME)
    assert refused is not None
    assert refused.status == 429
    assert admission.shed("") is None, "where many share an address, only the node's own limits count"
    assert admission.shed("198.51.100.8") is None


def test_a_refusal_is_a_whole_http_response() -> None:
    refused = Turned(503, "Too many.", {"Retry-After": "1"}).response()

    head, _, body = refused.decode().partition("\r\n\r\n")
    assert head.splitlines() == [
        "HTTP/1.1 503 Service Unavailable",
        "Retry-After: 1",
        "Connection: close",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Length: 10",
    ]
    assert body == "Too many.\n"
