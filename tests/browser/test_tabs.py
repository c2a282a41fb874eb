"""Several tabs of one shopper and of one agent: they are one person, and all show the same."""

from playwright.sync_api import expect

from tests.browser.backstage import Backstage
from tests.browser.conftest import NewContext
from tests.browser.people import Agent, Shopper
from tests.browser.store import said
from tests.browser.watch import Watch
from tests.chaos.server import Server


def test_two_tabs_of_a_shopper_are_one_shopper(new_context: NewContext, agent: Agent, server: Server) -> None:
    context = new_context()
    first, second = (Shopper.visit(context.new_page(), server.url) for _ in range(2))
    first.opens()
    second.opens()
    first.says("Where is my parcel?")
    agent.opens()
    agent.says("On its way.")
    for tab in (first, second):
        tab.sees("Where is my parcel?", "On its way.")

    second.says("And the second one?")
    first.says("Thank you!")
    for side in (first, second, agent):
        expect(side.messages).to_have_count(4)
    expect(agent.rows).to_have_count(1)
    order = agent.messages.all_text_contents()
    for side in (first, second, agent):
        side.sees(*order)


def test_reading_in_one_tab_clears_the_badge_in_the_other(
    new_context: NewContext, agent: Agent, server: Server
) -> None:
    context = new_context()
    first = Shopper.visit(context.new_page(), server.url)
    first.opens()
    first.says("Where is my parcel?")
    agent.opens()
    first.closes()
    second = Shopper.visit(context.new_page(), server.url)
    agent.says("At your door.")
    expect(first.badge).to_have_text("1")
    expect(second.badge).to_have_text("1")

    second.opens()
    second.sees("Where is my parcel?", "At your door.")
    expect(first.badge).to_have_text("")


def test_a_tab_whose_timers_stand_still_shows_what_came(new_context: NewContext, server: Server) -> None:
    page = new_context().new_page()
    page.clock.install()
    shopper = Shopper.visit(page, server.url)
    expect(shopper.launcher).to_be_visible()
    page.clock.pause_at(page.evaluate("Date.now()") + 1000)  # as in a tab that was just put into the background
    shopper.opens()
    shopper.says("Where is my parcel?")
    shopper.sees("Where is my parcel?")


def test_what_waited_in_a_closed_tab_leaves_once_from_the_next(
    new_context: NewContext, agent: Agent, server: Server, backstage: Backstage, watch: Watch
) -> None:
    watch.allow_outage()
    context = new_context()
    first, second = (Shopper.visit(context.new_page(), server.url) for _ in range(2))
    first.opens()
    first.says("Where is my parcel?")
    agent.opens()
    second.opens()
    second.sees("Where is my parcel?")
    backstage.run(server.kill())
    first.says("It was due on Monday")
    expect(first.messages).to_have_count(2)
    first.page.close()

    backstage.run(server.start())
    third = Shopper.visit(context.new_page(), server.url)
    third.opens()
    for side in (second, third, agent):
        side.sees("Where is my parcel?", "It was due on Monday")
    backstage.run(server.kill())
    assert said(server) == ["Where is my parcel?", "It was due on Monday"]


def test_two_consoles_of_an_agent_show_the_same(shopper: Shopper, agent: Agent, server: Server) -> None:
    other = Agent.come(agent.page.context.new_page(), server.url)
    shopper.opens()
    shopper.says("Where is my parcel?")
    expect(other.view("Unassigned")).to_have_accessible_name("Unassigned: 1 open, 1 unread")
    agent.opens()
    expect(other.view("Unassigned")).to_have_accessible_name("Unassigned: 1 open, 0 unread")
    other.opens()
    agent.claims()
    expect(other.button("Claim")).to_be_hidden()

    agent.says("On its way.")
    other.notes("DHL, not the post")
    for side in (agent, other):
        side.sees("Where is my parcel?", "On its way.", "DHL, not the post")
    shopper.sees("Where is my parcel?", "On its way.")


def test_after_signing_out_in_one_console_the_other_can_not_be_loaded_again(
    agent: Agent, server: Server, watch: Watch
) -> None:
    watch.allow("401 ")
    other = Agent.come(agent.page.context.new_page(), server.url)
    agent.button("Sign out").click()
    expect(agent.page.get_by_role("heading", name="Sign in to the console")).to_be_visible()

    other.page.reload()
    expect(other.page.get_by_role("heading", name="Sign in to the console")).to_be_visible()
