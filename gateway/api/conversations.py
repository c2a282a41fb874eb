"""/v1/conversations: the inbox views, one conversation, its older entries."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chat.directory import Directory
from chat.errors import NotFound
from chat.model import Actor
from chat.reading import PAGE, Reading, ViewName, Views
from gateway.api.asker import Askers
from gateway.api.payload import answer, read_query

Limit = Annotated[int, Meta(ge=1, le=200)]
NEWEST = 2**53 - 1


class ListQuery(Struct):
    view: ViewName = "all"
    status: Literal["open", "resolved", "all"] = "open"
    limit: Limit = 50


class EntriesQuery(Struct):
    before: Annotated[int, Meta(ge=0, le=NEWEST)] = NEWEST
    limit: Limit = PAGE


def routes(reading: Reading, directory: Directory, askers: Askers) -> list[Route]:
    async def conversations(request: Request) -> Response:
        actor = await askers.staff(request)
        query = read_query(request, ListQuery)
        teams = set(await directory.teams_of((actor.account, actor.id)))
        return answer(await _listed(reading, actor, query, teams))

    async def conversation(request: Request) -> Response:
        actor = await askers.anyone(request)
        found = await reading.snapshot(actor, _named(request))
        body: dict[str, Any] = {"state": found.state, "entries": found.entries, "more": found.more}
        return answer({"cursor": found.cursor, **body} if actor.is_staff else body)

    async def entries(request: Request) -> Response:
        actor = await askers.anyone(request)
        query = read_query(request, EntriesQuery)
        page, more = await reading.older(actor, _named(request), query.before, query.limit)
        return answer({"entries": page, "more": more})

    return [
        Route("/v1/conversations", conversations),
        Route("/v1/conversations/{id}", conversation),
        Route("/v1/conversations/{id}/entries", entries),
    ]


async def _listed(reading: Reading, actor: Actor, query: ListQuery, teams: set[str]) -> Views:
    """What is open comes before what is resolved. The cursor is the older one of both reads, so nothing is missed."""

    async def part(resolved: bool) -> Views:
        return await reading.views(actor, view=query.view, resolved=resolved, limit=query.limit, teams=teams)

    first = await part(query.status == "resolved")
    if query.status != "all" or len(first.conversations) >= query.limit:
        return first
    second = await part(True)
    there = {one.id for one in first.conversations}  # resolved between both reads
    both = [*first.conversations, *(one for one in second.conversations if one.id not in there)]
    return replace(first, conversations=both[: query.limit])


def _named(request: Request) -> str:
    """The id in the path. What can't be an id is answered like an id that isn't there."""
    named: str = request.path_params["id"]
    if len(named) > 64 or not named.isascii() or not named.isprintable():
        raise NotFound(field="conversation")
    return named
