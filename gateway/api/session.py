"""/v1/session: the widget's frame learns which contact this browser is."""

from __future__ import annotations

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chat.directory import Directory, Door
from chat.errors import NotFound
from chat.sessions import Session, Sessions
from gateway.api.asker import from_own_page
from gateway.api.payload import Line, answer, read
from gateway.api.problem import OriginRefused
from gateway.api.route import operation
from gateway.api.staff import IdAndName
from gateway.auth import Tokens
from gateway.origins import Origins


class Knock(Struct):
    """The inbox's public key, and the secret of an earlier visit."""

    inbox: Line
    session: Line | None = None


class Known(Struct):
    id: str


class Visit(Struct):
    """`session` is the secret for the next visit, `token` the socket's for `expires_in` seconds."""

    session: str
    token: str
    expires_in: int
    inbox: IdAndName
    contact: Known


def routes(directory: Directory, sessions: Sessions, tokens: Tokens, origins: Origins) -> list[Route]:
    async def session(request: Request) -> Response:
        from_own_page(request, origins)
        knock = await read(request, Knock)
        door = await directory.door(knock.inbox)
        if door is None:
            raise NotFound("There is no such inbox.", field="inbox")
        secret, found = await _known(sessions, door, knock.session) or await sessions.open_for_contact(door)
        return answer(
            Visit(secret, tokens.mint(found), tokens.life, IdAndName(door.id, door.name), Known(found.actor.id))
        )

    return [
        operation(
            "/v1/session",
            "POST",
            session,
            summary="Begin or go on with a contact's visit at an inbox.",
            body=Knock,
            answer=Visit,
            refusals=[NotFound, OriginRefused],
        )
    ]


async def _known(sessions: Sessions, door: Door, secret: str | None) -> tuple[str, Session] | None:
    """The contact that came to this very door before. At any other door it is a stranger."""
    session = await sessions.by_secret(secret) if secret else None
    if secret is None or session is None or (session.actor.account, session.inbox) != (door.account, door.id):
        return None
    await sessions.extend(session)
    return secret, session
