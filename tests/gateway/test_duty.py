"""The seam between chat and presence: this node's presence, the schedules, and what follows."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from chat.model import Member
from gateway.duty import NodeDuty, shift_of
from presence.memory import Memory, MemoryPresence
from presence.rounds import Rounds
from tests.builders import MINE, MOMENT, StillClock

NEVER_ON = '{"zone":"UTC","weekly":{}}'
HOUR = 3_600_000


def a_member(**parts: Any) -> Member:
    return Member(MINE, "agt_noa", "Noa", **{"slots": 2, **parts})


class Place:
    def __init__(self, clock: StillClock) -> None:
        self.clock = clock
        self.rounds = Rounds(MemoryPresence(clock.ticks, "here", Memory()), clock.ticks)
        self.duty = NodeDuty(self.rounds)

    async def comes(self, agent: str = "agt_noa") -> None:
        self.rounds.enter(MINE, agent, "laptop")
        await self.rounds.talk()

    def reason(self, used: int = 0, **parts: Any) -> tuple[str, str]:
        standing = self.duty.standing(a_member(**parts), used, self.clock.now())
        return standing.status, standing.reason


async def test_nothing_is_known_before_presence_was_asked(clock: StillClock) -> None:
    place = Place(clock)
    assert not place.duty.is_known(MINE)
    assert place.reason() == ("offline", "unknown")

    place.rounds.attend(MINE)
    await place.rounds.talk()

    assert place.duty.is_known(MINE)
    assert place.reason() == ("offline", "not_present")


async def test_each_of_the_four_facts_counts(clock: StillClock) -> None:
    place = Place(clock)
    await place.comes()

    assert place.reason() == ("accepting_chats", "free")
    assert place.reason(used=2) == ("not_accepting_chats", "full")
    assert place.reason(availability="busy") == ("not_accepting_chats", "busy")
    assert place.reason(schedule=NEVER_ON) == ("offline", "off_shift")
    place.rounds.leave(MINE, "agt_noa", "laptop", for_good=True)
    assert place.reason() == ("offline", "not_present")


async def test_it_says_until_when_it_holds(clock: StillClock) -> None:
    place = Place(clock)
    await place.comes()
    schedule = (
        '{"zone":"UTC","weekly":{'
        + ",".join(f'"{day}":[["00:00","20:00"]]' for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun"))
        + "}}"
    )

    standing = place.duty.standing(a_member(schedule=schedule), 0, MOMENT)

    assert standing.until is not None
    assert standing.until % (24 * HOUR) == 20 * HOUR
    assert standing.until - MOMENT < 24 * HOUR
    assert standing.ends_at == standing.until


async def test_where_the_other_nodes_are_not_heard_nobody_knows_of_theirs(clock: StillClock) -> None:
    memory = Memory()
    here, there = (MemoryPresence(clock.ticks, name, memory) for name in ("here", "there"))
    rounds, others = Rounds(here, clock.ticks), Rounds(there, clock.ticks)
    others.enter(MINE, "agt_noa", "laptop")
    await others.talk()
    rounds.attend(MINE)
    await rounds.talk()
    duty = NodeDuty(rounds)
    assert duty.standing(a_member(), 0, clock.now()).status == "accepting_chats"

    clock.move(31)  # no answer since

    standing = duty.standing(a_member(), 0, clock.now())
    assert (standing.status, standing.reason, standing.is_present) == ("offline", "unknown", True)


def test_by_a_schedule_that_nobody_can_read_nobody_is_on_shift(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    shifts = [shift_of('{"zone":"Nowhere/Land"}', MOMENT + n) for n in range(3)]

    assert {shift.state for shift in shifts} == {"off_shift"}
    assert len([line for line in caplog.messages if "schedule" in line]) <= 1
    assert shift_of("", MOMENT).state == "on_shift"
