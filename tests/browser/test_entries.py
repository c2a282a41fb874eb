"""What both sides see of a message that is edited, withdrawn, or shows more than this client knows."""

from playwright.sync_api import expect

from bots import Staff
from tests.browser.backstage import Backstage
from tests.browser.people import Agent, Shopper
from tests.chaos.server import EMAILS, PASSWORD, Server

BLOCKS = [{"kind": "buttons", "buttons": [{"label": "Yes", "value": "yes"}]}]


async def answer(server: Server, text: str) -> tuple[str, str]:
    """A colleague answers the only conversation, with a button."""
    staff = await Staff.login(server.url, EMAILS[1], PASSWORD)
    (state,) = (await staff.ask("GET", "/v1/conversations?view=all"))["conversations"]
    async with staff.client() as client:
        ask = client.send(state["id"], text, blocks=BLOCKS)
        await ask
        return state["id"], ask.id


async def edit(server: Server, conversation: str, entry: str, text: str) -> None:
    staff = await Staff.login(server.url, EMAILS[1], PASSWORD)
    async with staff.client() as client:
        await client.edit(conversation, entry, text)


async def withdraw(server: Server, conversation: str, entry: str) -> None:
    staff = await Staff.login(server.url, EMAILS[1], PASSWORD)
    async with staff.client() as client:
        await client.withdraw(conversation, entry)


def test_an_answer_is_edited_and_taken_back_before_everybodys_eyes(
    shopper: Shopper, agent: Agent, server: Server, backstage: Backstage
) -> None:
    shopper.opens()
    shopper.says("Where is my parcel?")
    agent.opens("Where is my parcel?")
    conversation, entry = backstage.run(answer(server, "Shall we look? (yes / no)"))
    for side in (shopper, agent):
        side.sees("Where is my parcel?", "Shall we look? (yes / no)")

    backstage.run(edit(server, conversation, entry, "Shall we look for it?"))
    for side in (shopper, agent):
        side.sees("Where is my parcel?", "Shall we look for it?")
        expect(side.log.get_by_text("Edited", exact=True)).to_be_visible()

    backstage.run(withdraw(server, conversation, entry))
    for side in (shopper, agent):
        expect(side.log.get_by_text("Message withdrawn")).to_be_visible()
        expect(side.log.get_by_text("Shall we look")).to_have_count(0)
        expect(side.log.get_by_text("Edited", exact=True)).to_have_count(0)
    expect(agent.rows).to_contain_text(["Message withdrawn"])
    shopper.sees("Where is my parcel?")
