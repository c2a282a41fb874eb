"""What every HTTP answer carries: security headers, unless the resource has stricter or wider ones of its own."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.metrics import Metrics

DEFAULTS = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "x-content-type-options": "nosniff",
    # Not no-referrer: with that, browsers may send `Origin: null` from our own pages.
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    # A page that opened ours, or was opened by it, gets no handle to it.
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


# Not for subdomains: what else the shop has under its domain is none of our business.
STRICT_TRANSPORT = {"strict-transport-security": "max-age=31536000"}


class Headers:
    """ASGI middleware: adds the headers and counts the answer."""

    def __init__(self, app: ASGIApp, metrics: Metrics, *, is_https: bool = False) -> None:
        self._app = app
        self._answers = metrics.http_answers
        self._defaults = DEFAULTS | (STRICT_TRANSPORT if is_https else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._defaults.items():
                    headers.setdefault(name, value)
                self._answers.labels(_resource(scope), str(message["status"])).inc()
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _resource(scope: Scope) -> str:
    """The name of the function that answered: a handful of values, whatever paths strangers try."""
    return getattr(scope.get("endpoint"), "__name__", "none")
