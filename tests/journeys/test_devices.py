"""One person on several devices: two tabs of a shopper, two consoles of an agent; all see the same."""

from __future__ import annotations

from presence import Times
from tests.node import Node, on_a_node
from tests.peer import Frame, Peer, new_id


async def changes(peer: Peer) -> list[tuple[int, list[str]]]:
    """What a peer has heard by now: the seq of each change, and the texts in it."""
    frames: list[Frame] = await peer.settle()
    return [
        (frame["seq"], [entry.get("text", entry.get("activity", "")) for entry in frame["entries"]])
        for frame in frames
        if frame["type"] == "change"
    ]


@on_a_node()
async def test_two_tabs_of_a_shopper_see_the_same_in_the_same_order(node: Node) -> None:
    session = await node.contact_session()
    left, right = await node.contact(session), await node.contact(session)

    answer = await left.ask("conversation.start", id=new_id(), inbox=node.mine.door.id, text="from the left")
    conversation = answer["conversation"]
    assert await changes(left) == await changes(right) == [(1, ["from the left"])]

    text = {"type": "message.send", "conversation": conversation}
    for n in range(5):
        for tab in (left, right):
            await tab.say({**text, "ref": 100 + n, "id": new_id(), "text": str(n)})
    heard_left = await left.until(lambda frame: frame.get("ref") == 104)
    heard_right = await right.until(lambda frame: frame.get("ref") == 104)

    seen_left, seen_right = _texts(heard_left + await left.settle()), _texts(heard_right + await right.settle())
    assert seen_left == seen_right
    assert sorted(seen_left) == sorted(str(n) for n in range(5) for _ in range(2))


def _texts(frames: list[Frame]) -> list[str]:
    return [entry["text"] for frame in frames if frame["type"] == "change" for entry in frame["entries"]]


@on_a_node(tick=0.05)
async def test_what_is_read_on_one_device_is_read_on_the_other(node: Node) -> None:
    session = await node.contact_session()
    phone, laptop, agent = await node.contact(session), await node.contact(session), await node.agent()
    conversation = await node.started(phone)
    await laptop.next("change")
    await agent.ask("message.send", id=new_id(), conversation=conversation, text="Read me")
    await laptop.next("change")

    await phone.ask("read", conversation=conversation, seq=2)

    me = phone.welcome["me"]["id"]
    change = await laptop.next("change")
    assert change["state"]["positions"][me] == {"read": 2, "delivered": 2}
    assert change["entries"] == []


@on_a_node()
async def test_both_consoles_of_an_agent_hear_what_falls_to_it(node: Node) -> None:
    contact, bot = await node.contact(), await node.bot()
    consoles = [await node.agent(), await node.agent()]
    conversation = await node.started(contact)

    await bot.ask("conversation.assign", id=new_id(), conversation=conversation, assignee=node.mine.agent.id)
    for console in consoles:
        assert (await console.next("snapshot"))["state"]["assignee"] == node.mine.agent.id
    await contact.ask("message.send", id=new_id(), conversation=conversation, text="To both of you")

    for console in consoles:
        assert (3, ["To both of you"]) in await changes(console)


@on_a_node()
async def test_each_console_watches_for_itself(node: Node) -> None:
    contact = await node.contact()
    one, two = await node.agent(), await node.agent()
    conversation = await node.started(contact)

    await one.ask("watch", conversations=[conversation])
    await one.next("snapshot")
    await contact.ask("message.send", id=new_id(), conversation=conversation, text="x")

    assert await changes(one) == [(2, ["x"])]
    assert await changes(two) == []


@on_a_node(presence_times=Times(grace=0.3))
async def test_an_agent_is_here_until_a_moment_after_the_last_console_is_closed(node: Node) -> None:
    witness = await node.agent(await node.second_agent())
    me, noa = witness.welcome["me"]["id"], node.mine.agent.id
    one, two = await node.agent(), await node.agent()
    assert set((await witness.next("presence"))["present"]) == {me, noa}

    await one.closing()
    await node.eventually(lambda: len(node.shopbell.node.sockets) == 2)
    assert [frame for frame in await witness.settle() if frame["type"] == "presence"] == []
    await two.closing()

    assert (await witness.next("presence"))["present"] == [me]
