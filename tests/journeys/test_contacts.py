"""What becomes of contacts while everybody is connected: blocked, merged, erased, and with several conversations."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from tests.node import Node, on_a_node
from tests.peer import Frame, Peer, new_id


async def watching(node: Node, *conversations: str) -> Peer:
    """An agent who watches these."""
    agent = await node.agent()
    await agent.ask("watch", conversations=list(conversations))
    for _ in conversations:
        await agent.next("snapshot")
    return agent


def said(snapshot: Frame) -> list[tuple[str, str]]:
    """Who said what, in a snapshot."""
    return [(entry["author"]["id"], entry["text"]) for entry in snapshot["entries"] if entry["kind"] == "message"]


def by_id(frames: list[Frame]) -> dict[str, Frame]:
    return {frame["conversation"]: frame for frame in frames if frame["type"] == "snapshot"}


# --- blocked ---------------------------------------------------------------------------------------------------------


@on_a_node()
async def test_what_a_blocked_contact_writes_is_refused_and_creates_nothing(node: Node) -> None:
    contact = await node.contact()
    conversation = await node.started(contact)
    agent = await watching(node, conversation)
    me = contact.welcome["me"]["id"]
    await agent.ask("contact.block", id=new_id(), contact=me, until=None)
    await agent.settle()

    own = {"id": new_id(), "conversation": conversation}
    asks: list[tuple[str, dict[str, Any]]] = [
        ("message.send", {"text": "Hello?", **own}),
        ("conversation.start", {"id": new_id(), "inbox": node.mine.door.id, "text": "Hello?"}),
        ("message.edit", {"entry": new_id(), "text": "Hello!", **own}),
        ("message.withdraw", {"entry": new_id(), **own}),
        ("message.react", {"entry": new_id(), "emoji": "👍", "on": True, **own}),
        ("typing", {"conversation": conversation}),
        ("preview", {"conversation": conversation, "text": "H"}),
    ]
    for name, fields in asks:
        refused = await contact.ask(name, **fields)
        assert (refused["type"], refused["code"]) == ("refused", "blocked"), name
    assert (await contact.ask("read", conversation=conversation, seq=1))["type"] == "ok"

    frames = await agent.settle()
    assert all(not frame.get("entries") for frame in frames), frames
    assert [frame["type"] for frame in frames if frame["type"] == "signal"] == []
    unblocked = await agent.ask("contact.unblock", id=new_id(), contact=me)
    assert unblocked["type"] == "ok"
    answer = await contact.ask("message.send", text="Hello again", **own)
    assert answer["type"] == "ok", "the id of what was refused is free"


# --- merged ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("has_own", [True, False], ids=["both have conversations", "only one has"])
@on_a_node()
async def test_a_merge_while_all_are_connected_brings_everybody_to_the_same(node: Node, has_own: bool) -> None:
    left_session, into_session = await node.contact_session(), await node.contact_session()
    left, into = await node.contact(left_session), await node.contact(into_session)
    left_id, into_id = left.welcome["me"]["id"], into.welcome["me"]["id"]
    moved = await node.started(left, "I am one")
    conversations = [moved, *([await node.started(into, "I am the other")] if has_own else [])]
    agent, other_agent = await watching(node, *conversations), await watching(node, *conversations)

    answer = await agent.ask("contact.merge", id=new_id(), contact=left_id, into=into_id)

    assert answer["type"] == "ok"
    for watcher in (agent, other_agent):
        snapshot = await watcher.next("snapshot")
        assert (snapshot["conversation"], snapshot["state"]["contact"]) == (moved, into_id)
        assert snapshot["state"]["rewritten"] == snapshot["state"]["seq"]
        assert said(snapshot) == [(into_id, "I am one")]
        assert [entry["activity"] for entry in snapshot["entries"] if entry["kind"] == "activity"] == ["merged"]
    assert await left.closed() == 4202
    assert await into.closed() == 4202, "it couldn't know what came to it otherwise"
    for session in (left_session, into_session):
        back = await node.peer()
        frames = await back.hello(node.token(await node.renewed(session)))
        assert back.welcome["me"]["id"] == into_id
        held = by_id(frames)
        assert set(held) == set(conversations)
        assert said(held[moved]) == [(into_id, "I am one")]
        assert left_id not in str(frames)


@on_a_node()
async def test_who_has_nothing_and_is_merged_comes_back_with_its_next_ask_at_the_latest(node: Node) -> None:
    left, into, agent = await node.contact(), await node.contact(), await node.agent()
    ids = {"contact": left.welcome["me"]["id"], "into": into.welcome["me"]["id"]}
    await agent.ask("contact.merge", id=new_id(), **ids)

    await left.say({"type": "conversation.start", "ref": 1, "id": new_id(), "inbox": node.mine.door.id, "text": "Hi"})

    assert await left.closed() == 4202
    assert (await into.ask("conversation.start", id=new_id(), inbox=node.mine.door.id, text="Hi"))["type"] == "ok"


@on_a_node()
async def test_what_was_on_its_way_at_a_merge_is_neither_lost_nor_doubled(node: Node) -> None:
    session = await node.contact_session()
    left, into, agent = await node.contact(session), await node.contact(), await node.agent()
    left_id, into_id = left.welcome["me"]["id"], into.welcome["me"]["id"]
    conversation = await node.started(left, "first")
    sends = [{"id": new_id(), "conversation": conversation, "text": f"text {n}"} for n in range(12)]

    for send in sends[:6]:
        await left.begin("message.send", **send)
    merge = await agent.begin("contact.merge", id=new_id(), contact=left_id, into=into_id)
    for send in sends[6:]:
        with suppress(OSError):  # closed already
            await left.begin("message.send", **send)
    await agent.until(lambda frame: frame.get("ref") == merge)
    assert await left.closed() == 4202
    back = await node.contact(await node.renewed(session))
    answers = [await back.ask("message.send", **send) for send in sends]

    assert [answer["type"] for answer in answers] == ["ok"] * len(sends)
    assert any(answer.get("again") for answer in answers), "some were stored before the merge"
    watcher = await node.agent()
    await watcher.ask("watch", conversations=[conversation])
    told = said(await watcher.next("snapshot"))
    assert sorted(text for _, text in told) == sorted(["first", *(send["text"] for send in sends)])
    assert {author for author, _ in told} == {into_id}


# --- erased ----------------------------------------------------------------------------------------------------------


@on_a_node()
async def test_an_erasure_while_all_are_connected_leaves_nothing_to_read(node: Node) -> None:
    contact = await node.contact()
    conversation = await node.started(contact, "My secret")
    agent = await watching(node, conversation)

    answer = await agent.ask("contact.erase", id=new_id(), contact=contact.welcome["me"]["id"])

    assert answer["type"] == "ok"
    snapshot = await agent.next("snapshot")
    assert "My secret" not in str(snapshot)
    assert snapshot["state"]["status"] == "resolved"
    assert [entry.get("activity") for entry in snapshot["entries"]][-1] == "erased"
    heads = await agent.next("heads")
    assert "My secret" not in str(heads)
    assert await contact.closed() == 4202


@on_a_node()
async def test_only_supervisors_and_admins_erase(node: Node) -> None:
    contact, plain = await node.contact(), await node.agent(await node.second_agent())

    refused = await plain.ask("contact.erase", id=new_id(), contact=contact.welcome["me"]["id"])

    assert refused["code"] == "forbidden"


# --- followed --------------------------------------------------------------------------------------------------------


@on_a_node()
async def test_who_follows_hears_it_whole_without_asking_until_it_stops(node: Node) -> None:
    contact, follower = await node.contact(), await node.bot()
    conversation = await node.started(contact)

    await follower.ask("conversation.follow", id=new_id(), conversation=conversation, on=True)
    assert (await follower.next("snapshot"))["state"]["followers"] == [follower.welcome["me"]["id"]]
    await contact.ask("message.send", id=new_id(), conversation=conversation, text="More")
    assert (await follower.next("change"))["entries"][0]["text"] == "More"

    back = await node.bot()  # another device: it is among what is in its hands
    assert (await back.ask("conversation.follow", id=new_id(), conversation=conversation, on=False))["type"] == "ok"
    await contact.ask("message.send", id=new_id(), conversation=conversation, text="Still there?")
    heard = [entry for frame in await follower.settle() for entry in frame.get("entries", [])]
    assert "Still there?" not in str(heard)


# --- several ---------------------------------------------------------------------------------------------------------


@on_a_node()
async def test_a_contact_has_several_conversations_at_once(node: Node) -> None:
    session = await node.contact_session()
    contact = await node.contact(session)
    conversations = [await node.started(contact, f"About {n}") for n in range(3)]

    back = await node.peer()
    frames = await back.hello(node.token(session))

    assert set(by_id(frames)) == set(conversations)
