"""A shopper and an agent talk, from the first word to the end and beyond."""

import re

from playwright.sync_api import Page, expect

from tests.browser.backstage import Backstage
from tests.browser.conftest import NewContext
from tests.browser.people import Agent, Shopper
from tests.browser.watch import Watch
from tests.chaos.server import EMAILS, PASSWORD, Server
from tests.faults import Proxy


def test_a_question_is_found_claimed_and_answered(page: Page, shopper: Shopper, server: Server) -> None:
    shopper.opens()
    shopper.says("Where is my parcel?")
    shopper.sees("Where is my parcel?")

    page.goto(f"{server.url}/console/")
    page.get_by_label("Email").fill(EMAILS[0])
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    agent = Agent(page)
    expect(agent.view("Unassigned")).to_have_accessible_name("Unassigned: 1 open, 1 unread")
    agent.view("Unassigned").click()
    agent.opens("Where is my parcel?")
    agent.claims()
    expect(agent.view("Mine")).to_have_accessible_name("Mine: 1 open, 0 unread")
    expect(agent.view("Unassigned")).to_have_accessible_name("Unassigned: 0 open, 0 unread")
    expect(agent.log.get_by_text("Noa claimed this")).to_be_visible()
    agent.says("It left this morning.")

    shopper.sees("Where is my parcel?", "It left this morning.")
    expect(shopper.log.get_by_text("Noa joined the conversation")).to_be_visible()
    shopper.says("Wonderful, thank you!")
    for side in (shopper, agent):
        side.sees("Where is my parcel?", "It left this morning.", "Wonderful, thank you!")


def test_a_wrong_password_is_said_and_the_right_one_still_opens(page: Page, server: Server, watch: Watch) -> None:
    watch.allow("401 .*/v1/login$")
    page.goto(f"{server.url}/console/")
    page.get_by_label("Email").fill(EMAILS[0])
    page.get_by_label("Password").fill("not it")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text(re.compile("don't match"))

    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("navigation", name="Views").get_by_text("Connected")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in to the console")).to_be_visible()


def test_a_message_is_sending_then_sent_then_read(
    new_context: NewContext, agent: Agent, line: Proxy, backstage: Backstage
) -> None:
    shopper = Shopper.visit(new_context().new_page(), line.url)
    shopper.opens()
    shopper.says("Hello?")
    shopper.sees("Hello?")
    backstage.call(line.stall, "up")
    shopper.says("Anybody there?")
    expect(shopper.status).to_contain_text("Sending…")
    expect(agent.rows).to_contain_text(["Hello?"])

    backstage.call(line.heal)
    shopper.sees("Hello?", "Anybody there?")
    expect(shopper.status).to_contain_text("Sent")
    agent.opens()
    agent.claims()
    expect(shopper.status).to_contain_text("Read")
    agent.says("I am!")
    expect(agent.log.get_by_text("Read", exact=True)).to_be_visible()


def test_each_side_sees_the_other_type(shopper: Shopper, agent: Agent) -> None:
    shopper.opens()
    shopper.says("Hello?")
    agent.opens()
    agent.claims()
    agent.field.press_sequentially("Let me")
    expect(shopper.log.get_by_text("Noa is typing")).to_be_attached()
    shopper.types("Take your")
    expect(agent.log.get_by_text("is typing…")).to_be_visible()
    expect(agent.rows.get_by_text("typing…")).to_be_visible()

    agent.field.press("Enter")
    shopper.field.press("Enter")
    expect(shopper.log.get_by_text("is typing")).to_have_count(0)
    expect(agent.log.get_by_text("is typing…")).to_have_count(0)


def test_the_launcher_counts_what_came_behind_the_closed_panel(shopper: Shopper, agent: Agent) -> None:
    shopper.opens()
    shopper.says("Where is my parcel?")
    agent.opens()
    shopper.closes()
    agent.says("One moment.", "It is in Chiang Mai.")
    expect(shopper.badge).to_have_text("2")
    expect(shopper.launcher).to_have_accessible_name("Open chat (2 unread)")

    shopper.opens()
    expect(shopper.badge).to_have_text("")
    expect(agent.log.get_by_text("Read", exact=True)).to_be_visible()
    shopper.closes()
    expect(shopper.launcher).to_have_accessible_name("Open chat")


def test_a_note_never_reaches_the_shopper(shopper: Shopper, agent: Agent) -> None:
    frames: list[str] = []
    shopper.page.on("websocket", lambda socket: socket.on("framereceived", lambda text: frames.append(str(text))))
    shopper.opens()
    shopper.says("Where is my parcel?")
    agent.opens()
    agent.notes("She wrote three times already")
    agent.says("It is here.")

    agent.sees("Where is my parcel?", "She wrote three times already", "It is here.")
    shopper.sees("Where is my parcel?", "It is here.")
    assert any("It is here." in frame for frame in frames)
    assert not any("three times" in frame for frame in frames)
    expect(agent.rows).not_to_contain_text("three times")


def test_a_message_after_the_end_opens_the_conversation_again(shopper: Shopper, agent: Agent) -> None:
    shopper.opens()
    shopper.says("Where is my parcel?")
    agent.opens()
    agent.claims()
    agent.says("At your door.")
    agent.button("Resolve").click()
    expect(shopper.log.get_by_text("This conversation is closed")).to_be_visible()
    expect(agent.view("Mine")).to_have_accessible_name("Mine: 0 open, 0 unread")

    shopper.says("It isn't!")
    expect(agent.log.get_by_text("Reopened by a new message")).to_be_visible()
    expect(agent.view("Mine")).to_have_accessible_name(re.compile("Mine: 1 open"))
    expect(shopper.log.get_by_text("Anything else? Just write.")).to_be_hidden()
    for side in (shopper, agent):
        side.sees("Where is my parcel?", "At your door.", "It isn't!")


def test_a_colleague_gets_what_was_assigned(shopper: Shopper, agent: Agent, colleague: Agent) -> None:
    shopper.opens()
    shopper.says("สวัสดีค่ะ")
    agent.opens()
    agent.button("Assign").click()
    agent.page.get_by_role("dialog", name="Assign to").get_by_text("Somchai").click()
    expect(colleague.view("Mine")).to_have_accessible_name("Mine: 1 open, 1 unread")

    colleague.view("Mine").click()
    colleague.opens()
    colleague.says("สวัสดีครับ")
    for side in (shopper, agent, colleague):
        side.sees("สวัสดีค่ะ", "สวัสดีครับ")
    expect(agent.log.get_by_text("Noa assigned this to Somchai")).to_be_visible()
