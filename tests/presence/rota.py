"""Plans for tests of coverage: a few people in a few zones, in the week in which Europe's clocks change."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import strategies as st

from presence.coverage import HOUR, Plan
from presence.schedule import Week

MINUTE = 60_000
ZONES = ("UTC", "Asia/Bangkok", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe")


def ms(text: str) -> int:
    """Of a moment in UTC."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


NINE_TO_FIVE = (("09:00", "17:00"),)
OFFICE = Week(*[NINE_TO_FIVE] * 5)
MONDAY = ms("2026-03-23")  # the week in which Europe's clocks change
SPRING = (MONDAY, MONDAY + 7 * 24 * HOUR)
LORD_HOWE = ms("2026-04-04T12:00")  # three hours before its clocks go back by half an hour


def a_plan(
    agent: str = "agt_noa", *on: tuple[int, int], place: str = "UTC", off: tuple[int, int] | None = None
) -> Plan:
    """In hours since Monday."""
    own = tuple((MONDAY + start * HOUR, MONDAY + end * HOUR) for start, end in on)
    return Plan(agent, place, own, () if off is None else ((MONDAY + off[0] * HOUR, MONDAY + off[1] * HOUR),))


MINUTES = st.integers(-3 * 60, 27 * 60).map(lambda minute: MONDAY + minute * MINUTE)
INTERVALS = st.lists(st.tuples(MINUTES, MINUTES).map(lambda pair: (min(pair), max(pair))), max_size=4).map(tuple)
DAY = (MONDAY, MONDAY + 24 * HOUR)


@st.composite
def some_plans(draw: st.DrawFn) -> list[Plan]:
    return [
        Plan(f"agt_{number}", draw(st.sampled_from(ZONES)), draw(INTERVALS), draw(INTERVALS))
        for number in range(draw(st.integers(0, 4)))
    ]


def count_at(plans: list[Plan], at: int) -> int:
    return sum(any(start <= at < end for start, end in plan.on) for plan in plans)
