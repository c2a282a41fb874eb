"""How long somebody worked on a conversation, whatever its contact did meanwhile."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.handled import WRITING_MS, taken_up, worked

CONTACT, MEMBER = True, False
MINUTE = 60_000


@pytest.mark.parametrize(
    ("lines", "end", "minutes"),
    [
        ([], 5, 5),
        ([(2, MEMBER)], 2, 2),
        ([(2, MEMBER), (30, CONTACT), (33, MEMBER)], 33, 5),
        ([(2, MEMBER), (30, CONTACT), (31, CONTACT), (33, MEMBER)], 33, 5),
        ([(2, MEMBER), (30, CONTACT)], 34, 6),
        ([(2, MEMBER), (2.5, MEMBER)], 2.5, 2.5),
        ([(2, MEMBER), (20, MEMBER)], 20, 3),
        ([(2, MEMBER)], 600, 3),
    ],
)
def test_the_silences_of_the_contact_do_not_count(lines: list[tuple[float, bool]], end: float, minutes: float) -> None:
    found = worked(0, [(round(at * MINUTE), by) for at, by in lines], round(end * MINUTE))

    assert found == round(minutes * MINUTE)


def test_what_was_said_before_and_after_counts_for_others() -> None:
    lines = [(0, CONTACT), (MINUTE, MEMBER), (5 * MINUTE, MEMBER), (9 * MINUTE, MEMBER)]

    assert worked(2 * MINUTE, lines, 6 * MINUTE) == 3 * MINUTE + WRITING_MS


def test_a_line_from_before_the_last_one_adds_nothing() -> None:
    handled = taken_up(1_000).said(5_000, MEMBER).said(3_000, CONTACT)

    assert (handled.worked, handled.at) == (4_000, 5_000)


LINES = st.lists(st.tuples(st.integers(0, 10**7), st.booleans()), max_size=20).map(sorted)


@given(LINES, st.integers(0, 10**7), st.integers(0, 10**7))
def test_nobody_works_longer_than_they_have_it_and_a_longer_silence_adds_nothing(
    lines: list[tuple[int, bool]], one: int, other: int
) -> None:
    begun, ended = min(one, other), max(one, other)

    assert 0 <= worked(begun, lines, ended) <= ended - begun


@given(LINES, st.integers(0, 10**6))
def test_a_longer_silence_of_the_contact_changes_nothing(lines: list[tuple[int, bool]], longer: int) -> None:
    before = [*lines, (10**7, MEMBER)]
    after = 10**7 + 5_000

    assert worked(0, [*before, (after + longer, CONTACT)], after + longer) == worked(
        0, [*before, (after, CONTACT)], after
    )
