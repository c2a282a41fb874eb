"""What each method puts on the wire."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from bots.mirror import Mirror
from bots.outbox import Outbox
from bots.verbs import Verbs

CARD = {"kind": "card", "title": "Cat"}
CASES: list[tuple[Callable[[Verbs], object], dict[str, Any]]] = [
    (
        lambda v: v.start("inb_1", "Hi", id="i"),
        {"type": "conversation.start", "id": "i", "inbox": "inb_1", "text": "Hi"},
    ),
    (lambda v: v.send("c", "Hi", id="i"), {"type": "message.send", "id": "i", "conversation": "c", "text": "Hi"}),
    (lambda v: v.note("c", "Hi", id="i"), {"type": "note.add", "id": "i", "conversation": "c", "text": "Hi"}),
    (
        lambda v: v.start("inb_1", "", attachments=["upl_1"], id="i"),
        {"type": "conversation.start", "id": "i", "inbox": "inb_1", "text": "", "attachments": ["upl_1"]},
    ),
    (
        lambda v: v.send("c", "Hi", blocks=[CARD], attachments=("upl_1",), id="i"),
        {
            "type": "message.send",
            "id": "i",
            "conversation": "c",
            "text": "Hi",
            "blocks": [CARD],
            "attachments": ["upl_1"],
        },
    ),
    (
        lambda v: v.note("c", "", attachments=["upl_1"], id="i"),
        {"type": "note.add", "id": "i", "conversation": "c", "text": "", "attachments": ["upl_1"]},
    ),
    (
        lambda v: v.edit("c", "e", "Ho", id="i"),
        {"type": "message.edit", "id": "i", "conversation": "c", "entry": "e", "text": "Ho"},
    ),
    (
        lambda v: v.edit("c", "e", "Ho", blocks=[], id="i"),
        {"type": "message.edit", "id": "i", "conversation": "c", "entry": "e", "text": "Ho", "blocks": []},
    ),
    (
        lambda v: v.withdraw("c", "e", id="i"),
        {"type": "message.withdraw", "id": "i", "conversation": "c", "entry": "e"},
    ),
    (
        lambda v: v.react("c", "e", "👍", on=False, id="i"),
        {"type": "message.react", "id": "i", "conversation": "c", "entry": "e", "emoji": "👍", "on": False},
    ),
    (
        lambda v: v.press("c", "e", "yes", id="i"),
        {"type": "postback", "id": "i", "conversation": "c", "entry": "e", "button": "yes"},
    ),
    (
        lambda v: v.submit("c", "e", {"mail": "a@b.example"}, id="i"),
        {"type": "form.submit", "id": "i", "conversation": "c", "entry": "e", "values": {"mail": "a@b.example"}},
    ),
    (lambda v: v.claim("c", id="i"), {"type": "conversation.claim", "id": "i", "conversation": "c"}),
    (lambda v: v.resolve("c", id="i"), {"type": "conversation.resolve", "id": "i", "conversation": "c"}),
    (lambda v: v.reopen("c", id="i"), {"type": "conversation.reopen", "id": "i", "conversation": "c"}),
    (
        lambda v: v.assign("c", assignee="bot_1", id="i"),
        {"type": "conversation.assign", "id": "i", "conversation": "c", "assignee": "bot_1"},
    ),
    (
        lambda v: v.assign("c", assignee=None, team="tem_1", id="i"),
        {"type": "conversation.assign", "id": "i", "conversation": "c", "assignee": None, "team": "tem_1"},
    ),
    (lambda v: v.watch(["c", "d"]), {"type": "watch", "conversations": ["c", "d"]}),
    (lambda v: v.read("c", 4), {"type": "read", "conversation": "c", "seq": 4}),
    (lambda v: v.delivered("c", 4), {"type": "delivered", "conversation": "c", "seq": 4}),
]


def asked(*methods: Callable[[Verbs], object], now: float = 0.0) -> list[dict[str, Any]]:
    async def play() -> list[dict[str, Any]]:
        verbs = Verbs(Outbox(), Mirror(), 1.0)
        for method in methods:
            method(verbs)
        return [{key: value for key, value in ask.frame.items() if key != "ref"} for ask in verbs.outbox.due(now)]

    return asyncio.run(play())


@pytest.mark.parametrize(("method", "frame"), CASES)
def test_a_verb_is_one_frame(method: Callable[[Verbs], object], frame: dict[str, Any]) -> None:
    assert asked(method) == [frame]


def test_positions_of_one_conversation_are_merged_until_they_go_out() -> None:
    frames = asked(
        lambda v: v.read("c", 4), lambda v: v.read("c", 9), lambda v: v.read("d", 2), lambda v: v.read("c", 7)
    )

    assert [(frame["conversation"], frame["seq"]) for frame in frames] == [("c", 9), ("d", 2)]


def test_the_watched_set_is_said_again_unless_it_waits_already() -> None:
    assert len(asked(lambda v: v.watch(["c"]), lambda v: v.renew_watch())) == 1
    assert asked(lambda v: v.renew_watch()) == [{"type": "watch", "conversations": []}]


def test_every_entry_gets_an_id_of_its_own() -> None:
    frames = asked(lambda v: v.send("c", "a"), lambda v: v.send("c", "b"))

    assert frames[0]["id"] < frames[1]["id"]
    assert frames[1]["after"] == frames[0]["id"]


def test_what_is_a_message_stands_in_the_chain_and_what_changes_one_does_not() -> None:
    frames = asked(
        lambda v: v.send("c", "a"),
        lambda v: v.edit("c", "e", "b"),
        lambda v: v.press("c", "e", "yes"),
        lambda v: v.react("c", "e", "👍"),
        lambda v: v.submit("c", "f", {}),
    )

    sent, edited, pressed, reacted, submitted = frames
    assert (pressed["after"], submitted["after"]) == (sent["id"], pressed["id"])
    assert {"after"} & (edited.keys() | reacted.keys()) == set()
