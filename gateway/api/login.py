"""/v1/login and /v1/logout: an agent's browser gets a session, in a cookie that no script can read."""

from __future__ import annotations

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chat.directory import Directory
from chat.passwords import Passwords
from chat.sessions import Sessions
from gateway.api.asker import COOKIE, Askers, from_own_page
from gateway.api.me import Myself, shown
from gateway.api.payload import Line, answer, read
from gateway.api.problem import BadCredentials, OriginRefused
from gateway.api.route import operation
from gateway.origins import Origins


class Credentials(Struct):
    email: Line
    password: Line


class LoggedIn(Struct):
    agent: Myself


def routes(
    directory: Directory,
    sessions: Sessions,
    passwords: Passwords,
    askers: Askers,
    origins: Origins,
    *,
    life: int,
    is_https: bool,
) -> list[Route]:
    """`life` of a login in seconds, the cookie's as the session's."""

    async def login(request: Request) -> Response:
        from_own_page(request, origins)
        credentials = await read(request, Credentials)
        agent, stored = await directory.agent_by_email(credentials.email) or (None, None)
        # Checked also when there is nobody, so that the time tells nothing.
        matches = await passwords.match(stored, credentials.password)
        if agent is None or not agent.active or not matches:
            raise BadCredentials
        secret, _ = await sessions.open_for_agent(agent)
        response = answer(LoggedIn(shown(agent, await directory.teams_of((agent.account, agent.id)))))
        response.set_cookie(COOKIE, secret, max_age=life, httponly=True, samesite="strict", secure=is_https)
        return response

    async def logout(request: Request) -> Response:
        from_own_page(request, origins)
        session = await askers.visiting(request)
        if session is not None:
            await sessions.end(session)
        response = Response(status_code=204)
        response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=is_https)
        return response

    return [
        operation(
            "/v1/login",
            "POST",
            login,
            summary="Log an agent in; the answer sets the cookie.",
            body=Credentials,
            answer=LoggedIn,
            refusals=[BadCredentials, OriginRefused],
        ),
        operation(
            "/v1/logout",
            "POST",
            logout,
            summary="End the session of this browser's cookie.",
            status=204,
            refusals=[OriginRefused],
        ),
    ]
