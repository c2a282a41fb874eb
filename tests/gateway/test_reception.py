"""What a door shows to shoppers, from who answers for it."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from chat.model import Member, TeamRules
from gateway import reception
from gateway.duty import NodeDuty
from gateway.floor import Floor
from gateway.reception import shown_at
from presence.memory import Memory, MemoryPresence
from presence.rounds import Rounds
from tests.builders import MINE, MOMENT, StillClock
from tests.gateway.test_floor import CARE, DARA, DOOR, NOA, a_look, at, held

HOUR = 3_600_000
NIGHTS = (
    '{"zone":"UTC","weekly":{'
    + ",".join(f'"{day}":[["00:00","06:00"]]' for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun"))
    + "}}"
)  # the moment of these tests is in the evening


class Place:
    def __init__(self, clock: StillClock, **look: Any) -> None:
        self.rounds = Rounds(MemoryPresence(clock.ticks, "here", Memory()), clock.ticks)
        self.duty = NodeDuty(self.rounds)
        self.floor = Floor(MINE, self.duty.standing)
        self.floor.begin(a_look(**look))

    async def come(self, *agents: str) -> None:
        self.rounds.attend(MINE)
        for agent in agents:
            self.rounds.enter(MINE, agent, "laptop")
        await self.rounds.talk()

    def shows(self, door: Any = DOOR) -> tuple[str, int | None]:
        found = shown_at(self.floor, door, self.duty, MOMENT)
        return found.status, found.opens_at


async def test_a_door_is_open_while_somebody_of_its_teams_accepts(clock: StillClock) -> None:
    other = Member(MINE, "agt_other", "Other", teams=("tem_sales",))
    place = Place(clock, members={each.id: each for each in (NOA, DARA, other)})
    await place.come("agt_other")
    assert place.shows()[0] == "away"
    await place.come("agt_noa")
    assert place.shows() == ("open", None)

    for number in range(NOA.slots):
        place.floor.take(held(11 + number, id=f"cnv_{number}"))

    assert place.shows()[0] == "busy"


async def test_a_queue_that_takes_nobody_more_is_busy(clock: StillClock) -> None:
    rules = TeamRules(CARE.id, CARE.members, queue_limit=2)
    place = Place(clock, teams={rules.id: rules}, waiting=[at(1, "cnv_1"), at(2, "cnv_2")])
    await place.come("agt_noa")

    assert place.shows()[0] == "busy"
    place.floor.take(at(11, "cnv_1", status="resolved"))

    assert place.shows()[0] == "open"


async def test_out_of_hours_it_is_away_and_says_when_it_opens(clock: StillClock) -> None:
    place = Place(clock)
    await place.come("agt_noa")

    status, opens_at = place.shows(replace(DOOR, hours=NIGHTS))

    assert status == "away"
    assert opens_at is not None
    assert opens_at % (24 * HOUR) == 0


async def test_without_a_team_everybody_counts(clock: StillClock) -> None:
    place = Place(clock)
    await place.come("agt_noa")

    assert place.shows(replace(DOOR, teams=()))[0] == "open"


async def test_thousands_who_are_not_here_count_once_for_each_schedule(clock: StillClock) -> None:
    members = {f"agt_{n}": replace(DARA, id=f"agt_{n}", schedule=NIGHTS if n % 2 else "") for n in range(1_000)}
    place = Place(clock, members=members)
    await place.come("agt_1")

    posts = reception._posts(place.floor, DOOR, place.duty, MOMENT)

    assert len(posts) == 3
