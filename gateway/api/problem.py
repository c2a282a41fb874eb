"""How HTTP says no: problem details (RFC 9457) with the codes of the wire."""

from __future__ import annotations

import math
from http import HTTPStatus

import msgspec
from msgspec import Struct
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import ExceptionHandler

from chat.errors import BadRequest, Internal, NotFound, Refused, StoreAway, TooLarge, Unavailable


class Problem(Struct, omit_defaults=True):
    """Why something was refused. `code` is stable and the wire's; `field` names the part at fault."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    field: str | None = None


class LoginNeeded(Refused):
    code = "unauthorized"
    says = "You aren't logged in, or not any more."


class BadCredentials(Refused):
    code = "bad_credentials"
    says = "The e-mail address or the password isn't right."


class OriginRefused(Refused):
    code = "origin_refused"
    says = "Browsers may ask this from the service's own pages only."


class MethodNotAllowed(Refused):
    code = "method_not_allowed"
    says = "This can't be done with that."


STATUS = {
    "bad_request": 400,
    "unknown_type": 400,
    "unauthorized": 401,
    "bad_credentials": 401,
    "bad_identity": 401,
    "totp_needed": 401,
    "forbidden": 403,
    "blocked": 403,
    "origin_refused": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "id_reused": 409,
    "taken": 409,
    "invalid_state": 409,
    "full": 409,
    "queue_full": 409,
    "behind": 409,
    "changed": 409,
    "too_slow": 408,
    "too_large": 413,
    "unsupported_type": 415,
    "bad_range": 416,
    "rate_limited": 429,
    "internal": 500,
    "busy": 503,
    "unavailable": 503,
}

_OF_STARLETTE: dict[int, type[Refused]] = {404: NotFound, 405: MethodNotAllowed, 413: TooLarge}


def problem(why: Refused) -> Response:
    """The answer that tells why."""
    status = STATUS[why.code]
    body = Problem("about:blank", HTTPStatus(status).phrase, status, why.code, str(why), why.field)
    headers = {"cache-control": "no-store"}
    if why.retry:
        headers["retry-after"] = str(math.ceil((why.after_ms or 1000) / 1000))
    return Response(msgspec.json.encode(body), status, headers, "application/problem+json")


async def _refused(request: Request, why: Exception) -> Response:
    assert isinstance(why, Refused)
    return problem(why)


async def _unavailable(request: Request, why: Exception) -> Response:
    return problem(StoreAway())


async def _of_starlette(request: Request, why: Exception) -> Response:
    """No such path, no such method."""
    assert isinstance(why, HTTPException)
    response = problem(_OF_STARLETTE.get(why.status_code, BadRequest)())
    response.headers.update(why.headers or {})
    if why.status_code == 405:
        response.headers["allow"] = ", ".join(_allowed(request))
    return response


def _allowed(request: Request) -> list[str]:
    """Every method of this path; Starlette names those of the first route alone."""
    routes = (route for route in request.app.routes if isinstance(route, Route))
    there = (route.methods or () for route in routes if route.matches(request.scope)[0] is not Match.NONE)
    return sorted({method for methods in there for method in methods})


async def _bug(request: Request, why: Exception) -> Response:
    """Boundary: whatever else happens is ours to mend. Starlette raises it again, so that the server logs it."""
    return problem(Internal())


async def _left(request: Request, why: Exception) -> Response:
    """Whoever asked is gone; nobody reads this."""
    return Response(status_code=400)


HANDLERS: dict[int | type[Exception], ExceptionHandler] = {
    Refused: _refused,
    Unavailable: _unavailable,
    HTTPException: _of_starlette,
    ClientDisconnect: _left,
    Exception: _bug,
}
