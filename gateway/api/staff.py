"""/v1/staff: who answers in this account, in which teams, for which inboxes."""

from __future__ import annotations

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chat.directory import Directory
from chat.model import Role
from gateway.api.asker import Askers
from gateway.api.payload import answer
from gateway.api.route import operation


class Colleague(Struct):
    id: str
    name: str
    picture: str | None
    role: Role


class StaffBot(Struct):
    id: str
    name: str
    picture: str | None


class IdAndName(Struct):
    id: str
    name: str


class StaffShown(Struct):
    """Who is active, with what everybody in the account may know."""

    agents: list[Colleague]
    bots: list[StaffBot]
    teams: list[IdAndName]
    inboxes: list[IdAndName]


def routes(directory: Directory, askers: Askers) -> list[Route]:
    async def staff(request: Request) -> Response:
        found = await directory.staff((await askers.staff(request)).account)
        return answer(
            StaffShown(
                [Colleague(agent.id, agent.name, agent.picture, agent.role) for agent in found.agents],
                [StaffBot(bot.id, bot.name, bot.picture) for bot in found.bots],
                [IdAndName(team.id, team.name) for team in found.teams],
                [IdAndName(inbox.id, inbox.name) for inbox in found.inboxes],
            )
        )

    return [operation("/v1/staff", "GET", staff, summary="Who answers in the account.", answer=StaffShown, who="staff")]
