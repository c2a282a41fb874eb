"""An account's floor: it begins with what was read, follows the stream, and says who can take what."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from chat.floors import Door, Look
from chat.model import Conversation, Member, Routing, Standing, TeamRules
from gateway.floor import NEVER, Floor
from tests.builders import MINE, MOMENT, a_conversation

CARE = TeamRules("tem_care", ("agt_noa", "agt_dara"))
DOOR = Door("inb_door", "key", ("tem_care",))
NOA = Member(MINE, "agt_noa", "Noa", teams=("tem_care",), slots=2)
DARA = Member(MINE, "agt_dara", "Dara", teams=("tem_care",), slots=1)


class Facts:
    """Who is here, and until when; whoever has slots and is here accepts."""

    def __init__(self) -> None:
        self.here = {"agt_noa"}
        self.ends: dict[str, int] = {}
        self.asked: list[str] = []

    def standing(self, member: Member, used: int, at: int) -> Standing:
        self.asked.append(member.id)
        end = self.ends.get(member.id)
        if member.id not in self.here:
            return Standing("offline", "not_present", None, False, "on_shift", end)
        if end is not None and end <= at:
            return Standing("offline", "off_shift", None, True, "off_shift")
        if member.availability != "available":
            return Standing("not_accepting_chats", member.availability, end, True, "on_shift", end)
        if used >= member.slots:
            return Standing("not_accepting_chats", "full", end, True, "on_shift", end)
        return Standing("accepting_chats", "free", end, True, "on_shift", end)


def a_look(**parts: Any) -> Look:
    standard: dict[str, Any] = {
        "cursor": 10,
        "members": {each.id: each for each in (NOA, DARA)},
        "teams": {CARE.id: CARE},
        "full": frozenset(),
        "doors": {DOOR.id: DOOR},
        "waiting": (),
        "taken": {},
    }
    return Look(**(standard | parts))


def a_floor(facts: Facts | None = None, **parts: Any) -> Floor:
    floor = Floor(MINE, (facts or Facts()).standing)
    floor.begin(a_look(**parts))
    floor.look(MOMENT)
    return floor


def at(cursor: int, id: str = "cnv_1", **parts: Any) -> Conversation:
    return a_conversation(id=id, cursor=cursor, **parts)


def held(cursor: int, by: str = "agt_noa", id: str = "cnv_1", **parts: Any) -> Conversation:
    return at(cursor, id, **{"status": "open", "handler": "agent", "assignee": by, **parts})


def test_it_begins_as_it_was_read() -> None:
    floor = a_floor(waiting=[at(3)], taken={"cnv_2": "agt_noa", "cnv_3": "agt_noa"})

    assert floor.used == {"agt_noa": 2}
    assert floor.lines["agt_noa"].status == "not_accepting_chats"
    assert floor.lines["agt_noa"].reason == "full"
    assert floor.lines["agt_dara"].reason == "not_present"
    assert not floor.has_hands
    assert floor.has_work()
    assert floor.places() == {"cnv_1": 1}


def test_slots_are_counted_as_conversations_come_and_go() -> None:
    floor = a_floor()
    floor.take(held(11))
    floor.take(held(12, id="cnv_2"))
    assert floor.look(MOMENT) == {"agt_noa"}
    assert floor.standings["agt_noa"].reason == "full"

    floor.take(held(13, status="snoozed"))
    assert floor.used == {"agt_noa": 1}
    floor.take(held(14, by="agt_dara", id="cnv_2"))
    assert floor.used == {"agt_dara": 1}
    floor.take(held(15, by="agt_dara", id="cnv_2", status="resolved"))

    assert floor.used == {}
    assert floor.look(MOMENT) == {"agt_noa"}
    assert floor.is_accepting("agt_noa")


def test_what_is_older_than_what_was_read_changes_nothing() -> None:
    floor = a_floor(taken={"cnv_1": "agt_noa"})

    assert not floor.take(at(10))
    assert floor.used == {"agt_noa": 1}
    assert not floor.waiting


def test_the_queue_is_another_one_when_something_joins_leaves_or_changes_its_place() -> None:
    floor = a_floor()

    assert floor.take(at(11))
    assert not floor.take(at(12, preview="And now?", messages=2))
    assert floor.take(at(13, priority=1))
    assert floor.take(at(14, priority=1, team="tem_care"))
    assert floor.take(at(15, priority=1, team="tem_care", routing=Routing(passed=("agt_noa",))))
    assert floor.take(held(16))
    assert not floor.take(held(17, by="agt_dara"))


def test_only_those_are_looked_at_for_whom_something_changed() -> None:
    facts = Facts()
    floor = a_floor(facts)
    facts.asked.clear()
    assert floor.look(MOMENT) == set()
    assert not facts.asked

    facts.here.add("agt_dara")
    floor.touch({"agt_dara", "agt_unheard_of"})

    assert floor.look(MOMENT) == {"agt_dara"}
    assert facts.asked == ["agt_dara"]


def test_when_the_time_comes_somebody_is_looked_at_again() -> None:
    facts = Facts()
    facts.ends["agt_noa"] = MOMENT + 5000
    floor = a_floor(facts)
    assert floor.next_end == MOMENT + 5000

    assert floor.look(MOMENT + 4999) == set()
    assert floor.look(MOMENT + 5000) == {"agt_noa"}

    assert floor.lines["agt_noa"].reason == "off_shift"
    assert floor.next_end == NEVER


def test_the_same_end_is_remembered_once() -> None:
    facts = Facts()
    facts.ends["agt_noa"] = MOMENT + 5000
    floor = a_floor(facts)

    for cursor in range(11, 100):
        floor.take(held(cursor, status="open" if cursor % 2 else "resolved"))
        floor.look(MOMENT)

    assert len(floor._ends) == 1


def test_what_routing_writes_of_somebody_leaves_alone_what_the_administration_says() -> None:
    floor = a_floor(members={"agt_noa": replace(NOA, schedule="{}", skills=("th",))})

    floor.employ([Member(MINE, "agt_noa", availability="away", reason="lunch", slots=9), Member(MINE, "agt_other")])
    assert floor.look(MOMENT) == {"agt_noa"}

    member = floor.members["agt_noa"]
    assert (member.availability, member.slots, member.schedule, member.skills) == ("away", 2, "{}", ("th",))
    assert floor.lines["agt_noa"].availability_reason == "lunch"


def test_a_line_says_when_the_shift_ends_what_becomes_of_what_is_open_then_and_who_set_the_availability() -> None:
    facts = Facts()
    facts.ends["agt_noa"] = MOMENT + 5000
    floor = a_floor(facts)
    plain = floor.lines["agt_noa"]
    floor.employ([replace(NOA, finishes=True, set_by="agt_dara")])
    assert floor.look(MOMENT) == {"agt_noa"}
    line = floor.lines["agt_noa"]
    floor.employ([replace(NOA, set_by="agt_noa")])
    facts.here.clear()
    floor.touch(["agt_noa"])
    floor.look(MOMENT)
    gone = floor.lines["agt_noa"]

    assert (plain.shift_ends_at, plain.finishes, plain.set_by) == (MOMENT + 5000, False, None)
    assert (line.shift_ends_at, line.finishes, line.set_by) == (MOMENT + 5000, True, "agt_dara")
    assert (gone.shift_ends_at, gone.finishes, gone.set_by) == (None, False, None)
    assert "agt_other" not in floor.members


def test_who_is_not_what_is_written_is_to_be_written_and_who_never_came_is_not() -> None:
    floor = a_floor()
    assert floor.unwritten == {"agt_noa"}

    floor.employ([replace(NOA, status="accepting_chats", status_reason="free", status_at=MOMENT - 9)])
    floor.look(MOMENT)
    assert floor.unwritten == set()
    assert floor.lines["agt_noa"].since == MOMENT - 9
    floor.take(held(11))
    floor.take(held(12, id="cnv_2"))
    floor.look(MOMENT + 1)

    assert floor.unwritten == {"agt_noa"}
    assert floor.lines["agt_noa"].since == MOMENT + 1


@pytest.mark.parametrize(
    ("written", "now", "cause"),
    [
        ("", "free", "connected"),
        ("not_present", "full", "connected"),
        ("free", "not_present", "disconnected"),
        ("off_shift", "free", "shift"),
        ("full", "winding_down", "shift"),
        ("free", "away", "chosen"),
        ("busy", "free", "chosen"),
        ("free", "full", "capacity"),
        ("full", "free", "capacity"),
    ],
)
def test_a_change_has_a_cause(written: str, now: str, cause: str) -> None:
    floor = a_floor(members={"agt_noa": replace(NOA, status_reason=written, status_at=1)})
    floor.standings["agt_noa"] = Standing("offline", now, None, True, "on_shift")

    assert floor.cause("agt_noa") == cause


def test_of_whom_nobody_knows_nothing_is_written() -> None:
    floor = Floor(MINE, lambda member, used, at: Standing("offline", "unknown", None, False, "on_shift"))
    floor.begin(a_look(members={"agt_noa": replace(NOA, status="accepting_chats", status_reason="free", status_at=1)}))
    floor.look(MOMENT)

    assert floor.unwritten == set()
    assert floor.lines["agt_noa"].reason == "unknown"


def test_who_is_not_there_any_more_is_forgotten() -> None:
    floor = a_floor()

    floor.begin(a_look(members={"agt_dara": DARA, "agt_noa": replace(NOA, active=False)}))
    floor.look(MOMENT)

    assert set(floor.lines) == set(floor.standings) == {"agt_dara"}
    assert not floor.unwritten
    assert not floor.has_hands


def test_nobody_is_routed_to_where_a_team_takes_by_hand_or_there_is_none() -> None:
    by_hand = a_floor(waiting=[at(1)], teams={CARE.id: replace(CARE, policy="manual")})
    nobody = a_floor(waiting=[at(1)], doors={DOOR.id: replace(DOOR, teams=())})
    elsewhere = a_floor(waiting=[at(1, team="tem_gone")])

    assert not any(floor.has_work() for floor in (by_hand, nobody, elsewhere))
    assert nobody.places() == {}


def test_who_has_only_left_a_message_has_no_place_and_is_not_counted() -> None:
    left = at(2, "cnv_2", routing=Routing(queued_at=1, left=True))
    floor = a_floor(waiting=[at(1), left])

    assert floor.places() == {"cnv_1": 1}
    assert floor.length("tem_care") == 1


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["cnv_1", "cnv_2", "cnv_3"]),
        st.sampled_from(["queued", "open", "snoozed", "resolved"]),
        st.sampled_from([None, "agt_noa", "agt_dara"]),
    ),
    max_size=20,
)


@settings(max_examples=100, deadline=None)
@given(CHANGES, st.integers(0, 20), st.integers(0, 20))
def test_whenever_it_was_read_the_end_is_the_same(
    changes: list[tuple[str, Any, str | None]], read_at: int, heard_from: int
) -> None:
    """What was read may already have what is heard afterwards."""
    stream = [
        at(cursor, id_, status=status, assignee=assignee)
        for cursor, (id_, status, assignee) in enumerate(changes, start=1)
    ]
    newest = {each.id: each for each in stream[:read_at]}
    cursor = min(read_at, len(stream), heard_from)
    look = a_look(
        cursor=cursor,
        waiting=[each for each in newest.values() if each.status == "queued"],
        taken={each.id: each.assignee for each in newest.values() if each.status == "open" and each.assignee},
    )
    floor, whole = Floor(MINE, Facts().standing), Floor(MINE, Facts().standing)
    whole.begin(a_look(cursor=0))
    floor.begin(look)

    for each in stream:
        whole.take(each)
        floor.take(each)

    assert floor.used == whole.used
    assert floor.waiting == whole.waiting
