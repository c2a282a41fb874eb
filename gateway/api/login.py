"""/v1/login and /v1/logout: an agent's browser gets a session, in a cookie that no script can read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chat.directory import Agent, Directory
from chat.errors import Refused
from chat.passwords import Passwords
from chat.sessions import Session, Sessions
from chat.totp import Totps
from gateway.api.asker import COOKIE, Askers, from_own_page
from gateway.api.me import Myself, shown
from gateway.api.payload import Line, answer, read
from gateway.api.problem import BadCredentials, OriginRefused
from gateway.api.route import operation
from gateway.origins import Origins
from gateway.throttle import Throttle

Code = Annotated[str, Meta(min_length=1, max_length=20)]


class TotpNeeded(Refused):
    """Said only to somebody who knows the password."""

    code = "totp_needed"
    says = "The password is right; the code of the app is needed too."


class Credentials(Struct):
    """`code` is the app's, of agents with a second factor."""

    email: Line
    password: Line
    code: Code | None = None


class LoggedIn(Struct):
    agent: Myself


class Logins:
    """Checks who somebody says to be. The answer and the time it takes don't tell whether there is such an agent."""

    def __init__(self, directory: Directory, passwords: Passwords, totps: Totps, throttle: Throttle) -> None:
        self._directory = directory
        self._passwords = passwords
        self._totps = totps
        self._throttle = throttle

    async def check(self, email: str, password: str, code: str | None) -> Agent:
        """The active agent with this address, password and, where there is a second factor, code.

        Raises BadCredentials, TotpNeeded, RateLimited after many failures, and Busy.
        """
        async with self._throttle.guess(email):
            agent, stored = await self._directory.agent_by_email(email) or (None, None)
            # Checked also when there is nobody, so that the time tells nothing.
            matches = await self._passwords.match(stored, password)
            if agent is None or not agent.active or not matches:
                raise BadCredentials
            who = (agent.account, agent.id)
            is_needed = await self._totps.state(who) == "on"
            if is_needed and code is not None and not await self._totps.check(who, code):
                raise TotpNeeded("The code isn't right, or was used already.", field="code")
        if is_needed and code is None:
            raise TotpNeeded(field="code")
        return agent


def routes(
    directory: Directory,
    sessions: Sessions,
    logins: Logins,
    askers: Askers,
    origins: Origins,
    ended: Callable[[Session], None],
    *,
    life: int,
    is_https: bool,
) -> list[Route]:
    """`ended` is told a session that is over; `life` of a login in seconds, the cookie's as the session's."""

    async def login(request: Request) -> Response:
        from_own_page(request, origins)
        credentials = await read(request, Credentials)
        agent = await logins.check(credentials.email, credentials.password, credentials.code)
        secret, _ = await sessions.open_for_agent(agent)
        response = answer(LoggedIn(shown(agent, await directory.teams_of((agent.account, agent.id)))))
        response.set_cookie(COOKIE, secret, max_age=life, httponly=True, samesite="strict", secure=is_https)
        return response

    async def logout(request: Request) -> Response:
        from_own_page(request, origins)
        session = await askers.visiting(request)
        if session is not None:
            await sessions.end(session)
            ended(session)
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
            refusals=[BadCredentials, TotpNeeded, OriginRefused],
        ),
        operation(
            "/v1/logout",
            "POST",
            logout,
            summary="End the session of this browser's cookie, and its sockets.",
            status=204,
            refusals=[OriginRefused],
        ),
    ]
