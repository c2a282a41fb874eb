"""The OpenAPI 3.1 document, made from the routes themselves, and where it is served."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chat.errors import Refused
from gateway.api.asker import COOKIE
from gateway.api.problem import STATUS, Problem
from gateway.api.route import Media, Operation, Shape, Who, operation, operations

REFS = "#/components/schemas/{name}"

SECURITY = {
    "agent": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "An agent's session, from /v1/login."},
    "bot": {"type": "http", "scheme": "bearer", "description": "A bot's API token (`sbt_…`)."},
    "contact": {"type": "http", "scheme": "bearer", "description": "A contact's session (`sbs_…`), from /v1/session."},
}
_SCHEMES: dict[Who, tuple[str, ...]] = {
    "nobody": (),
    "contact": ("contact",),
    "agent": ("agent",),
    "staff": ("agent", "bot"),
    "anyone": ("agent", "bot", "contact"),
    "supervisor": ("agent",),
    "admin": ("agent",),
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A UUID: the id of the ask. The same request again with the same key is done once.",
    "schema": {"type": "string", "format": "uuid"},
}

Json = dict[str, Any]


def document(routes: Sequence[BaseRoute]) -> Json:
    """What these routes promise."""
    described = operations(routes)
    shapes = {shape for each in described for shape in _shapes(each)}
    # By name, as the order of a set differs from run to run.
    ordered = sorted(shapes, key=repr)
    schemas, components = msgspec.json.schema_components(ordered, ref_template=REFS)
    known = dict(zip(ordered, schemas, strict=True))
    paths: dict[str, Json] = {}
    for each in described:
        paths.setdefault(re.sub(r":\w+\}", "}", each.path), {})[each.method.lower()] = _operation(
            each, known, components
        )
    whole: Json = _portable(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "Shopbell",
                "version": version("shopbell"),
                "description": "All that is not a live ask. Every refusal is a problem (RFC 9457) with a code of the "
                "wire. What isn't yours is answered like what isn't there.",
            },
            "servers": [{"url": "/"}],
            "paths": paths,
            "components": {"schemas": components, "securitySchemes": SECURITY},
        }
    )
    return whole


def route(routes: Sequence[BaseRoute]) -> Route:
    """Where the document of these routes and of itself is served."""

    async def openapi(request: Request) -> Response:
        return Response(written(), media_type="application/json", headers={"cache-control": "no-cache"})

    here = operation("/v1/openapi.json", "GET", openapi, summary="This document.", answer=dict[str, Any])

    @cache  # at the first question, as no node needs it to start
    def written() -> bytes:
        return msgspec.json.encode(document([*routes, here]))

    return here


def _shapes(each: Operation) -> Iterable[type[Any]]:
    for shape in (each.body, each.query, *each.answers.values(), Problem):
        if isinstance(shape, tuple):
            yield from shape
        elif shape is not None and not isinstance(shape, Media):
            yield shape


def _operation(each: Operation, known: dict[Any, Json], components: Json) -> Json:
    described: Json = {
        "operationId": each.name,
        "summary": each.summary,
        "description": f"For {WHO[each.who]}.",
        "parameters": [*_path_parameters(each), *_query_parameters(each, known, components)],
        "responses": {**_answers(each, known), **_refusals(each.refusals)},
        "security": [{scheme: []} for scheme in _SCHEMES[each.who]],
        "x-who": each.who,
    }
    if each.is_ask:
        described["parameters"].append(_IDEMPOTENCY_KEY)
    if each.body is not None:
        described["requestBody"] = {"required": True, "content": _content(each.body, known)}
    return described


WHO: dict[Who, str] = {
    "nobody": "everybody",
    "contact": "contacts",
    "agent": "agents",
    "staff": "agents and bots",
    "anyone": "contacts, agents and bots",
    "supervisor": "supervisors and admins",
    "admin": "admins",
}


def _path_parameters(each: Operation) -> list[Json]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)", each.path)
    ]


def _query_parameters(each: Operation, known: dict[Any, Json], components: Json) -> list[Json]:
    if each.query is None:
        return []
    schema = components[known[each.query]["$ref"].rpartition("/")[2]]
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": shape}
        for name, shape in schema["properties"].items()
    ]


def _answers(each: Operation, known: dict[Any, Json]) -> Json:
    return {
        str(status): {"description": HTTPStatus(status).phrase}
        | ({} if shape is None else {"content": _content(shape, known)})
        for status, shape in each.answers.items()
    }


def _content(shape: Shape, known: dict[Any, Json]) -> Json:
    if isinstance(shape, Media):
        return {shape.type: {"schema": {}}}
    schema = {"anyOf": [known[each] for each in shape]} if isinstance(shape, tuple) else known[shape]
    return {"application/json": {"schema": schema}}


def _refusals(refusals: Iterable[type[Refused]]) -> Json:
    by_status: dict[int, list[type[Refused]]] = {}
    for refusal in refusals:
        by_status.setdefault(STATUS[refusal.code], []).append(refusal)
    return {str(status): _refusal(kinds) for status, kinds in sorted(by_status.items())}


def _refusal(kinds: list[type[Refused]]) -> Json:
    codes = list(dict.fromkeys(kind.code for kind in kinds))
    schema = {"allOf": [{"$ref": REFS.format(name="Problem")}, {"properties": {"code": {"enum": codes}}}]}
    return {
        "description": " ".join(f"`{code}`" for code in codes),
        "content": {"application/problem+json": {"schema": schema}},
    }


def _portable(value: Any) -> Any:
    """The same with patterns as JSON Schema has them: `\\Z` is Python's alone."""
    if isinstance(value, dict):
        return {
            key: each.replace(r"\Z", "$") if key == "pattern" and isinstance(each, str) else _portable(each)
            for key, each in value.items()
        }
    return [_portable(each) for each in value] if isinstance(value, list) else value
