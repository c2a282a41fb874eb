"""/v1/agents/{id}/duty and /v1/bots/{id}/duty: how much somebody takes at once, and what somebody knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chat.audit import Audit
from chat.duties import Duties, DutyShown
from chat.errors import NotFound
from chat.preferences import Slots
from gateway.api.asker import Askers
from gateway.api.payload import answer, named, read
from gateway.api.route import operation

Changed = Callable[[str], None]
"""Hears of each account whose staff, teams, shifts, hours or settings have changed just now."""

Skill = Annotated[str, Meta(max_length=64, pattern=r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*\Z")]
SkillList = Annotated[list[Skill], Meta(max_length=50)]


class NewDuty(Struct):
    """`slots` are how many conversations somebody takes at once; null for the account's usual number. A language is a
    skill like others: `th`, `pt-br`."""

    slots: Slots | None = None
    skills: SkillList = []


def routes(duties: Duties, audit: Audit, askers: Askers, changed: Changed) -> list[Route]:
    async def agent_duty(request: Request) -> Response:
        actor = await askers.about(request, named(request, "agent"))
        return answer(await duties.duty((actor.account, _id(request, "agent"))))

    async def bot_duty(request: Request) -> Response:
        actor = await askers.supervisor(request)
        return answer(await duties.duty((actor.account, _id(request, "bot"))))

    async def set_agent_duty(request: Request) -> Response:
        return await _set(request, "agent")

    async def set_bot_duty(request: Request) -> Response:
        return await _set(request, "bot")

    async def _set(request: Request, kind: str) -> Response:
        actor = await askers.supervisor(request)
        body = await read(request, NewDuty)
        values = {"slots": body.slots, "skills": list(dict.fromkeys(body.skills))}
        shown = await duties.change_duty((actor.account, _id(request, kind)), values, audit.by(actor))
        changed(actor.account)
        return answer(shown)

    return [
        operation(
            "/v1/agents/{id}/duty",
            "GET",
            agent_duty,
            summary="An agent's slots, skills and status; an agent's own, or anybody's for supervisors and admins.",
            answer=DutyShown,
            who="agent",
        ),
        operation(
            "/v1/agents/{id}/duty",
            "PUT",
            set_agent_duty,
            summary="Say how many conversations an agent takes at once, and what it knows.",
            body=NewDuty,
            answer=DutyShown,
            who="supervisor",
        ),
        operation(
            "/v1/bots/{id}/duty",
            "GET",
            bot_duty,
            summary="A bot's slots, skills and status.",
            answer=DutyShown,
            who="supervisor",
        ),
        operation(
            "/v1/bots/{id}/duty",
            "PUT",
            set_bot_duty,
            summary="Say how many conversations a bot takes at once, and what it knows.",
            body=NewDuty,
            answer=DutyShown,
            who="supervisor",
        ),
    ]


_PREFIXES = {"agent": "agt_", "bot": "bot_"}


def _id(request: Request, kind: str) -> str:
    """The id in the path: of an agent no bot's, and the other way round."""
    found = named(request, kind)
    if not found.startswith(_PREFIXES[kind]):
        raise NotFound(field=kind)
    return found
