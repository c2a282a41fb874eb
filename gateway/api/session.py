"""/v1/session: the widget's frame learns which contact this browser is, and /v1/session/end lets it be nobody again."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct
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
from gateway.identity import SIZE_LIMIT, BadIdentity
from gateway.origins import Origins
from gateway.sign_in import SignedIn, SignIns

Jwt = Annotated[str, Meta(min_length=1, max_length=SIZE_LIMIT, pattern=r"^[^\x00]*$")]


class Knock(Struct):
    """The inbox's public key, the secret of an earlier visit, and what the shop says of its customer, signed by it.

    `was`: the contact that the asker took itself for.
    """

    inbox: Line
    session: Line | None = None
    identity: Jwt | None = None
    was: Line | None = None


class Known(Struct):
    id: str


class Visit(Struct):
    """`session` is the secret for the next visit, `token` the socket's for `expires_in` seconds.

    `merged` is a contact that has become this one: what its client still had to send is this one's. `ignored` names the
    claims of the identity that couldn't be kept, for the shop's developer.
    """

    session: str
    token: str
    expires_in: int
    inbox: IdAndName
    contact: Known
    merged: str | None = None
    ignored: list[str] = []


class Leave(Struct):
    """The secret of the visit that is over."""

    session: Line


def routes(
    directory: Directory, sessions: Sessions, sign_ins: SignIns, tokens: Tokens, origins: Origins
) -> list[Route]:
    async def session(request: Request) -> Response:
        from_own_page(request, origins)
        knock = await read(request, Knock)
        door = await directory.door(knock.inbox)
        if door is None:
            raise NotFound("There is no such inbox.", field="inbox")
        found = await _visit(door, await _known(sessions, door, knock.session), knock.identity)
        merged = found.merged
        if merged is None and knock.was and await sign_ins.has_become(door.account, knock.was, found.session.actor.id):
            merged = knock.was
        return answer(
            Visit(
                found.secret,
                tokens.mint(found.session),
                tokens.life,
                IdAndName(door.id, door.name),
                Known(found.session.actor.id),
                merged,
                list(found.ignored),
            )
        )

    async def end_session(request: Request) -> Response:
        from_own_page(request, origins)
        found = await sessions.by_secret((await read(request, Leave)).session)
        if found is not None and found.actor.kind == "contact":
            await sign_ins.sign_out(found)
        return Response(status_code=204)  # whether there was one or not

    async def _visit(door: Door, known: tuple[str, Session] | None, identity: str | None) -> SignedIn:
        if identity is not None:
            return await sign_ins.sign_in(door, known, identity)
        if known is None:
            return SignedIn(*await sessions.open_for_contact(door))
        await sessions.extend(known[1])
        return SignedIn(*known)

    return [
        operation(
            "/v1/session",
            "POST",
            session,
            summary="Begin or go on with a contact's visit at an inbox, as a stranger or as who the shop says it is.",
            body=Knock,
            answer=Visit,
            refusals=[NotFound, OriginRefused, BadIdentity],
        ),
        operation(
            "/v1/session/end",
            "POST",
            end_session,
            summary="Log a contact's browser out. What was written stays with the contact.",
            body=Leave,
            status=204,
            refusals=[OriginRefused],
        ),
    ]


async def _known(sessions: Sessions, door: Door, secret: str | None) -> tuple[str, Session] | None:
    """The contact that came to this very door before. At any other door it is a stranger."""
    session = await sessions.by_secret(secret) if secret else None
    if secret is None or session is None or (session.actor.account, session.inbox) != (door.account, door.id):
        return None
    return secret, session
