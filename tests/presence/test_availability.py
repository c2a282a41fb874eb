"""Four facts, one answer: the table, and what holds for all of it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence.availability import (
    AHEAD,
    Answer,
    Availability,
    Facts,
    InboxStatus,
    Post,
    Reason,
    ScheduleOf,
    answer,
    inbox_status,
)
from presence.shifts import Shift, ShiftState
from tests.builders import MOMENT

MINUTE = 60_000
HOUR = 60 * MINUTE
SHIFT_ENDS, WINDS_DOWN, LEAVE_ENDS = MOMENT + 4 * HOUR, MOMENT + 3 * HOUR, MOMENT + 70 * HOUR


def on_shift(until: int | None = SHIFT_ENDS, winding_down_at: int | None = WINDS_DOWN) -> Shift:
    return Shift("on_shift", "", "", MOMENT - HOUR, until, None, until, winding_down_at)


ALWAYS = Shift("on_shift", "", "", None, None, None, None, None)
OFF = Shift("off_shift", "", "", None, SHIFT_ENDS, SHIFT_ENDS, None, None)
ON_LEAVE = Shift("time_off", "time_off", "the sea", None, LEAVE_ENDS, LEAVE_ENDS, None, None)
WINDING_DOWN = on_shift(winding_down_at=MOMENT)


def facts(**parts: Any) -> Facts:
    """Somebody who can take a conversation until the shift winds down, unless told otherwise."""
    standard: dict[str, Any] = {
        "is_present": True,
        "availability": "available",
        "words": "",
        "shift": on_shift(),
        "slots": 4,
        "used": 1,
    }
    return Facts(**(standard | parts))


TABLE: dict[str, tuple[dict[str, Any], Answer]] = {
    "all is well": ({}, Answer("accepting_chats", "free", "", WINDS_DOWN)),
    "no winding down": (
        {"shift": on_shift(winding_down_at=None)},
        Answer("accepting_chats", "free", "", SHIFT_ENDS),
    ),
    "always on shift": ({"shift": ALWAYS}, Answer("accepting_chats", "free", "", None)),
    "not here": ({"is_present": False}, Answer("offline", "not_present", "", None)),
    "not here nor on shift": ({"is_present": False, "shift": OFF}, Answer("offline", "not_present", "", None)),
    "off shift": ({"shift": OFF}, Answer("offline", "off_shift", "", SHIFT_ENDS)),
    "off shift and away": (
        {"shift": OFF, "availability": "away", "words": "lunch"},
        Answer("offline", "off_shift", "", SHIFT_ENDS),
    ),
    "a holiday": (
        {"shift": Shift("off_shift", "holiday", "Songkran", None, SHIFT_ENDS, LEAVE_ENDS, None, None)},
        Answer("offline", "off_shift", "Songkran", SHIFT_ENDS),
    ),
    "the season is over": (
        {"shift": Shift("off_shift", "ended", "", None, None, None, None, None)},
        Answer("offline", "off_shift", "ended", None),
    ),
    "on leave": ({"shift": ON_LEAVE}, Answer("offline", "time_off", "the sea", LEAVE_ENDS)),
    "away": (
        {"availability": "away", "words": "lunch"},
        Answer("not_accepting_chats", "away", "lunch", SHIFT_ENDS),
    ),
    "away for ever": (
        {"availability": "away", "words": "idle", "shift": ALWAYS},
        Answer("not_accepting_chats", "away", "idle", None),
    ),
    "busy": ({"availability": "busy", "words": ""}, Answer("not_accepting_chats", "busy", "", SHIFT_ENDS)),
    "busy and full": (
        {"availability": "busy", "used": 4},
        Answer("not_accepting_chats", "busy", "", SHIFT_ENDS),
    ),
    "away while winding down": (
        {"availability": "away", "shift": WINDING_DOWN},
        Answer("not_accepting_chats", "away", "", SHIFT_ENDS),
    ),
    "winding down": ({"shift": WINDING_DOWN}, Answer("not_accepting_chats", "winding_down", "", SHIFT_ENDS)),
    "winding down and full": (
        {"shift": WINDING_DOWN, "used": 4},
        Answer("not_accepting_chats", "winding_down", "", SHIFT_ENDS),
    ),
    "full": ({"used": 4}, Answer("not_accepting_chats", "full", "", WINDS_DOWN)),
    "one slot is free": ({"used": 3}, Answer("accepting_chats", "free", "", WINDS_DOWN)),
    "more than full by claims": ({"used": 5}, Answer("not_accepting_chats", "full", "", WINDS_DOWN)),
    "no slots at all": ({"slots": 0, "used": 0}, Answer("not_accepting_chats", "full", "", WINDS_DOWN)),
}


@pytest.mark.parametrize("case", TABLE)
def test_the_first_reason_that_holds_is_given(case: str) -> None:
    parts, expected = TABLE[case]

    assert answer(facts(**parts), MOMENT) == expected


def test_only_one_of_all_combinations_accepts() -> None:
    shifts = (on_shift(), WINDING_DOWN, OFF, ON_LEAVE)
    every = product((True, False), get_args(Availability), shifts, (0, 1))

    accepting = [
        (is_present, choice, shift.state, free)
        for is_present, choice, shift, free in every
        if answer(facts(is_present=is_present, availability=choice, shift=shift, slots=1, used=1 - free), MOMENT).status
        == "accepting_chats"
    ]

    assert accepting == [(True, "available", "on_shift", 1)]


def test_every_reason_belongs_to_one_status() -> None:
    by_reason = {expected.reason: expected.status for _, expected in TABLE.values()}

    assert set(by_reason) == set(get_args(Reason))
    assert {answer(facts(**parts), MOMENT).status for parts, each in TABLE.values()} == set(by_reason.values())
    for _, expected in TABLE.values():
        assert by_reason[expected.reason] == expected.status


# --- as time passes --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Times:
    """A schedule of a few shifts, each with the last minutes of which it winds down, and of a time off."""

    shifts: tuple[tuple[int, int], ...]
    off: tuple[int, int]
    wind_down: int

    def __call__(self, at: int) -> Shift:
        """Minutes since MOMENT in, as shifts have it out."""
        ends = sorted({edge for span in (*self.shifts, self.off) for edge in span})
        segments = [(start, end, self._state(start)) for start, end in zip([-9999, *ends], [*ends, 9999], strict=True)]
        joined: list[tuple[int, int, ShiftState]] = []
        for start, end, state in segments:
            if joined and joined[-1][2] == state:
                joined[-1] = (joined[-1][0], end, state)
            elif start < end:
                joined.append((start, end, state))
        number, (start, end, state) = next(
            (number, each) for number, each in enumerate(joined) if _ms(each[0]) <= at < _ms(each[1])
        )
        until = None if number == len(joined) - 1 else _ms(end)
        begins = next((_ms(each[0]) for each in joined[number:] if each[2] == "on_shift"), None)
        is_on = state == "on_shift"
        winding = max(_ms(start), _ms(end - self.wind_down)) if is_on and self.wind_down and until else None
        return Shift(state, "", "", None, until, None if is_on else begins, until if is_on else None, winding)

    def _state(self, minute: int) -> ShiftState:
        if self.off[0] <= minute < self.off[1]:
            return "time_off"
        return "on_shift" if any(start <= minute < end for start, end in self.shifts) else "off_shift"


def _ms(minute: int) -> int:
    return MOMENT + minute * MINUTE


minutes = st.integers(-20, 60)
spans = st.tuples(minutes, minutes).map(lambda pair: (min(pair), max(pair)))
schedules = st.builds(Times, st.lists(spans, max_size=3).map(tuple), spans, st.sampled_from([0, 0, 3, 30]))


@st.composite
def posts(draw: st.DrawFn) -> Post:
    schedule = draw(schedules)
    known = Facts(
        draw(st.booleans()),
        draw(st.sampled_from((*get_args(Availability), "available"))),
        "",
        schedule(MOMENT),
        2,
        draw(st.integers(0, 3)),
    )
    return Post(known, schedule, draw(st.sampled_from([True, True, False])))


def at_minute(post: Post, minute: int) -> Facts:
    known = post.facts
    shift = post.shift_at(_ms(minute))
    return Facts(known.is_present, known.availability, known.words, shift, known.slots, known.used)


@given(post=posts())
def test_until_is_exactly_the_next_change(post: Post) -> None:
    now = answer(post.facts, MOMENT)

    def said(minute: int) -> tuple[str, str, str]:
        then = answer(at_minute(post, minute), _ms(minute))
        return then.status, then.reason, then.words

    changes = [minute for minute in range(1, 100) if said(minute) != said(0)]
    assert now.until == (_ms(changes[0]) if changes else None)


# --- an inbox --------------------------------------------------------------------------------------------------------


def a_post(schedule: Times, keeps_hours: bool = True, **parts: Any) -> Post:
    return Post(facts(shift=schedule(MOMENT), **parts), schedule, keeps_hours)


def works(*shifts: tuple[int, int], wind_down: int = 0) -> Times:
    return Times(shifts, (0, 0), wind_down)


def inbox(*members: Post, hours: ScheduleOf | None = None, is_full: bool = False) -> InboxStatus:
    return inbox_status(members, MOMENT, hours_at=hours, is_full=is_full)


def test_it_is_open_until_the_last_one_who_accepts_takes_no_more() -> None:
    early, late = a_post(works((-10, 20))), a_post(works((-5, 40), wind_down=10))

    assert inbox(early, late) == InboxStatus("open", None, _ms(30), "away")


def test_it_is_open_for_good_where_somebody_is_always_on() -> None:
    assert inbox(a_post(works((-9999, 9999)))) == InboxStatus("open", None, None, "open")


def test_somebody_who_is_full_or_busy_makes_it_busy() -> None:
    for parts in ({"used": 4}, {"availability": "busy"}):
        assert inbox(a_post(works((-10, 20)), **parts)) == InboxStatus("busy", None, _ms(20), "away")


def test_it_is_open_again_when_the_next_one_comes_on_shift() -> None:
    full, later = a_post(works((-10, 50)), used=4), a_post(works((20, 40)))

    assert inbox(full, later) == InboxStatus("busy", None, _ms(20), "open")


def test_those_who_are_all_away_or_about_to_go_make_it_away() -> None:
    away = a_post(works((-10, 20)), availability="away")
    going = a_post(works((-10, 20), wind_down=30))

    assert inbox(away, going) == InboxStatus("away", None, None, "away")


def test_a_full_queue_makes_it_busy_whoever_is_free() -> None:
    assert inbox(a_post(works((-10, 20))), is_full=True).status == "busy"


def test_the_next_opening_is_the_next_shift_also_of_those_who_are_not_here() -> None:
    gone = a_post(works((-10, 20), (35, 50)), is_present=False)
    asleep = a_post(works((30, 60)), is_present=False, availability="away")

    assert inbox(gone, asleep) == InboxStatus("away", _ms(30), _ms(30), "open")


def test_an_inbox_that_will_close_says_when_it_opens_again() -> None:
    assert inbox(a_post(works((-10, 20), (40, 50)))) == InboxStatus("open", _ms(40), _ms(20), "away")


def test_within_the_hours_people_count_and_outside_only_bots() -> None:
    person, bot = a_post(works((-30, 90))), a_post(works((-9999, 9999)), keeps_hours=False)

    assert inbox(person, hours=works((-20, 10), (30, 40))) == InboxStatus("open", _ms(30), _ms(10), "away")
    assert inbox(person, hours=works((5, 10))) == InboxStatus("away", _ms(5), _ms(5), "open")
    assert inbox(person, bot, hours=works((5, 10))) == InboxStatus("open", None, None, "open")


def test_it_does_not_open_with_the_hours_if_nobody_is_on_by_then() -> None:
    assert inbox(a_post(works((8, 30))), hours=works((5, 10))).opens_at == _ms(8)
    assert inbox(a_post(works((12, 30))), hours=works((5, 10))).opens_at is None
    assert inbox(a_post(works((12, 30))), hours=works((5, 10), (20, 25))).opens_at == _ms(20)
    assert inbox(a_post(works((1, 6), wind_down=2)), hours=works((5, 10))).opens_at is None


def test_it_never_opens_for_those_who_take_nothing() -> None:
    assert inbox(a_post(works((5, 10)), slots=0)).opens_at is None
    assert inbox(a_post(works((5, 10), (15, 20), wind_down=5), is_present=False)).opens_at is None
    assert inbox() == InboxStatus("away", None, None, "away")


def test_it_says_when_it_opens_however_late_but_not_that_it_closes_in_days() -> None:
    late = AHEAD // MINUTE + 10

    assert inbox(a_post(works((late, late + 60)))) == InboxStatus("away", _ms(late), _ms(late), "open")
    assert inbox(a_post(works((-10, late)))) == InboxStatus("open", None, None, "open")


def test_an_open_inbox_looks_at_few_schedules() -> None:
    """Around the clock, one of a hundred who relieve each other must be looked at for each shift, not all."""
    looked = []

    def looking(schedule: Times) -> ScheduleOf:
        def look(at: int) -> Shift:
            looked.append(at)
            return schedule(at)

        return look

    day, night = (works(*((half + 1440 * n, half + 720 + 1440 * n) for n in range(5))) for half in (-10, 710))
    staff = [a_post(day), a_post(night), *(a_post(day) for _ in range(98))]
    posts = [Post(each.facts, looking(each.shift_at)) for each in staff]  # type: ignore[arg-type]  # they are Times

    assert inbox(*posts) == InboxStatus("open", None, None, "open")
    assert len(looked) < 20


def _brute(members: list[Post], hours: Times | None, is_full: bool, minute: int) -> str:
    """By the words of the promise, at one minute."""
    is_open = hours is None or hours(_ms(minute)).state == "on_shift"
    answers = [answer(at_minute(post, minute), _ms(minute)) for post in members if is_open or not post.keeps_hours]
    if any(each.status == "accepting_chats" for each in answers):
        return "busy" if is_full else "open"
    return "busy" if any(each.reason in ("busy", "full") for each in answers) else "away"


def _begins(members: list[Post], hours: Times | None, minute: int) -> bool:
    """Whether somebody begins to work as planned, or the hours begin and somebody is on."""
    return any(_is_on(post, hours, minute) and not _is_on(post, hours, minute - 1) for post in members)


def _is_on(post: Post, hours: Times | None, minute: int) -> bool:
    if post.keeps_hours and hours is not None and hours(_ms(minute)).state != "on_shift":
        return False
    shift = post.shift_at(_ms(minute))
    winds_down = shift.winding_down_at
    return shift.is_on and (winds_down is None or _ms(minute) < winds_down)


@given(
    members=st.lists(posts(), max_size=4),
    hours=st.none() | schedules,
    is_full=st.booleans(),
)
def test_an_inbox_is_what_its_minutes_say(members: list[Post], hours: Times | None, is_full: bool) -> None:
    found = inbox_status(members, MOMENT, hours_at=hours, is_full=is_full)

    said = [_brute(members, hours, is_full, minute) for minute in range(100)]
    changes = [minute for minute in range(100) if said[minute] != said[0]]
    begins = [minute for minute in range(1, 100) if _begins(members, hours, minute)]

    assert found.status == said[0]
    if found.status == "away":
        assert found.opens_at == (_ms(begins[0]) if begins else None)
        first = min(changes + begins, default=None)
        assert found.until == (None if first is None else _ms(first))
    else:
        assert found.until == (_ms(changes[0]) if changes else None)
        assert found.then == (said[changes[0]] if changes else said[0])
        after = [minute for minute in begins if changes and minute > changes[0]]
        assert found.opens_at == (_ms(after[0]) if after and found.then == "away" else None)
