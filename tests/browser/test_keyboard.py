"""Everything by keyboard alone, with the focus where one expects it."""

from playwright.sync_api import Page, expect

from tests.browser.people import Agent, Shopper
from tests.chaos.server import EMAILS, PASSWORD, Server


def test_a_shopper_opens_writes_and_closes_by_keyboard(shopper: Shopper) -> None:
    keyboard = shopper.page.keyboard
    expect(shopper.launcher).to_have_attribute("aria-expanded", "false")
    keyboard.press("Shift+Tab")  # the widget comes last on the page, so it is the first backwards
    expect(shopper.launcher).to_be_focused()
    keyboard.press("Enter")
    expect(shopper.field).to_be_focused()
    expect(shopper.launcher).to_have_attribute("aria-expanded", "true")

    keyboard.type("First line")
    keyboard.press("Shift+Enter")
    keyboard.type("second line")
    keyboard.press("Enter")
    expect(shopper.messages).to_have_count(1)
    assert shopper.messages.first.text_content() == "First line\nsecond line"
    expect(shopper.field).to_be_focused()
    expect(shopper.field).to_have_value("")
    keyboard.press("Escape")
    expect(shopper.launcher).to_be_focused()
    expect(shopper.launcher).to_have_attribute("aria-expanded", "false")
    keyboard.press("Space")
    expect(shopper.field).to_be_focused()


def test_the_panel_is_walked_through_with_the_tab_key(shopper: Shopper) -> None:
    shopper.opens()
    shopper.says("Hello?")
    keyboard = shopper.page.keyboard
    expect(shopper.field).to_be_focused()
    keyboard.press("Shift+Tab")
    expect(shopper.log).to_be_focused()
    keyboard.press("Shift+Tab")
    expect(shopper.chat.get_by_role("button", name="Close chat")).to_be_focused()
    keyboard.press("Enter")
    expect(shopper.launcher).to_be_focused()


def test_an_agent_works_by_keyboard_from_the_door_to_the_end(page: Page, shopper: Shopper, server: Server) -> None:
    shopper.opens()
    shopper.says("Where is my parcel?")
    page.goto(f"{server.url}/console/#/unassigned/open")
    expect(page.get_by_label("Email")).to_be_focused()
    page.keyboard.type(EMAILS[0])
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    agent = Agent(page)
    expect(agent.rows).to_have_count(1)

    page.keyboard.press("j")
    agent.sees("Where is my parcel?")
    page.keyboard.press("c")
    expect(agent.log.get_by_text("Noa claimed this")).to_be_visible()
    page.keyboard.press("n")
    page.keyboard.type("Third time she asks")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    page.keyboard.press("r")
    expect(agent.field).to_be_focused()
    page.keyboard.type("It is at your door.")
    page.keyboard.press("Control+Enter")
    agent.sees("Where is my parcel?", "Third time she asks", "It is at your door.")
    expect(shopper.log.get_by_text("This conversation is closed")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("o")
    expect(agent.button("Resolve")).to_be_visible()


def test_the_assign_dialog_takes_a_name_and_gives_the_focus_back(shopper: Shopper, agent: Agent) -> None:
    shopper.opens()
    shopper.says("Where is my parcel?")
    agent.opens()
    keyboard = agent.page.keyboard
    agent.page.get_by_role("main").focus()
    agent.field.press("Escape")
    keyboard.press("a")
    expect(agent.page.get_by_role("dialog", name="Assign to")).to_be_visible()
    keyboard.type("som")
    keyboard.press("Enter")
    expect(agent.page.get_by_role("button", name="Assigned to Somchai, change")).to_be_focused()

    keyboard.press("Enter")
    keyboard.press("Escape")
    expect(agent.page.get_by_role("dialog", name="Assign to")).to_be_hidden()
    expect(agent.page.get_by_role("button", name="Assigned to Somchai, change")).to_be_focused()


def test_the_page_of_keys_opens_and_closes(agent: Agent) -> None:
    agent.page.keyboard.press("?")
    expect(agent.page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    agent.page.keyboard.press("Escape")
    expect(agent.page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_hidden()
