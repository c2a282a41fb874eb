"""docs/protocol.md: every example that a client sends is sent, every example of the server's is one that comes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from chat.access import OURSELVES
from chat.catalog import COMMANDS, SIGNALS
from chat.declarations import Declarations
from chat.model import AttributeType
from gateway import protocol
from tests.node import Node, on_a_node
from tests.peer import Frame, Peer, new_id

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()


class Example(NamedTuple):
    side: str
    who: str
    frame: Frame


def examples(side: str) -> list[Example]:
    found = re.findall(r"^```json (client|server) (contact|agent)\n(.*?)^```$", PAGE, re.M | re.S)
    return [Example(whose, who, json.loads(text)) for whose, who, text in found if whose == side]


def test_every_example_says_who_sends_it_to_whom() -> None:
    assert PAGE.count("```json") == len(examples("client")) + len(examples("server"))


def test_every_frame_of_a_client_has_an_example() -> None:
    named = {example.frame["type"] for example in examples("client")}

    of_peers = {kind.name for kind in (*COMMANDS, *SIGNALS) if kind.may != OURSELVES}
    assert named == {"hello", "watch", "pong"} | of_peers


@on_a_node(tick=0.02)
async def test_the_page_tells_what_happens(node: Node) -> None:
    story = Story(node)

    await story.play()

    for example in examples("server"):
        shape = shape_of(example.frame)
        alike = [shape_of(frame) for frame in story.heard[example.who] if frame["type"] == example.frame["type"]]
        assert shape in alike, f"no {example.frame['type']} came to the {example.who} that looks like {example.frame}"


def test_the_wire_client_has_the_same_close_codes() -> None:
    """The Python client goes by the ranges alone."""
    frames = (Path(__file__).parents[2] / "widget" / "src" / "wire" / "frames.ts").read_text()

    listed = {name: int(code) for name, code in re.findall(r"^  (\w+): (4\d{3}),$", frames, re.M)}

    assert listed == {code.name.lower(): code.value for code in protocol.CloseCode}


def shape_of(value: Any) -> Any:
    """The names in a frame, however deep; ids and values don't matter."""
    if isinstance(value, dict):
        return {re.sub(r"^([a-z]{3})_[0-9a-f]{24}$", r"\1", name): shape_of(part) for name, part in value.items()}
    if isinstance(value, list):
        return [shape_of(value[0])] if value else []
    return None


class Story:
    """The page's examples in its order, sent by a contact and an agent with the ids of this node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._sent = iter(examples("client"))
        in_an_hour = node.shopbell.node.clock.now() + 3_600_000
        self._real = {"inb_2c26b46b68ffc68ff99b453c": node.mine.door.id, "1795373400000": str(in_an_hour)}
        self._real["tem_4f9c27d1b0e8a5637c21de90"] = node.mine.team.id
        self._peers: dict[str, Peer] = {}
        self.heard: dict[str, list[Frame]] = {"contact": [], "agent": []}

    async def play(self) -> None:
        node = self._node
        tokens = {
            "contact": node.token(await node.contact_session()),
            "agent": node.token(await node.agent_session()),
        }
        await self._others()
        await self._arrive("contact", tokens, next(self._sent).frame)
        self._real["con_5d1c0e5a8f7b4c3d2e1f0a9b"] = self.heard["contact"][0]["me"]["id"]
        await self._arrive("agent", tokens, {"type": "hello", "protocol": 1, "token": "TOKEN", "batch": True})
        start = next(self._sent)
        self._real["cnv_fcde2b2edba56bf408601fb7"] = (await self._ask(start))["conversation"]
        self._real["9f86d081884c7d65"] = self.heard["contact"][0]["epoch"]
        await self._ask(start._replace(frame={**start.frame, "ref": 2}))
        await self._hear("agent", "heads")
        await self._watch()
        for example in self._sent:
            if example.frame["type"] == "hello":
                await self._arrive(example.who, tokens, example.frame)
            elif "ref" in example.frame:
                await self._ask(example)
            else:
                await self._say(example)
                if example.frame["type"] in ("typing", "preview"):
                    await self._hear("agent", "signal")
        await self._strangers(tokens)
        self.heard["contact"].append(json.loads(protocol.reconnect(5000, "deploy")))  # sent on SIGTERM: test_drain.py
        self.heard["contact"].append(json.loads(protocol.queue("cnv_x", 2, (120, 300), None)))  # where there is a team

    async def _others(self) -> None:
        """Contacts that aren't the page's own, and what the account has declared."""
        for written in ("con_4a8a08f09d37b73795649038", "con_4b227777d4dd1fc61c6f884f"):
            self._real[written] = (await self._node.contact_session()).actor.id
        declarations = Declarations(self._node.shopbell._store)
        for declared in (AttributeType("conversation", "order", "text"), AttributeType("contact", "vip", "boolean")):
            await declarations.declare(self._node.mine.id, declared, lambda *_: None)

    async def _arrive(self, who: str, tokens: dict[str, str], hello: Frame) -> None:
        """A new socket says this hello."""
        if who in self._peers:
            self._peers[who].leave()
        self._peers[who] = await self._node.peer()
        self._peers[who].answers_pings = False
        self._peers[who].hears_duty = True
        await self._say(Example("client", who, {**hello, "token": tokens[who]}))
        await self._hear(who, "synced")
        for wanted in ("inbox.status",) if who == "contact" else ("presence", "statuses"):
            if not any(frame["type"] == wanted for frame in self.heard[who]):
                await self._hear(who, wanted)

    async def _watch(self) -> None:
        """A snapshot comes for what nobody has claimed, then a change of it; what isn't there is gone."""
        conversation = self._real["cnv_fcde2b2edba56bf408601fb7"]
        for named in (["cnv_000000000000000000000000"], [conversation]):
            await self._peers["agent"].say({"type": "watch", "ref": 90, "conversations": named})
        await self._hear("agent", "gone")
        await self._hear("agent", "snapshot")
        note = {"type": "note.add", "ref": 91, "id": new_id(), "conversation": conversation, "text": "Mind the cat."}
        await self._ask(Example("client", "agent", note))
        await self._hear("agent", "change")

    async def _strangers(self, tokens: dict[str, str]) -> None:
        """What is refused, what comes of another epoch, and a ping."""
        await self._peers["contact"].say({**_READ, "conversation": "cnv_000000000000000000000000"})
        await self._hear("contact", "refused")
        await self._hear("contact", "ping")
        hello = {"type": "hello", "protocol": 1, "batch": True, "resume": {"epoch": "another", "cursor": 1}}
        await self._arrive("agent", tokens, hello)

    async def _say(self, example: Example) -> None:
        text = json.dumps(example.frame)
        for written, real in self._real.items():
            text = text.replace(written, real)
        await self._peers[example.who].say(text)

    async def _ask(self, example: Example) -> Frame:
        await self._say(example)
        answer = await self._hear(example.who, lambda frame: frame.get("ref") == example.frame["ref"])
        assert answer["type"] == "ok", answer
        return answer

    async def _hear(self, who: str, wanted: Any) -> Frame:
        heard = await self._peers[who].until(wanted)
        self.heard[who] += heard
        return heard[-1]


_READ = {"type": "read", "ref": 92, "seq": 1}
