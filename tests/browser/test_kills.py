"""The server is killed in mid-sentence and started again: both sides go on by themselves."""

import pytest
from playwright.sync_api import expect

from tests.browser.backstage import Backstage
from tests.browser.people import Agent, Shopper
from tests.browser.store import said, stored
from tests.browser.watch import Watch
from tests.chaos.server import Server


@pytest.fixture(autouse=True)
def _outage(watch: Watch) -> None:
    watch.allow_outage()


def test_a_kill_in_mid_sentence_loses_and_doubles_nothing(
    shopper: Shopper, agent: Agent, server: Server, backstage: Backstage
) -> None:
    shopper.opens()
    shopper.says("Where is my parcel?")
    agent.opens()
    agent.claims()
    agent.says("What is your order number?")
    shopper.sees("Where is my parcel?", "What is your order number?")

    shopper.types("It is K-20")
    agent.field.fill("You find it in")
    backstage.run(server.kill())
    shopper.types("417, I think")
    shopper.field.press("Enter")
    agent.says("You find it in our e-mail.")
    agent.notes("Second parcel this month")
    expect(shopper.chat.get_by_text("Reconnecting…")).to_be_visible()
    expect(shopper.status).to_contain_text("Sending…")
    expect(agent.page.get_by_text("No connection.")).to_be_visible()
    expect(agent.log.get_by_text("Sending…")).to_have_count(2)

    backstage.run(server.start())
    expect(agent.messages).to_have_count(5)
    expect(shopper.messages).to_have_count(4)
    expect(shopper.chat.get_by_text("Reconnecting…")).to_be_hidden()
    expect(agent.page.get_by_text("No connection.")).to_be_hidden()
    backstage.run(server.kill())
    shopper.sees(*said(server))
    agent.sees(*said(server, "message", "note"))
    assert sorted(said(server)) == sorted(
        ["Where is my parcel?", "What is your order number?", "It is K-20417, I think", "You find it in our e-mail."]
    )
    assert said(server, "note") == ["Second parcel this month"]


def test_kills_while_both_keep_writing_leave_one_order(
    shopper: Shopper, agent: Agent, server: Server, backstage: Backstage
) -> None:
    shopper.opens()
    shopper.says("question 0")
    agent.opens()
    for number in range(1, 4):
        shopper.says(f"question {number}", f"question {number} again")
        agent.says(f"answer {number}", f"answer {number} again")
        backstage.run(server.kill())  # some have their ok, some are stored without, some haven't left
        shopper.says(f"question {number} in the dark")
        agent.says(f"answer {number} in the dark")
        backstage.run(server.start())

    for side in (shopper, agent):
        expect(side.messages).to_have_count(1 + 3 * 6)
        expect(side.log.get_by_text("Sending…")).to_have_count(0)
    backstage.run(server.kill())
    for side in (shopper, agent):
        side.sees(*said(server))
    rounds = [f"{number}{end}" for number in range(1, 4) for end in ("", " again", " in the dark")]
    assert [text for text in said(server) if "question" in text] == [f"question {each}" for each in ("0", *rounds)]
    assert [text for text in said(server) if "answer" in text] == [f"answer {each}" for each in rounds]


def test_what_the_shopper_starts_while_the_server_is_down_begins_when_it_is_back(
    shopper: Shopper, agent: Agent, server: Server, backstage: Backstage
) -> None:
    shopper.opens()
    expect(shopper.field).to_be_focused()
    shopper.types("Anybody?")
    expect(shopper.send).to_be_enabled()  # the session has begun
    backstage.run(server.kill())
    shopper.says("Anybody?", "Hello?")
    expect(shopper.messages).to_have_count(2)

    backstage.run(server.start())
    agent.opens("Hello?")
    agent.says("Here I am.")
    for side in (shopper, agent):
        side.sees("Anybody?", "Hello?", "Here I am.")
    backstage.run(server.kill())
    assert [row.kind for row in stored(server)].count("message") == 3


def test_a_claim_and_a_resolve_made_in_the_dark_are_carried_out_once(
    shopper: Shopper, agent: Agent, server: Server, backstage: Backstage
) -> None:
    shopper.opens()
    shopper.says("Where is my parcel?")
    agent.opens()
    backstage.run(server.kill())
    agent.button("Claim").click()
    agent.says("At your door.")
    agent.button("Resolve").click()

    backstage.run(server.start())
    expect(agent.button("Reopen")).to_be_visible()
    expect(shopper.log.get_by_text("This conversation is closed")).to_be_visible()
    backstage.run(server.kill())
    assert [row.kind for row in stored(server)] == ["message", "activity", "message", "activity"]
