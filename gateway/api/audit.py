"""/v1/audit: what the administration of the account did."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chat.audit import NEWEST, Act, Audit
from chat.errors import BadRequest
from gateway.api.asker import Askers
from gateway.api.payload import Limit, Line, answer, read_query
from gateway.api.route import operation


class AuditQuery(Struct):
    """`after` is the `next` of the page before."""

    limit: Limit = 50
    after: Line | None = None


class AuditLine(Struct):
    at: int
    actor: str
    action: str
    target: str
    data: dict[str, Any]


class AuditPage(Struct):
    """The newest first. `next` is null on the last page."""

    acts: list[AuditLine]
    next: str | None


def routes(audit: Audit, askers: Askers) -> list[Route]:
    async def audited(request: Request) -> Response:
        actor = await askers.supervisor(request)
        query = read_query(request, AuditQuery)
        before = NEWEST if query.after is None else _position(query.after)
        found = await audit.page(actor.account, before, query.limit + 1)
        page = found[: query.limit]
        further = _place(page[-1]) if len(found) > len(page) else None
        return answer(AuditPage([AuditLine(a.at, a.actor, a.action, a.target, a.data) for a in page], further))

    return [
        operation(
            "/v1/audit",
            "GET",
            audited,
            summary="What was done, by whom, to what.",
            query=AuditQuery,
            answer=AuditPage,
            who="supervisor",
        )
    ]


def _place(act: Act) -> str:
    return urlsafe_b64encode(str(act.position).encode()).decode().rstrip("=")


def _position(place: str) -> int:
    try:
        text = urlsafe_b64decode(place + "=" * (-len(place) % 4)).decode("ascii")
        if not text.isdecimal() or len(text) > 16:
            raise ValueError(text)
        return int(text)
    except ValueError as error:
        raise BadRequest("There is no such place.", field="after") from error
