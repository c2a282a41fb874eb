"""Who asks over HTTP: an agent's browser by its cookie, a contact's frame and a bot by their bearer secret."""

from __future__ import annotations

from starlette.requests import Request

from chat.directory import Directory
from chat.errors import Forbidden
from chat.keys import API_TOKEN_PREFIX, SESSION_PREFIX
from chat.model import Actor
from chat.sessions import Session, Sessions
from gateway.api.problem import LoginNeeded, OriginRefused
from gateway.origins import Origins

COOKIE = "shopbell"


class Askers:
    """Finds out who asks. Every method may raise LoginNeeded, and Unavailable when the store is away."""

    def __init__(self, sessions: Sessions, directory: Directory) -> None:
        self._sessions = sessions
        self._directory = directory

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
        """An agent or a bot. Forbidden for contacts."""
        actor = await self.anyone(request)
        if not actor.is_staff:
            raise Forbidden
        return actor

    async def agent(self, request: Request) -> Session:
        """The session of the agent that this browser's cookie stands for."""
        session = await self.visiting(request)
        if session is None:
            raise LoginNeeded
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
