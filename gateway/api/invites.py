"""/v1/invites: how somebody becomes an agent. No e-mail is sent: the admin passes the link on."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chat import passwords as rules
from chat.audit import Audit
from chat.directory import Directory
from chat.errors import InvalidState, NotFound
from chat.invites import Invite, Invites
from chat.model import Role
from chat.passwords import Passwords
from gateway.api.asker import Askers, from_own_page
from gateway.api.duties import Changed
from gateway.api.me import Myself, shown
from gateway.api.payload import Address, Id, Line, Name, answer, named, read
from gateway.api.problem import OriginRefused
from gateway.api.route import operation
from gateway.origins import Origin, Origins


class NewInvite(Struct):
    email: Address
    name: Name
    role: Role = "agent"
    teams: Annotated[list[Id], Meta(max_length=100)] = []


class FreshInvite(Struct):
    """`secret` is shown this once; `link` has it behind the #, which no server and no log sees."""

    invite: Invite
    secret: str
    link: str


class InviteList(Struct):
    invites: list[Invite]


class Acceptance(Struct):
    secret: Line
    password: Line


class Accepted(Struct):
    agent: Myself


def routes(
    invites: Invites,
    directory: Directory,
    passwords: Passwords,
    audit: Audit,
    askers: Askers,
    origins: Origins,
    home: Origin,
    changed: Changed,
) -> list[Route]:
    """`home` is where the console is."""

    async def open_invites(request: Request) -> Response:
        actor = await askers.admin(request)
        return answer(InviteList(await invites.open(actor.account)))

    async def create_invite(request: Request) -> Response:
        actor = await askers.admin(request)
        body = await read(request, NewInvite)
        made, secret = await invites.invite(
            actor.account, email=body.email, name=body.name, role=body.role, into=body.teams, audit=audit.by(actor)
        )
        return answer(FreshInvite(made, secret, f"{home}/console/#invite={secret}"), 201)

    async def revoke_invite(request: Request) -> Response:
        actor = await askers.admin(request)
        await invites.revoke_invite((actor.account, named(request, "invite")), audit.by(actor))
        return Response(status_code=204)

    async def accept_invite(request: Request) -> Response:
        from_own_page(request, origins)
        body = await read(request, Acceptance)
        invite = await invites.invited(body.secret)
        rules.check(body.password, invite.email)
        who = await invites.accept(body.secret, await passwords.hash(body.password))
        changed(who[0])
        agent = await directory.agent(who)
        if agent is None:
            raise NotFound(field="secret")
        return answer(Accepted(shown(agent, await directory.teams_of(who))), 201)

    return [
        operation(
            "/v1/invites",
            "GET",
            open_invites,
            summary="Invites that can be accepted.",
            answer=InviteList,
            who="admin",
        ),
        operation(
            "/v1/invites",
            "POST",
            create_invite,
            summary="Invite somebody; the link is shown this once and passed on by hand.",
            body=NewInvite,
            answer=FreshInvite,
            status=201,
            refusals=[InvalidState, NotFound],
            who="admin",
        ),
        operation("/v1/invites/{id}", "DELETE", revoke_invite, summary="Revoke an invite.", status=204, who="admin"),
        operation(
            "/v1/invites/accept",
            "POST",
            accept_invite,
            summary="Become an agent by an invite's secret and a password of one's own.",
            body=Acceptance,
            answer=Accepted,
            status=201,
            refusals=[NotFound, OriginRefused],
        ),
    ]
