"""/v1/agents/{id}/schedule: an agent's shifts, as JSON and as a calendar."""

from __future__ import annotations

from msgspec.json import encode
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chat.audit import Audit
from chat.duties import Duties
from chat.errors import BadRequest
from gateway.api.asker import Askers
from gateway.api.duties import Changed
from gateway.api.payload import named, read
from gateway.api.route import operation
from presence.shifts import ALWAYS, LONGEST, Schedule, Senseless, parse

SCHEDULE_BYTES = 2 * LONGEST  # a reason may be in Thai


def routes(duties: Duties, audit: Audit, askers: Askers, changed: Changed) -> list[Route]:
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
