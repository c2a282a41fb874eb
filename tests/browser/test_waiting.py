"""What shoppers are told: whether anybody is here, their place in line, and how else to get an answer."""

import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.backstage import Backstage
from tests.browser.conftest import NewContext
from tests.browser.people import Agent, Shopper
from tests.browser.rota import NOA, Rota
from tests.browser.watch import Watch
from tests.chaos.server import EMAILS, PASSWORD, Server

HOUR_MS = 3_600_000


@pytest.fixture
def server(own_server: Server) -> Server:
    return own_server


def test_a_shopper_hears_whether_anybody_is_here(shopper: Shopper, new_context: NewContext, server: Server) -> None:
    shopper.opens()
    header = shopper.chat.locator(".header")
    expect(header).to_contain_text("Away")
    expect(shopper.chat.get_by_text("Nobody is here right now.")).to_be_visible()

    agent = Agent.come(new_context().new_page(), server.url)
    expect(header).to_contain_text("Open")
    expect(shopper.chat.get_by_text("Nobody is here right now.")).to_be_hidden()
    agent.chooses("Busy")
    expect(header).to_contain_text("Busy")


def test_what_the_inbox_shows_turns_by_itself_when_no_news_can_come(
    page: Page, agent: Agent, rota: Rota, server: Server, backstage: Backstage, watch: Watch
) -> None:
    watch.allow_outage()
    rota.shift(NOA, "00:00", "14:00")
    page.clock.install()
    shopper = Shopper.visit(page, server.url)
    shopper.opens()
    header = shopper.chat.locator(".header")
    expect(header).to_contain_text("Open")
    backstage.run(server.kill())
    page.clock.fast_forward(2 * HOUR_MS)
    expect(header).to_contain_text(re.compile(r"Away · Back (tomorrow )?at \d"))


def test_two_who_wait_know_their_places(
    shopper: Shopper, second: Shopper, new_context: NewContext, rota: Rota, server: Server
) -> None:
    rota.team()
    rota.slots(NOA, 1)
    shopper.opens()
    shopper.says("First")
    expect(shopper.chat.get_by_text("You’re next in line")).to_be_visible()
    second.opens()
    second.says("Second")
    expect(second.chat.get_by_text("You’re number 2 in line")).to_be_visible()

    agent = Agent.come(new_context().new_page(), server.url)
    expect(second.chat.get_by_text("You’re next in line")).to_be_visible()
    expect(shopper.chat.get_by_text("in line")).to_have_count(0)
    agent.view("Mine").click()
    agent.opens("First")
    agent.says("Here I am.")
    agent.button("Resolve").click()
    expect(second.chat.get_by_text("in line")).to_have_count(0)


def test_the_place_is_told_to_screen_readers_and_the_time_is_not(shopper: Shopper, rota: Rota) -> None:
    rota.team()
    shopper.opens()
    shopper.says("Hello?")
    place = shopper.chat.get_by_text("You’re next in line")
    expect(place).to_have_role("status")
    expect(place).to_have_attribute("aria-live", "polite")
    expect(shopper.chat.locator(".place [role=status]")).to_have_text("You’re next in line")


def test_when_the_queue_is_full_a_message_can_be_left(shopper: Shopper, second: Shopper, rota: Rota) -> None:
    rota.team(queue_limit=1)
    shopper.opens()
    shopper.says("First")
    expect(shopper.chat.get_by_text("You’re next in line")).to_be_visible()
    second.opens()
    second.says("Second")
    expect(second.chat.get_by_text("Too many people are waiting right now.")).to_be_visible()
    email = second.chat.get_by_role("textbox", name="Your email")
    email.fill("dana")
    second.chat.get_by_role("button", name="Leave a message").click()
    expect(email).to_be_focused()
    email.fill("dana@home.example")
    second.chat.get_by_role("button", name="Leave a message").click()
    second.sees("Second")
    expect(second.chat.get_by_text("We’ll answer by email.")).to_be_visible()
    expect(second.chat.get_by_text("in line")).to_have_count(0)


def test_who_comes_when_nobody_is_here_can_leave_an_address(
    shopper: Shopper, new_context: NewContext, server: Server
) -> None:
    shopper.opens()
    email = shopper.chat.get_by_role("textbox", name="Your email")
    email.fill("dana@")
    shopper.field.fill("Do you ship to Iğdır?")
    expect(shopper.chat.get_by_text("This isn’t an email address.")).to_be_visible()
    expect(shopper.chat.get_by_role("button", name="Send")).to_be_disabled()
    email.fill("dana@home.example")
    shopper.says("Do you ship to Iğdır?")
    expect(shopper.chat.get_by_text("We’ll answer by email.")).to_be_visible()

    agent = Agent.come(new_context().new_page(), server.url)
    agent.button("Queue").click()
    expect(agent.sheet("Queue").get_by_role("listitem")).to_contain_text("left a message")


def in_hebrew(route: Route) -> None:
    """The shop's page, of a shop that speaks Hebrew."""
    response = route.fetch()
    route.fulfill(response=response, body=response.text().replace('lang="en"', 'lang="he" dir="rtl"'))


def test_all_of_it_is_said_in_hebrew(new_context: NewContext, server: Server, rota: Rota) -> None:
    rota.team()
    page = new_context(locale="he-IL").new_page()
    page.route("**/demo/", in_hebrew)
    shopper = Shopper.visit(page, server.url)
    shopper.opens()
    expect(shopper.chat.locator(".header")).to_contain_text("לא זמין")
    shopper.field.fill("שלום")
    shopper.field.press("Enter")
    expect(shopper.chat.get_by_text("התור שלך הוא הבא")).to_be_visible()
    expect(shopper.chat.locator("html")).to_have_attribute("dir", "rtl")

    page = new_context(locale="he-IL").new_page()
    login = {"email": EMAILS[NOA], "password": PASSWORD}
    page.request.post(f"{server.url}/v1/login", data=login, headers={"Origin": server.url})
    page.goto(f"{server.url}/console/#/mine/open")
    expect(page.get_by_role("button", name=re.compile("^המצב שלך: .?זמין"))).to_be_visible()
    expect(page.locator("[data-conversation]")).to_have_count(1)
    page.get_by_role("button", name="תור", exact=True).click()
    expect(page.get_by_role("dialog", name="תור")).to_be_visible()
