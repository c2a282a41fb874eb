"""/v1/me: the agent who is logged in, and the account."""

from __future__ import annotations

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chat.directory import Account, Agent, Directory
from chat.model import Role
from gateway.api.asker import Askers
from gateway.api.payload import answer
from gateway.api.problem import LoginNeeded
from gateway.api.route import operation


class Myself(Struct):
    """An agent as the agent itself sees it."""

    id: str
    name: str
    email: str
    role: Role
    picture: str | None
    teams: list[str]


class Me(Struct):
    agent: Myself
    account: Account


def routes(directory: Directory, askers: Askers) -> list[Route]:
    async def me(request: Request) -> Response:
        actor = (await askers.agent(request)).actor
        who = (actor.account, actor.id)
        agent, account = await directory.agent(who), await directory.account(actor.account)
        if agent is None or account is None:
            raise LoginNeeded
        return answer(Me(shown(agent, await directory.teams_of(who)), account))

    return [operation("/v1/me", "GET", me, summary="The agent who is logged in.", answer=Me, who="agent")]


def shown(agent: Agent, teams: list[str]) -> Myself:
    """An agent as the agent itself sees it."""
    return Myself(agent.id, agent.name, agent.email, agent.role, agent.picture, teams)
