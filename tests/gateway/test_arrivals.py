"""Arrivals: subscribed first, read second. What happens in between is neither lost nor out of order."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.json import decode

from chat.errors import Unavailable
from chat.reading import CatchUp, Missed, Reading
from gateway import arrivals
from gateway.protocol import CloseCode
from tests.builders import NOA, a_conversation
from tests.node import Node, on_a_node, says
from tests.peer import Frame, Peer, new_id

READS = ("catch_up_contacts", "catch_up_staff", "snapshots")
ALL_READS = ("in_hands", *READS)


class Gate:
    """Holds up every read for an arrival: before it is made, or when it is made and not yet used."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, moment: str, reads: tuple[str, ...] = READS) -> None:
        self._moment = moment
        self._opened = asyncio.Event()
        self._opened.set()
        self._reached = asyncio.Event()
        for name in reads:
            monkeypatch.setattr(Reading, name, self._gated(getattr(Reading, name)))

    def shut(self) -> None:
        self._opened.clear()
        self._reached.clear()

    async def reached(self) -> None:
        await asyncio.wait_for(self._reached.wait(), 10)

    def open(self) -> None:
        self._opened.set()

    def _gated(self, read: Any) -> Any:
        async def gated(reading: Reading, *arguments: Any, **named: Any) -> Any:
            if self._moment == "before the read":
                self._reached.set()
                await self._opened.wait()
            found = await read(reading, *arguments, **named)
            self._reached.set()
            await self._opened.wait()
            return found

        return gated


@pytest.fixture(params=["before the read", "after the read"])
def moment(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def send(by: Peer, conversation: str, *texts: str) -> None:
    for text in texts:
        answer = await by.ask("message.send", id=new_id(), conversation=conversation, text=text)
        assert answer["type"] == "ok", answer


def folded(snapshot: Frame, changes: list[Frame]) -> tuple[Any, list[Any]]:
    """An old snapshot and the changes since, put together as docs/protocol.md says."""
    state, entries = snapshot["state"], {entry["id"]: entry for entry in snapshot["entries"]}
    for change in changes:
        state = {**(change.get("state") or state), "seq": change["seq"], "cursor": change["cursor"]}
        entries |= {entry["id"]: entry for entry in change["entries"]}
    return state, sorted(entries.values(), key=lambda entry: entry["born"])


def of(frames: list[Frame], conversation: str) -> list[Frame]:
    return [frame for frame in frames if frame.get("conversation") == conversation]


def assert_nothing_is_missing(frames: list[Frame], upto: int) -> None:
    """The first frame is whole or a resume's; then every seq comes once, in order."""
    seqs = [frame["state"]["seq"] if frame["type"] == "snapshot" else frame["seq"] for frame in frames]
    assert seqs == sorted(set(seqs)), seqs
    assert seqs[-1] == upto
    heard = {entry["seq"] for frame in frames for entry in frame["entries"]}
    assert heard >= set(range(seqs[0] + 1, upto + 1))


async def fresh(node: Node, conversation: str) -> Frame:
    """What somebody is told who knows nothing."""
    peer = await node.bot()
    await peer.ask("watch", conversations=[conversation])
    return await peer.next("snapshot")


@on_a_node()
async def test_a_contact_misses_nothing_of_what_happens_while_it_arrives(
    node: Node, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    gate, session, agent = Gate(monkeypatch, moment), await node.contact_session(), await node.agent()
    conversation = await node.started(await node.contact(session))
    peer = await node.peer()
    gate.shut()

    await peer.say({"type": "hello", "protocol": 1, "token": node.token(session)})
    await gate.reached()
    await send(agent, conversation, "one", "two", "three")
    gate.open()

    frames = await peer.until("synced")
    assert_nothing_is_missing(of(frames, conversation), upto=4)
    await send(agent, conversation, "four")
    assert of(await peer.settle(), conversation)[0]["seq"] == 5


@on_a_node()
async def test_a_contact_that_comes_back_gets_what_it_missed_and_what_happens_meanwhile(
    node: Node, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    gate, session, agent = Gate(monkeypatch, moment), await node.contact_session(), await node.agent()
    first = await node.contact(session)
    conversation = await node.started(first)
    first.leave()
    await send(agent, conversation, "missed")
    peer = await node.peer()
    gate.shut()

    resume = {"epoch": first.welcome["epoch"], "conversations": {conversation: 1}}
    await peer.say({"type": "hello", "protocol": 1, "token": node.token(session), "resume": resume})
    await gate.reached()
    await send(agent, conversation, "meanwhile")
    gate.open()

    frames = of(await peer.until("synced"), conversation)
    assert {frame["type"] for frame in frames} == {"change"}
    texts = [entry["text"] for frame in frames for entry in frame["entries"] if entry["kind"] == "message"]
    assert texts == ["missed", "meanwhile"]


@on_a_node()
async def test_a_contacts_new_conversation_that_begins_meanwhile_is_heard(
    node: Node, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    gate, session = Gate(monkeypatch, moment), await node.contact_session()
    other_tab, peer = await node.contact(session), await node.peer()
    gate.shut()

    await peer.say({"type": "hello", "protocol": 1, "token": node.token(session)})
    await gate.reached()
    conversation = await node.started(other_tab)
    gate.open()

    frames = of(await peer.until("synced"), conversation)
    assert len(frames) == 1
    assert frames[0]["state"]["id"] == conversation


@on_a_node()
async def test_staff_that_comes_back_misses_nothing_of_what_it_holds(
    node: Node, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    gate, contact, first = Gate(monkeypatch, moment), await node.contact(), await node.agent()
    conversation = await node.started(contact)
    await first.ask("watch", conversations=[conversation])
    held = await first.next("snapshot")
    first.leave()
    await send(contact, conversation, "missed")
    peer = await node.peer()
    gate.shut()

    resume = {"epoch": first.welcome["epoch"], "cursor": held["state"]["cursor"], "watch": [conversation]}
    token = node.token(await node.agent_session())
    await peer.say({"type": "hello", "protocol": 1, "token": token, "resume": resume})
    await gate.reached()
    await send(contact, conversation, "meanwhile")
    gate.open()

    frames = await peer.until("synced")
    assert_nothing_is_missing([held, *of(frames, conversation)], upto=3)
    again = await fresh(node, conversation)
    assert folded(held, of(frames, conversation)) == (again["state"], again["entries"])


@on_a_node()
async def test_what_is_watched_from_now_on_comes_as_a_snapshot_and_then_without_a_gap(
    node: Node, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    gate, contact, agent = Gate(monkeypatch, moment), await node.contact(), await node.agent()
    conversation = await node.started(contact)
    gate.shut()

    await agent.ask("watch", conversations=[conversation])
    await gate.reached()
    await send(contact, conversation, "one", "two", "three")
    gate.open()
    await send(contact, conversation, "four")

    frames = of(await agent.until(lambda frame: frame.get("seq") == 5), conversation)
    assert says(frames)[0] == "snapshot"
    assert_nothing_is_missing(frames, upto=5)


@on_a_node()
async def test_heads_wait_for_what_is_being_read_so_that_no_position_overtakes_it(
    node: Node, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    gate, contact, agent = Gate(monkeypatch, moment), await node.contact(), await node.agent()
    watched, elsewhere = await node.started(contact), await node.started(contact)
    await agent.next("heads")
    gate.shut()

    await agent.ask("watch", conversations=[watched])
    await gate.reached()
    await send(contact, watched, "held back")
    await send(contact, elsewhere, "noticed")
    await asyncio.sleep(0.1)  # heads have been told by now
    assert await agent.settle() == []
    gate.open()

    frames = await agent.until("heads")
    assert says(frames)[0] == "snapshot"
    assert_nothing_is_missing(of(frames, watched), upto=2)
    assert frames[-1]["cursor"] == 4


@on_a_node()
async def test_nothing_is_heard_of_what_was_let_go_while_it_was_read(
    node: Node, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    gate, contact, bot = Gate(monkeypatch, moment), await node.contact(), await node.bot()
    conversation = await node.started(contact)
    gate.shut()

    await bot.ask("watch", conversations=[conversation])
    await gate.reached()
    await bot.ask("watch", conversations=[])
    await send(contact, conversation, "unheard")
    gate.open()
    await node.eventually(lambda: not node.shopbell._tasks._tasks)
    await send(contact, conversation, "unheard too")

    assert [frame for frame in await bot.settle() if frame["type"] == "change"] == []


@on_a_node()
async def test_a_conversation_that_falls_to_somebody_who_arrives_is_heard(
    node: Node, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    gate, contact, bot = Gate(monkeypatch, moment), await node.contact(), await node.bot()
    conversation = await node.started(contact)
    agent = await node.peer()
    gate.shut()

    await agent.say({"type": "hello", "protocol": 1, "token": node.token(await node.agent_session())})
    await gate.reached()
    await bot.ask("conversation.assign", id=new_id(), conversation=conversation, assignee=node.mine.agent.id)
    gate.open()
    await send(contact, conversation, "for you")

    frames = of(await agent.until(lambda frame: frame.get("seq") == 3), conversation)
    assert says(frames)[0] == "snapshot"
    assert_nothing_is_missing(frames, upto=3)


@on_a_node()
async def test_what_falls_to_somebody_who_arrives_is_not_heard_before_its_snapshot(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, contact, bot = Gate(monkeypatch, "after the read"), await node.contact(), await node.bot()
    conversation = await node.started(contact)
    agent = await node.peer()
    gate.shut()
    await agent.say({"type": "hello", "protocol": 1, "token": node.token(await node.agent_session())})
    await gate.reached()

    await bot.ask("conversation.assign", id=new_id(), conversation=conversation, assignee=node.mine.agent.id)
    await send(contact, conversation, "for", "you")
    gate.open()
    await send(contact, conversation, "at last")

    frames = of(await agent.until(lambda frame: frame.get("seq") == 5), conversation)
    assert says(frames)[0] == "snapshot"
    assert_nothing_is_missing(frames, upto=5)


@on_a_node()
@pytest.mark.parametrize("reads", [("in_hands",), ("catch_up_staff",)])
async def test_what_goes_to_somebody_else_meanwhile_is_not_heard_without_its_snapshot(
    node: Node, monkeypatch: pytest.MonkeyPatch, moment: str, reads: tuple[str, ...]
) -> None:
    gate, contact, bot = Gate(monkeypatch, moment, reads), await node.contact(), await node.bot()
    conversation = await node.started(contact)
    await bot.ask("conversation.assign", id=new_id(), conversation=conversation, assignee=node.mine.agent.id)
    agent = await node.peer()
    gate.shut()
    await agent.say({"type": "hello", "protocol": 1, "token": node.token(await node.agent_session())})
    await gate.reached()

    await send(contact, conversation, "for you")
    await bot.ask("conversation.assign", id=new_id(), conversation=conversation, assignee=None)
    await send(contact, conversation, "for nobody")
    gate.open()
    heard = await agent.until("presence")
    await send(contact, conversation, "for whoever comes")

    frames = of([*heard, *await agent.settle()], conversation)
    if frames:  # as long as it is heard, it is heard whole
        assert says(frames)[0] == "snapshot"
        assert_nothing_is_missing(frames, upto=frames[-1].get("seq") or frames[-1]["state"]["seq"])


@on_a_node()
async def test_what_goes_and_comes_back_meanwhile_is_heard_in_order(
    node: Node, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    gate, contact, bot = Gate(monkeypatch, moment, ALL_READS), await node.contact(), await node.bot()
    conversation = await node.started(contact)
    await bot.ask("conversation.assign", id=new_id(), conversation=conversation, assignee=node.mine.agent.id)
    agent = await node.peer()
    token = node.token(await node.agent_session())
    gate.shut()
    await agent.say({"type": "hello", "protocol": 1, "token": token})
    await gate.reached()

    for assignee in (None, node.mine.agent.id, None, node.mine.agent.id):
        await bot.ask("conversation.assign", id=new_id(), conversation=conversation, assignee=assignee)
        await send(contact, conversation, "Who has me?")
    gate.open()
    await send(contact, conversation, "Hello?")

    frames = of(await agent.until(lambda frame: frame.get("seq") == 11), conversation)
    told = [frame["state"]["seq"] if frame["type"] == "snapshot" else frame["seq"] for frame in frames]
    assert says(frames)[0] == "snapshot"
    assert told == sorted(told)


@on_a_node()
async def test_who_resumes_from_a_snapshot_misses_no_head_that_waited_to_be_told(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.hub.HEADS_SECONDS", 60)
    contact, session = await node.contact(), await node.agent_session()
    watched, elsewhere = await node.started(contact), await node.started(contact)
    agent = await node.peer()
    greeting = await agent.hello(node.token(session))
    await send(contact, elsewhere, "noticed")
    await agent.ask("watch", conversations=[watched])
    heard = [*greeting, await agent.next("snapshot")]
    await agent.closing()

    cursor = max(
        frame["cursor"] for frame in heard if frame["type"] in {"heads", "snapshot", "synced"} and "cursor" in frame
    )
    again = await node.peer()
    resume = {"epoch": agent.welcome["epoch"], "cursor": cursor, "watch": [watched]}
    frames = await again.hello(node.token(session), resume=resume)

    assert [head["preview"] for frame in frames if frame["type"] == "heads" for head in frame["heads"]] == ["noticed"]


# --- what is heard moves with the assignment -------------------------------------------------------------------------


@on_a_node()
async def test_assignment_moves_what_is_heard(node: Node) -> None:
    contact, noa, dara = await node.contact(), await node.agent(), await node.agent(await node.second_agent())
    conversation = await node.started(contact)

    await noa.ask("conversation.claim", id=new_id(), conversation=conversation)
    assert (await noa.next("snapshot"))["state"]["assignee"] == node.mine.agent.id
    second = dara.welcome["me"]["id"]
    await noa.ask("conversation.assign", id=new_id(), conversation=conversation, assignee=second)
    assert (await noa.next("change"))["state"]["assignee"] == second
    assert (await dara.next("snapshot"))["state"]["assignee"] == second

    await send(contact, conversation, "Are you there?")
    assert (await dara.next("change"))["seq"] == 4
    assert "change" not in says(await noa.settle())


@on_a_node()
async def test_what_is_watched_by_name_is_heard_on_after_the_assignment_has_gone(node: Node) -> None:
    contact, bot = await node.contact(), await node.bot()
    conversation = await node.started(contact)
    await bot.ask("watch", conversations=[conversation])
    await bot.ask("conversation.claim", id=new_id(), conversation=conversation)

    await bot.ask("conversation.assign", id=new_id(), conversation=conversation, assignee=None)
    await send(contact, conversation, "Still there?")

    assert (await bot.until(lambda frame: frame.get("seq") == 4))[-1]["type"] == "change"


@on_a_node()
async def test_each_change_is_heard_once_by_who_resumes_what_is_also_assigned_to_it(node: Node) -> None:
    contact, bot = await node.contact(), await node.bot()
    conversation = await node.started(contact)
    await bot.ask("conversation.claim", id=new_id(), conversation=conversation)
    held = await bot.next("snapshot")
    bot.leave()

    resume = {"epoch": bot.welcome["epoch"], "cursor": held["state"]["cursor"], "watch": [conversation, conversation]}
    again = await node.bot(resume=resume)
    await send(contact, conversation, "once")

    assert says(await again.settle()) == ["change"]


# --- gone, away, slow, broken ----------------------------------------------------------------------------------------


@on_a_node()
async def test_what_is_not_there_is_gone(node: Node) -> None:
    contact, rival = await node.contact(), await node.bot(node.other)
    conversation = await node.started(contact)

    assert (await rival.ask("watch", conversations=[conversation, "cnv_none"]))["type"] == "ok"

    assert {(await rival.next("gone"))["conversation"] for _ in range(2)} == {conversation, "cnv_none"}
    await send(contact, conversation, "not for you")
    assert await rival.settle() == []


@on_a_node()
async def test_what_a_peer_holds_and_is_not_there_any_more_is_gone(node: Node) -> None:
    contact, bot = await node.contact(), await node.bot()
    await node.started(contact)
    epoch = contact.welcome["epoch"]
    again, bot_again = await node.peer(), await node.peer(origin=None)

    heard = await again.hello(
        node.token(await node.contact_session()), resume={"epoch": epoch, "conversations": {"cnv_none": 3}}
    )
    heard_by_bot = await bot_again.hello(node.mine.bot_token, resume={"epoch": epoch, "cursor": 0, "watch": ["cnv_x"]})

    assert says(heard) == ["welcome", "gone", "synced"]
    assert says(heard_by_bot) == ["welcome", "gone", "synced"]
    bot.leave()


@on_a_node()
async def test_a_store_that_is_away_at_an_arrival_is_said_so(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object, **__: object) -> None:
        raise Unavailable("on purpose")

    with monkeypatch.context() as patch:
        for name in READS:
            patch.setattr(Reading, name, away)
        for origin, token in ((None, node.mine.bot_token), ("own", node.token(await node.contact_session()))):
            peer = await node.peer(origin=origin)
            await peer.say({"type": "hello", "protocol": 1, "token": token})
            assert await peer.closed() == 4101
    await node.still_works()


@on_a_node()
async def test_a_store_that_is_slow_at_an_arrival_is_not_waited_for_without_end(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "ARRIVAL_SECONDS", 0.1)
    gate, peer = Gate(monkeypatch, "before the read"), await node.peer()
    gate.shut()
    await peer.say({"type": "hello", "protocol": 1, "token": node.token(await node.contact_session())})

    assert await peer.closed() == 4101
    gate.open()
    await node.still_works()


@on_a_node()
async def test_a_bug_at_an_arrival_ends_that_one_connection_and_is_logged(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("on purpose")

    with monkeypatch.context() as patch:
        patch.setattr(Reading, "catch_up_contacts", broken)
        peer = await node.peer()
        await peer.say({"type": "hello", "protocol": 1, "token": node.token(await node.contact_session())})
        assert await peer.closed() == 4100

    await node.still_works()
    (complaint,) = node.complaints.lines
    assert "on purpose" in complaint
    node.complaints.lines.clear()


@on_a_node(tick=0.02)
async def test_who_goes_while_it_arrives_leaves_nothing_behind(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.socket.CLOSING_SECONDS", 0.05)
    gate, noa = Gate(monkeypatch, "after the read"), await node.agent()
    peer = await node.peer()
    token = node.token(await node.agent_session(await node.second_agent()))
    gate.shut()

    await peer.say({"type": "hello", "protocol": 1, "token": token})
    await gate.reached()
    monkeypatch.setattr(node.shopbell.node, "hello_seconds", 0.01)
    await node.eventually(lambda: len(node.shopbell.node.sockets) == 1)
    gate.open()
    await node.eventually(lambda: not node.shopbell._tasks._tasks)

    assert "presence" not in says(await noa.settle())
    assert sum(len(slot) for slot in node.shopbell._wheel._slots) == 1


def test_what_was_missed_comes_at_its_own_cursor() -> None:
    """Clients put a change's cursor into the state, which must become as a fresh snapshot has it."""
    conversation = a_conversation(cursor=7)
    caught = CatchUp(42, False, [Missed(conversation, conversation, [])], [], [], [])

    (change,) = arrivals.frames_of(NOA, caught)

    assert decode(change)["cursor"] == decode(change)["state"]["cursor"] == 7


@on_a_node(rate_hellos="1/60s burst 2")
async def test_an_actor_that_brings_too_many_sockets_has_to_wait(node: Node) -> None:
    session = await node.contact_session()
    peers = [await node.contact(session) for _ in range(2)]

    third = await node.peer()
    await third.say({"type": "hello", "protocol": 1, "token": node.token(session)})
    assert await third.closed() == CloseCode.RATE_ABUSE

    stranger = await node.contact()  # nobody else has to
    for peer in (*peers, stranger):
        started = await peer.ask("conversation.start", id=new_id(), inbox=node.mine.door.id, text="still here")
        assert started["type"] == "ok"
