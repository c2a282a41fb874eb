"""A snoozed conversation on a running node: it wakes by itself, and everybody who watches hears it."""

from __future__ import annotations

from tests.node import Node, on_a_node
from tests.peer import new_id


@on_a_node(tick=0.02)
async def test_it_wakes_at_its_time_and_staff_is_told(node: Node) -> None:
    contact, agent = await node.contact(), await node.agent()
    conversation = await node.started(contact)
    await agent.ask("watch", conversations=[conversation])
    await agent.next("snapshot")
    until = node.shopbell.node.clock.now() + 100

    await agent.ask("conversation.snooze", id=new_id(), conversation=conversation, until=until)
    aside = await agent.next("change")
    woken = await agent.next("change")

    assert (aside["state"]["status"], aside["state"]["snoozed_until"]) == ("snoozed", until)
    assert (woken["state"]["status"], woken["state"]["snoozed_until"]) == ("queued", None)
    assert [entry["activity"] for entry in woken["entries"]] == ["woke"]
    assert woken["entries"][0]["at"] >= until
    heard = [frame for frame in await contact.settle() if frame["type"] == "change"]
    assert [frame["entries"] for frame in heard] == [[], []]
    assert heard[-1]["state"]["status"] == "queued"


@on_a_node()
async def test_nobody_on_the_wire_wakes_it_in_the_services_name(node: Node) -> None:
    contact, agent, bot = await node.contact(), await node.agent(), await node.bot()
    conversation = await node.started(contact)

    for peer in (contact, agent, bot):
        refused = await peer.ask("conversation.wake", id=new_id(), conversation=conversation)
        assert refused["code"] == "forbidden"
