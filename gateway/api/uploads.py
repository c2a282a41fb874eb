"""/v1/uploads: a file is sent before the entry that it belongs to, and fetched by who may see that entry."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chat.errors import BadRequest, Blocked, Forbidden, NotFound, TooLarge
from chat.model import Actor, Upload
from chat.uploads import Uploads
from gateway.address import network
from gateway.api.asker import Askers
from gateway.api.payload import answer, read_query
from gateway.api.problem import problem
from gateway.api.route import Handler, Media, Who, operation
from gateway.files import serving
from gateway.files.intake import Intake, TooSlow, UnsupportedType
from gateway.files.links import LIFE, Links
from gateway.files.serving import BadRange, Served, Serving
from gateway.requests import OWN_TIME

Named = Annotated[str, Meta(min_length=1, max_length=64)]
Guard = Callable[[Request, Actor], None]
"""Raises RateLimited for who sends too much."""


class UploadQuery(Struct):
    """Where the file is to go, by one of both, and what it is called."""

    name: str = ""
    conversation: Named | None = None
    inbox: Named | None = None


class UploadAnswer(Struct):
    """The file as it was recognised. Of a picture, in pixels; it then has a thumbnail too."""

    id: str
    name: str
    type: str
    size: int
    width: int
    height: int


class LinkAnswer(Struct):
    """Paths that open the file for `expires_in` seconds, without any header."""

    url: str
    thumbnail: str | None
    expires_in: int


def routes(
    uploads: Uploads,
    intake: Intake,
    serve: Serving,
    links: Links,
    askers: Askers,
    guard: Guard = lambda request, actor: None,
) -> list[Route]:
    async def upload(request: Request) -> Response:
        actor = await askers.anyone(request)
        query = read_query(request, UploadQuery)
        if (query.conversation is None) == (query.inbox is None):
            raise BadRequest("Say either `conversation` or `inbox`.", field="conversation")
        guard(request, actor)
        limits = await uploads.limits(actor, conversation=query.conversation, inbox=query.inbox)
        connection = _connection(request)
        if connection is not None:
            connection.leave()
        try:
            address = network(request.client.host if request.client else "")
            taken = await intake.take(actor, query.name, limits, _announced(request), _body(request), address)
        finally:
            if connection is not None:
                connection.watch()
        shown = UploadAnswer(taken.id, taken.name, taken.type, taken.size, taken.width, taken.height)
        return answer(shown, 201)

    async def fetch_upload(request: Request) -> Response:
        return await _answered(request, serving.file(await _found(request)))

    async def fetch_thumbnail(request: Request) -> Response:
        return await _answered(request, _thumbnail(await _found(request)))

    async def link_upload(request: Request) -> Response:
        actor = await askers.anyone(request)
        found = await uploads.find(actor, _named(request))
        url = f"/v1/files/{links.mint(actor, found.id)}"
        return answer(LinkAnswer(url, f"{url}/thumbnail" if found.width else None, LIFE))

    async def open_link(request: Request) -> Response:
        return await _answered(request, serving.file(await _opened(request)))

    async def open_thumbnail_link(request: Request) -> Response:
        return await _answered(request, _thumbnail(await _opened(request)))

    async def _found(request: Request) -> Upload:
        return await uploads.find(await askers.anyone(request), _named(request))

    async def _opened(request: Request) -> Upload:
        """As its asker may see it now: what was withdrawn since then is gone for links too."""
        opened = links.open(request.path_params["token"])
        return await uploads.find(opened.actor, opened.upload)

    async def _answered(request: Request, what: Served) -> Response:
        try:
            return await serve.answer(request, what)
        except BadRange as why:
            response = problem(why)
            response.headers["content-range"] = f"bytes */{why.size}"
            return response

    return [
        operation(
            "/v1/uploads",
            "POST",
            upload,
            summary="Send a file: its bytes are the body, of whatever type.",
            body=Media(),
            query=UploadQuery,
            answer=UploadAnswer,
            status=201,
            refusals=(NotFound, Forbidden, Blocked, TooLarge, TooSlow, UnsupportedType),
            who="anyone",
        ),
        _fetching("/v1/uploads/{id}", fetch_upload, "Fetch a file.", "anyone"),
        _fetching("/v1/uploads/{id}/thumbnail", fetch_thumbnail, "Fetch a picture's thumbnail.", "anyone"),
        operation(
            "/v1/uploads/{id}/link",
            "POST",
            link_upload,
            summary="Get paths that open this file for five minutes, for <img> and the like.",
            answer=LinkAnswer,
            who="anyone",
        ),
        _fetching("/v1/files/{token}", open_link, "Fetch a file by a link.", "nobody"),
        _fetching("/v1/files/{token}/thumbnail", open_thumbnail_link, "Fetch a thumbnail by a link.", "nobody"),
    ]


def _fetching(path: str, handler: Handler, summary: str, who: Who) -> Route:
    more = {206: Media(), 304: None}
    return operation(path, "GET", handler, summary=summary, answer=Media(), more=more, refusals=(BadRange,), who=who)


def _thumbnail(found: Upload) -> Served:
    if not found.width:
        raise NotFound(field="upload")
    return serving.thumbnail(found)


def _named(request: Request) -> str:
    """The id in the path. What can't be an id is answered like an id that isn't there."""
    named: str = request.path_params["id"]
    if len(named) > 64 or not named.isascii() or not named.isprintable():
        raise NotFound(field="upload")
    return named


def _announced(request: Request) -> int | None:
    length = request.headers.get("content-length", "")
    return int(length) if length.isdecimal() and len(length) < 19 else None


async def _body(request: Request) -> AsyncIterator[bytes]:
    async for chunk in request.stream():
        yield chunk


def _connection(request: Request) -> Any:
    """The connection itself, where the server is ours: see gateway.requests."""
    return request.scope.get("extensions", {}).get(OWN_TIME, {}).get("connection")
