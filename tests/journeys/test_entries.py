"""Over real sockets: a bot asks with buttons and a form, the shopper answers; both edit, react and take back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bots import Bot, Client, Message, Mirror, Refused
from bots.frames import Entry
from tests.node import Node, on_a_node
from tests.peer import new_id

FORM = {"kind": "form", "fields": [{"name": "mail", "label": "Email", "kind": "email", "required": True}]}
BUTTONS = {"kind": "buttons", "buttons": [{"label": "Write to me", "value": "mail"}]}


def client(node: Node, token: Any, *, is_browser: bool = True) -> Client:
    return Client(node.origin, token, origin=node.origin if is_browser else None, patience=10)


async def entry(client: Client, conversation: str, id: str, **wanted: Any) -> Entry:
    """This entry as this client has it, as soon as it is so."""

    def has_come(mirror: Mirror) -> Entry | None:
        thread = mirror.threads.get(conversation)
        found: dict[str, Any] = dict((thread.entries.get(id) if thread else None) or {})
        return thread.entries[id] if thread and found and wanted.items() <= found.items() else None

    found = await client.until(has_come)
    assert found is not None
    return found


@on_a_node()
async def test_a_bot_asks_and_the_shopper_presses_and_fills_in(node: Node) -> None:
    bot, heard = Bot(node.origin, node.mine.bot_token), asyncio.Queue[Message]()
    bot.on_message(heard.put)
    running = asyncio.create_task(bot.serve())
    async with client(node, node.token(await node.contact_session())) as dana, asyncio.timeout(20):
        agent = await node.agent()
        conversation = (await dana.start(node.mine.door.id, "Where is my parcel?"))["conversation"]
        assigned = await agent.ask(
            "conversation.assign", id=new_id(), conversation=conversation, assignee=node.mine.bot.id
        )
        assert assigned["type"] == "ok"

        sent = await (await heard.get()).reply("Shall we write to you?", blocks=[BUTTONS, FORM])
        asked = dana.mirror.threads[conversation].timeline()[-1]["id"]
        assert (await entry(dana, conversation, asked, seq=sent["seq"])).get("blocks") == [BUTTONS, FORM]

        await dana.press(conversation, asked, "mail")
        pressed = await heard.get()
        assert (pressed.text, pressed.pressed) == ("Write to me", "mail")
        with pytest.raises(Refused) as refused:
            await dana.submit(conversation, asked, {"mail": "dana"})
        assert (refused.value.code, refused.value.field) == ("bad_request", "values.mail")
        answer = await dana.submit(conversation, asked, {"mail": "dana@mail.example"})
        filled_in = await heard.get()
        assert (filled_in.text, filled_in.filled_in) == ("Email: dana@mail.example", {"mail": "dana@mail.example"})
        assert (await entry(dana, conversation, asked, seq=answer["seq"]))["data"]["answer"] == filled_in.id

        await filled_in.react("👍")
        assert (await entry(dana, conversation, filled_in.id, reactions={"👍": ["staff"]}))["text"]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@on_a_node()
async def test_what_is_taken_back_is_gone_from_everybody_at_once_and_for_who_comes_later(node: Node) -> None:
    session = await node.contact_session()
    async with (
        client(node, node.token(session)) as dana,
        client(node, node.token(await node.agent_session())) as agent,
        asyncio.timeout(20),
    ):
        await dana.synced()
        await agent.synced()
        conversation = (await dana.start(node.mine.door.id, "My PIN is 4711", id=(first := new_id())))["conversation"]
        await agent.claim(conversation)
        await agent.send(conversation, "Better not", id=(answer := new_id()))
        await agent.note(conversation, "Tells PINs", id=(note := new_id()))

        await dana.edit(conversation, first, "My PIN is secret")
        assert (await entry(agent, conversation, first, text="My PIN is secret")).get("edited_at")
        await dana.withdraw(conversation, first)
        assert (await entry(agent, conversation, first, withdrawn=True)).get("text") is None
        with pytest.raises(Refused) as refused:
            await dana.withdraw(conversation, answer)
        assert refused.value.code == "forbidden"
        for ask in (dana.withdraw(conversation, note), dana.react(conversation, note, "👍")):
            with pytest.raises(Refused) as refused:
                await ask
            assert (refused.value.code, refused.value.field) == ("not_found", "entry")

        await agent.withdraw(conversation, answer)
        await agent.until(lambda mirror: (state := mirror.state(conversation)) and state.get("preview") == "")

        peer = await node.peer()
        await peer.hello(node.token(session))
        peer.leave()
    later = b"".join(peer.messages)
    for gone in (b"PIN", b"Better not"):
        assert gone not in later
    assert later.count(b'"withdrawn":true') == 2
