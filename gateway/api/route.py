"""A route of the API together with what the OpenAPI document says of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chat.errors import BadRequest, Busy, Forbidden, IdReused, NotFound, RateLimited, Refused, StoreAway, TooLarge
from gateway.api.problem import LoginNeeded, OriginRefused

Handler = Callable[[Request], Awaitable[Response]]
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

Who = Literal["nobody", "contact", "agent", "staff", "anyone", "supervisor", "admin"]
"""Who may ask: nobody in particular, a contact (bearer), an agent (cookie), an agent or a bot (cookie or bearer), any
of these, an agent who is at least a supervisor, an admin."""


@dataclass(frozen=True, slots=True)
class Media:
    """A body that isn't JSON of ours: its type as OpenAPI writes it, `*/*` for any."""

    type: str = "*/*"


Shape = type[Any] | tuple[type[Any], ...] | Media | None
"""What a body is made of: anything that msgspec makes a schema of, or one of several."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What one method does at one path. `answers` maps each status that isn't a refusal to its body's shape."""

    method: Method
    path: str
    name: str
    summary: str
    who: Who
    body: Shape
    query: type[Any] | None
    answers: Mapping[int, Shape]
    refusals: tuple[type[Refused], ...]
    is_ask: bool
    """It ends in an ask of the catalog, whose id an Idempotency-Key may be."""

    @property
    def is_changing(self) -> bool:
        return self.method != "GET"


def operation(
    path: str,
    method: Method,
    handler: Handler,
    *,
    summary: str,
    body: Shape = None,
    query: type[Any] | None = None,
    answer: Shape = None,
    status: int = 200,
    more: Mapping[int, Shape] | None = None,
    refusals: Sequence[type[Refused]] = (),
    who: Who = "nobody",
    is_ask: bool = False,
) -> Route:
    """A route that is in the document. `more` are further statuses that are no refusals.

    `refusals` names only what doesn't follow from the rest: bodies and queries can be bad, ids unknown, credentials
    missing, and every operation may be too often asked or find the store away.
    """
    described = Operation(
        method,
        path,
        handler.__name__,
        summary,
        who,
        body,
        query,
        {status: answer, **(more or {})},
        tuple(dict.fromkeys([*_implied(path, method, body, query, who, is_ask), *refusals])),
        is_ask,
    )
    handler.operation = described  # type: ignore[attr-defined]
    return Route(path, handler, methods=[method])


def operations(routes: Sequence[BaseRoute]) -> list[Operation]:
    """What is described among these routes, in their order."""
    found = (getattr(route.endpoint, "operation", None) for route in routes if isinstance(route, Route))
    return [each for each in found if isinstance(each, Operation)]


def _implied(
    path: str, method: Method, body: Shape, query: type[Any] | None, who: Who, is_ask: bool
) -> list[type[Refused]]:
    implied: list[type[Refused]] = []
    if body is not None or query is not None or is_ask:
        implied.append(BadRequest)
    if body is not None:
        implied.append(TooLarge)
    if who != "nobody":
        implied.append(LoginNeeded)
    if who in ("supervisor", "admin") or is_ask:
        implied.append(Forbidden)
    if who not in ("nobody", "contact") and method != "GET":
        implied.append(OriginRefused)
    if "{" in path:
        implied.append(NotFound)
    if is_ask:
        implied.append(IdReused)
    return [*implied, RateLimited, Busy, StoreAway]
