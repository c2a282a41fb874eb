"""/v1/staff: who answers in this account, in which teams, for which inboxes."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chat.directory import Directory
from gateway.api.asker import Askers
from gateway.api.payload import answer


def routes(directory: Directory, askers: Askers) -> list[Route]:
    async def staff(request: Request) -> Response:
        found = await directory.staff((await askers.staff(request)).account)
        return answer(
            {
                "agents": [
                    {"id": agent.id, "name": agent.name, "picture": agent.picture, "role": agent.role}
                    for agent in found.agents
                ],
                "bots": [{"id": bot.id, "name": bot.name, "picture": bot.picture} for bot in found.bots],
                "teams": [{"id": team.id, "name": team.name} for team in found.teams],
                "inboxes": [{"id": inbox.id, "name": inbox.name} for inbox in found.inboxes],
            }
        )

    return [Route("/v1/staff", staff)]
