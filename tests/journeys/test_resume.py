"""After a disconnect a peer gets exactly what it missed: no more, no less; and begins anew when that can't be."""

from __future__ import annotations

from typing import Any

import pytest

from bots import Client
from chat import reading
from tests.node import Node, on_a_node, says
from tests.peer import Frame, Peer, new_id


async def send(by: Peer, conversation: str, *texts: str) -> None:
    for text in texts:
        answer = await by.ask("message.send", id=new_id(), conversation=conversation, text=text)
        assert answer["type"] == "ok", answer


def texts(frames: list[Frame]) -> list[str]:
    return [entry["text"] for frame in frames for entry in frame.get("entries", ()) if entry["kind"] != "activity"]


async def back(node: Node, session: Any, **resume: Any) -> list[Frame]:
    """All that a contact or agent hears who comes back."""
    peer = await node.peer()
    return await peer.hello(node.token(session), resume=resume)


async def back_as_bot(node: Node, **resume: Any) -> list[Frame]:
    peer = await node.peer(origin=None)
    return await peer.hello(node.mine.bot_token, resume=resume)


# --- contacts --------------------------------------------------------------------------------------------------------


@on_a_node()
async def test_a_contact_gets_exactly_what_it_missed(node: Node) -> None:
    session, bot = await node.contact_session(), await node.bot()
    contact = await node.contact(session)
    conversation = await node.started(contact)
    await send(bot, conversation, "seen")
    epoch = contact.welcome["epoch"]
    assert await contact.closing() == 1000
    await send(bot, conversation, "missed", "missed too")
    await bot.ask("note.add", id=new_id(), conversation=conversation, text="between us")

    for _ in range(2):  # the same position gives the same answer
        heard = await back(node, session, epoch=epoch, conversations={conversation: 2})
        assert says(heard) == ["welcome", "change", "synced"]
        assert texts(heard) == ["missed", "missed too"]
        assert heard[1]["state"]["seq"] == heard[1]["seq"] == 5


@on_a_node()
async def test_a_contact_that_missed_nothing_gets_the_state_and_no_entries(node: Node) -> None:
    session = await node.contact_session()
    contact = await node.contact(session)
    conversation = await node.started(contact)

    heard = await back(node, session, epoch=contact.welcome["epoch"], conversations={conversation: 1})

    assert says(heard) == ["welcome", "change", "synced"]
    assert heard[1]["entries"] == []
    assert heard[1]["state"]["status"] == "queued"


@on_a_node()
async def test_a_conversation_that_a_contact_doesnt_name_comes_whole(node: Node) -> None:
    session = await node.contact_session()
    contact = await node.contact(session)
    known, unknown = await node.started(contact, "known"), await node.started(contact, "unknown")

    heard = await back(node, session, epoch=contact.welcome["epoch"], conversations={known: 1})

    assert {frame["conversation"]: frame["type"] for frame in heard[1:-1]} == {known: "change", unknown: "snapshot"}


@on_a_node()
async def test_what_belongs_to_somebody_else_is_gone(node: Node) -> None:
    stranger = await node.contact()
    theirs = await node.started(stranger)

    heard = await back(
        node, await node.contact_session(), epoch=stranger.welcome["epoch"], conversations={theirs: 1, "cnv_none": 1}
    )

    assert says(heard) == ["welcome", "gone", "gone", "synced"]
    assert {frame["conversation"] for frame in heard[1:-1]} == {theirs, "cnv_none"}


@on_a_node()
async def test_a_contact_that_claims_to_be_ahead_of_us_gets_a_snapshot(node: Node) -> None:
    session = await node.contact_session()
    contact = await node.contact(session)
    conversation = await node.started(contact)

    heard = await back(node, session, epoch=contact.welcome["epoch"], conversations={conversation: 2**53 - 1})

    assert says(heard) == ["welcome", "snapshot", "synced"]


# --- staff -----------------------------------------------------------------------------------------------------------


@on_a_node()
async def test_staff_gets_what_it_missed_of_what_it_holds_and_heads_of_the_rest(node: Node) -> None:
    contact, session = await node.contact(), await node.agent_session()
    held, elsewhere = await node.started(contact), await node.started(contact)
    agent = await node.peer()
    cursor = (await agent.hello(node.token(session)))[-1]["cursor"]
    await agent.ask("watch", conversations=[held])
    await agent.next("snapshot")
    await agent.closing()
    await send(contact, held, "missed")
    await send(contact, elsewhere, "moved")

    heard = await back(node, session, epoch=agent.welcome["epoch"], cursor=cursor, watch=[held])

    assert says(heard) == ["welcome", "change", "heads", "synced"]
    assert texts(heard) == ["missed"]
    assert [head["preview"] for head in heard[2]["heads"]] == ["moved"]
    assert heard[2]["cursor"] == heard[3]["cursor"] == cursor + 2


@on_a_node()
async def test_staff_that_missed_nothing_hears_nothing(node: Node) -> None:
    contact, bot = await node.contact(), await node.bot()
    conversation = await node.started(contact)
    await bot.ask("watch", conversations=[conversation])
    cursor = (await bot.next("snapshot"))["cursor"]

    heard = await back_as_bot(node, epoch=bot.welcome["epoch"], cursor=cursor, watch=[conversation])

    assert says(heard) == ["welcome", "synced"]


@on_a_node()
async def test_what_fell_to_somebody_meanwhile_comes_whole(node: Node) -> None:
    contact, bot, agent = await node.contact(), await node.bot(), await node.agent()
    conversation = await node.started(contact)
    synced = bot.welcome["epoch"]
    await bot.closing()
    await agent.ask("conversation.assign", id=new_id(), conversation=conversation, assignee=node.mine.bot.id)

    heard = await back_as_bot(node, epoch=synced, cursor=0, watch=[])

    assert says(heard) == ["welcome", "snapshot", "synced"]


@on_a_node()
async def test_what_is_resumed_is_watched_on(node: Node) -> None:
    contact, bot = await node.contact(), await node.bot()
    conversation = await node.started(contact)
    await bot.ask("watch", conversations=[conversation])
    cursor = (await bot.next("snapshot"))["cursor"]
    again = await node.bot(resume={"epoch": bot.welcome["epoch"], "cursor": cursor, "watch": [conversation]})

    await send(contact, conversation, "still with you")

    assert texts([await again.next("change")]) == ["still with you"]


# --- resets ----------------------------------------------------------------------------------------------------------


@on_a_node()
async def test_another_epoch_is_another_history(node: Node) -> None:
    contact_session = await node.contact_session()
    contact = await node.contact(contact_session)
    conversation = await node.started(contact)

    of_contact = await back(node, contact_session, epoch="another", conversations={conversation: 1})
    of_bot = await back_as_bot(node, epoch="another", cursor=1, watch=[conversation])

    assert says(of_contact) == ["welcome", "reset", "snapshot", "synced"]
    assert says(of_bot) == ["welcome", "reset", "synced"]
    assert of_contact[1] == of_bot[1] == {"type": "reset", "reason": "epoch"}


@on_a_node()
async def test_who_is_too_far_behind_begins_anew(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "CATCH_UP_CHANGES", 5)
    session, bot = await node.contact_session(), await node.bot()
    contact = await node.contact(session)
    conversation = await node.started(contact)
    epoch = bot.welcome["epoch"]
    await send(contact, conversation, *(str(n) for n in range(10)))

    of_bot = await back_as_bot(node, epoch=epoch, cursor=1, watch=[conversation])
    of_contact = await back(node, session, epoch=epoch, conversations={conversation: 1})

    assert says(of_bot) == ["welcome", "reset", "snapshot", "synced"]
    assert of_bot[1]["reason"] == "too_far"
    assert texts(of_bot) == ["Hello?", *(str(n) for n in range(10))]
    assert says(of_contact) == ["welcome", "snapshot", "synced"]
    assert texts(of_contact) == texts(of_bot)


@on_a_node()
async def test_after_a_reset_what_was_held_is_heard_on(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "CATCH_UP_CHANGES", 2)
    contact = await node.contact()
    conversation = await node.started(contact)
    await send(contact, conversation, "1", "2", "3")
    bot = await node.bot(resume={"epoch": contact.welcome["epoch"], "cursor": 0, "watch": [conversation]})

    await send(contact, conversation, "live")

    assert texts([await bot.next("change")]) == ["live"]


@on_a_node()
async def test_a_position_beyond_our_head_is_another_history(node: Node) -> None:
    contact = await node.contact()
    conversation = await node.started(contact)

    heard = await back_as_bot(node, epoch=contact.welcome["epoch"], cursor=2**53 - 1, watch=[conversation])

    assert says(heard) == ["welcome", "reset", "snapshot", "synced"]


# --- long histories --------------------------------------------------------------------------------------------------


@on_a_node()
async def test_a_snapshot_has_the_newest_fifty_and_says_that_there_are_more(node: Node) -> None:
    contact = await node.contact()
    conversation = await node.started(contact)
    await send(contact, conversation, *(str(n) for n in range(60)))
    bot = await node.bot()

    await bot.ask("watch", conversations=[conversation])
    snapshot = await bot.next("snapshot")

    assert texts([snapshot]) == [str(n) for n in range(10, 60)]
    assert snapshot["more"] is True


@on_a_node()
async def test_fifty_resumes_in_a_row_lose_nothing(node: Node) -> None:
    contact = await node.contact()
    conversation = await node.started(contact)
    bot = await node.bot()
    await bot.ask("watch", conversations=[conversation])
    cursor, heard = (await bot.next("snapshot"))["cursor"], []

    for n in range(50):
        await send(contact, conversation, f"while away {n}")
        again = await node.peer(origin=None)
        resume = {"epoch": bot.welcome["epoch"], "cursor": cursor, "watch": [conversation]}
        frames = await again.hello(node.mine.bot_token, resume=resume)
        heard += texts(frames)
        cursor = frames[-1]["cursor"]
        await again.closing()

    assert heard == [f"while away {n}" for n in range(50)]


@on_a_node()
async def test_a_client_takes_a_snapshot_of_long_messages(node: Node) -> None:
    """Fifty of 32 KB each are beyond the megabyte that WebSocket libraries take unless told otherwise."""
    contact = await node.contact()
    conversation = await node.started(contact)
    await send(contact, conversation, *["🛍" * 8000] * 50)

    async with Client(node.origin, node.mine.bot_token) as bot:
        await bot.watch([conversation])
        await bot.until(lambda mirror: conversation in mirror.threads)
        assert len(bot.mirror.threads[conversation].entries) == 50
