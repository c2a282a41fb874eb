"""What users of others complain about, as far as it concerns who is here, who is on shift, and what shoppers are told.

Each test names the complaints by repository and number. Those about who gets a conversation are in tests/journeys;
all of them are listed in docs/regressions.md.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from presence import Times
from presence.availability import Answer, Availability, Facts, InboxStatus, Post, answer, inbox_status
from presence.coverage import HOUR, Line, actual, gaps
from presence.shifts import Schedule, parse, shift_at
from tests.presence.world import DIED, SHOP, SOON, World

NOA, DARA, BELL = "agt_noa", "agt_dara", "bot_bell"
TIMES = Times()
NINE_TO_SIX = {day: [["09:00", "18:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}


def ms(text: str) -> int:
    """Of a moment in UTC."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def a_schedule(zone: str = "Europe/Berlin", **parts: Any) -> Schedule:
    return parse(json.dumps({"zone": zone, **parts}))


OFFICE = a_schedule(weekly=NINE_TO_SIX)
ALWAYS = parse("")
TUESDAY = ms("2026-11-24T10:00")  # 11:00 in Berlin


def asked(
    schedule: Schedule = ALWAYS,
    at: int = TUESDAY,
    *,
    is_present: bool = True,
    chose: Availability = "available",
    used: int = 0,
) -> Answer:
    return answer(Facts(is_present, chose, "", shift_at(schedule, at), 4, used), at)


def a_post(schedule: Schedule = ALWAYS, at: int = TUESDAY, *, is_bot: bool = False, **parts: Any) -> Post:
    known: dict[str, Any] = {
        "is_present": True,
        "availability": "available",
        "words": "",
        "slots": 4,
        "used": 0,
    } | parts
    return Post(Facts(shift=shift_at(schedule, at), **known), partial(shift_at, schedule), keeps_hours=not is_bot)


def told(*posts: Post, at: int = TUESDAY, hours: Schedule | None = None) -> InboxStatus:
    """What shoppers are."""
    return inbox_status(posts, at, hours_at=None if hours is None else partial(shift_at, hours), is_full=False)


def is_here(world: World, name: str = NOA) -> Sequence[bool]:
    """As each node says."""
    return [name in place.rounds.here(SHOP) for place in world.slots]


async def a_world() -> World:
    """Two nodes that are ready."""
    world = World((NOA, DARA), 2)
    await world.wait(SOON)
    return world


# --- presence that lies -------------------------------------------------------------------------------------------


async def test_closing_the_tab_leaves_whoever_has_the_phone_in_hand_here() -> None:
    """chatwoot#5763"""
    world = await a_world()
    world.connect(NOA, 0)
    world.connect(NOA, 1)
    await world.wait(60)

    world.drop(NOA, 0)

    for _ in range(60):
        await world.wait(1)
        assert is_here(world) == [True, True]
    assert world.leaves == 0


async def test_two_devices_never_fight_over_what_was_chosen() -> None:
    """chatwoot#5076, chatwoot#7992: a tab in the background made its agent away, the other one available again."""
    world = await a_world()
    world.connect(NOA, 0)
    world.connect(NOA, 1)
    await world.wait(SOON)

    before = asked(chose="busy", is_present=all(is_here(world)))
    for which in (0, 1, 0, 1):
        world.drop(NOA, which)
        world.connect(NOA, which)
        await world.wait(10)

        assert asked(chose="busy", is_present=all(is_here(world))) == before
    assert before.reason == "busy"


async def test_a_phone_in_the_background_that_comes_back_was_never_away() -> None:
    """chatwoot#12710, chatwoot-mobile-app#971, #973, PR 692: a heartbeat of 20 s stops as soon as the app isn't
    in front."""
    world = await a_world()
    world.connect(NOA, 0)
    await world.wait(SOON)

    for _ in range(5):
        world.drop(NOA, 0)
        await world.wait(TIMES.grace - 1)
        world.connect(NOA, 1)
        await world.wait(1)
        assert is_here(world) == [True, True]
    assert world.leaves == 0


async def test_whoever_closes_the_browser_is_gone_whatever_shoppers_do() -> None:
    """Rocket.Chat#10172, LiveHelperChat#552, LiveHelperChat#475, chatwoot#6631, chatwoot#6539"""
    world = await a_world()
    world.connect(NOA, 0)
    await world.wait(SOON)

    world.drop(NOA, 0)
    await world.wait(TIMES.grace + SOON)

    assert is_here(world) == [False, False]
    assert asked(is_present=False) == Answer("offline", "not_present", "", None)


async def test_nobody_stays_here_whose_node_died() -> None:
    """chatwoot#6631"""
    world = await a_world()
    world.connect(NOA, 0)
    await world.wait(SOON)

    world.crash(0)
    await world.wait(DIED)

    assert DIED <= 30
    assert is_here(world) == [False, False]


async def test_whoever_signs_out_is_gone_at_once() -> None:
    """zammad#1075: for two minutes they were online."""
    world = await a_world()
    world.connect(NOA, 0)
    await world.wait(SOON)

    world.sign_out(NOA, 0)
    await world.wait(2)

    assert is_here(world) == [False, False]


async def test_a_newcomer_is_known_within_two_seconds() -> None:
    """chatwoot#7439: it took ninety."""
    world = await a_world()

    world.connect(NOA, 0)
    await world.wait(2)

    assert is_here(world) == [True, True]


def test_what_was_chosen_counts_although_one_is_here() -> None:
    """chatwoot#3504: a change of the status had no effect."""
    assert asked(chose="away").reason == "away"
    assert asked(chose="busy").status == "not_accepting_chats"
    assert asked(chose="available").status == "accepting_chats"


def test_a_computer_that_was_locked_is_on_shift_no_longer_than_its_owner() -> None:
    """RocketChat/feature-requests#317, #375: they go home, and the socket stays."""
    assert asked(OFFICE, ms("2026-11-24T16:59")).status == "accepting_chats"
    assert asked(OFFICE, ms("2026-11-24T17:00")) == Answer("offline", "off_shift", "", ms("2026-11-25T08:00"))


def test_somebody_on_leave_who_opens_the_app_gets_nothing() -> None:
    """Rocket.Chat.Livechat#411, freescout#5429, freescout#3684"""
    on_leave = a_schedule(
        weekly=NINE_TO_SIX, time_off=[{"from": "2026-11-23", "to": "2026-11-27", "reason": "the sea"}]
    )

    assert asked(on_leave, TUESDAY) == Answer("offline", "time_off", "the sea", ms("2026-11-27T23:00"))


def test_shoppers_are_told_that_it_is_open_when_somebody_would_answer() -> None:
    """chatwoot#1600, LiveHelperChat#1125: the widget said offline, or hid, while people worked."""
    assert told(a_post(OFFICE)).status == "open"
    assert told(a_post(OFFICE, used=4)).status == "busy"


def test_a_bot_that_is_on_makes_it_open_also_at_night() -> None:
    """chatwoot#2458"""
    night = ms("2026-11-24T23:00")

    assert told(a_post(OFFICE, night, is_present=False), a_post(is_bot=True), at=night, hours=OFFICE).status == "open"


def test_the_page_can_ask_whether_anybody_is_available() -> None:
    """Rocket.Chat#16264"""
    found = told(a_post(OFFICE))

    assert (found.status, found.until, found.then) == ("open", ms("2026-11-24T17:00"), "away")


def test_the_second_team_counts_too() -> None:
    """LiveHelperChat#745: the tier behind wasn't counted as online."""
    assert told(a_post(OFFICE, is_present=False), a_post(ALWAYS)).status == "open"


# --- hours and shifts ---------------------------------------------------------------------------------------------


def test_around_the_clock_nobody_is_asked_after_the_own_shift() -> None:
    """chatwoot#9587: a store with shifts of 24 hours; what was reopened went to whoever had gone home."""
    day, night = (
        a_schedule("Asia/Bangkok", weekly={each: [hours] for each in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")})
        for hours in (["08:00", "20:00"], ["20:00", "08:00"])
    )

    for hour in range(14 * 24):
        at = TUESDAY + hour * HOUR
        accepting = [asked(each, at).status == "accepting_chats" for each in (day, night)]
        assert sorted(accepting) == [False, True]


def test_the_log_tells_who_worked_at_night_and_when_nobody_did() -> None:
    """chatwoot#13241: worked hours, breaks, night shifts and coverage."""
    start = ms("2026-11-24T20:00")
    lines = [
        Line(NOA, start, "accepting_chats", "free"),
        Line(NOA, start + 2 * HOUR, "not_accepting_chats", "away"),
        Line(NOA, start + 3 * HOUR, "accepting_chats", "free"),
        Line(DARA, start + 7 * HOUR, "accepting_chats", "free"),
        Line(NOA, start + 6 * HOUR, "offline", "off_shift"),
    ]

    found = gaps(actual(lines, start, start + 12 * HOUR), 1)

    assert [((gap.start - start) / HOUR, (gap.end - start) / HOUR) for gap in found] == [(2, 3), (6, 7)]


def test_holidays_and_special_days_are_no_weekdays() -> None:
    """chatwoot#10436, chatwoot#6467"""
    schedule = a_schedule(
        weekly=NINE_TO_SIX,
        holidays={"country": "DE"},
        dates=[
            {"date": "2026-12-24", "hours": [["09:00", "12:00"]]},
            {"date": "2026-11-28", "extra": [["10:00", "14:00"]]},
        ],
    )

    assert asked(schedule, ms("2026-12-24T10:59")).status == "accepting_chats"
    assert asked(schedule, ms("2026-12-24T11:00")).reason == "off_shift"
    assert asked(schedule, ms("2026-12-25T10:00")).status == "offline"
    assert asked(schedule, ms("2026-11-28T12:00")).status == "accepting_chats"  # a Saturday


def test_there_may_be_a_lunch_between_two_intervals() -> None:
    """chatwoot#14009"""
    schedule = a_schedule(weekly={"tue": [["09:00", "12:00"], ["13:00", "18:00"]]})

    statuses = [asked(schedule, ms(f"2026-11-24T{hour:02}:30")).status for hour in range(7, 18)]
    assert [status == "accepting_chats" for status in statuses] == [False, *[True] * 3, False, *[True] * 5, False]


def test_open_hours_and_nobody_there_is_not_open() -> None:
    """chatwoot#273, chatwoot#5063"""
    assert told(a_post(OFFICE, is_present=False), hours=OFFICE).status == "away"
    assert told(a_post(OFFICE, availability="away"), hours=OFFICE).status == "away"
    assert told(a_post(OFFICE), hours=OFFICE).status == "open"


def test_who_is_there_outside_of_the_hours_does_not_make_it_open() -> None:
    """papercups#243, Rocket.Chat#23894"""
    evening = ms("2026-11-24T19:00")

    assert told(a_post(at=evening), at=evening, hours=OFFICE) == InboxStatus(
        "away", ms("2026-11-25T08:00"), ms("2026-11-25T08:00"), "open"
    )


def test_on_shift_then_away_then_off_shift_each_say_why() -> None:
    """frappe/helpdesk#1528, frappe/helpdesk PR 3372"""
    evening = ms("2026-11-24T17:30")

    said = [asked(OFFICE), asked(OFFICE, chose="away"), asked(OFFICE, evening, chose="away")]
    assert [(each.status, each.reason) for each in said] == [
        ("accepting_chats", "free"),
        ("not_accepting_chats", "away"),
        ("offline", "off_shift"),
    ]


@pytest.mark.parametrize(("day", "utc"), [("2026-03-27", "08:00"), ("2026-03-30", "07:00"), ("2026-10-26", "08:00")])
def test_nine_is_nine_before_and_after_the_clocks_change(day: str, utc: str) -> None:
    """Rocket.Chat#4898, Rocket.Chat#6530, Rocket.Chat PR 30565: hours were the server's, and moved in summer."""
    at = ms(f"{day}T{utc}")

    assert asked(OFFICE, at - 1).status == "offline"
    assert asked(OFFICE, at).status == "accepting_chats"


def test_hours_over_midnight_are_hours() -> None:
    """Rocket.Chat#38301: an end before its start was taken, and meant nothing."""
    schedule = a_schedule(weekly={"tue": [["22:00", "06:00"]]})

    assert asked(schedule, ms("2026-11-25T04:59")).status == "accepting_chats"
    assert asked(schedule, ms("2026-11-25T05:00")).status == "offline"


def test_every_answer_says_when_to_look_again() -> None:
    """Rocket.Chat PR 24112: "business hours are closed" was kept while they were open."""
    night = ms("2026-11-24T03:00")

    closed = told(a_post(OFFICE, night), at=night, hours=OFFICE)

    assert closed.until == ms("2026-11-24T08:00")
    assert told(a_post(OFFICE, closed.until), at=closed.until, hours=OFFICE).status == closed.then == "open"


def test_it_is_back_tomorrow_at_nine() -> None:
    """PostHog#70074: computed from the schedule; over the weekend, it isn't tomorrow."""
    assert told(a_post(OFFICE, is_present=False), at=ms("2026-11-24T20:00")).opens_at == ms("2026-11-25T08:00")
    friday = ms("2026-11-27T20:00")
    assert told(a_post(OFFICE, friday, is_present=False), at=friday).opens_at == ms("2026-11-30T08:00")
