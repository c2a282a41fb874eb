"""Who gets a conversation and why, and what changes hands at the end of a shift."""

import re

import pytest
from playwright.sync_api import Page, expect

from gateway.seed import UNHURRIED
from tests.browser.conftest import NewContext
from tests.browser.people import Agent, Shopper
from tests.browser.rota import NOA, SOMCHAI, Rota
from tests.chaos.server import EMAILS, PASSWORD, Server


@pytest.fixture
def server(own_server: Server) -> Server:
    return own_server


def test_in_the_demo_whoever_signs_in_gets_what_waits(shopper: Shopper, page: Page, rota: Rota, server: Server) -> None:
    rota.team(**UNHURRIED)
    shopper.opens()
    shopper.says("Where is my parcel?")
    expect(shopper.chat.get_by_text("You’re next in line")).to_be_visible()
    page.goto(f"{server.url}/console/")
    page.get_by_label("Email").fill(EMAILS[NOA])
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    agent = Agent(page)
    agent.opens("Where is my parcel?")
    expect(shopper.chat.get_by_text("in line")).to_have_count(0)
    agent.says("In Chiang Mai.")
    shopper.sees("Where is my parcel?", "In Chiang Mai.")


def test_who_is_away_gets_nothing_and_says_why(agent: Agent, colleague: Agent, shopper: Shopper, rota: Rota) -> None:
    rota.team()
    colleague.chooses("Busy")
    agent.chooses("Away", "Lunch")
    expect(agent.standing).to_have_accessible_name(re.compile("Away · Lunch"))
    colleague.button("Colleagues").click()
    line = colleague.sheet("Colleagues").get_by_role("listitem").filter(has_text="Noa")
    expect(line).to_contain_text("Away · Lunch")
    expect(line).to_contain_text("0 of 4")
    colleague.page.keyboard.press("Escape")
    shopper.opens()
    shopper.says("Anybody there?")
    expect(shopper.chat.get_by_text("You’re next in line")).to_be_visible()

    agent.chooses("Available")
    expect(agent.view("Mine")).to_have_accessible_name("Mine: 1 open, 1 unread")
    expect(agent.standing).to_contain_text("1 of 4")


def test_the_status_is_changed_by_keyboard(agent: Agent) -> None:
    keyboard = agent.page.keyboard
    expect(agent.standing).to_be_visible()
    keyboard.press("s")
    switch = agent.sheet("Your status")
    expect(switch.get_by_role("radio", name="Available")).to_be_focused()
    keyboard.press("Escape")
    expect(switch).to_be_hidden()
    expect(agent.standing).to_be_focused()
    keyboard.press("Enter")
    expect(switch.get_by_role("radio", name="Available")).to_be_focused()
    keyboard.press("ArrowDown")
    keyboard.press("ArrowDown")
    keyboard.press("Tab")
    keyboard.type("Lunch")
    keyboard.press("Enter")
    expect(switch).to_be_hidden()
    expect(agent.standing).to_have_accessible_name(re.compile("Away · Lunch"))
    expect(agent.standing).to_be_focused()


def test_a_supervisor_sets_a_colleague_away(agent: Agent, colleague: Agent) -> None:
    colleague.button("Colleagues").click()
    expect(colleague.sheet("Colleagues").get_by_role("listitem").filter(has_text="Noa")).to_contain_text("Available")
    expect(colleague.button("Change the availability of Noa")).to_have_count(0)
    colleague.page.keyboard.press("Escape")

    agent.button("Colleagues").click()
    agent.button("Change the availability of Somchai").click()
    form = agent.sheet("Colleagues")
    form.get_by_role("radio", name="Away").check()
    form.get_by_label("Reason").fill("Went to the doctor")
    form.get_by_role("button", name="Set").click()
    expect(form.get_by_role("radio")).to_have_count(0)
    expect(colleague.standing).to_have_accessible_name(re.compile("Away · Went to the doctor"))


def test_the_queue_says_who_waits_for_whom(agent: Agent, shopper: Shopper, second: Shopper) -> None:
    """Nothing is routed, so both wait until somebody takes them."""
    for each, words in ((shopper, "First"), (second, "Second")):
        each.opens()
        each.says(words)
        each.sees(words)
    agent.button("Queue").click()
    lines = agent.sheet("Queue").get_by_role("listitem")
    expect(lines).to_have_count(2)
    expect(lines.first).to_contain_text(re.compile(r"1 place in line.*Support.*waiting \d+ s"))
    expect(lines.last).to_contain_text("2 place in line")
    lines.last.get_by_role("link").click()
    expect(lines).to_have_count(0)
    agent.sees("Second")


def test_a_conversation_is_transferred_with_a_note(agent: Agent, colleague: Agent, shopper: Shopper) -> None:
    shopper.opens()
    shopper.says("I want my money back")
    agent.opens()
    agent.claims()
    form = agent.transfers("Somchai", note="She has the receipt")
    expect(agent.page.get_by_text("Somchai has it now")).to_be_visible()
    expect(form).to_be_hidden()
    colleague.view("Mine").click()
    colleague.opens()
    colleague.sees("I want my money back", "She has the receipt")
    expect(colleague.log.get_by_text("Noa transferred this to Somchai")).to_have_count(1)
    expect(shopper.log.get_by_text("We’ve passed your conversation to a colleague")).to_be_visible()
    shopper.sees("I want my money back")


def test_a_transfer_that_nobody_can_take_is_refused_or_waits(agent: Agent, colleague: Agent, shopper: Shopper) -> None:
    colleague.chooses("Busy")
    shopper.opens()
    shopper.says("Hello?")
    agent.opens()
    agent.claims()
    form = agent.transfers("Somchai", stays=True)
    expect(form.get_by_role("alert")).to_have_text("Nobody there can take it now, so it stays where it is.")
    form.get_by_role("radio", name="It waits in the queue").check()
    form.get_by_role("button", name="Transfer").click()
    expect(agent.page.get_by_text("It waits in the queue for Somchai.")).to_be_visible()
    expect(agent.log.get_by_text("Noa transferred this to Somchai: it waits in the queue")).to_be_visible()
    expect(shopper.log.get_by_text("We’re looking for the right colleague for you")).to_be_visible()


def test_what_is_not_answered_in_time_goes_back_and_the_log_says_why(
    agent: Agent, shopper: Shopper, new_context: NewContext, rota: Rota, server: Server
) -> None:
    rota.team(answer_seconds=5, bounces=1)
    shopper.opens()
    shopper.says("Anybody there?")
    agent.opens()
    expect(agent.log.get_by_text("Shopbell assigned this to Noa, team Support")).to_be_visible()
    expect(agent.log.get_by_text("Noa didn't answer in time. Back in the queue.")).to_be_visible()
    expect(agent.standing).to_have_accessible_name(re.compile("Away · chats weren't answered"))

    agent.button("Routing log").click()
    decisions = agent.sheet("Routing log").locator("ol > li")
    expect(decisions.last).to_contain_text("Given to Noa")
    expect(decisions.last.get_by_role("row", name=re.compile("Noa"))).to_contain_text("Chosen")
    expect(decisions.filter(has_text="Noa didn't answer in time")).to_have_count(1)
    somchai = Agent.come(new_context().new_page(), server.url, EMAILS[SOMCHAI])
    somchai.opens()
    expect(somchai.button("Transfer")).to_be_visible()
    expect(somchai.button("Routing log")).to_have_count(0)


# ---- the end of a shift


def test_at_the_end_of_a_shift_both_sides_see_what_was_handed_over(
    agent: Agent, colleague: Agent, shopper: Shopper, rota: Rota
) -> None:
    shopper.opens()
    shopper.says("Where is my parcel?")
    agent.opens()
    agent.claims()
    agent.says("One moment.")
    shopper.sees("Where is my parcel?", "One moment.")
    rota.team()
    rota.shift(NOA, "00:00", "11:00")

    expect(agent.page.get_by_text("Your shift is over. Handed over: 1.")).to_be_visible()
    expect(agent.standing).to_have_accessible_name(re.compile("Off shift · until"))
    agent.button("Show what you handed over").click()
    expect(agent.sheet("What you handed over").get_by_role("listitem")).to_contain_text("now with Somchai")
    agent.page.keyboard.press("Escape")
    expect(agent.log.get_by_text("The shift of Noa ended.")).to_be_attached()
    expect(colleague.page.get_by_text("Taken over from colleagues whose shift ended: 1.")).to_be_visible()
    colleague.button("Show what you took over").click()
    taken = colleague.sheet("What you took over").get_by_role("listitem")
    expect(taken).to_contain_text("from Noa")
    taken.get_by_role("link").click()
    colleague.says("Noa has gone home. It is in Chiang Mai.")
    expect(colleague.page.get_by_text("Taken over from colleagues")).to_have_count(0)


def test_who_wants_to_finish_keeps_what_is_open(agent: Agent, colleague: Agent, shopper: Shopper, rota: Rota) -> None:
    shopper.opens()
    shopper.says("Where is my parcel?")
    agent.opens()
    agent.claims()
    rota.team()
    rota.shift(NOA, "00:00", "14:00", wind_down_minutes=120)
    expect(agent.page.get_by_text(re.compile(r"Your shift ends at .*\. Still open: 1\."))).to_be_visible()
    agent.button("Finish what I have").click()
    expect(agent.page.get_by_text("You finish what you have.")).to_be_visible()

    rota.shift(NOA, "00:00", "11:00")
    expect(agent.page.get_by_text("Your shift is over. You still have 1 open.")).to_be_visible()
    expect(colleague.view("Mine")).to_have_accessible_name("Mine: 0 open, 0 unread")
