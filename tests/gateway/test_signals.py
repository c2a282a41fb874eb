"""Signals: judged where they are made, heard by who listens on any node, few enough between nodes, and not kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.catalog import SIGNAL_CATALOG
from chat.errors import Refused
from chat.model import Actor, Ask
from chat.reading import Reading
from chat.rules.signals import Preview, Typing, Viewing
from chat.store import Store
from gateway import signals as module
from gateway.bus.memory import Exchange, MemoryBus
from gateway.hub import Hub
from gateway.limits import Rate
from gateway.metrics import new_metrics
from gateway.signals import LOOKED_AT, OF_NODE, OF_ONE, Passed, Signals, pack, unpack
from gateway.switchboard import SIGNAL, Switchboard
from tests.builders import (
    DANA,
    MINE,
    NOA,
    SOMCHAI,
    STRANGER,
    StillClock,
    a_held_conversation,
    a_move,
    store_moves,
)
from tests.engines import SqliteEngine, StoreEngine
from tests.node import Node, on_a_node
from tests.pair import two_healthy_nodes
from tests.peer import Frame, Peer, new_id

C = "cnv_parcel"


@pytest.fixture
def engine(tmp_path: Path) -> StoreEngine:
    """One is as good as another here."""
    return SqliteEngine(tmp_path)


@dataclass(eq=False)
class Ear:
    """A listener who writes down what it overhears."""

    actor: Actor
    watching: set[str] = field(default_factory=set)
    overheard: list[Any] = field(default_factory=list)

    def overhear(self, payload: bytes) -> bool:
        self.overheard.append(json.loads(payload))
        return True

    def hear(self, conversation: str, seq: int, payload: bytes) -> None: ...
    def notice(self, payload: bytes) -> None: ...
    def grow(self, conversations: list[str]) -> None: ...
    def shrink(self, conversation: str) -> None: ...
    def renew(self, conversation: str) -> None: ...
    def come_back(self) -> None: ...


class Place:
    """A node's signals over a store that all have in common; its clock stands still."""

    def __init__(self, store: Store, exchange: Exchange) -> None:
        self.clock, self.metrics = StillClock(), new_metrics()
        self.hub = Hub(lambda seconds, call: None, lambda: None)
        self.bus = MemoryBus(exchange)
        self.refused: list[str] = []
        self._done = asyncio.Event()
        switchboard = Switchboard(self.bus, lambda: None, self.metrics.bus_unknown)
        self.signals = Signals(self.hub, switchboard, Reading(store), self._done.set, self.metrics, self.clock)

    def listener(self, actor: Actor) -> Ear:
        ear = Ear(actor)
        self.hub.join(ear)
        if actor.is_staff:
            self.hub.watch(ear, [C])
        return ear

    async def makes(self, actor: Actor, *asks: Ask) -> None:
        """When this returns, whoever is to hear them has."""
        for ask in asks:
            self._done.clear()
            self.signals.submit(actor, SIGNAL_CATALOG[type(ask)], ask, self._refuse)
            await self._done.wait()
        for _ in range(3):
            await asyncio.sleep(0)

    def _refuse(self, refused: Refused) -> None:
        self.refused.append(refused.code)

    @property
    def untold(self) -> float | None:
        return self.metrics.registry.get_sample_value("shopbell_signals_untold_total")

    @property
    def let_pass(self) -> float | None:
        return self.metrics.registry.get_sample_value("shopbell_bus_unknown_total")


@asynccontextmanager
async def two_places(store: Store) -> AsyncIterator[tuple[Place, Place]]:
    """Both follow the account and have a conversation in it."""
    await store_moves(store, a_move(a_held_conversation(seq=1, cursor=1)))
    exchange = Exchange()
    places = Place(store, exchange), Place(store, exchange)
    for place in places:
        await place.bus.subscribe(MINE)
    running = [asyncio.create_task(place.signals.run()) for place in places]
    yield places
    for task in running:
        task.cancel()
    await asyncio.wait(running)


def told(ear: Ear) -> list[tuple[str, bool]]:
    return [(frame["name"], frame["on"]) for frame in ear.overheard]


async def test_who_listens_on_another_node_hears_what_each_may(store: Store) -> None:
    async with two_places(store) as (here, there):
        noa, somchais, dana = there.listener(NOA), there.listener(SOMCHAI), there.listener(DANA)
        here.listener(SOMCHAI)

        await here.makes(SOMCHAI, Typing(conversation=C), Viewing(conversation=C))

        assert told(noa) == [("typing", True), ("viewing", True)]
        assert somchais.overheard == []
        assert [frame["by"] for frame in dana.overheard] == [{"kind": "agent"}]


async def test_what_may_not_be_is_told_nobody(store: Store) -> None:
    async with two_places(store) as (here, there):
        somchai = there.listener(SOMCHAI)

        await here.makes(STRANGER, Typing(conversation=C))
        await here.makes(DANA, Viewing(conversation=C))

        assert (here.refused, somchai.overheard) == (["not_found", "forbidden"], [])


async def test_beyond_so_many_a_second_of_one_actor_other_nodes_are_told_nothing(store: Store) -> None:
    async with two_places(store) as (here, there):
        somchai, near = there.listener(SOMCHAI), here.listener(SOMCHAI)
        previews = [Preview(conversation=C, text=str(number)) for number in range(OF_ONE.burst + 5)]

        await here.makes(DANA, *previews)
        await here.makes(NOA, Typing(conversation=C))

        assert [frame["text"] for frame in somchai.overheard[:-1]] == [ask.text for ask in previews[: OF_ONE.burst]]
        assert told(somchai)[-1] == ("typing", True)
        assert (len(near.overheard), here.untold) == (len(previews) + 1, 5)
        here.clock.move(1)
        await here.makes(DANA, Preview(conversation=C, text="and now"))
        assert somchai.overheard[-1]["text"] == "and now"


async def test_nor_beyond_so_many_of_the_node(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OF_ONE", Rate(1000, 1000))
    async with two_places(store) as (here, there):
        somchai = there.listener(SOMCHAI)

        await here.makes(DANA, *[Typing(conversation=C)] * (OF_NODE.burst + 3))

        assert (len(somchai.overheard), here.untold) == (OF_NODE.burst, 3)


async def test_a_node_that_is_alone_counts_nothing(store: Store) -> None:
    async with two_places(store) as (here, there):
        await there.bus.unsubscribe(MINE)

        await here.makes(DANA, *[Typing(conversation=C)] * (OF_ONE.burst + 5))

        assert here.untold == 0


# --- who looks at what -----------------------------------------------------------------------------------------------


async def test_who_goes_looks_away_with_its_last_socket_for_all_nodes(store: Store) -> None:
    async with two_places(store) as (here, there):
        first, second = here.listener(NOA), here.listener(NOA)
        near, far = here.listener(SOMCHAI), there.listener(SOMCHAI)
        await here.makes(NOA, Viewing(conversation=C))

        here.hub.leave(first)
        assert told(near) == [("viewing", True)]
        here.hub.leave(second)
        await asyncio.sleep(0.01)

        assert told(near) == told(far) == [("viewing", True), ("viewing", False)]


async def test_who_has_said_that_it_looks_away_is_not_told_of_again(store: Store) -> None:
    async with two_places(store) as (here, _):
        noa, near = here.listener(NOA), here.listener(SOMCHAI)
        await here.makes(NOA, Viewing(conversation=C), Viewing(conversation=C, on=False))

        here.hub.leave(noa)

        assert told(near) == [("viewing", True), ("viewing", False)]


async def test_who_moves_to_another_node_and_looks_on_has_not_gone(store: Store) -> None:
    """A socket that moves opens the new one first: what the old one leaves behind mustn't undo what was said since."""
    async with two_places(store) as (here, there):
        before, after, near = here.listener(NOA), there.listener(NOA), here.listener(SOMCHAI)
        await here.makes(NOA, Viewing(conversation=C))
        await there.makes(NOA, Viewing(conversation=C))

        here.hub.leave(before)
        assert told(near) == [("viewing", True)] * 2
        there.hub.leave(after)
        await asyncio.sleep(0.01)

        assert told(near)[2:] == [("viewing", False)]


async def test_who_has_gone_before_its_signal_was_judged_looks_at_nothing(store: Store) -> None:
    async with two_places(store) as (here, there):
        near, far = here.listener(SOMCHAI), there.listener(SOMCHAI)

        await here.makes(NOA, Viewing(conversation=C))

        assert (near.overheard, far.overheard, here.signals._looked_at) == ([], [], {})


async def test_what_one_looks_at_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOKED_AT", 0)
    assert LOOKED_AT == 50
    async with two_places(store) as (here, _):
        noa, near = here.listener(NOA), here.listener(SOMCHAI)
        await here.makes(NOA, Viewing(conversation=C))

        here.hub.leave(noa)

        assert told(near) == [("viewing", True)]


# --- between versions ------------------------------------------------------------------------------------------------

passed = st.builds(
    Passed, st.text(), st.text(), st.text(), st.binary(), st.none() | st.binary(max_size=1000), st.booleans()
)


@given(passed)
def test_what_was_packed_comes_out_as_it_was(passed: Passed) -> None:
    assert unpack(pack(passed)) == passed


@given(st.binary() | st.binary().map(lambda body: bytes([SIGNAL, module.VERSION]) + body))
def test_whatever_comes_never_raises(payload: bytes) -> None:
    assert isinstance(unpack(payload), Passed | None)


@pytest.mark.parametrize("payload", [bytes([SIGNAL, 2, 0x96]), bytes([SIGNAL]), bytes([SIGNAL, 1, 0xC1])], ids=repr)
async def test_a_signal_of_another_version_is_counted_and_let_pass(store: Store, payload: bytes) -> None:
    async with two_places(store) as (here, there):
        somchai = there.listener(SOMCHAI)

        here.bus.publish(MINE, payload)
        await asyncio.sleep(0.01)

        assert (somchai.overheard, there.let_pass) == ([], 1)


# --- over the wire ---------------------------------------------------------------------------------------------------


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
    """chatwoot#11062: two worked on the same one, and neither knew."""
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


# --- between two nodes -----------------------------------------------------------------------------------------------


async def test_two_on_two_nodes_see_each_other_type_and_look(tmp_path: Path) -> None:
    async with two_healthy_nodes(tmp_path) as (first, second):
        contact, agent, watcher = await first.contact(), await second.agent(), await first.bot()
        conversation = await first.started(contact)
        for peer in (agent, watcher):
            await peer.ask("watch", conversations=[conversation])

        async with asyncio.timeout(2):
            await contact.say({"type": "typing", "conversation": conversation, "on": True})
            assert (await agent.next("signal"))["by"]["id"] == contact.welcome["me"]["id"]
            await contact.say({"type": "preview", "conversation": conversation, "text": "Where is"})
            assert (await agent.next("signal"))["text"] == "Where is"
            await agent.say({"type": "typing", "conversation": conversation, "on": True})
            assert (await contact.next("signal"))["by"] == {"kind": "agent"}
            await agent.say({"type": "viewing", "conversation": conversation, "on": True})
            heard = [await watcher.next("signal") for _ in range(4)]
            agent.leave()
            heard.append(await watcher.next("signal"))
        assert [(signal["name"], signal["on"]) for signal in heard] == [
            ("typing", True),
            ("preview", True),
            ("typing", True),
            ("viewing", True),
            ("viewing", False),
        ]
