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
from gateway.switchboard import LEDGER, Switchboard
from tests.builders import (
    DANA,
    MINE,
    NOA,
    a_held_conversation,
    a_message,
    a_move,
    a_ticket,
    an_id,
    store_moves,
)

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

    def overhear(self, payload: bytes) -> bool:
        return True

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
        self.switchboard = Switchboard(self.bus, self._flush, self.metrics.bus_unknown)
        self.relay = Relay(self.hub, self.bus, self.switchboard, Reading(store), self._flush, self.metrics)

    def _flush(self) -> None:
        self.flushes.append(1)

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


@pytest.mark.parametrize("payload", [bytes([LEDGER]), bytes([LEDGER, 1]) + b"nonsense"])
async def test_what_makes_no_sense_on_the_bus_makes_the_node_look_at_the_store(store: Store, payload: bytes) -> None:
    exchange = Exchange()
    place = Place(store, exchange)
    dana = place.listener(DANA)
    await place.relay.follow(MINE)
    await store_moves(store, a_move(a_held_conversation(seq=1, cursor=1)))
    sweeping = asyncio.create_task(place.relay.streams.run())

    MemoryBus(exchange).publish(MINE, payload)
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


async def test_of_another_history_an_account_is_followed_anew_and_let_go_of_as_ever(store: Store) -> None:
    place = Place(store, exchange := Exchange())
    await place.relay.follow(MINE)

    place.relay.begin_anew()
    assert MINE not in place.relay.streams
    await place.relay.follow(MINE)
    assert MINE in place.relay.streams
    place.relay.begin_anew()  # and nobody comes back
    for _ in range(int(LINGER_SECONDS / SWEEP_SECONDS) + 1):
        await place.relay.let_go()

    assert MINE not in place.relay.streams
    assert not exchange.subscribers[MINE]
