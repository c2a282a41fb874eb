"""/v1/coverage: how many are on and when, as planned and as it was, and which shift would close the most of a gap."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from itertools import zip_longest
from typing import Annotated

from msgspec import Meta, Struct, field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chat.administration import Administration
from chat.clock import Clock
from chat.duties import Duties
from chat.errors import Busy, NotFound
from chat.logs import Logs
from chat.model import StatusLine
from gateway.api.asker import Askers
from gateway.api.payload import Id, answer, read_query
from gateway.api.reports import between
from gateway.api.route import operation
from presence import coverage
from presence.coverage import Gap, Line, Plan, Stretch, plan_of
from presence.extra_shifts import Extra, extra_shifts
from presence.shifts import ALWAYS, Senseless, parse
from presence.zones import names

USUAL_DAYS = 7
MOST_DAYS = 35  # weeks to come that are planned, and what is worked out while others wait for the loop
AT_ONCE = 2  # on a node: it may take a second of the processor
LAST = 4_102_444_800_000  # ms, the year 2100: no schedule says anything of later years

Moment = Annotated[int, Meta(ge=0, le=LAST)]


class CoverageQuery(Struct):
    """From one moment (ms) up to another, at most 35 days; else the next 7. `least` is how many should be on, `extra`
    how many shifts to propose. Without `team` all agents count."""

    team: Id | None = None
    since: Moment | None = field(default=None, name="from")
    until: Moment | None = field(default=None, name="to")
    least: Annotated[int, Meta(ge=1, le=100)] = 1
    extra: Annotated[int, Meta(ge=0, le=5)] = 1


class WeekShown(Struct):
    """A week of the account's zone, or as much of it as was asked about: its hours, and in which share of them as many
    as wanted are on. `actual_share` is of what is over already."""

    start: int
    end: int
    hours: float
    share: float
    actual_share: float | None


class GapShown(Struct):
    """A time in which fewer than wanted are on. `missing` is what one person would have to work to close it (ms);
    `local` are its start and end by the clocks of each agent's zone."""

    start: int
    end: int
    fewest: int
    missing: int
    local: dict[str, tuple[str, str]]


class ExtraShown(Struct):
    """A shift that would close so much (ms) of the gaps; `local` are its start and end by that agent's clock."""

    agent: str
    start: int
    end: int
    closes: int
    local: tuple[str, str]


class CoverageShown(Struct):
    """`planned` and `actual` say how many are, and were, at work, without holes: `planned` to the ms, `actual` the
    fewest of each hour. It ends now, or earlier where there was too much to read. Shares are of the time in which
    `least` are on. `agents` are those who count, with their zones; those without a schedule are always on shift, but
    nobody plans with them: they are `unplanned`."""

    since: int = field(name="from")
    until: int = field(name="to")
    least: int
    zone: str
    agents: dict[str, str]
    unplanned: list[str]
    share: float
    planned: list[Stretch]
    actual: list[Stretch]
    weeks: list[WeekShown]
    gaps: list[GapShown]
    extra: list[ExtraShown]


def routes(administration: Administration, duties: Duties, logs: Logs, clock: Clock, askers: Askers) -> list[Route]:
    under_way = 0

    async def team_coverage(request: Request) -> Response:
        nonlocal under_way
        actor = await askers.supervisor(request)
        query = read_query(request, CoverageQuery)
        now = clock.now()
        since, until = _bounds(query, now)
        if query.team is not None:
            await administration.team((actor.account, query.team))
        if under_way >= AT_ONCE:
            raise Busy
        under_way += 1
        try:
            zone = (await administration.account(actor.account)).settings.zone
            zone = zone if zone in names() else "UTC"  # what a later version of the service may know
            schedules = {
                member.id: member.schedule
                for member in await duties.members(actor.account)
                if member.active and member.id.startswith("agt_") and query.team in (None, *member.teams)
            }
            lines: list[StatusLine] = []
            upto = min(now, until)
            if since < upto:
                lines, upto = await logs.lines(actor.account, schedules, since, upto)
            # In a thread, as it takes longer than others should wait.
            return answer(await asyncio.to_thread(_shown, query, (since, until), (now, upto), zone, schedules, lines))
        finally:
            under_way -= 1

    return [
        operation(
            "/v1/coverage",
            "GET",
            team_coverage,
            summary="How many are on and when, where too few are, and which shift would help the most.",
            query=CoverageQuery,
            answer=CoverageShown,
            refusals=[NotFound],
            who="supervisor",
        )
    ]


def _bounds(query: CoverageQuery, now: int) -> tuple[int, int]:
    """What isn't said is the days to come."""
    since = query.since if query.since is not None or query.until is not None else now
    return between(since, query.until, now, USUAL_DAYS, MOST_DAYS)


def _shown(
    query: CoverageQuery,
    bounds: tuple[int, int],
    known: tuple[int, int],
    zone: str,
    schedules: Mapping[str, str],
    lines: list[StatusLine],
) -> CoverageShown:
    """`known` are now, and the moment up to which the lines are all there."""
    (since, until), (now, upto) = bounds, known
    plans = _plans(schedules, since, until)
    planned = coverage.planned(plans.values(), since, until)
    weeks = coverage.weeks(planned, query.least, zone)
    actual: tuple[Stretch, ...] = ()
    if since < upto:
        told = (Line(each.member, each.at, each.status, each.reason) for each in lines)
        actual = coverage.actual(told, since, upto)
    shares = [week.share for week in coverage.weeks(actual, query.least, zone)] if actual else []
    zones = {plan.zone for plan in plans.values()} | {zone}
    extra: tuple[Extra, ...] = ()
    if query.extra and now < until:
        extra = extra_shifts(plans.values(), max(now, since), until, query.least, query.extra)
    return CoverageShown(
        since,
        until,
        query.least,
        zone,
        {agent: plan.zone for agent, plan in plans.items()},
        sorted(schedules.keys() - plans.keys()),
        sum(week.covered for week in weeks) / (until - since),
        list(planned),
        list(coverage.by_hour(actual)) if actual else [],
        [WeekShown(week.start, week.end, week.hours, week.share, share) for week, share in zip_longest(weeks, shares)],
        [_gap(gap, zones) for gap in coverage.gaps(planned, query.least)],
        [_extra(each, plans[each.agent].zone) for each in extra],
    )


def _plans(schedules: Mapping[str, str], since: int, until: int) -> dict[str, Plan]:
    """Of those who have a schedule that can be read."""
    plans = {}
    for agent, text in schedules.items():
        with suppress(Senseless):
            schedule = parse(text)
            if schedule != ALWAYS:
                plans[agent] = plan_of(agent, schedule, since, until)
    return plans


def _gap(gap: Gap, zones: set[str]) -> GapShown:
    return GapShown(gap.start, gap.end, gap.fewest, gap.missing, coverage.local_times(gap, zones))


def _extra(extra: Extra, zone: str) -> ExtraShown:
    local = coverage.local_times(Gap(extra.start, extra.end, 0, 0), [zone])[zone]
    return ExtraShown(extra.agent, extra.start, extra.end, extra.closes, local)
