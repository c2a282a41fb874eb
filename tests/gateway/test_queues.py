"""What contacts hear of the queue and of their door: when it changes, and once a second at most."""

from __future__ import annotations

import json
from typing import Any

from chat.floors import Door
from chat.model import Actor
from gateway.floor import Floor
from gateway.queues import NEVER, WAITING_SECONDS, Prospect, Queues, Shown
from tests.builders import DANA, ELI, MINE, MOMENT, STRANGER
from tests.gateway.test_floor import Facts, a_look, at
from tests.gateway.test_statuses import Ear

OPEN = Shown("open", None, None, "open", 60)


class Hall:
    """The queues of one shop, whose door shows `shown` and whose waiting are told `prospects`."""

    def __init__(self) -> None:
        self.shown = OPEN
        self.prospects: dict[str, Prospect] = {}
        self.ears: list[Ear] = []
        self.queues = Queues(self._show, lambda floor, at: self.prospects, self._contacts)
        self.floor = Floor(MINE, Facts().standing)
        self.floor.begin(a_look())

    def enters(self, actor: Actor, inbox: str = "inb_door") -> Ear:
        ear = Ear(actor)
        self.ears.append(ear)
        self.queues.enter(ear, inbox)
        return ear

    def turns(self, now: float) -> None:
        """As the dispatch does it."""
        if self.queues.due(MINE) <= now:
            self.queues.tell(self.floor, MOMENT + round(now * 1000), now)

    def _show(self, floor: Floor, door: Door, at: int) -> Shown:
        return self.shown

    def _contacts(self, account: str, contact: str) -> list[Ear]:
        return [ear for ear in self.ears if (ear.actor.account, ear.actor.id) == (account, contact)]


def heard(ear: Ear) -> list[tuple[Any, ...]]:
    told, ear.told = ear.told, []
    return [
        ("inbox.status", each["status"]) if each["type"] == "inbox.status" else ("queue", each["position"], each["eta"])
        for each in told
    ]


def test_who_comes_is_told_at_once_what_the_door_shows_and_then_only_what_changes() -> None:
    hall = Hall()
    dana = hall.enters(DANA)
    hall.turns(0.0)
    assert json.loads(json.dumps(dana.told)) == [
        {
            "type": "inbox.status",
            "inbox": "inb_door",
            "status": "open",
            "opens_at": None,
            "until": None,
            "then": "open",
            "reply_seconds": 60,
        }
    ]
    heard(dana)

    hall.queues.change(MINE)
    hall.turns(1.0)
    assert heard(dana) == []
    hall.shown = Shown("busy", None, None, "busy", 60)
    hall.queues.change(MINE)
    hall.turns(2.0)

    assert heard(dana) == [("inbox.status", "busy")]


def test_changes_are_told_once_a_second_at_most() -> None:
    hall = Hall()
    dana = hall.enters(DANA)
    hall.turns(0.0)
    heard(dana)
    for n in range(10):
        hall.shown = Shown("busy" if n % 2 else "away", None, None, "busy", n)
        hall.queues.change(MINE)
        hall.turns(n / 10)

    assert heard(dana) == []
    assert hall.queues.due(MINE) == 1.0
    hall.turns(1.0)

    assert heard(dana) == [("inbox.status", "busy")]


def test_who_waits_hears_its_own_place_and_nobody_elses() -> None:
    hall = Hall()
    dana, eli, other = hall.enters(DANA), hall.enters(ELI), hall.enters(STRANGER)
    hall.floor.take(at(11, "cnv_dana"))
    hall.floor.take(at(12, "cnv_eli", contact=ELI.id))
    hall.prospects = {"cnv_dana": Prospect(1, (60, 180)), "cnv_eli": Prospect(2, None)}
    hall.turns(0.0)
    assert heard(dana) == [("inbox.status", "open"), ("queue", 1, [60, 180])]
    assert heard(eli) == [("inbox.status", "open"), ("queue", 2, None)]
    assert heard(other) == []

    hall.floor.take(at(13, "cnv_dana", status="open", assignee="agt_noa"))
    hall.prospects = {"cnv_eli": Prospect(1, None)}
    hall.queues.change(MINE)
    hall.turns(1.0)

    assert (heard(dana), heard(eli)) == ([], [("queue", 1, None)])


def test_who_waits_is_looked_at_again_though_nothing_happens() -> None:
    hall = Hall()
    dana = hall.enters(DANA)
    hall.floor.take(at(11, "cnv_dana"))
    hall.prospects = {"cnv_dana": Prospect(1, (60, 180))}
    hall.turns(0.0)
    heard(dana)
    assert hall.queues.due(MINE) == WAITING_SECONDS

    hall.prospects = {"cnv_dana": Prospect(1, (50, 170))}
    hall.turns(WAITING_SECONDS)

    assert heard(dana) == [("queue", 1, [50, 170])]


def test_a_door_is_looked_at_when_what_it_shows_is_over() -> None:
    hall = Hall()
    hall.shown = Shown("open", None, MOMENT + 30_000, "away", None)
    hall.enters(DANA)
    hall.turns(0.0)

    assert hall.queues.due(MINE) == 30.0


def test_one_that_waits_for_nobody_has_no_place() -> None:
    hall = Hall()
    dana = hall.enters(DANA)
    hall.floor.take(at(11, "cnv_dana"))

    hall.turns(0.0)

    assert heard(dana) == [("inbox.status", "open"), ("queue", None, None)]


def test_who_comes_later_is_told_what_the_others_know_and_who_was_slow_too() -> None:
    hall = Hall()
    hall.floor.take(at(11, "cnv_dana"))
    hall.prospects = {"cnv_dana": Prospect(1, None)}
    laptop = hall.enters(DANA)
    hall.turns(0.0)
    heard(laptop)
    phone = hall.enters(DANA)
    phone.is_slow = True
    hall.turns(0.5)
    assert heard(laptop) == []

    phone.is_slow = False
    hall.turns(1.5)

    assert (heard(laptop), heard(phone)) == ([], [("inbox.status", "open"), ("queue", 1, None)])


def test_who_left_hears_nothing_and_an_account_without_listeners_costs_nothing() -> None:
    hall = Hall()
    dana = hall.enters(DANA)

    hall.queues.leave(dana)
    hall.queues.leave(dana)
    hall.queues.change(MINE)

    assert hall.queues.due(MINE) == NEVER
    assert hall.queues._desks == {}


def test_of_a_door_that_is_not_there_nothing_is_told() -> None:
    hall = Hall()
    dana = hall.enters(DANA, "inb_gone")

    hall.turns(0.0)

    assert heard(dana) == []
