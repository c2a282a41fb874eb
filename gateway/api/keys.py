"""/v1/inboxes/{id}/keys: what a shop's backend signs its customers' identities with."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chat.audit import Audit
from chat.errors import InvalidState
from chat.identities import Identities, InboxKey
from gateway.api.asker import Askers
from gateway.api.payload import answer, read
from gateway.api.route import operation

Moment = Annotated[int, Meta(ge=0, le=2**53 - 1)]


class Keys(Struct):
    keys: list[InboxKey]


class NewKey(Struct):
    """`secret` is shown this once."""

    key: InboxKey
    secret: str


class End(Struct):
    """When the key signs nothing any more (ms since 1970); at once when left out or past."""

    at: Moment = 0


class OneKey(Struct):
    key: InboxKey


def routes(identities: Identities, askers: Askers, audit: Audit) -> list[Route]:
    async def inbox_keys(request: Request) -> Response:
        admin = await askers.admin(request)
        return answer(Keys(await identities.keys((admin.account, request.path_params["id"]))))

    async def new_inbox_key(request: Request) -> Response:
        admin = await askers.admin(request)
        key, secret = await identities.add_key((admin.account, request.path_params["id"]), audit.by(admin))
        return answer(NewKey(key, secret), 201)

    async def expire_inbox_key(request: Request) -> Response:
        admin = await askers.admin(request)
        end, path = await read(request, End), request.path_params
        key = await identities.expire_key((admin.account, path["id"]), path["key"], end.at, audit.by(admin))
        return answer(OneKey(key))

    return [
        operation(
            "/v1/inboxes/{id}/keys", "GET", inbox_keys, summary="The keys of an inbox.", answer=Keys, who="admin"
        ),
        operation(
            "/v1/inboxes/{id}/keys",
            "POST",
            new_inbox_key,
            summary="A new key for the shop's backend; at most two live at once.",
            answer=NewKey,
            status=201,
            refusals=[InvalidState],
            who="admin",
        ),
        operation(
            "/v1/inboxes/{id}/keys/{key}/expire",
            "POST",
            expire_inbox_key,
            summary="Let a key end, at once or at a moment.",
            body=End,
            answer=OneKey,
            who="admin",
        ),
    ]
