"""/v1/agents: who works here as a human, and an agent's own password."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from msgspec import UNSET, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chat import passwords as rules
from chat.audit import Audit
from chat.directory import Directory
from chat.errors import InvalidState
from chat.model import Actor, Role
from chat.passwords import Passwords
from chat.staffing import AgentShown, Staffing
from gateway.api.asker import Askers
from gateway.api.duties import Changed
from gateway.api.login import Code, Logins, TotpNeeded
from gateway.api.payload import Line, Name, Picture, answer, given, named, read
from gateway.api.problem import BadCredentials, LoginNeeded
from gateway.api.route import operation


class Close(Protocol):
    """Closes the sockets of whoever is revoked, on all nodes; see Revocations."""

    def __call__(self, account: str, *, session: str | None = None, actor: str | None = None) -> None: ...


Release = Callable[[Actor, str], Awaitable[None]]
"""Takes all open conversations from an agent or a bot, as this actor's doing."""


class AgentPatch(Struct):
    name: Name | UnsetType = UNSET
    role: Role | UnsetType = UNSET
    picture: Picture | UnsetType | None = UNSET


class NewPassword(Struct):
    """`code` is the app's, where there is a second factor."""

    current: Line
    new: Line
    code: Code | None = None


class AgentList(Struct):
    agents: list[AgentShown]


def routes(
    staffing: Staffing,
    directory: Directory,
    logins: Logins,
    passwords: Passwords,
    audit: Audit,
    askers: Askers,
    close: Close,
    release: Release,
    changed: Changed,
) -> list[Route]:
    async def agents(request: Request) -> Response:
        actor = await askers.supervisor(request)
        return answer(AgentList(await staffing.agents(actor.account)))

    async def agent(request: Request) -> Response:
        actor = await askers.supervisor(request)
        return answer(await staffing.agent((actor.account, named(request, "agent"))))

    async def change_agent(request: Request) -> Response:
        actor = await askers.admin(request)
        body = await read(request, AgentPatch)
        who = (actor.account, named(request, "agent"))
        shown = await staffing.change_agent(who, given(body), audit.by(actor))
        changed(who[0])
        return answer(shown)

    async def deactivate_agent(request: Request) -> Response:
        actor = await askers.admin(request)
        who = (actor.account, named(request, "agent"))
        await staffing.agent(who)  # no bot by this way
        if who[1] == actor.id:  # whoever is out can't give its conversations back
            raise InvalidState("Another admin deactivates you.")
        await staffing.set_active(who, False, audit.by(actor))
        changed(who[0])
        close(who[0], actor=who[1])
        await release(actor, who[1])
        return answer(await staffing.agent(who))

    async def activate_agent(request: Request) -> Response:
        actor = await askers.admin(request)
        who = (actor.account, named(request, "agent"))
        await staffing.agent(who)
        await staffing.set_active(who, True, audit.by(actor))
        changed(who[0])
        return answer(await staffing.agent(who))

    async def change_password(request: Request) -> Response:
        session = await askers.agent(request)
        body = await read(request, NewPassword)
        who = (session.actor.account, session.actor.id)
        me = await directory.agent(who)
        if me is None:
            raise LoginNeeded
        await logins.check(me.email, body.current, body.code)
        rules.check(body.new, me.email, "new")
        hashed = await passwords.hash(body.new)
        for ended in await staffing.set_password(who, hashed, session.id, audit.by(session.actor)):
            close(session.actor.account, session=ended)
        return Response(status_code=204)

    return [
        operation(
            "/v1/agents",
            "GET",
            agents,
            summary="All agents, also those who don't work here any more.",
            answer=AgentList,
            who="supervisor",
        ),
        operation("/v1/agents/{id}", "GET", agent, summary="One agent.", answer=AgentShown, who="supervisor"),
        operation(
            "/v1/agents/{id}",
            "PATCH",
            change_agent,
            summary="Change an agent's name, role or picture.",
            body=AgentPatch,
            answer=AgentShown,
            refusals=[InvalidState],
            who="admin",
        ),
        operation(
            "/v1/agents/{id}/deactivate",
            "POST",
            deactivate_agent,
            summary="End an agent's sessions, sockets and assignments, and let nobody in as this agent.",
            answer=AgentShown,
            refusals=[InvalidState],
            who="admin",
        ),
        operation(
            "/v1/agents/{id}/activate",
            "POST",
            activate_agent,
            summary="Let an agent work again.",
            answer=AgentShown,
            who="admin",
        ),
        operation(
            "/v1/agents/me/password",
            "POST",
            change_password,
            summary="Change one's own password; all other sessions end.",
            body=NewPassword,
            status=204,
            refusals=[BadCredentials, TotpNeeded],
            who="agent",
        ),
    ]
