"""The relay: ok before the change, signals to who listens, two nodes that tell each other, accounts let go in time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from chat.batch import Commit
from chat.errors import NotFound, Refused
from chat.model import Actor
from chat.reading import Reading
from chat.rules.messages import AddNote, Send
from chat.store import Store
from chat.ticket import Answer, Done
from gateway import bulletin
from gateway.bus.memory import Exchange, MemoryBus
from gateway.hub import Hub
from gateway.metrics import Metrics, new_metrics
from gateway.relay import LINGER_SECONDS, Relay
from gateway.stream import SWEEP_SECONDS
from tests.builders import (
    DANA,
    MINE,
    MOMENT,
    NOA,
    a_held_conversation,
    a_message,
    a_move,
    a_ticket,
    an_id,
    store_moves,
)
from tests.node import Node, on_a_node
from tests.peer import Frame, Peer, new_id

C = "cnv_parcel"


@dataclass(eq=False)
class Ear:
    """A listener and asker in one, who writes down what comes, in its order."""

    actor: Actor
    watching: set[str] = field(default_factory=set)
    log: list[str] = field(default_factory=list)

    def hear(self, conversation: str, seq: int, payload: bytes) -> None:
        self.log.append(f"change {seq}")

    def answered(self, ref: int | None, result: Done | Refused) -> None:
        self.log.append(f"{'ok' if isinstance(result, Done) else result.code} {ref}")

    def overhear(self, payload: bytes) -> None: ...
    def notice(self, payload: bytes) -> None: ...
    def grow(self, conversations: list[str]) -> None: ...
    def shrink(self, conversation: str) -> None: ...

    def renew(self, conversation: str) -> None: ...

    def come_back(self) -> None: ...


class Place:
    """One node's relay, hub and bus over a store."""

    def __init__(self, store: Store, exchange: Exchange | None = None) -> None:
        self.flushes: list[int] = []
        self.metrics: Metrics = new_metrics()
        self.hub = Hub(lambda seconds, call: None, lambda: None)
        self.bus = MemoryBus(exchange)
        self.relay = Relay(
            self.hub, self.bus, Reading(store), lambda: self.flushes.append(1), self.metrics, lambda: MOMENT
        )

    def listener(self, actor: Actor) -> Ear:
        ear = Ear(actor)
        self.hub.join(ear)
        if actor.is_staff:
            self.hub.watch(ear, [C])
        return ear


def a_commit(cursor: int = 2) -> Commit:
    move = a_move(a_held_conversation(seq=cursor, cursor=cursor), a_message(cursor, seq=cursor))
    return Commit(MINE, cursor - 1, cursor, (move,))


def a_send(peer: Ear, ref: int = 7) -> Any:
    return a_ticket(peer.actor, Send(id=an_id(2), ref=ref, conversation=C, text="x"), peer)


async def test_ok_comes_first_and_everything_goes_out_in_one_write(store: Store) -> None:
    place = Place(store)
    noa, dana = place.listener(NOA), place.listener(DANA)
    await store_moves(store, a_move(a_held_conversation(seq=1, cursor=1)))
    await place.relay.follow(MINE)

    place.relay.settle([Answer(a_send(noa), Done(C, 2, 0))], [a_commit()])

    assert noa.log == ["ok 7", "change 2"]
    assert dana.log == ["change 2"]
    assert place.flushes == [1]


async def test_refusals_and_resends_are_counted_apart(store: Store) -> None:
    place = Place(store)
    noa = Ear(NOA)
    note = a_ticket(NOA, AddNote(id=an_id(3), conversation=C, text="x"), noa)

    place.relay.settle(
        [
            Answer(a_send(noa, 1), Done(C, 2, 0)),
            Answer(a_send(noa, 2), Done(C, 2, 0, again=True)),
            Answer(a_send(noa, 3), NotFound()),
            Answer(note, Done(C, 3, 0)),
        ],
        [],
    )

    text = place.metrics.render().decode()
    assert noa.log == ["ok 1", "ok 2", "not_found 3", "ok None"]
    for line in (
        'asks_total{type="message.send"} 1.0',
        'asks_total{type="note.add"} 1.0',
        "resends_total 1.0",
        'refusals_total{code="not_found"} 1.0',
    ):
        assert line in text


async def test_an_account_that_nobody_follows_costs_no_delivery(store: Store) -> None:
    place = Place(store)
    noa = place.listener(NOA)

    place.relay.settle([], [a_commit()])

    assert noa.log == []


async def test_who_listens_on_another_node_hears_the_change_and_it_is_written_out_once(store: Store) -> None:
    exchange = Exchange()
    here, there = Place(store, exchange), Place(store, exchange)
    noa, dana = here.listener(NOA), there.listener(DANA)
    await there.relay.follow(MINE)
    await here.relay.follow(MINE)

    here.relay.settle([], [a_commit(1), a_commit(2)])
    for _ in range(2):
        await asyncio.sleep(0)

    assert noa.log == dana.log == ["change 1", "change 2"]
    assert there.flushes == [1]


async def test_of_what_is_too_long_for_the_bus_the_other_node_reads_the_store(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulletin, "PACKED_BYTES", 100)
    exchange = Exchange()
    here, there = Place(store, exchange), Place(store, exchange)
    dana = there.listener(DANA)
    await there.relay.follow(MINE)
    await store_moves(store, a_move(a_held_conversation(seq=1, cursor=1)))

    here.relay.settle([], [a_commit(1)])
    assert dana.log == []
    await asyncio.sleep(0.2)

    assert dana.log == ["change 1"]
    assert there.flushes


@pytest.mark.parametrize("payload", [b"", b"\x01nonsense", b"\xff" * 17])
async def test_what_makes_no_sense_on_the_bus_makes_the_node_look_at_the_store(store: Store, payload: bytes) -> None:
    place = Place(store)
    dana = place.listener(DANA)
    await place.relay.follow(MINE)
    await store_moves(store, a_move(a_held_conversation(seq=1, cursor=1)))
    sweeping = asyncio.create_task(place.relay.streams.run())

    place.relay._hear(MINE, payload)
    await asyncio.sleep(0.2)

    assert dana.log == ["change 1"]
    sweeping.cancel()
    await asyncio.wait([sweeping])


async def test_what_comes_of_an_account_that_nobody_here_follows_is_left_alone(store: Store) -> None:
    exchange = Exchange()
    here, there = Place(store, exchange), Place(store, exchange)
    await there.bus.subscribe(MINE)

    here.relay.settle([], [a_commit(1)])
    await asyncio.sleep(0)

    assert there.flushes == []


async def test_an_account_without_listeners_is_let_go_after_a_while(store: Store) -> None:
    place = Place(store)
    await place.relay.follow(MINE)
    sweeps = int(LINGER_SECONDS / SWEEP_SECONDS)

    for _ in range(sweeps):
        await place.relay.let_go()
    assert MINE in place.relay.streams
    await place.relay.let_go()

    assert MINE not in place.relay.streams


async def test_an_account_whose_people_come_back_is_kept(store: Store) -> None:
    place = Place(store)
    await place.relay.follow(MINE)
    sweeps = int(LINGER_SECONDS / SWEEP_SECONDS)
    for _ in range(sweeps):
        await place.relay.let_go()

    ear = place.listener(NOA)
    await place.relay.let_go()
    place.hub.leave(ear)
    for _ in range(sweeps):
        await place.relay.let_go()

    assert MINE in place.relay.streams


# --- signals, over the wire ------------------------------------------------------------------------------------------


async def heard_typing(peer: Peer) -> list[Frame]:
    return [frame for frame in await peer.settle() if frame["type"] == "signal"]


@on_a_node()
async def test_typing_is_heard_by_who_listens_and_by_nobody_else(node: Node) -> None:
    session = await node.contact_session()
    contact, tab, stranger = await node.contact(session), await node.contact(session), await node.contact()
    watcher, idle, rival = await node.bot(), await node.agent(), await node.bot(node.other)
    conversation = await node.started(contact)
    for bot in (watcher, rival):
        await bot.ask("watch", conversations=[conversation])

    await contact.say({"type": "typing", "conversation": conversation, "on": True})
    signal = await watcher.next("signal")

    by = {"kind": "contact", "id": contact.welcome["me"]["id"]}
    assert signal == {"type": "signal", "name": "typing", "conversation": conversation, "by": by, "on": True}
    for peer in (contact, tab, stranger, idle, rival):
        assert await heard_typing(peer) == []


@on_a_node()
async def test_the_contact_is_told_that_somebody_types_and_who_only_if_it_knows_them(node: Node) -> None:
    contact, bot, agent = await node.contact(), await node.bot(), await node.agent()
    conversation = await node.started(contact)
    await bot.ask("message.send", id=new_id(), conversation=conversation, text="I know you")
    await contact.next("change")

    await agent.say({"type": "typing", "conversation": conversation})
    assert (await contact.next("signal"))["by"] == {"kind": "agent"}
    await bot.say({"type": "typing", "conversation": conversation, "on": False})
    signal = await contact.next("signal")

    assert signal["by"] == {"kind": "bot", "id": bot.welcome["me"]["id"]}
    assert signal["on"] is False


@pytest.mark.parametrize("who", ["stranger", "rival"])
@on_a_node()
async def test_a_signal_into_somebody_elses_conversation_is_refused_as_if_it_werent_there(node: Node, who: str) -> None:
    contact = await node.contact()
    conversation = await node.started(contact)
    peer = await (node.contact() if who == "stranger" else node.bot(node.other))

    refused = await peer.ask("typing", conversation=conversation, on=True)

    assert (refused["code"], refused["field"]) == ("not_found", "conversation")
    assert await heard_typing(contact) == []


@on_a_node()
async def test_what_a_contact_types_only_staff_that_watches_sees(node: Node) -> None:
    session = await node.contact_session()
    contact, tab = await node.contact(session), await node.contact(session)
    watcher, idle = await node.bot(), await node.agent()
    conversation = await node.started(contact)
    await watcher.ask("watch", conversations=[conversation])

    await contact.say({"type": "preview", "conversation": conversation, "text": "Where is"})
    signal = await watcher.next("signal")

    by = {"kind": "contact", "id": contact.welcome["me"]["id"]}
    told = {"type": "signal", "name": "preview", "conversation": conversation, "by": by}
    assert signal == {**told, "on": True, "text": "Where is"}
    for peer in (contact, tab, idle):
        assert await heard_typing(peer) == []
    too_long = await contact.ask("preview", conversation=conversation, text="x" * 501)
    assert too_long["code"] == "too_large"


@on_a_node()
async def test_staff_sees_who_else_looks_and_that_they_have_gone(node: Node) -> None:
    contact, watcher, agent = await node.contact(), await node.bot(), await node.agent()
    conversation = await node.started(contact)
    await watcher.ask("watch", conversations=[conversation])

    await agent.say({"type": "viewing", "conversation": conversation, "on": True})
    comes = await watcher.next("signal")
    agent.leave()
    goes = await watcher.next("signal")

    by = {"kind": "agent", "id": agent.welcome["me"]["id"]}
    told = {"type": "signal", "name": "viewing", "conversation": conversation, "by": by}
    assert [comes, goes] == [{**told, "on": True}, {**told, "on": False}]
    assert await heard_typing(contact) == []


@pytest.mark.parametrize(
    ("who", "name", "field"), [("contact", "viewing", "on"), ("bot", "preview", "text")], ids=["contact", "bot"]
)
@on_a_node()
async def test_each_side_makes_its_own_signals(node: Node, who: str, name: str, field: str) -> None:
    contact, bot = await node.contact(), await node.bot()
    conversation = await node.started(contact)

    refused = await {"contact": contact, "bot": bot}[who].ask(
        name, conversation=conversation, **{field: True if field == "on" else "x"}
    )

    assert refused["code"] == "forbidden"


@on_a_node()
async def test_who_was_blocked_after_it_came_makes_no_signals_until_it_is_unblocked(node: Node) -> None:
    contact, watcher, agent = await node.contact(), await node.bot(), await node.agent()
    conversation = await node.started(contact)
    await watcher.ask("watch", conversations=[conversation])
    me = contact.welcome["me"]["id"]

    await agent.ask("contact.block", id=new_id(), contact=me, until=None)
    for name, what in (("typing", {"on": True}), ("preview", {"text": "x"})):
        refused = await contact.ask(name, conversation=conversation, **what)
        assert refused["code"] == "blocked"
    assert await heard_typing(watcher) == []

    await agent.ask("contact.unblock", id=new_id(), contact=me)
    await contact.say({"type": "typing", "conversation": conversation, "on": True})
    assert (await watcher.next("signal"))["name"] == "typing"
