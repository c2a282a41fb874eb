"""Who can take a conversation, told to agents: whole at first, then what changes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from chat.model import Actor
from gateway.floor import Line
from gateway.hub import Listener
from gateway.protocol import FRAME_LIMIT
from gateway.statuses import AGAIN_SECONDS, NEVER, PACE_SECONDS, Statuses
from tests.builders import MINE, NOA, RIVAL, SOMCHAI


@dataclass(eq=False)
class Ear:
    actor: Actor
    watching: set[str] = field(default_factory=set)
    told: list[dict[str, Any]] = field(default_factory=list)
    is_slow: bool = False

    def overhear(self, payload: bytes) -> bool:
        assert len(payload) <= FRAME_LIMIT
        if not self.is_slow:
            self.told.append(json.loads(payload))
        return not self.is_slow

    def taken(self) -> list[tuple[bool, list[str]]]:
        told, self.told = self.told, []
        return [(each["whole"], [line["agent"] for line in each["statuses"]]) for each in told]

    def hear(self, conversation: str, seq: int, payload: bytes) -> None: ...
    def notice(self, payload: bytes) -> None: ...
    def grow(self, conversations: list[str]) -> None: ...
    def shrink(self, conversation: str) -> None: ...
    def renew(self, conversation: str) -> None: ...
    def come_back(self) -> None: ...


_: type[Listener] = Ear


def a_line(agent: str) -> Line:
    return Line(agent, "accepting_chats", "free", None, 4, 0, "available", "", 1)


LINES = {agent: a_line(agent) for agent in ("agt_a", "agt_b", "agt_c")}


def told(statuses: Statuses, *ears: Ear, now: float = 0.0) -> None:
    for ear in ears:
        statuses.enter(ear)
    statuses.tell(MINE, LINES, now)


def test_who_comes_is_told_everything_once_and_then_what_changed() -> None:
    statuses, ear = Statuses(), Ear(NOA)
    told(statuses, ear)
    assert ear.taken() == [(True, ["agt_a", "agt_b", "agt_c"])]

    statuses.change(MINE, {"agt_b"})
    statuses.tell(MINE, LINES, PACE_SECONDS)
    statuses.tell(MINE, LINES, 2 * PACE_SECONDS)

    assert ear.taken() == [(False, ["agt_b"])]
    assert statuses.due(MINE) == NEVER


def test_a_line_has_all_that_the_wire_says() -> None:
    statuses, ear = Statuses(), Ear(NOA)
    statuses.enter(ear)
    line = Line("agt_a", "offline", "off_shift", 99, 3, 1, "away", "lunch", 7, "agt_b", True, 98)

    statuses.tell(MINE, {"agt_a": line}, 0.0)

    assert ear.told == [
        {
            "type": "statuses",
            "whole": True,
            "statuses": [
                {
                    "agent": "agt_a",
                    "status": "offline",
                    "reason": "off_shift",
                    "until": 99,
                    "slots": 3,
                    "used": 1,
                    "availability": "away",
                    "availability_reason": "lunch",
                    "since": 7,
                    "set_by": "agt_b",
                    "finishes": True,
                    "shift_ends_at": 98,
                }
            ],
        }
    ]


def test_of_three_things_a_line_says_nothing_where_they_are_as_usual() -> None:
    statuses, ear = Statuses(), Ear(NOA)

    told(statuses, ear)

    assert not {"set_by", "finishes", "shift_ends_at"} & ear.told[0]["statuses"][0].keys()


def test_changes_are_gathered_for_a_moment() -> None:
    statuses, ear = Statuses(), Ear(NOA)
    told(statuses, ear)
    ear.taken()

    for agent in LINES:
        statuses.change(MINE, {agent})
        statuses.tell(MINE, LINES, PACE_SECONDS / 2)
    assert ear.taken() == []
    assert statuses.due(MINE) == PACE_SECONDS
    statuses.tell(MINE, LINES, PACE_SECONDS)

    assert ear.taken() == [(False, ["agt_a", "agt_b", "agt_c"])]


def test_who_could_not_take_it_is_told_everything_later_and_nobody_waits_for_that() -> None:
    statuses, slow, quick = Statuses(), Ear(NOA), Ear(SOMCHAI)
    told(statuses, slow, quick)
    slow.taken(), quick.taken()
    slow.is_slow = True
    statuses.change(MINE, {"agt_a"})
    statuses.tell(MINE, LINES, 1.0)
    slow.is_slow = False

    statuses.change(MINE, {"agt_b"})
    statuses.tell(MINE, LINES, 1.0 + PACE_SECONDS)
    assert (slow.taken(), quick.taken()) == ([], [(False, ["agt_a"]), (False, ["agt_b"])])
    statuses.tell(MINE, LINES, 1.0 + AGAIN_SECONDS)

    assert (slow.taken(), quick.taken()) == ([(True, ["agt_a", "agt_b", "agt_c"])], [])


def test_thousands_are_told_in_frames_of_which_the_first_says_that_it_is_all() -> None:
    statuses, ear = Statuses(), Ear(NOA)
    lines = {f"agt_{n:024}": a_line(f"agt_{n:024}") for n in range(5_000)}
    statuses.enter(ear)

    statuses.tell(MINE, lines, 0.0)

    heard = ear.taken()
    assert [whole for whole, _ in heard] == [True] + [False] * (len(heard) - 1)
    assert [agent for _, agents in heard for agent in agents] == list(lines)
    assert statuses.due(MINE) == NEVER


def test_so_much_for_so_many_takes_its_time() -> None:
    statuses = Statuses()
    ears = [Ear(NOA) for _ in range(100)]
    lines = {f"agt_{n:024}": a_line(f"agt_{n:024}") for n in range(2_000)}
    for ear in ears:
        statuses.enter(ear)

    statuses.tell(MINE, lines, 0.0)
    statuses.change(MINE, {"agt_a"})

    assert statuses.due(MINE) > 1.0


def test_when_somebody_is_gone_everybody_is_told_everything() -> None:
    statuses, ear = Statuses(), Ear(NOA)
    told(statuses, ear)
    ear.taken()

    statuses.forget(MINE)
    statuses.tell(MINE, {"agt_a": LINES["agt_a"]}, 1.0)

    assert ear.taken() == [(True, ["agt_a"])]


def test_accounts_hear_nothing_of_each_other_and_who_left_hears_nothing() -> None:
    statuses, mine, theirs = Statuses(), Ear(NOA), Ear(RIVAL)
    told(statuses, mine, theirs)
    assert theirs.taken() == []

    assert statuses.leave(mine)
    assert not statuses.leave(mine)
    statuses.change(MINE, {"agt_a"})
    statuses.tell(MINE, LINES, 9.0)

    assert mine.taken() == [(True, ["agt_a", "agt_b", "agt_c"])]
    assert (statuses.due(MINE), statuses.due("acc_unheard_of")) == (NEVER, NEVER)
