"""A shop's page says who the shopper is: conversations go along, and logging out leaves nothing for who comes next."""

import time
from typing import Any

import httpx
import jwt
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NewContext
from tests.browser.people import Shopper
from tests.browser.watch import Watch
from tests.chaos.server import EMAILS, PASSWORD, Server


class Backend:
    """The shop's, with a key that its admin has made."""

    def __init__(self, server: Server) -> None:
        with httpx.Client(base_url=server.url, headers={"origin": server.url}) as http:
            login = http.post("/v1/login", json={"email": EMAILS[0], "password": PASSWORD})
            assert login.status_code == 200, login.text
            inbox = http.get("/v1/staff").json()["inboxes"][0]["id"]
            for old in http.get(f"/v1/inboxes/{inbox}/keys").json()["keys"]:
                http.post(f"/v1/inboxes/{inbox}/keys/{old['id']}/expire", json={})
            self._secret = http.post(f"/v1/inboxes/{inbox}/keys").json()["secret"]

    def signs(self, sub: str, **claims: Any) -> str:
        return jwt.encode({"sub": sub, "exp": int(time.time()) + 300, **claims}, self._secret, "HS256")


@pytest.fixture
def backend(server: Server) -> Backend:
    return Backend(server)


def identifies(shopper: Shopper, token: str) -> None:
    shopper.page.evaluate("(token) => Shopbell.identify(token)", token)


def test_a_customer_finds_the_same_on_every_device_and_leaves_nothing_behind(
    new_context: NewContext, server: Server, backend: Backend
) -> None:
    laptop = Shopper.visit(new_context().new_page(), server.url)
    identifies(laptop, backend.signs("dana", name="Dana"))
    laptop.opens()
    laptop.says("from the laptop")
    laptop.sees("from the laptop")

    phone = Shopper.visit(new_context().new_page(), server.url)
    phone.opens()
    phone.says("from the phone")
    phone.sees("from the phone")
    identifies(phone, backend.signs("dana", name="Dana"))
    phone.says("and again")
    phone.sees("from the phone", "and again")
    laptop.page.reload()
    laptop.sees("from the phone", "and again")

    phone.page.evaluate("Shopbell.logout()")
    expect(phone.chat.get_by_role("heading", name="Chat with us")).to_be_visible()
    phone.page.reload()
    expect(phone.chat.get_by_role("heading", name="Chat with us")).to_be_visible()
    phone.says("somebody else")
    phone.sees("somebody else")
    laptop.page.reload()
    laptop.sees("from the phone", "and again")


def test_the_other_tab_of_a_browser_signs_in_and_out_with_the_first(
    new_context: NewContext, server: Server, backend: Backend, watch: Watch
) -> None:
    watch.allow("already in CLOSING or CLOSED")  # what the tab says before it has heard that its socket is closed
    context = new_context()
    first, second = (Shopper.visit(context.new_page(), server.url) for _ in range(2))
    first.opens()
    first.says("hello")
    first.sees("hello")
    second.opens()
    second.sees("hello")

    identifies(first, backend.signs("eli"))
    second.says("from the second tab")
    first.sees("hello", "from the second tab")
    second.sees("hello", "from the second tab")

    first.page.evaluate("Shopbell.logout()")
    for tab in (first, second):
        expect(tab.chat.get_by_role("heading", name="Chat with us")).to_be_visible()


def test_what_no_key_has_signed_shows_nothing_of_whoever_was_here_before(
    new_context: NewContext, server: Server, backend: Backend, watch: Watch
) -> None:
    watch.allow("401 .*/v1/session|status of 401")
    shopper = Shopper.visit(new_context().new_page(), server.url)
    identifies(shopper, backend.signs("noor"))
    shopper.opens()
    shopper.says("Noor's")
    shopper.sees("Noor's")

    identifies(shopper, backend.signs("somebody")[:-6] + "forged")

    expect(shopper.messages).to_have_count(0)
