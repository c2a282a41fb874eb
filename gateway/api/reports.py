"""What was written down about routing: timelines, decisions, what was handed over, the report about waits."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct, field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chat.clock import Clock
from chat.errors import BadRequest, NotFound
from chat.handovers import HandedOver, Handovers
from chat.logs import DecisionShown, Logs, Timeline
from chat.waits import Waits, WaitsReport
from gateway.api.asker import Askers
from gateway.api.payload import Id, Limit, answer, named, read_query
from gateway.api.route import operation

NEWEST = 2**53 - 1
DAY_MS = 24 * 3600 * 1000
TIMELINE_DAYS = 93  # a quarter
REPORT_DAYS = 366
HANDOVER_DAYS = 1  # whoever went home yesterday begins anew

Moment = Annotated[int, Meta(ge=0, le=NEWEST)]
Position = Annotated[int, Meta(ge=0, le=NEWEST)]


class TimelineQuery(Struct):
    """From one moment (ms) up to another, at most 93 days; else the last day. `after` is the `next` of the page
    before."""

    since: Moment | None = field(default=None, name="from")
    until: Moment | None = field(default=None, name="to")
    after: Position = 0
    limit: Limit = 100


class DecisionsQuery(Struct):
    before: Position = NEWEST
    limit: Limit = 50


class DecisionsShown(Struct):
    """The newest first; `more` says whether there are older ones, before the last one's position."""

    decisions: list[DecisionShown]
    more: bool


class WaitsQuery(Struct):
    """Waits that began from one moment (ms) up to another, at most a year; else in the last 30 days."""

    since: Moment | None = field(default=None, name="from")
    until: Moment | None = field(default=None, name="to")
    team: Id | None = None


def routes(logs: Logs, handovers: Handovers, waits: Waits, clock: Clock, askers: Askers) -> list[Route]:
    async def agent_timeline(request: Request) -> Response:
        agent = named(request, "agent")
        actor = await askers.about(request, agent)
        query = read_query(request, TimelineQuery)
        now = clock.now()
        since, until = between(query.since, query.until, now, 1, TIMELINE_DAYS)
        who = (actor.account, agent)
        # What hasn't happened yet is nothing that was spent.
        until = max(since, min(until, now))
        return answer(await logs.timeline(who, since, until, after=query.after, limit=query.limit))

    async def conversation_routing(request: Request) -> Response:
        actor = await askers.supervisor(request)
        query = read_query(request, DecisionsQuery)
        what = (actor.account, named(request, "conversation"))
        found = await logs.decisions(what, before=query.before, limit=query.limit + 1)
        return answer(DecisionsShown(found[: query.limit], len(found) > query.limit))

    async def own_handovers(request: Request) -> Response:
        actor = (await askers.agent(request)).actor
        return answer(await handovers.of((actor.account, actor.id), clock.now() - HANDOVER_DAYS * DAY_MS))

    async def waits_report(request: Request) -> Response:
        actor = await askers.supervisor(request)
        query = read_query(request, WaitsQuery)
        since, until = between(query.since, query.until, clock.now(), 30, REPORT_DAYS)
        return answer(await waits.report(actor.account, since, until, query.team))

    return [
        operation(
            "/v1/agents/{id}/timeline",
            "GET",
            agent_timeline,
            summary="Who was on, when and why: an agent's own, or anybody's for supervisors and admins.",
            query=TimelineQuery,
            answer=Timeline,
            who="agent",
        ),
        operation(
            "/v1/conversations/{id}/routing",
            "GET",
            conversation_routing,
            summary="Who got a conversation, who didn't, and why.",
            query=DecisionsQuery,
            answer=DecisionsShown,
            who="supervisor",
        ),
        operation(
            "/v1/handovers",
            "GET",
            own_handovers,
            summary="What an agent handed over at the end of its shift, and what it took over from whom.",
            answer=HandedOver,
            who="agent",
        ),
        operation(
            "/v1/reports/waits",
            "GET",
            waits_report,
            summary="How long contacts waited, and how right they were told.",
            query=WaitsQuery,
            answer=WaitsReport,
            refusals=[NotFound],
            who="supervisor",
        ),
    ]


def between(since: int | None, until: int | None, now: int, usual_days: int, most_days: int) -> tuple[int, int]:
    """Both moments (ms), where one isn't said so many days away from the other. BadRequest unless they are in order
    and not too far from each other."""
    if until is None:
        until = now if since is None else min(NEWEST, since + usual_days * DAY_MS)
    if since is None:
        since = max(0, until - usual_days * DAY_MS)
    if until <= since:
        raise BadRequest("That isn't after the beginning.", field="to")
    if until - since > most_days * DAY_MS:
        raise BadRequest(f"That is more than {most_days} days.", field="to")
    return since, until
