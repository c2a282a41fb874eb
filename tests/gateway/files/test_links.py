"""Links: one file, five minutes, whoever made the token."""

from typing import Any

import jwt
import pytest

from chat.errors import NotFound
from gateway.files.links import LIFE, Links
from tests.builders import DANA, MINE, NOA, StillClock

SECRET = b"a secret that only tests may know, long enough for every algorithm here"


@pytest.fixture
def links(clock: StillClock) -> Links:
    return Links(SECRET, clock)


def claims(clock: StillClock, **more: Any) -> dict[str, Any]:
    exp = clock.now() // 1000 + 60
    return {"sub": DANA.id, "acc": MINE, "upl": "upl_1", "exp": exp, "aud": "shopbell:file", **more}


def test_a_link_opens_its_file_as_its_asker_sees_it(links: Links) -> None:
    for actor in (DANA, NOA):
        opened = links.open(links.mint(actor, "upl_1"))
        assert (opened.actor.account, opened.actor.kind, opened.actor.id) == (MINE, actor.kind, actor.id)
        assert opened.upload == "upl_1"


def test_a_link_ends(links: Links, clock: StillClock) -> None:
    token = links.mint(DANA, "upl_1")

    clock.move(LIFE - 1)
    assert links.open(token).upload == "upl_1"
    clock.move(1)
    with pytest.raises(NotFound):
        links.open(token)


def test_nobody_else_makes_links(links: Links, clock: StillClock) -> None:
    signed = links.mint(DANA, "upl_1")
    head, body, signature = signed.split(".")
    bad = [
        "",
        "x",
        "a.b.c",
        "x" * 5000,
        f"{head}.{body}.{signature[:-3]}AAA",
        f"{head}.{body}.",
        jwt.encode(claims(clock), b"another secret, which is as long as ours is and as good as ours is too", "HS256"),
        jwt.encode(claims(clock), SECRET, "HS512"),
        jwt.encode(claims(clock), "", "none"),
        jwt.encode(claims(clock, aud="shopbell:socket"), SECRET, "HS256"),
        jwt.encode(claims(clock, exp="9999999999"), SECRET, "HS256"),
        jwt.encode(claims(clock, sub="xxx_1"), SECRET, "HS256"),
        jwt.encode({k: v for k, v in claims(clock).items() if k != "upl"}, SECRET, "HS256"),
    ]

    assert links.open(jwt.encode(claims(clock), SECRET, "HS256")).upload == "upl_1"
    for token in bad:
        with pytest.raises(NotFound):
            links.open(token)
