"""On a phone the panel is the screen, and the console shows one pane at a time."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewContext
from tests.browser.people import Agent, Shopper
from tests.chaos.server import Server

PHONE: dict[str, Any] = {
    "viewport": {"width": 375, "height": 667},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}


@pytest.fixture
def phone(new_context: NewContext) -> Page:
    return new_context(**PHONE).new_page()


def test_the_panel_covers_a_phone_and_the_way_out_is_in_it(phone: Page, agent: Agent, server: Server) -> None:
    shopper = Shopper.visit(phone, server.url)
    shopper.launcher.tap()
    expect(shopper.field).to_be_visible()
    expect(shopper.launcher).to_be_hidden()
    panel = phone.locator("shopbell-chat iframe").bounding_box()
    assert panel == {"x": 0, "y": 0, "width": 375, "height": 667}
    shopper.field.fill("Where is my parcel?")
    shopper.chat.get_by_role("button", name="Send").tap()
    agent.opens()
    agent.says("At your door.")
    shopper.sees("Where is my parcel?", "At your door.")

    shopper.chat.get_by_role("button", name="Close chat").tap()
    expect(shopper.launcher).to_be_visible()
    phone.reload()
    expect(shopper.launcher).to_be_visible()
    expect(shopper.field).to_be_hidden()


def test_an_agent_answers_from_a_phone(phone: Page, shopper: Shopper, server: Server) -> None:
    shopper.opens()
    shopper.says("Where is my parcel?")
    agent = Agent.come(phone, server.url)
    agent.rows.tap()
    expect(agent.rows).to_be_hidden()
    agent.button("Claim").tap()
    agent.field.fill("At your door.")
    agent.button("Send").tap()
    shopper.sees("Where is my parcel?", "At your door.")

    phone.get_by_role("link", name="Back to the list").tap()
    expect(agent.rows).to_be_visible()
    agent.view("Mine").tap()
    expect(agent.rows).to_contain_text(["At your door."])


def test_nothing_is_wider_than_a_phone(phone: Page, shopper: Shopper, server: Server) -> None:
    shopper.opens()
    shopper.says("Where is my parcel?")
    agent = Agent.come(phone, server.url)
    assert not _is_too_wide(phone)
    agent.rows.tap()
    expect(agent.field).to_be_visible()
    assert not _is_too_wide(phone)
    phone.goto(f"{server.url}/demo/")
    expect(Shopper(phone).launcher).to_be_visible()
    assert not _is_too_wide(phone)
    phone.goto(server.url)
    assert not _is_too_wide(phone)


def _is_too_wide(page: Page) -> bool:
    return bool(page.evaluate("document.scrollingElement.scrollWidth > innerWidth"))
