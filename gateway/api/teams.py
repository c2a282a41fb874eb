"""/v1/teams: sets of agents and bots."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chat.administration import Administration, TeamSetUp
from chat.audit import Audit
from chat.directory import Directory
from chat.errors import BadRequest, InvalidState
from chat.preferences import TeamSettings
from gateway.api.asker import Askers
from gateway.api.duties import Changed
from gateway.api.payload import Id, Name, answer, given, named, read
from gateway.api.route import operation


class NamedTeam(Struct):
    name: Name


class TeamPatch(Struct):
    """What is given replaces what was; `settings` as a whole: what is left out of them is as by default."""

    name: Name | UnsetType = UNSET
    settings: TeamSettings | UnsetType = UNSET


class Member(Struct):
    """An agent's or a bot's id."""

    member: Id


class TeamList(Struct):
    teams: list[TeamSetUp]


def routes(
    administration: Administration, directory: Directory, audit: Audit, askers: Askers, changed: Changed
) -> list[Route]:
    async def teams(request: Request) -> Response:
        actor = await askers.staff(request)
        return answer(TeamList(await administration.teams(actor.account)))

    async def create_team(request: Request) -> Response:
        actor = await askers.admin(request)
        body = await read(request, NamedTeam)
        made = await directory.add_team(actor.account, body.name, audit.by(actor))
        changed(actor.account)
        return answer(await administration.team((actor.account, made.id)), 201)

    async def change_team(request: Request) -> Response:
        actor = await askers.admin(request)
        body = await read(request, TeamPatch)
        what = (actor.account, named(request, "team"))
        if body.settings is not UNSET:
            _check(body.settings, what[1])
        shown = await administration.change_team(what, given(body), audit.by(actor))
        changed(actor.account)
        return answer(shown)

    async def delete_team(request: Request) -> Response:
        actor = await askers.admin(request)
        await administration.delete_team((actor.account, named(request, "team")), audit.by(actor))
        changed(actor.account)
        return Response(status_code=204)

    async def add_team_member(request: Request) -> Response:
        actor = await askers.admin(request)
        body = await read(request, Member)
        what = (actor.account, named(request, "team"))
        await directory.add_member(what, body.member, audit.by(actor))
        changed(actor.account)
        return answer(await administration.team(what))

    async def remove_team_member(request: Request) -> Response:
        actor = await askers.admin(request)
        what, member = (actor.account, named(request, "team")), named(request, "member", "member")
        await administration.remove_member(what, member, audit.by(actor))
        changed(actor.account)
        return Response(status_code=204)

    return [
        operation("/v1/teams", "GET", teams, summary="All teams.", answer=TeamList, who="staff"),
        operation(
            "/v1/teams",
            "POST",
            create_team,
            summary="A new team.",
            body=NamedTeam,
            answer=TeamSetUp,
            status=201,
            who="admin",
        ),
        operation(
            "/v1/teams/{id}",
            "PATCH",
            change_team,
            summary="Rename a team, or say how conversations come to it.",
            body=TeamPatch,
            answer=TeamSetUp,
            who="admin",
        ),
        operation(
            "/v1/teams/{id}",
            "DELETE",
            delete_team,
            summary="Delete a team that has no conversations but resolved ones.",
            status=204,
            refusals=[InvalidState],
            who="admin",
        ),
        operation(
            "/v1/teams/{id}/members",
            "POST",
            add_team_member,
            summary="Put an agent or a bot into a team.",
            body=Member,
            answer=TeamSetUp,
            who="admin",
        ),
        operation(
            "/v1/teams/{id}/members/{member}",
            "DELETE",
            remove_team_member,
            summary="Take an agent or a bot out of a team.",
            status=204,
            who="admin",
        ),
    ]


def _check(settings: TeamSettings, team: str) -> None:
    """BadRequest for what its own shape can't tell."""
    limit, reopen = settings.queue_limit, settings.queue_reopen
    if reopen is not None and (limit is None or reopen > limit):
        raise BadRequest("A full queue opens again at its limit or below.", field="settings.queue_reopen")
    if team in settings.overflow:
        raise BadRequest("A team doesn't overflow to itself.", field="settings.overflow")
