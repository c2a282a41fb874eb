"""A shopper, an agent and a bot talk: claimed, handed over, noted, resolved, and open again by a message."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bots import Bot, Client, Message, Mirror, Refused, Thread
from tests.node import Node, on_a_node
from tests.peer import Frame, new_id


def activities(frames: list[Frame]) -> list[str]:
    return [entry["activity"] for frame in frames for entry in frame.get("entries", ()) if entry["kind"] == "activity"]


def client(node: Node, token: Any, *, is_browser: bool = True) -> Client:
    return Client(node.origin, token, origin=node.origin if is_browser else None, patience=10)


async def held(client: Client, conversation: str, status: str) -> Thread:
    """The conversation as this client has it, as soon as it has this status."""

    def has_come(mirror: Mirror) -> bool:
        thread = mirror.threads.get(conversation)
        return thread is not None and thread.state["status"] == status

    await client.until(has_come)
    return client.mirror.threads[conversation]


@on_a_node()
async def test_the_whole_life_of_a_conversation(node: Node) -> None:
    noa, bell = node.mine.agent.id, node.mine.bot.id

    async with (
        client(node, node.token(await node.contact_session())) as dana,
        client(node, node.token(await node.agent_session())) as agent,
        client(node, node.mine.bot_token, is_browser=False) as bot,
    ):
        for each in (dana, agent, bot):
            await each.synced()

        conversation = (await dana.start(node.mine.door.id, "Where is my parcel?"))["conversation"]
        await agent.until(lambda mirror: conversation in mirror.heads)
        head = agent.mirror.heads[conversation]
        assert (head["status"], head["handler"], head["preview"]) == ("queued", "none", "Where is my parcel?")

        await agent.claim(conversation)
        claimed = await held(agent, conversation, "open")
        assert claimed.state["assignee"] == noa
        with pytest.raises(Refused) as refused:
            await bot.claim(conversation)
        assert refused.value.code == "taken"

        await agent.assign(conversation, assignee=bell)
        thread = await held(bot, conversation, "open")
        assert [entry["text"] for entry in thread.timeline() if entry["kind"] == "message"] == ["Where is my parcel?"]

        await bot.note(conversation, "VIP: be quick")
        await bot.send(conversation, "On its way.")
        await bot.resolve(conversation)
        seen = await held(dana, conversation, "resolved")
        assert [entry.get("text") or entry["activity"] for entry in seen.timeline()] == [
            "Where is my parcel?",
            "claimed",
            "On its way.",
            "resolved",
        ]
        assert "VIP" not in str(seen)

        await dana.send(conversation, "It never came!")
        again = await held(bot, conversation, "open")
        assert again.timeline()[-1]["activity"] == "reopened"
        assert again.timeline()[-2]["text"] == "It never came!"
        assert again.state["waiting_since"] is not None


@on_a_node()
async def test_every_change_reaches_every_participant_as_each_may_see_it(node: Node) -> None:
    contact, agent, bot = await node.contact(), await node.agent(), await node.bot()
    conversation = await node.started(contact)
    for staff in (agent, bot):
        await staff.ask("watch", conversations=[conversation])
        await staff.next("snapshot")

    async def ask(by: Any, type: str, **fields: Any) -> None:
        assert (await by.ask(type, id=new_id(), conversation=conversation, **fields))["type"] == "ok", type

    await ask(agent, "conversation.claim")
    await ask(agent, "note.add", text="between us")
    await ask(agent, "conversation.assign", assignee=node.mine.bot.id, team=node.mine.team.id)
    await ask(bot, "message.send", text="Hello")
    await ask(bot, "conversation.resolve")
    await ask(agent, "conversation.reopen")
    await ask(contact, "message.send", text="Thank you")

    heard = [frame for frame in await contact.settle() if frame["type"] == "change"]
    for staff in (agent, bot):
        theirs = [frame for frame in await staff.settle() if frame["type"] == "change"]
        assert theirs[-1]["state"]["preview"] == "Thank you"
    everything = str(contact.messages)
    assert "between us" not in everything
    for secret in ("assignee", "team", "waiting_since", "preview", "cursor", "priority", "tags", node.mine.team.id):
        assert f'"{secret}"' not in everything, secret
    assert activities(heard) in ([], ["reopened"])  # what came behind the contact's last ask


@on_a_node()
async def test_a_message_of_staff_claims_what_nobody_has(node: Node) -> None:
    contact, bot = await node.contact(), await node.bot()
    conversation = await node.started(contact)

    await bot.ask("message.send", id=new_id(), conversation=conversation, text="I take this")

    change = await contact.next("change")
    assert (change["state"]["status"], change["state"]["handler"]) == ("open", "bot")
    assert activities([change]) == ["claimed"]
    assert (await bot.next("snapshot"))["state"]["assignee"] == node.mine.bot.id


@on_a_node()
async def test_a_bot_of_ten_lines_answers_what_is_given_to_it(node: Node) -> None:
    bot = Bot(node.origin, node.mine.bot_token)

    @bot.on_message
    async def answer(message: Message) -> None:
        await message.reply(f"You said: {message.text}")

    serving = asyncio.create_task(bot.serve())
    try:
        async with client(node, node.token(await node.contact_session())) as dana:
            conversation = (await dana.start(node.mine.door.id, "Hello"))["conversation"]
            agent = await node.agent()
            await agent.ask("conversation.assign", id=new_id(), conversation=conversation, assignee=node.mine.bot.id)
            await dana.until(lambda mirror: "You said: Hello" in str(mirror.threads.get(conversation)))
    finally:
        serving.cancel()
        await asyncio.wait([serving])


@on_a_node()
async def test_an_ask_sent_again_is_answered_as_it_was_and_done_once(node: Node) -> None:
    session = await node.contact_session()
    contact, tab = await node.contact(session), await node.contact(session)
    start = {"id": new_id(), "inbox": node.mine.door.id, "text": "Once"}

    first = await contact.ask("conversation.start", **start)
    again = [await peer.ask("conversation.start", **start) for peer in (contact, tab, tab)]
    reused = await tab.ask("conversation.start", **(start | {"text": "Twice"}))

    assert "again" not in first
    for answer in again:
        assert answer | {"ref": 0} == first | {"ref": 0, "again": True}
    assert (reused["type"], reused["code"], reused["retry"]) == ("refused", "id_reused", False)
    fresh = await node.peer()
    snapshots = [f for f in await fresh.hello(node.token(session)) if f["type"] == "snapshot"]
    assert [[entry["text"] for entry in frame["entries"]] for frame in snapshots] == [["Once"]]


@on_a_node()
async def test_a_message_whose_forerunner_is_missing_is_behind(node: Node) -> None:
    contact = await node.contact()
    conversation = await node.started(contact)
    one, two = new_id(), new_id()

    early = await contact.ask("message.send", id=two, after=one, conversation=conversation, text="two")
    assert (early["code"], early["retry"]) == ("behind", True)
    await contact.ask("message.send", id=one, conversation=conversation, text="one")
    late = await contact.ask("message.send", id=two, after=one, conversation=conversation, text="two")

    assert late["type"] == "ok"
    fresh = await node.bot()
    await fresh.ask("watch", conversations=[conversation])
    assert [entry["text"] for entry in (await fresh.next("snapshot"))["entries"]] == ["Hello?", "one", "two"]
