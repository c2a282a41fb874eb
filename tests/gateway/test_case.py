"""One account as a node serves it: what is heard of it, and what is to be done then."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from chat.access import SYSTEM
from chat.model import Conversation, Member, Routing, encode
from gateway.agenda import GAP_SECONDS, NEVER
from gateway.bulletin import Bulletin, Item
from gateway.case import AGAIN_SECONDS, HELD, LOOK_SECONDS, Case
from gateway.floor import Floor
from tests.builders import MINE, MOMENT
from tests.gateway.test_floor import NOA, Facts, a_look, at, held

EVERYBODY = frozenset({"agt_noa", "agt_dara"})
WRITTEN = replace(NOA, status="accepting_chats", status_reason="free", status_at=1)


def a_case(facts: Facts | None = None, *, own: Any = EVERYBODY, **look: Any) -> Case:
    """Read and known, Noa free and written so."""
    case = Case(Floor(MINE, (facts or Facts()).standing), 0.0, lambda member: member in own, lambda: 0.0)
    case.begin_read()
    case.end_read(a_look(**{"members": {"agt_noa": WRITTEN}, **look}), 0.0, is_blind=False)
    looks(case, 0.0)
    return case


def looks(case: Case, now: float, here: Any = frozenset({"agt_noa"}), **more: Any) -> set[str]:
    return case.look(frozenset(here), now, MOMENT + round(now * 1000), **{"is_known": True, "is_heard": True, **more})


def hears(case: Case, now: float, *conversations: Conversation, is_own: bool = True) -> bool:
    items = tuple(
        Item(each.id, each.seq, each.contact, each.hands, True, encode(each), b"", None) for each in conversations
    )
    return case.hear(Bulletin(MINE, 0, conversations[-1].cursor, items), now, is_own=is_own)


def test_it_is_known_when_it_was_read_and_presence_was_asked_and_all_lines_are_new_then() -> None:
    case = Case(Floor(MINE, Facts().standing), 0.0, lambda member: True, lambda: 0.0)
    looks(case, 0.0)
    assert not case.is_known.is_set()
    case.begin_read()
    case.end_read(a_look(), 0.0, is_blind=False)
    looks(case, 0.1, is_known=False)
    assert not case.is_known.is_set()

    assert looks(case, 0.2) == {"agt_noa", "agt_dara"}
    assert case.is_known.is_set()
    assert looks(case, 0.3) == set()


def test_what_begins_to_wait_here_is_routed_at_once_and_what_does_elsewhere_a_little_later() -> None:
    here, elsewhere = a_case(), a_case()

    assert hears(here, 5.0, at(11))
    assert hears(elsewhere, 5.0, at(11), is_own=False)

    assert (here.agenda.run, elsewhere.agenda.run) == (5.0, 5.2)
    assert (here.queued, elsewhere.queued) == ({"cnv_1"}, set())
    assert here.can_route


def test_while_nothing_waits_nothing_is_routed() -> None:
    case = a_case()

    hears(case, 5.0, held(11))
    hears(case, 5.0, held(12, status="resolved"))
    looks(case, 5.1)

    assert case.agenda.run == NEVER


def test_who_becomes_free_gets_what_waits_by_the_node_that_has_its_socket() -> None:
    for own, due in ((EVERYBODY, 5.0), ((), 5.2)):
        facts = Facts()
        facts.here.clear()
        case = a_case(facts, own=own, waiting=[at(1)])
        case.agenda.begin_run(1.0)
        looks(case, 2.0, here=())
        assert (case.can_route, case.agenda.run) == (False, NEVER)
        facts.here.add("agt_noa")

        looks(case, 5.0)

        assert (case.can_route, case.agenda.run) == (True, due)


def test_what_could_be_given_and_was_not_is_tried_again_later() -> None:
    case = a_case(waiting=[at(1)])
    case.agenda.begin_run(1.0)

    looks(case, 1.5)

    assert case.agenda.run == 6.5


def test_two_routings_have_a_gap_however_much_happens() -> None:
    case = a_case()
    for number in range(50):
        hears(case, 5.0, at(11 + number, f"cnv_{number}"))
    case.agenda.begin_run(5.0)
    hears(case, 5.001, at(99, "cnv_x"))

    assert case.agenda.run == 5.0 + GAP_SECONDS


def test_what_is_heard_while_it_is_read_is_not_lost() -> None:
    case = a_case()
    case.begin_read()
    hears(case, 1.0, at(11), at(12, "cnv_2"))
    hears(case, 1.0, held(13))

    case.end_read(a_look(cursor=11, waiting=[at(11)]), 1.1, is_blind=False)

    assert set(case.floor.waiting) == {"cnv_2"}
    assert case.floor.used == {"agt_noa": 1}


def test_what_was_not_read_leaves_all_as_it_was() -> None:
    case = a_case(waiting=[at(1)])
    case.begin_read()
    hears(case, 1.0, held(11))

    assert not case.end_read(None, 1.1, is_blind=False)

    assert case.floor.used == {"agt_noa": 1}
    assert case.agenda.read == 2.1


def test_too_much_while_it_is_read_has_it_read_once_more() -> None:
    case = a_case()
    case.begin_read()
    for _ in range(HELD + 1):
        hears(case, 1.0, at(11))

    case.end_read(a_look(), 1.1, is_blind=False)

    assert case.agenda.read == 1.0


def test_that_somebody_is_not_there_any_more_is_said() -> None:
    case = a_case()
    case.begin_read()
    assert not case.end_read(a_look(members={"agt_noa": WRITTEN}), 1.0, is_blind=False)
    case.begin_read()

    assert case.end_read(a_look(members={}), 2.0, is_blind=False)


def test_it_is_looked_at_every_second_and_when_somebodys_time_comes() -> None:
    facts = Facts()
    facts.ends["agt_noa"] = MOMENT + 3300
    case = a_case(facts)
    assert case.look_at == LOOK_SECONDS
    looks(case, 3.0)
    assert abs(case.look_at - 3.3) < 1e-6

    assert looks(case, 3.3) == {"agt_noa"}


def test_when_the_others_are_heard_no_more_everybody_is_looked_at() -> None:
    facts = Facts()
    case = a_case(facts)
    facts.asked.clear()

    looks(case, 1.0, is_heard=False)

    assert facts.asked == ["agt_noa"]


def test_who_changed_is_to_be_written_and_not_asked_about_again_and_again() -> None:
    facts = Facts()
    case = a_case(facts)
    assert case.unwritten(1.0) == []
    facts.here.clear()
    looks(case, 10.0, here=())
    assert case.agenda.write == 10.05
    assert case.unwritten(10.05) == ["agt_noa"]

    case.agenda.begin_write()
    case.ask_about(["agt_noa"], 10.05)
    looks(case, 11.0, here=())
    assert case.unwritten(11.0) == []
    assert case.agenda.write == NEVER

    assert case.unwritten(10.05 + AGAIN_SECONDS) == ["agt_noa"]


def test_who_was_written_and_changes_again_is_asked_about_at_once() -> None:
    facts = Facts()
    case = a_case(facts)
    case.ask_about(["agt_noa"], 10.0)
    case.employ([case.floor.members["agt_noa"]], 10.1)
    facts.here.clear()

    looks(case, 10.2, here=())

    assert case.unwritten(10.2) == ["agt_noa"]


def test_an_agent_who_does_nothing_is_silent_where_it_is_said_to_matter() -> None:
    case = a_case(idle_minutes=10)
    case.idle.enter("agt_noa", 0.0)
    assert case.silent(599.0) == []
    assert case.silent(600.0) == ["agt_noa"]

    case.act("agt_noa", 601.0, chooses=False)
    assert case.silent(602.0) == []

    assert case.silent(1201.0) == ["agt_noa"]
    case.floor.idle_minutes = 0
    assert case.silent(1201.0) == []


def test_who_is_away_already_is_not_taken_for_idle() -> None:
    case = a_case(idle_minutes=10, members={"agt_noa": replace(WRITTEN, availability="away")})
    case.idle.enter("agt_noa", 0.0)

    assert case.silent(601.0) == []


def test_an_act_takes_an_idle_agent_up_again_but_no_other_one() -> None:
    idle = replace(WRITTEN, availability="away", reason="idle", set_by=SYSTEM)
    by_itself = replace(idle, set_by="agt_noa")

    def returning(member: Member, *, chooses: bool = False) -> set[str]:
        case = a_case(members={"agt_noa": member})
        case.act("agt_noa", 5.0, chooses=chooses)
        return case.returning

    assert returning(idle) == {"agt_noa"}
    assert returning(idle, chooses=True) == returning(by_itself) == returning(WRITTEN) == set()


def test_of_items_that_concern_nobodys_hands_nothing_is_decoded() -> None:
    case = a_case()
    item = Item("cnv_1", 1, "con_dana", (), False, b"no json", b"", None, is_routing=False)

    assert not case.hear(Bulletin(MINE, 10, 11, (item,)), 1.0, is_own=True)


def test_a_place_kept_for_who_bounced_is_another_queue() -> None:
    case = a_case(waiting=[at(1)])

    assert hears(case, 1.0, at(11, routing=Routing(queued_at=5, passed=("agt_noa",))))
