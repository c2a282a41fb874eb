"""Who is let in at the handshake, and with which answer the others are turned away."""

from collections.abc import Sequence

import pytest
from websockets.datastructures import Headers

from gateway.admission import Admission, Turned
from gateway.metrics import new_metrics
from gateway.origins import Origin, Origins
from tests.builders import StillClock

OWN = "https://chat.example"


def an_admission(clock: StillClock | None = None, *, per_second: int = 1000, unauthenticated: int = 500) -> Admission:
    origins = Origins([Origin("https", "chat.example", 443)])
    return Admission(
        origins, clock or StillClock(), new_metrics(), per_second=per_second, unauthenticated=unauthenticated
    )


def knock(admission: Admission, path: str = "/v1/socket", origins: Sequence[str] = (OWN,)) -> bool:
    headers = Headers()
    for origin in origins:
        headers["Origin"] = origin
    return admission.check(path, headers)


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
        admission.enter()

    with pytest.raises(Turned) as turned:
        knock(admission)
    assert turned.value.status == 503

    admission.known()
    assert knock(admission)


def test_a_stranger_costs_the_others_none_of_their_handshakes() -> None:
    admission = an_admission(per_second=1)

    for _ in range(5):
        with pytest.raises(Turned):
            knock(admission, origins=["https://evil.example"])

    assert knock(admission)
