"""/v1/attributes: which custom attributes conversations and contacts may have."""

from __future__ import annotations

import re
from typing import Annotated, Literal, cast

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chat.audit import Audit
from chat.declarations import Declarations, checked
from chat.errors import BadRequest, InvalidState, NotFound
from chat.model import AttributeType
from gateway.api.asker import Askers
from gateway.api.payload import Name, answer, named, read
from gateway.api.route import operation

Of = Literal["conversation", "contact"]
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


class Declaration(Struct):
    type: Literal["text", "number", "boolean", "date", "choice"]
    choices: Annotated[list[Name], Meta(max_length=100)] = []


class AttributeList(Struct):
    attributes: list[AttributeType]


def routes(declarations: Declarations, audit: Audit, askers: Askers) -> list[Route]:
    async def attributes(request: Request) -> Response:
        actor = await askers.staff(request)
        return answer(AttributeList(await declarations.declared(actor.account)))

    async def declare_attribute(request: Request) -> Response:
        actor = await askers.admin(request)
        body = await read(request, Declaration)
        name = named(request, "attribute", "name")
        if not _NAME.fullmatch(name):
            raise BadRequest("An attribute's name is like_this_1, 40 characters at most.", field="name")
        declared = checked(AttributeType(_of(request), name, body.type, tuple(body.choices)))
        await declarations.declare(actor.account, declared, audit.by(actor))
        return answer(declared)

    async def delete_attribute(request: Request) -> Response:
        actor = await askers.admin(request)
        name = named(request, "attribute", "name")
        await declarations.delete(actor.account, _of(request), name, audit.by(actor))
        return Response(status_code=204)

    return [
        operation("/v1/attributes", "GET", attributes, summary="What is declared.", answer=AttributeList, who="staff"),
        operation(
            "/v1/attributes/{of}/{name}",
            "PUT",
            declare_attribute,
            summary="Declare an attribute of a conversation or a contact, or change its choices.",
            body=Declaration,
            answer=AttributeType,
            refusals=[InvalidState],
            who="admin",
        ),
        operation(
            "/v1/attributes/{of}/{name}",
            "DELETE",
            delete_attribute,
            summary="Nobody can set it any more; values stay until they are taken away.",
            status=204,
            who="admin",
        ),
    ]


def _of(request: Request) -> Of:
    of = request.path_params["of"]
    if of not in ("conversation", "contact"):
        raise NotFound(field="attribute")
    return cast("Of", of)
