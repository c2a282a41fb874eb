"""/v1/me/totp: an agent's own second factor; an admin resets that of somebody who lost the phone."""

from __future__ import annotations

import pyotp
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chat.audit import Audit
from chat.directory import Agent, Directory
from chat.errors import BadRequest, InvalidState
from chat.totp import State, Totps
from gateway.api.asker import Askers
from gateway.api.login import Code, Logins, TotpNeeded
from gateway.api.payload import Line, answer, read
from gateway.api.problem import BadCredentials, LoginNeeded
from gateway.api.route import operation

ISSUER = "Shopbell"


class Second(Struct):
    state: State


class Reentered(Struct):
    """The password once more: a cookie that somebody got hold of must not change how one logs in."""

    password: Line
    code: Code | None = None


class Enrolment(Struct):
    """What the app wants: the secret to type, or the address that a picture of dots says."""

    secret: str
    uri: str


class Shown(Struct):
    code: Code


def routes(directory: Directory, totps: Totps, logins: Logins, askers: Askers, audit: Audit) -> list[Route]:
    async def totp(request: Request) -> Response:
        agent = await _agent(request)
        return answer(Second(await totps.state((agent.account, agent.id))))

    async def begin_totp(request: Request) -> Response:
        agent = await _agent(request)
        again = await read(request, Reentered)
        await logins.check(agent.email, again.password, again.code)
        secret = await totps.begin((agent.account, agent.id))
        uri = pyotp.TOTP(secret).provisioning_uri(name=agent.email, issuer_name=ISSUER)
        return answer(Enrolment(secret, uri))

    async def confirm_totp(request: Request) -> Response:
        agent = await _agent(request)
        shown = await read(request, Shown)
        if not await totps.confirm((agent.account, agent.id), shown.code, audit.by(agent.actor)):
            raise BadRequest("The app shows another code: is its clock right?", field="code")
        return Response(status_code=204)

    async def end_totp(request: Request) -> Response:
        agent = await _agent(request)
        again = await read(request, Reentered)
        await logins.check(agent.email, again.password, again.code)
        await totps.off((agent.account, agent.id), "totp.off", audit.by(agent.actor))
        return Response(status_code=204)

    async def reset_totp(request: Request) -> Response:
        admin = await askers.admin(request)
        await totps.off((admin.account, request.path_params["id"]), "totp.reset", audit.by(admin))
        return Response(status_code=204)

    async def _agent(request: Request) -> Agent:
        actor = (await askers.agent(request)).actor
        agent = await directory.agent((actor.account, actor.id))
        if agent is None:
            raise LoginNeeded
        return agent

    login_refusals = [BadCredentials, TotpNeeded]
    return [
        operation("/v1/me/totp", "GET", totp, summary="Whether one's second factor is on.", answer=Second, who="agent"),
        operation(
            "/v1/me/totp",
            "POST",
            begin_totp,
            summary="Begin to set up a second factor. It counts when it was confirmed.",
            body=Reentered,
            answer=Enrolment,
            refusals=[*login_refusals, InvalidState],
            who="agent",
        ),
        operation(
            "/v1/me/totp/confirm",
            "POST",
            confirm_totp,
            summary="Show that the app has the secret: from now on logging in wants its codes.",
            body=Shown,
            status=204,
            refusals=[InvalidState],
            who="agent",
        ),
        operation(
            "/v1/me/totp/off",
            "POST",
            end_totp,
            summary="Turn one's second factor off, with the password and a code.",
            body=Reentered,
            status=204,
            refusals=login_refusals,
            who="agent",
        ),
        operation(
            "/v1/agents/{id}/totp",
            "DELETE",
            reset_totp,
            summary="Turn off the second factor of an agent who has lost it.",
            status=204,
            who="admin",
        ),
    ]
