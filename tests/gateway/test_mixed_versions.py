"""Two nodes of two versions, as during a deploy: of what the newer writes the older hears bells, and misses nothing."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from gateway import bulletin, revocation, roll, signals, word
from gateway.protocol import CloseCode
from gateway.switchboard import DUTY, LEDGER, PRESENCE, REVOCATION, SIGNAL
from tests.node import Node
from tests.pair import two_healthy_nodes
from tests.peer import Frame, Peer, new_id

TALK = 60  # messages of each
VERSIONS = {
    LEDGER: bulletin.VERSION,
    SIGNAL: signals.VERSION,
    REVOCATION: revocation.VERSION,
    PRESENCE: roll.VERSION,
    DUTY: word.VERSION,
}


def speaks_a_newer_version(node: Node) -> None:
    """From now on it packs as a later version might: another version byte, a body that no one else can read, and kinds
    that no one else knows. The ledger's head is where it always is."""
    publish = node.shopbell._bus.publish

    def publish_anew(account: str, payload: bytes) -> None:
        kind, body = payload[0], payload[2:]
        head, rest = (body[:16], body[16:]) if kind == LEDGER else (b"", body)
        publish(account, bytes([kind, VERSIONS[kind] + 1]) + head + rest[::-1])
        publish(account, b"\xfesomething new" + payload)

    node.shopbell._bus.publish = publish_anew  # type: ignore[method-assign,assignment]


def counted(node: Node, name: str) -> float:
    value = node.shopbell.node.metrics.registry.get_sample_value(f"shopbell_{name}_total")
    assert value is not None
    return value


async def talks(peer: Peer, conversation: str, name: str) -> list[str]:
    """Says so much and hears all that both say; the texts in the order in which they came."""
    for number in range(TALK):
        await peer.begin("message.send", id=new_id(), conversation=conversation, text=f"{name} {number}")
        await asyncio.sleep(0.005)
    heard: list[str] = []
    seqs: list[int] = []
    while len(heard) < 2 * TALK:
        frame: Frame = await peer.hear()
        assert frame["type"] != "refused"
        if frame["type"] == "change":
            seqs.append(frame["seq"])
            heard += [entry["text"] for entry in frame["entries"] if " " in entry.get("text", "")]
    assert seqs == sorted(set(seqs))
    return heard


async def test_nodes_of_two_versions_are_one_chat(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with two_healthy_nodes(tmp_path) as (older, newer):
        contact, bot = await older.contact(), await newer.bot()
        conversation = await older.started(contact)
        await bot.begin("watch", conversations=[conversation])
        await bot.next("snapshot")
        speaks_a_newer_version(newer)
        caplog.clear()
        reads, began = counted(older, "holes_healed"), time.monotonic()

        async with asyncio.timeout(20):
            both = await asyncio.gather(talks(contact, conversation, "contact"), talks(bot, conversation, "bot"))

        assert both[0] == both[1]
        assert sorted(both[0]) == sorted(f"{name} {number}" for name in ("contact", "bot") for number in range(TALK))
        # One read in so long for whatever has come meanwhile, and not one for each of the newer node's messages.
        most = (time.monotonic() - began) / 0.05 + 2
        assert 1 <= counted(older, "holes_healed") - reads <= most
        assert counted(older, "bus_unknown") >= 10
        async with asyncio.timeout(1):  # by the bell; heads are compared every five seconds
            await bot.begin("message.send", id=new_id(), conversation=conversation, text="Alone")
            await contact.until(lambda frame: any(entry.get("text") == "Alone" for entry in frame.get("entries", ())))
        assert caplog.messages == []


async def test_what_a_newer_node_signals_passes_and_what_it_revokes_is_looked_up(tmp_path: Path) -> None:
    async with two_healthy_nodes(tmp_path) as (older, newer):
        session = await older.contact_session()
        contact, stays, bot = await older.contact(session), await older.contact(), await newer.bot()
        conversation = await older.started(contact)
        speaks_a_newer_version(newer)

        await bot.say({"type": "typing", "conversation": conversation, "on": True})
        await older.eventually(lambda: counted(older, "bus_unknown") == 2)
        assert [frame for frame in await contact.settle() if frame["type"] == "signal"] == []
        await newer.end(session)
        newer.shopbell._revocations.close(newer.mine.id, session=session.id)

        async with asyncio.timeout(2):
            assert await contact.closed() == CloseCode.UNAUTHORIZED
        await stays.settle()
