"""Tens of thousands of hostile frames at a real node: the right code for each, no traceback, others untouched."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import resource
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.fuzz import oracle
from tests.fuzz.hostile import Hostile, World
from tests.fuzz.oracle import ANSWERS, EITHER, ENDS, Expected
from tests.node import Node, on_a_node
from tests.peer import BINARY, CLOSE, CONT, PING, TEXT, Closed, Frame, Peer, masked, new_id

SEED = int(os.environ.get("SHOPBELL_SEED", "0")) or random.randrange(2**32)
FRAMES = int(os.environ.get("SHOPBELL_FRAMES", "20000"))
IN_ONE_LIFE = 17  # nonsense frames: at 20 a connection ends
GROWTH = 16 * 1024 * 1024  # bytes that the second half of the run may add
NEVER = {"internal", "unavailable", "busy", "rate_limited"}
# Rules may end a connection by their own right: whom one is has changed, or was revoked.
RIGHTFUL = {4202, 4010}
PROBE = 2**50

SETTINGS: dict[str, Any] = {
    "tick": 0.02,  # positions are answered once in it
    "ping_seconds": "300",
    "pong_seconds": "299",
    "rate_contact_messages": "1000000/s",
    "rate_agent_messages": "1000000/s",
    "rate_bot_messages": "1000000/s",
    "rate_anonymous_messages": "1000000/s",
    "rate_address_connects": "1000000/s",
    "handshakes_per_second": "1000000",
}


class Fuzz:
    """Lives of hostile peers, one after the other. Counts what came of their frames."""

    def __init__(self, node: Node, dice: random.Random, world: World) -> None:
        self.node = node
        self.dice = dice
        self.hostile = Hostile(dice, world)
        self.sent = 0
        self.came: Counter[str] = Counter()
        self._ref = 0
        self._tokens: dict[str, str] = {}

    async def live(self) -> None:
        """One connection from its beginning to its end."""
        kind = self.dice.choices(("contact", "agent", "bot", "new", "after close"), (5, 5, 5, 3, 1))[0]
        if kind == "new":
            await self._begin_badly()
        elif kind == "after close":
            await self._go_on_after_the_close()
        else:
            await self._talk(kind)

    # --- before hello -------------------------------------------------------------------------------------------------

    async def _begin_badly(self) -> None:
        peer = await self.node.peer(origin=self.dice.choice(["own", None]))
        data = self.hostile.frame(1, hello=True)
        self.sent += 1
        await self._send(peer, self._framed(data))
        code = await peer.closed()
        assert code in oracle.new(data), (code, oracle.new(data), data[:500])
        self.came[f"before hello: {code}"] += 1
        peer.leave()

    # --- after the close ----------------------------------------------------------------------------------------------

    async def _go_on_after_the_close(self) -> None:
        peer = await self._peer("contact")
        frames = [self.hostile.frame(n) for n in range(5)]
        self.sent += len(frames)
        await self._send(peer, masked(CLOSE, b"\x03\xe8") + b"".join(masked(TEXT, data) for data in frames))
        assert await peer.closed() == 1000
        self.came["after the close: nothing"] += 1
        peer.leave()

    # --- in the midst of a conversation -------------------------------------------------------------------------------

    async def _talk(self, kind: str) -> None:
        """Nonsense, up to the first frame that must end it."""
        peer = await self._peer(kind)
        frames: list[tuple[bytes, Expected]] = []
        for _ in range(self.dice.randint(1, IN_ONE_LIFE)):
            self._ref += 1
            data = self.hostile.frame(self._ref)
            frames.append((data, oracle.live(data)))
            if frames[-1][1].how != ANSWERS:
                break
        self.sent += len(frames)
        # Answered by the ledger, behind everything that was asked before.
        probe = {"type": "message.send", "ref": PROBE, "id": new_id(), "conversation": "cnv_none", "text": "x"}
        whole = b"".join(self._framed(data) for data, _ in frames)
        await self._send(peer, whole)
        with suppress(OSError):
            await peer.say(probe)
        try:
            heard, code = await self._hear(peer)
        except TimeoutError:
            said = "\n".join(f"{data[:600]!r} {expected}" for data, expected in frames)
            raise AssertionError(f"{kind}: nothing more was heard after\n{said}") from None
        self._judge(kind, frames, heard, code)
        peer.leave()

    async def _hear(self, peer: Peer) -> tuple[list[Frame], int | None]:
        """All answers up to the probe's, and the close code, 0 while it is open."""
        heard: list[Frame] = []
        try:
            while (frame := await peer.hear()).get("ref") != PROBE:
                if frame["type"] in ("ok", "refused"):
                    heard.append(frame)
        except Closed as closed:
            return heard, closed.code
        return heard, 0

    def _judge(self, kind: str, frames: list[tuple[bytes, Expected]], heard: list[Frame], code: int | None) -> None:
        last, then = frames[-1]
        said = f"{kind}: {last[:600]!r}\n{then}, closed with {code}, heard {heard[-3:]}"
        assert not [frame for frame in heard if frame.get("code") in NEVER], said
        if then.how == ENDS:
            assert code in then.closes | RIGHTFUL, said
        elif then.how == EITHER:
            assert code in then.closes | RIGHTFUL | {0}, said
        else:
            assert code in RIGHTFUL | {0}, said
        self.came[f"{kind}: closed with {code}" if code else f"{kind}: open"] += 1
        answers = {frame["ref"]: frame for frame in heard if "ref" in frame}
        for data, expected in frames:
            if expected.ref is None or expected.how != ANSWERS or code:
                continue  # what was said before a connection ended may go unanswered
            answer = answers.get(expected.ref)
            assert answer is not None or oracle.may_be_silent(data), f"{kind}: no answer to {data[:600]!r}"
            if answer is not None:
                answered = answer.get("code", "ok")
                assert expected.codes is None or answered in expected.codes, (kind, data[:600], answer)
                self.came[answered] += 1

    # --- a peer -------------------------------------------------------------------------------------------------------

    async def _peer(self, kind: str) -> Peer:
        if kind == "bot":
            peer = await self.node.bot()
            peer.send_at_once()
            return peer
        if self.dice.random() < 0.05:  # or they would have more and more conversations to be brought up to date about
            self._tokens.clear()
        if kind not in self._tokens:
            session = await (self.node.contact_session() if kind == "contact" else self.node.agent_session())
            self._tokens[kind] = self.node.token(session)
        peer = await self.node.peer()
        peer.send_at_once()
        await peer.hello(self._tokens[kind])
        return peer

    async def _send(self, peer: Peer, data: bytes) -> None:
        with suppress(OSError):  # it may have ended already
            await peer.send(data)

    def _framed(self, data: bytes) -> bytes:
        """As one frame, or in pieces with a ping between."""
        if self.dice.random() < 0.9 or len(data) < 2:
            return masked(TEXT, data)
        cut = self.dice.randrange(len(data))
        return masked(TEXT, data[:cut], fin=False) + masked(PING, b"") + masked(CONT, data[cut:])


class Honest:
    """Two who talk all the while in another account, and must not notice anything."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.messages = 0

    async def talk(self) -> None:
        node = self._node
        session = await node.contact_session(node.other)
        contact, agent = await node.contact(session), await node.agent(node.other.agent)
        ok = await contact.ask("conversation.start", id=new_id(), inbox=node.other.door.id, text="Hello?")
        conversation = ok["conversation"]
        await agent.ask("watch", conversations=[conversation])
        while True:
            for who, whom in ((contact, agent), (agent, contact)):
                entry = new_id()
                answer = await who.ask("message.send", id=entry, conversation=conversation, text="still here")
                assert answer["type"] == "ok", answer
                await whom.until(lambda frame, entry=entry: _has(frame, entry))
                self.messages += 1
            who.messages.clear()
            whom.messages.clear()
            await asyncio.sleep(0.01)


def _has(frame: Frame, entry: str) -> bool:
    return frame["type"] == "change" and any(each["id"] == entry for each in frame["entries"])


def rss() -> int:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


async def _world(node: Node) -> World:
    contact = await node.contact()
    conversations = [await node.started(contact) for _ in range(3)]
    entry = new_id()
    await contact.ask("message.send", id=entry, conversation=conversations[0], text="hello")
    mine = node.mine
    return World(
        {
            "conversation": conversations,
            "entry": [entry],
            "inbox": [mine.door.id],
            "agent": [mine.agent.id],
            "team": [mine.team.id],
            "bot": [mine.bot.id],
        }
    )


@on_a_node(**SETTINGS)
async def test_hostile_frames_get_what_they_deserve_and_nobody_else_notices(node: Node) -> None:
    fuzz = Fuzz(node, random.Random(SEED), await _world(node))
    honest = Honest(node)
    talking = asyncio.get_running_loop().create_task(honest.talk())
    began, told, halfway = time.monotonic(), 0, 0
    try:
        while fuzz.sent < FRAMES:
            await fuzz.live()
            assert not talking.done(), "the honest pair has fallen silent"
            node._peers[:] = [peer for peer in node._peers if peer.is_there]
            if not halfway and fuzz.sent * 2 >= FRAMES:
                halfway = rss()
            if FRAMES > 100_000 and fuzz.sent // 20_000 > told:
                told = fuzz.sent // 20_000
                seconds = time.monotonic() - began
                sys.stderr.write(f"\r{fuzz.sent:,} frames, {fuzz.sent / seconds:,.0f}/s, {rss() >> 20} MiB ")
                sys.stderr.flush()
        assert rss() - halfway < GROWTH
        assert honest.messages > 10
        assert node.complaints.lines == []
        await node.still_works()
    except BaseException as error:
        error.add_note(f"again with the same: SHOPBELL_SEED={SEED} SHOPBELL_FRAMES={FRAMES}")
        raise
    finally:
        talking.cancel()
        with suppress(asyncio.CancelledError):
            await talking
    assert sum(fuzz.came.values()) > 0
    assert {"ok", "not_found", "forbidden", "bad_request", "too_large", "unknown_type"} <= set(fuzz.came), fuzz.came


@on_a_node(**SETTINGS)
async def test_binary_and_random_bytes_end_their_own_connection(node: Node) -> None:
    dice = random.Random(SEED)
    for n in range(200):
        peer = await node.contact() if n % 2 else await node.peer()
        data = dice.randbytes(dice.randint(1, 2_000))
        if n % 4 < 2:
            await peer.send(masked(BINARY, data))
            assert await peer.closed() == 4003, (SEED, data)
        else:
            await peer.send(data)  # may be the beginning of something, of whatever
            peer.leave()
    await node.still_works()
