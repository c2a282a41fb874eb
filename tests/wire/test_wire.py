"""The WebSocket protocol itself, frame by frame, against the real endpoint: what RFC 6455 says, and what we do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from contextlib import suppress

import pytest

from tests.node import Node, on_a_node
from tests.peer import CLOSE, PONG, TEXT, Closed, Peer, masked
from tests.wire.cases import ASK, EMPTY, SECTIONS, STAYS, Case

END = masked(TEXT, ASK.replace(b"99", b"100"))
SPLIT_BELOW = 300  # bytes: these come also one by one


class Heard:
    """What a peer got back, until its last ask was answered or the connection ended."""

    def __init__(self) -> None:
        self.answers = 0
        self.is_over = False
        self.pongs: list[bytes] = []
        self.close: int | bytes | None = STAYS
        self.others: list[object] = []

    async def listen(self, peer: Peer) -> Heard:
        try:
            while self.close is STAYS and not self.is_over:  # pongs are faster than any answer
                self._take(*await peer.frame())
        except (Closed, TimeoutError) as end:
            self.others.append(repr(end))
            return self
        if self.close is not STAYS:
            with suppress(OSError):  # it may have ended already
                await peer.send(masked(CLOSE, b""))
            await peer.ends()
        return self

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == PONG:
            self.pongs.append(payload)
        elif opcode == CLOSE:
            self.close = int.from_bytes(payload[:2], "big") if payload else EMPTY
        elif opcode == TEXT:
            for line in payload.split(b"\n"):
                frame = json.loads(line)
                if frame.get("ref") == 99:
                    self.answers += 1
                elif frame.get("ref") == 100:
                    self.is_over = True
                elif frame["type"] not in ("ping", "inbox.status"):  # which come by themselves
                    self.others.append(frame)


async def play(node: Node, case: Case, pieces: Iterable[bytes]) -> Heard:
    peer = await node.contact()
    peer.send_at_once()
    for piece in pieces:
        try:
            await peer.send(piece)
        except OSError:  # the server has ended it
            break
        await asyncio.sleep(0)  # its turn
    heard = await Heard().listen(peer)
    peer.leave()
    return heard


def expected(case: Case, heard: Heard) -> bool:
    if case.close is not STAYS:
        # What came before a frame that ends the connection may be answered or not: websockets says so of itself.
        return heard.close == case.close and not heard.others
    return (heard.answers, heard.pongs, heard.close, heard.others) == (case.answers, [*case.pongs], STAYS, [])


def told(case: Case, heard: Heard) -> str:
    return f"{case.name}: wanted {case.answers} {case.pongs} {case.close!r}, got {vars(heard)}"


@pytest.mark.parametrize("section", SECTIONS)
@on_a_node()
async def test_frames_are_taken_as_the_rfc_says(node: Node, section: str) -> None:
    wrong = []
    for case in SECTIONS[section]():
        data = case.data + (END if case.close is STAYS else b"")
        heard = await play(node, case, [data])
        if not expected(case, heard):
            wrong.append(told(case, heard))
        elif len(case.data) < SPLIT_BELOW:
            heard = await play(node, case, (data[n : n + 1] for n in range(len(data))))
            if not expected(case, heard):
                wrong.append(told(case, heard) + ", byte by byte")

    assert wrong == []
    await node.still_works()


def test_there_are_cases_enough() -> None:
    cases = [case for section in SECTIONS.values() for case in section()]

    assert len(cases) > 250
    assert len({(case.name, case.data) for case in cases}) == len(cases)
