"""/v1/conversations: the inbox views, one conversation, its older entries and what those said before."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chat.directory import Directory
from chat.model import Actor, ContactView, Conversation, Entry
from chat.reading import PAGE, Reading, ViewName, Views
from gateway.api.asker import Askers
from gateway.api.payload import Limit, answer, named, read_query
from gateway.api.route import operation

NEWEST = 2**53 - 1


class ListQuery(Struct):
    view: ViewName = "all"
    status: Literal["open", "resolved", "all"] = "open"
    limit: Limit = 50


class EntriesQuery(Struct):
    before: Annotated[int, Meta(ge=0, le=NEWEST)] = NEWEST
    limit: Limit = PAGE


class EntriesShown(Struct):
    entries: list[Entry]
    more: bool


class VersionsShown(Struct):
    """What an entry said, the newest version first."""

    versions: list[Entry]


class ConversationShown(Struct):
    """A conversation as it was at `cursor`: staff's."""

    cursor: int
    state: Conversation
    entries: list[Entry]
    more: bool


class OwnConversationShown(Struct):
    """A conversation as its contact may see it."""

    state: ContactView
    entries: list[Entry]
    more: bool


def routes(reading: Reading, directory: Directory, askers: Askers) -> list[Route]:
    async def conversations(request: Request) -> Response:
        actor = await askers.staff(request)
        query = read_query(request, ListQuery)
        teams = set(await directory.teams_of((actor.account, actor.id)))
        return answer(await _listed(reading, actor, query, teams))

    async def conversation(request: Request) -> Response:
        actor = await askers.anyone(request)
        found = await reading.snapshot(actor, named(request, "conversation"))
        if isinstance(found.state, ContactView):
            return answer(OwnConversationShown(found.state, found.entries, found.more))
        return answer(ConversationShown(found.cursor, found.state, found.entries, found.more))

    async def entries(request: Request) -> Response:
        actor = await askers.anyone(request)
        query = read_query(request, EntriesQuery)
        page, more = await reading.older(actor, named(request, "conversation"), query.before, query.limit)
        return answer(EntriesShown(page, more))

    async def versions(request: Request) -> Response:
        actor = await askers.staff(request)
        entry = named(request, "entry", "entry")
        return answer(VersionsShown(await reading.versions(actor, named(request, "conversation"), entry)))

    return [
        operation(
            "/v1/conversations",
            "GET",
            conversations,
            summary="One of the inbox views, with the counts of all.",
            query=ListQuery,
            answer=Views,
            who="staff",
        ),
        operation(
            "/v1/conversations/{id}",
            "GET",
            conversation,
            summary="A conversation with its newest entries.",
            answer=(ConversationShown, OwnConversationShown),
            who="anyone",
        ),
        operation(
            "/v1/conversations/{id}/entries",
            "GET",
            entries,
            summary="Older entries, oldest first, born before a seq.",
            query=EntriesQuery,
            answer=EntriesShown,
            who="anyone",
        ),
        operation(
            "/v1/conversations/{id}/entries/{entry}/versions",
            "GET",
            versions,
            summary="Every version of an entry, the newest first, also of one that was withdrawn.",
            answer=VersionsShown,
            who="staff",
        ),
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
