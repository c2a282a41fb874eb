"""/v1/me: the agent who is logged in, and the account."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chat.directory import Agent, Directory
from gateway.api.asker import Askers
from gateway.api.payload import answer
from gateway.api.problem import LoginNeeded


def routes(directory: Directory, askers: Askers) -> list[Route]:
    async def me(request: Request) -> Response:
        actor = (await askers.agent(request)).actor
        who = (actor.account, actor.id)
        agent, account = await directory.agent(who), await directory.account(actor.account)
        if agent is None or account is None:
            raise LoginNeeded
        return answer({"agent": shown(agent, await directory.teams_of(who)), "account": account})

    return [Route("/v1/me", me)]


def shown(agent: Agent, teams: list[str]) -> dict[str, Any]:
    """An agent as the agent itself sees it."""
    return {
        "id": agent.id,
        "name": agent.name,
        "email": agent.email,
        "role": agent.role,
        "picture": agent.picture,
        "teams": teams,
    }
