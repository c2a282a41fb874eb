"""The order in which conversations wait, their places, and when a queue is full."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.model import Routing, TeamRules
from chat.waiting import Waiting, is_full, lacking, places, queued_at, turn, waiting
from tests.builders import DOOR, MOMENT, TEAM, a_conversation


def in_line(
    id: str, queued: int = 0, *, priority: int = 0, left: bool = False, teams: tuple[str, ...] = (TEAM,)
) -> Waiting:
    routing = Routing(queued_at=MOMENT + queued, left=left)
    return Waiting(a_conversation(id=id, priority=priority, routing=routing), teams)


def test_urgent_ones_come_first_then_the_oldest_and_left_messages_last() -> None:
    waits = [
        in_line("left_urgent", -9, priority=3, left=True),
        in_line("late", 2),
        in_line("early", 1),
        in_line("urgent", 3, priority=1),
        in_line("left", -9, left=True),
    ]

    served = sorted(waits, key=lambda each: turn(each.conversation))

    assert [each.conversation.id for each in served] == ["urgent", "early", "late", "left_urgent", "left"]


def test_a_conversation_that_went_back_has_its_old_place() -> None:
    back = a_conversation(waiting_since=MOMENT + 9, routing=Routing(queued_at=MOMENT - 5))

    assert queued_at(back) == MOMENT - 5


def test_one_that_was_never_routed_waits_since_its_contact_does() -> None:
    assert queued_at(a_conversation(waiting_since=MOMENT + 9)) == MOMENT + 9
    assert queued_at(a_conversation(waiting_since=None, created_at=MOMENT - 1)) == MOMENT - 1


def test_its_own_team_answers_for_a_conversation_and_else_those_of_its_inbox() -> None:
    inboxes = {DOOR: ("tem_one", "tem_two")}

    assert waiting(a_conversation(), inboxes).teams == ("tem_one", "tem_two")
    assert waiting(a_conversation(team="tem_three"), inboxes).teams == ("tem_three",)
    assert waiting(a_conversation(), {}).teams == ()


def test_places_are_counted_for_each_team() -> None:
    waits = [
        in_line("third", 3),
        in_line("elsewhere", 0, teams=("tem_other", TEAM)),
        in_line("first", 9, priority=1),
        in_line("second", 2),
        in_line("left", 1, left=True),
        in_line("nobody", 1, teams=()),
    ]

    assert places(waits) == {"first": 1, "second": 2, "third": 3, "elsewhere": 1}


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.booleans()), max_size=12))
def test_a_place_is_one_more_than_how_many_are_served_before(shapes: list[tuple[int, int, bool]]) -> None:
    waits = [in_line(f"cnv_{n}", at, priority=urgent, left=left) for n, (at, urgent, left) in enumerate(shapes)]

    found = places(reversed(waits))

    live = [each.conversation for each in waits if not (each.conversation.routing or Routing()).left]
    assert found == {one.id: 1 + sum(turn(other) < turn(one) for other in live) for one in live}


@pytest.mark.parametrize(
    ("length", "was_full", "full"),
    [
        (0, False, False),
        (9, False, False),
        (10, False, True),
        (11, False, True),
        (9, True, True),
        (6, True, True),
        (5, True, False),
        (0, True, False),
    ],
)
def test_a_queue_is_full_at_its_limit_until_it_is_shorter_than_its_threshold(
    length: int, was_full: bool, full: bool
) -> None:
    assert is_full(TeamRules(TEAM, queue_limit=10, queue_reopen=6), length, was_full) is full


def test_without_a_threshold_a_full_queue_opens_as_soon_as_somebody_leaves_it() -> None:
    assert is_full(TeamRules(TEAM, queue_limit=10), 10, True)
    assert not is_full(TeamRules(TEAM, queue_limit=10), 9, True)


def test_without_a_limit_no_queue_is_full() -> None:
    assert not is_full(TeamRules(TEAM, queue_reopen=1), 10_000, True)


@pytest.mark.parametrize(
    ("skills", "wanted", "how_many"),
    [
        ((), (), 0),
        (("th",), ("th",), 0),
        (("th",), ("he",), 1),
        (("TH", "Returns "), ("th", "returns", "vip"), 1),
        (("pt",), ("pt_BR",), 0),
        (("pt-br",), ("pt",), 1),
        (("zh-hant",), ("zh-hant-tw", "zh-hans"), 1),
        (("p",), ("pt",), 1),
    ],
)
def test_a_language_is_known_to_whoever_knows_it_in_general(
    skills: tuple[str, ...], wanted: tuple[str, ...], how_many: int
) -> None:
    assert lacking(skills, wanted) == how_many
