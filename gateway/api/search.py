"""/v1/search: entries, contacts and subjects, for staff."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chat.finder import PAGE, Finder, Found
from chat.search import QUERY_LIMIT, DocKind, Filters
from gateway.api.asker import Askers
from gateway.api.payload import answer, read_query
from gateway.api.route import operation

Name = Annotated[str, Meta(min_length=1, max_length=128)]
Moment = Annotated[int, Meta(ge=0, le=2**53 - 1)]


class SearchQuery(Struct):
    q: Annotated[str, Meta(min_length=1, max_length=QUERY_LIMIT)]
    kind: DocKind | None = None
    inbox: Name | None = None
    agent: Name | None = None
    tag: Name | None = None
    since: Moment = 0
    until: Moment = 2**53 - 1
    limit: Annotated[int, Meta(ge=1, le=50)] = PAGE
    after: Annotated[str, Meta(max_length=128)] = ""


def routes(finder: Finder, askers: Askers) -> list[Route]:
    async def search(request: Request) -> Response:
        actor = await askers.staff(request)
        query = read_query(request, SearchQuery)
        filters = Filters(query.kind, query.inbox, query.agent, query.tag, query.since, query.until)
        return answer(await finder.find(actor, query.q, filters, query.limit, query.after))

    return [
        operation(
            "/v1/search",
            "GET",
            search,
            summary="Entries, subjects and contacts that have these words, the obvious first.",
            query=SearchQuery,
            answer=Found,
            who="staff",
        )
    ]
