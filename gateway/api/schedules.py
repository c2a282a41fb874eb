"""/v1/agents/{id}/schedule: an agent's shifts, as JSON and as a calendar."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from msgspec.json import encode
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chat.audit import Audit
from chat.clock import Clock
from chat.duties import Duties
from chat.errors import BadRequest, InvalidState
from gateway.api.asker import Askers
from gateway.api.duties import Changed
from gateway.api.payload import named, read, read_bytes
from gateway.api.route import Media, operation
from presence import calendars, foreign_calendars
from presence.shifts import ALWAYS, LONGEST, Schedule, Senseless, parse

SCHEDULE_BYTES = 2 * LONGEST  # a reason may be in Thai
CALENDAR = "text/calendar"
KEPT = timedelta(days=35)  # of what is over: coverage may look back so far
CALENDAR_BYTES = 512 * 1024  # some hundred events, with all that calendars say beside


def routes(duties: Duties, audit: Audit, clock: Clock, askers: Askers, changed: Changed) -> list[Route]:
    async def agent_schedule(request: Request) -> Response:
        agent = named(request, "agent")
        actor = await askers.about(request, agent)
        return _answer(await duties.schedule((actor.account, agent)))

    async def set_agent_schedule(request: Request) -> Response:
        actor = await askers.supervisor(request)
        text = checked(await read(request, Schedule, SCHEDULE_BYTES))
        await duties.set_schedule((actor.account, named(request, "agent")), text, audit.by(actor))
        changed(actor.account)
        return _answer(text)

    async def agent_calendar(request: Request) -> Response:
        agent = named(request, "agent")
        actor = await askers.about(request, agent)
        text = await duties.schedule((actor.account, agent))
        # In a thread, as a year of dates takes longer than others should wait.
        return _calendar(await asyncio.to_thread(_written, text, clock.now()), agent)

    async def set_agent_calendar(request: Request) -> Response:
        actor = await askers.supervisor(request)
        who = (actor.account, named(request, "agent"))
        before = await duties.schedule(who)  # nothing is read for somebody who isn't there
        calendar = await read_bytes(request, CALENDAR, CALENDAR_BYTES)
        text = checked(await asyncio.to_thread(_read, calendar, before, clock.now()))
        await duties.set_schedule(who, text, audit.by(actor))
        changed(actor.account)
        return _answer(text)

    return [
        operation(
            "/v1/agents/{id}/schedule",
            "GET",
            agent_schedule,
            summary="An agent's shifts: one's own, or anybody's for supervisors and admins.",
            answer=Schedule,
            who="agent",
        ),
        operation(
            "/v1/agents/{id}/schedule",
            "PUT",
            set_agent_schedule,
            summary="Say when an agent works. An empty schedule means always.",
            body=Schedule,
            answer=Schedule,
            who="supervisor",
        ),
        operation(
            "/v1/agents/{id}/schedule.ics",
            "GET",
            agent_calendar,
            summary="The same as a calendar: one's own, or anybody's for supervisors and admins.",
            answer=Media(CALENDAR),
            refusals=[InvalidState],
            who="agent",
        ),
        operation(
            "/v1/agents/{id}/schedule.ics",
            "PUT",
            set_agent_calendar,
            summary="Say by a calendar when an agent works. It replaces the schedule.",
            body=Media(CALENDAR),
            answer=Schedule,
            who="supervisor",
        ),
    ]


def checked(schedule: Schedule) -> str:
    """The schedule as the text that is stored. BadRequest for what can't be meant."""
    text = "" if schedule == ALWAYS else encode(schedule).decode()
    try:
        parse(text)
    except Senseless as error:
        raise senseless(error) from error
    return text


def senseless(error: Senseless, within: str = "") -> BadRequest:
    """How a schedule that can't be meant is refused, where it is a part of something."""
    field = ".".join(filter(None, (within, error.field)))
    return BadRequest(f"{error.why[:1].upper()}{error.why[1:]}.", field=field or None)


def _answer(text: str) -> Response:
    """As it is stored, also what another version wrote."""
    return Response(text or "{}", headers={"cache-control": "no-store"}, media_type="application/json")


def _calendar(written: bytes, agent: str) -> Response:
    headers = {"cache-control": "no-store", "content-disposition": f'attachment; filename="{agent}.ics"'}
    return Response(written, headers=headers, media_type=CALENDAR)


def _written(text: str, now: int) -> bytes:
    try:
        return calendars.write(parse(text), now)
    except Senseless as error:  # another version wrote it
        raise InvalidState("This schedule can't be read by this version.") from error


def _read(calendar: bytes, before: str, now: int) -> Schedule:
    """Local times that name no zone are of the one that there was before."""
    since = datetime.fromtimestamp(now / 1000, UTC).date() - KEPT
    try:
        return foreign_calendars.read(calendar, _zone_of(before), since)
    except Senseless as error:
        raise senseless(error) from error


def _zone_of(text: str) -> str:
    try:
        return parse(text).zone
    except Senseless:  # another version wrote it
        return ""
