"""The HTTP side as one ASGI application: the routes behind the same headers, errors and compression."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.admission import PATH
from gateway.api import openapi
from gateway.api.problem import HANDLERS
from gateway.headers import Headers
from gateway.metrics import Metrics

# Answers with secrets in them are shorter, and so never compressed together with what a stranger chose.
GZIP_FROM = 1500  # bytes; less fits one packet anyway
AS_THEY_ARE = ("/v1/uploads/", "/v1/files/")  # files: of a length that was said, in parts that were asked for


class Gzip(GZipMiddleware):
    """Compresses all but files."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_file = scope["type"] == "http" and scope["path"].startswith(AS_THEY_ARE)
        await (self.app if is_file else super().__call__)(scope, receive, send)


def application(
    routes: Sequence[BaseRoute],
    metrics: Metrics,
    guard: Callable[[ASGIApp], ASGIApp] = lambda app: app,
    *,
    is_https: bool = False,
) -> ASGIApp:
    """Serves these routes and the document about them; `guard` may answer before them.

    Headers are outermost, so that a bug's 500 has them too.
    """
    starlette = Starlette(
        routes=[*routes, openapi.route(routes), Route(PATH, _upgrade_needed)],
        exception_handlers=HANDLERS,
        middleware=[Middleware(Gzip, minimum_size=GZIP_FROM, compresslevel=6)],
    )
    starlette.router.redirect_slashes = False  # its redirects repeat whatever Host the client made up
    return Headers(guard(starlette), metrics, is_https=is_https)


async def _upgrade_needed(request: Request) -> Response:
    """Most likely it was a WebSocket, until a proxy that wasn't told to pass the upgrade on took it for a page."""
    text = "This is a WebSocket. If you came with one, a proxy on the way has taken its Upgrade header away.\n"
    return PlainTextResponse(text, 426, {"upgrade": "websocket"})
