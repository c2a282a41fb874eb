"""Who asks over HTTP: an agent's browser by its cookie, a contact's frame and a bot by their bearer secret."""

from __future__ import annotations

from starlette.requests import Request

from chat.directory import Directory
from chat.errors import Forbidden, NotFound
from chat.keys import API_TOKEN_PREFIX, SESSION_PREFIX
from chat.model import Actor, Role
from chat.sessions import Session, Sessions
from gateway.api.problem import LoginNeeded, OriginRefused
from gateway.origins import Origins

COOKIE = "shopbell"


class Askers:
    """Finds out who asks. Every method may raise LoginNeeded, and Unavailable when the store is away.

    Whoever comes with a cookie and wants to change something must say that it comes from a page of ours: OriginRefused.
    """

    def __init__(self, sessions: Sessions, directory: Directory, origins: Origins) -> None:
        self._sessions = sessions
        self._directory = directory
        self._origins = origins

    async def anyone(self, request: Request) -> Actor:
        """An agent, a contact or a bot."""
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        if not scheme:
            return (await self.agent(request)).actor
        actor = await self._bearer(secret.strip()) if scheme.lower() == "bearer" else None
        if actor is None:
            raise LoginNeeded
        return actor

    async def staff(self, request: Request) -> Actor:
        """An agent or a bot. A contact's secret is no credential here."""
        actor = await self.anyone(request)
        if not actor.is_staff:
            raise LoginNeeded
        return actor

    async def supervisor(self, request: Request) -> Actor:
        """An agent who is a supervisor or an admin. Forbidden for other staff."""
        return await self._ranked(request, "supervisor", "admin")

    async def admin(self, request: Request) -> Actor:
        """An agent who is an admin. Forbidden for other staff."""
        return await self._ranked(request, "admin")

    async def about(self, request: Request, agent: str) -> Actor:
        """Who may look at what concerns this agent: the agent, supervisors and admins. NotFound for other agents."""
        actor = (await self.agent(request)).actor
        if actor.id != agent and actor.role not in ("supervisor", "admin"):
            raise NotFound(field="agent")
        return actor

    async def _ranked(self, request: Request, *roles: Role) -> Actor:
        actor = await self.staff(request)
        if actor.role not in roles:
            raise Forbidden
        return actor

    async def agent(self, request: Request) -> Session:
        """The session of the agent that this browser's cookie stands for."""
        session = await self.visiting(request)
        if session is None:
            raise LoginNeeded
        if request.method not in ("GET", "HEAD"):
            from_own_page(request, self._origins, required=True)
        return session

    async def visiting(self, request: Request) -> Session | None:
        """The same, or None where nobody is logged in."""
        secret = request.cookies.get(COOKIE, "")
        session = await self._sessions.by_secret(secret) if secret.startswith(SESSION_PREFIX) else None
        return session if session and session.actor.kind == "agent" else None

    async def _bearer(self, secret: str) -> Actor | None:
        if secret.startswith(API_TOKEN_PREFIX):
            bot = await self._directory.bot_by_token(secret)
            return bot.actor if bot else None
        if secret.startswith(SESSION_PREFIX):
            session = await self._sessions.by_secret(secret)
            return session.actor if session and session.actor.kind == "contact" else None
        return None


def from_own_page(request: Request, origins: Origins, *, required: bool = False) -> None:
    """Raise OriginRefused for what a browser sends from elsewhere; with `required` also for what no browser sent."""
    sent = request.headers.getlist("origin")
    if (required or sent) and not (len(sent) == 1 and origins.allow(sent[0])):
        raise OriginRefused
