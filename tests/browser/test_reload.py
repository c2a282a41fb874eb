"""Pages are loaded again: history, drafts and the place where one was are still there."""

import re

from playwright.sync_api import expect

from bots import Staff
from tests.browser.backstage import Backstage
from tests.browser.people import Agent, Shopper
from tests.chaos.server import EMAILS, PASSWORD, Server


def test_a_reload_keeps_history_drafts_and_the_open_panel(shopper: Shopper, agent: Agent) -> None:
    shopper.opens()
    shopper.says("Where is my parcel?")
    agent.opens()
    agent.claims()
    agent.says("What is your order number?")
    agent.notes("A regular")
    shopper.sees("Where is my parcel?", "What is your order number?")
    shopper.types("It is K-2")
    agent.field.fill("Never mind, I found")

    shopper.page.reload()
    agent.page.reload()
    shopper.sees("Where is my parcel?", "What is your order number?")
    agent.sees("Where is my parcel?", "What is your order number?", "A regular")
    expect(shopper.field).to_have_value("It is K-2")
    expect(agent.field).to_have_value("Never mind, I found")
    expect(agent.log.get_by_text("Noa claimed this")).to_be_visible()
    shopper.types("0417")
    shopper.field.press("Enter")
    expect(agent.messages.last).to_have_text("It is K-20417")


def test_a_draft_before_the_first_message_outlives_the_page(shopper: Shopper, server: Server) -> None:
    shopper.opens()
    shopper.types("Do you ship to")
    shopper.page.goto(f"{server.url}/demo/#teas")
    shopper.page.reload()
    expect(shopper.field).to_have_value("Do you ship to")

    shopper.types(" Haifa?")
    shopper.field.press("Enter")
    shopper.sees("Do you ship to Haifa?")
    expect(shopper.field).to_have_value("")
    shopper.page.reload()
    expect(shopper.field).to_have_value("")


def test_an_agents_address_leads_back_to_the_conversation(shopper: Shopper, agent: Agent) -> None:
    shopper.opens()
    shopper.says("Where is my parcel?")
    agent.view("Unassigned").click()
    agent.opens()
    expect(agent.page).to_have_url(re.compile(r"#/unassigned/open/cnv_\w+$"))

    agent.page.go_back()
    expect(agent.page.get_by_text("Pick a conversation")).to_be_visible()
    agent.page.go_forward()
    agent.sees("Where is my parcel?")
    agent.page.reload()
    agent.sees("Where is my parcel?")


def test_a_long_history_comes_page_by_page_on_both_sides(
    shopper: Shopper, agent: Agent, server: Server, backstage: Backstage
) -> None:
    shopper.opens()
    shopper.says("Tell me everything about tea")
    agent.opens()
    conversation = agent.page.url.rpartition("/")[2]
    chapters = [f"Chapter {number}" for number in range(1, 121)]

    async def tell() -> None:
        staff = await Staff.login(server.url, EMAILS[1], PASSWORD)
        async with staff.client() as client:
            for chapter in chapters:
                await client.send(conversation, chapter)

    backstage.run(tell())
    for side in (shopper, agent):
        expect(side.messages.last).to_have_text("Chapter 120")
        side.page.reload()
        expect(side.messages.last).to_have_text("Chapter 120")
        expect(side.messages.last).to_be_in_viewport()
        while side.messages.first.text_content() != "Tell me everything about tea":
            before = side.messages.count()
            side.messages.first.scroll_into_view_if_needed()
            expect(side.messages.nth(before)).to_be_attached()
        side.sees("Tell me everything about tea", *chapters)
