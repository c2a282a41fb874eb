"""What users of others complain about, as far as it concerns who gets a conversation: each as it goes here.

Each test names the complaints by repository and number. Those about who is here and on shift are in tests/presence;
all of them are listed in docs/regressions.md.
"""

from __future__ import annotations

import asyncio

from presence import Times
from tests.gateway.test_routing_on_two_nodes import accepts, gets, opens, state_of
from tests.node import Node, on_a_node
from tests.peer import Frame, Peer, frames_in, new_id

TIMES = Times(lease=3.0, refresh=1.0, jitter=0.1, grace=0.3, drain_grace=2.0, beat=0.2, node_lease=1.8, hold=1.0)
QUIET_SECONDS = 0.4  # what would happen in that time doesn't happen


async def ask(peer: Peer, type: str, conversation: str, **fields: object) -> Frame:
    """Something about a conversation that must be done."""
    answer = await peer.ask(type, id=new_id(), conversation=conversation, **fields)
    assert answer["type"] == "ok", answer
    return answer


async def changes_of(peer: Peer, conversation: str) -> list[Frame]:
    """What it is told of a conversation in a moment, beyond the line in its list."""
    await asyncio.sleep(QUIET_SECONDS)
    heard = await peer.settle()
    return [
        frame for frame in heard if frame["type"] in ("change", "snapshot") and frame["conversation"] == conversation
    ]


def texts(frame: Frame) -> list[str]:
    return [entry.get("text") or entry["activity"] for entry in frame["entries"]]


# --- assignment, capacity, queue ----------------------------------------------------------------------------------


@on_a_node(presence_times=TIMES)
async def test_the_nights_backlog_goes_to_who_comes_first_but_no_more_than_the_slots_and_the_oldest_first(
    node: Node,
) -> None:
    """chatwoot#10685, chatwoot#10376: nothing was assigned when somebody came, or the newest before the oldest.
    LiveHelperChat discussion 1921: at eight the first one in got all of it. chatwoot#5672: nobody there, nobody knew.
    chatwoot#13050, chatwoot#1198, chatwoot#1275: no queue and no limit."""
    await opens(node, node.mine.agent.id)
    contact = await node.contact()
    contact.hears_duty = True
    assert (await contact.next("inbox.status"))["status"] == "away"
    waiting = [await node.started(contact, f"Number {n}") for n in range(6)]
    assert (await contact.next("queue"))["position"] is not None

    agent = await node.agent()

    for conversation in waiting[:4]:
        await gets(agent, conversation, 2.0)
    line = await accepts(agent, node.mine.agent.id, "not_accepting_chats", reason="full")
    assert (line["used"], line["slots"]) == (4, 4)
    assert await changes_of(agent, waiting[4]) == []
    await ask(agent, "conversation.resolve", waiting[0])
    await gets(agent, waiting[4], 2.0)


@on_a_node(presence_times=TIMES)
async def test_what_came_while_nobody_was_there_can_be_taken_answered_and_closed_by_hand(node: Node) -> None:
    """Rocket.Chat#18041, Rocket.Chat#31474: it could be neither taken nor closed, and customers were missed."""
    await opens(node, node.mine.agent.id)
    agent, contact = await node.agent(), await node.contact()
    await agent.ask("availability.set", availability="away")
    agent.leave()
    taken, closed = [await node.started(contact) for _ in range(2)]

    agent = await node.agent()
    await ask(agent, "conversation.claim", taken)
    await ask(agent, "message.send", taken, text="Good morning!")
    await ask(agent, "conversation.resolve", taken)
    await ask(agent, "conversation.resolve", closed)

    await state_of(contact, closed, status="resolved")
    assert "Good morning!" in str(contact.messages)


@on_a_node(presence_times=TIMES)
async def test_what_waits_shows_to_everybody_who_is_connected_without_a_reload(node: Node) -> None:
    """Rocket.Chat#23642, Rocket.Chat#22105, Rocket.Chat#19837, Livechat#614"""
    await opens(node, node.mine.agent.id)
    console, colleague, contact = await node.agent(), await node.agent(await node.second_agent()), await node.contact()
    await console.ask("availability.set", availability="busy")

    conversation = await node.started(contact)

    for each in (console, colleague):
        await state_of(each, conversation, status="queued", assignee=None)
    await ask(colleague, "conversation.claim", conversation)
    await state_of(console, conversation, status="open")


@on_a_node(presence_times=TIMES)
async def test_of_two_who_take_the_same_at_once_one_is_told_that_it_is_taken(node: Node) -> None:
    """Rocket.Chat#22206: both had it, and both wrote."""
    agent, colleague, contact = await node.agent(), await node.agent(await node.second_agent()), await node.contact()
    conversation = await node.started(contact)

    answers = await asyncio.gather(
        *(each.ask("conversation.claim", id=new_id(), conversation=conversation) for each in (agent, colleague))
    )

    assert sorted(answer.get("code", "ok") for answer in answers) == ["ok", "taken"]


# --- transfer, handoff --------------------------------------------------------------------------------------------


@on_a_node(presence_times=TIMES)
async def test_whoever_gets_it_reads_all_of_it_and_whoever_had_it_hears_no_more(node: Node) -> None:
    """Rocket.Chat PR 27816: not all could be read. Rocket.Chat#7397: the one before went on receiving.
    RocketChat/feature-requests#232: no comment on a transfer."""
    second = await node.second_agent()
    await opens(node, node.mine.agent.id)
    agent, contact = await node.agent(), await node.contact()
    conversation = await node.started(contact, "Where is my parcel?")
    await gets(agent, conversation, 2.0)
    await ask(agent, "message.send", conversation, text="I'll look.")
    await ask(agent, "note.add", conversation, text="Lost, I think")
    colleague = await node.agent(second)
    await accepts(colleague, second.id)

    answer = await ask(agent, "conversation.transfer", conversation, to=second.id, note="Wants a refund")

    assert answer["outcome"] == "assigned"
    whole = texts(await gets(colleague, conversation, 2.0))
    said = ["Where is my parcel?", "I'll look.", "Lost, I think", "Wants a refund"]
    assert [text for text in whole if text in said] == said
    await agent.settle()
    await ask(contact, "message.send", conversation, text="Hello?")
    assert [texts(frame) for frame in await changes_of(colleague, conversation)] == [["Hello?"]]
    assert await changes_of(agent, conversation) == []
    lines = [line for line in texts_of(contact) if line not in said]
    assert lines.count("transferred") == 1
    assert "refund" not in str(contact.messages)
    assert "Lost" not in str(contact.messages)


@on_a_node(presence_times=TIMES)
async def test_what_a_bot_hands_over_rings_at_somebody_of_the_team_and_the_bot_hears_no_more(node: Node) -> None:
    """chatwoot#5077, chatwoot#6112: nobody was told. chatwoot#4271, chatwoot#4977: not to a team of its choice.
    tiledesk-chatbot#4: it failed where there was no department. chatwoot/rasa-agent-bot-demo#12, chatwoot#11363: the
    bot talked on."""
    bot, contact = await node.bot(), await node.contact()
    conversation = await node.started(contact)  # of an inbox for which no team answers
    await ask(bot, "conversation.claim", conversation)
    await ask(bot, "message.send", conversation, text="I am Bell.")
    await node.directory.add_member((node.mine.id, node.mine.team.id), node.mine.agent.id)
    node.shopbell._dispatch.administered(node.mine.id)
    agent = await node.agent()
    await accepts(agent, node.mine.agent.id)

    answer = await ask(bot, "conversation.transfer", conversation, to=node.mine.team.id, note="Asks for a human")

    assert answer["outcome"] == "assigned"
    rung = await gets(agent, conversation, 2.0)
    assert (rung["state"]["assignee"], rung["state"]["team"]) == (node.mine.agent.id, node.mine.team.id)
    assert texts(rung)[-1] == "Asks for a human"
    await bot.settle()
    await ask(contact, "message.send", conversation, text="Are you a human?")
    assert await changes_of(bot, conversation) == []


def texts_of(peer: Peer) -> list[str]:
    """Of all that it was told, live."""
    frames = [frame for message in peer.messages for frame in frames_in(message) if frame["type"] == "change"]
    return [text for frame in frames for text in texts(frame)]
