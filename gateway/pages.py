"""The pages and the built front end: storefront demo, console, widget frame and loader."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from hashlib import sha256
from html import escape
from pathlib import Path

import orjson
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from chat.directory import Directory, Door
from chat.errors import NotFound
from gateway.origins import Origin, parse_origin

STATIC = Path(__file__).parent / "static"
DEMO_INBOX = "demo"

LOADER_SECONDS = 300  # storefronts keep the loader this long, so that a new version is everywhere in minutes
IMMUTABLE = "public, max-age=31536000, immutable"

NOT_BUILT = "The front end isn't built yet. Run `make build`, then load this page again.\n"
RUNNING = "Shopbell is running. Agents answer at /console/.\n"
NO_DEMO = "There is no demo account here. `shopbell seed` makes one.\n"

_PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")
_NAME = re.compile(r"[\w-][\w.-]{0,100}")
_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
    ".ico": "image/x-icon",
    ".map": "application/json",
}


class Served(Struct, frozen=True):
    """A built file, as it is sent."""

    content: bytes
    type: str
    etag: str
    is_hashed: bool
    """Its name changes with its content, so that it may be kept for ever."""


class Built:
    """The front end in memory; read again when a new build has written its manifest."""

    def __init__(self, folder: Path = STATIC) -> None:
        self._folder = folder
        self._seen = 0
        self._files: dict[str, Served] = {}
        self._templates: dict[str, str] = {}

    def file(self, name: str) -> Served | None:
        """A file that browsers may have."""
        self._refresh()
        return self._files.get(name)

    def page(self, template: str, values: Mapping[str, str]) -> str | None:
        """A template with every placeholder filled and escaped; None while nothing is built."""
        self._refresh()
        text = self._templates.get(template)
        if text is None:
            return None
        return _PLACEHOLDER.sub(lambda match: escape(values[match[1]]), text)

    def _refresh(self) -> None:
        try:
            seen = (self._folder / "manifest.json").stat().st_mtime_ns
        except FileNotFoundError:
            seen = 0
        if seen == self._seen:
            return
        self._seen, self._files, self._templates = seen, {}, {}
        if seen:
            self._read()

    def _read(self) -> None:
        manifest = orjson.loads((self._folder / "manifest.json").read_bytes())
        hashed = {file for name, file in manifest.items() if file != name}
        for path in self._folder.iterdir():
            if path.suffix == ".html":
                self._templates[path.name] = path.read_text()
            elif path.suffix in _TYPES and path.is_file():
                content = path.read_bytes()
                etag = f'"{sha256(content).hexdigest()[:16]}"'
                self._files[path.name] = Served(content, _TYPES[path.suffix], etag, path.name in hashed)


def routes(directory: Directory, own: Sequence[Origin], built: Built) -> list[BaseRoute]:
    """`own`: the origins of the service itself, which may frame the widget as the inbox's origins may."""

    async def home(request: Request) -> Response:
        door = await directory.door(DEMO_INBOX)
        if door is None:
            return PlainTextResponse(RUNNING + NO_DEMO)
        return _page(built, "home.html", _inbox(door), own, framed_by=())

    async def demo(request: Request) -> Response:
        door = await directory.door(DEMO_INBOX)
        if door is None:
            return PlainTextResponse(NO_DEMO, 404)
        return _page(built, "demo.html", _inbox(door), own, framed_by=())

    async def console(request: Request) -> Response:
        return _page(built, "console.html", {}, own, framed_by=())

    async def widget(request: Request) -> Response:
        key = request.path_params["key"]
        door = await directory.door(key) if _NAME.fullmatch(key) else None
        if door is None:
            raise NotFound
        theirs = [origin for text in door.origins if (origin := parse_origin(text))]
        framed_by = [str(origin) for origin in (*own, *theirs)]
        response = _page(built, "frame.html", _inbox(door), own, framed_by=framed_by)
        response.headers["cross-origin-resource-policy"] = "cross-origin"
        return response

    async def loader(request: Request) -> Response:
        return _file(request, built.file("widget.js"), f"public, max-age={LOADER_SECONDS}")

    async def static(request: Request) -> Response:
        file = built.file(request.path_params["name"])
        return _file(request, file, IMMUTABLE if file and file.is_hashed else "no-cache")

    return [
        Route("/", home),
        Route("/demo/", demo),
        Route("/demo", _to("/demo/")),
        Route("/console/", console),
        Route("/console", _to("/console/")),
        Route("/widget.js", loader),
        Route("/widget/{key}", widget),
        Route("/static/{name}", static),
    ]


def _to(path: str) -> Callable[[Request], Awaitable[Response]]:
    async def redirect(request: Request) -> Response:
        return RedirectResponse(path, 308)

    return redirect


def policy(own: Sequence[Origin], framed_by: Sequence[str]) -> str:
    """The Content-Security-Policy of our pages: everything from here, nothing inline, framed by these alone."""
    sockets = " ".join(origin.socket for origin in own)  # older Safari doesn't count them as 'self'
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data: https:",
            "font-src 'self'",
            "media-src 'self'",
            "frame-src 'self'",
            f"connect-src 'self' {sockets}",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors " + (" ".join(("'self'", *framed_by)) if framed_by else "'none'"),
        )
    )


def _inbox(door: Door) -> dict[str, str]:
    return {"inbox": door.public_key, "inbox_name": door.name}


def _page(
    built: Built, template: str, values: Mapping[str, str], own: Sequence[Origin], *, framed_by: Sequence[str]
) -> Response:
    text = built.page(template, values)
    if text is None:
        return PlainTextResponse(NOT_BUILT, 503, {"cache-control": "no-store"})
    headers = {"cache-control": "no-cache", "content-security-policy": policy(own, framed_by)}
    return HTMLResponse(text, headers=headers)


def _file(request: Request, file: Served | None, cache: str) -> Response:
    if file is None:
        raise NotFound
    headers = {"cache-control": cache, "etag": file.etag, "cross-origin-resource-policy": "cross-origin"}
    if file.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(file.content, headers=headers, media_type=file.type)
