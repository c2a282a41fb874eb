"""How to come by a socket token over HTTP: as a shopper by an inbox's public key, as an agent by a password."""

import asyncio
import urllib.error
import urllib.request
from dataclasses import dataclass
from email.message import Message
from typing import Any
from urllib.parse import urlsplit

import orjson

from bots.client import Client
from bots.errors import Refused

HTTP_SECONDS = 10.0


@dataclass(slots=True)
class Shopper:
    """A contact's session with one inbox. `secret` makes the same contact come back."""

    url: str
    key: str
    secret: str
    inbox: str
    contact: str
    _token: str | None = None

    @classmethod
    async def open(cls, url: str, key: str, secret: str | None = None) -> "Shopper":
        """Begin a session, or go on with an earlier one; raises Refused, OSError."""
        answer = await _session(url, key, secret)
        return cls(url, key, answer["session"], answer["inbox"]["id"], answer["contact"]["id"], answer["token"])

    async def token(self) -> str:
        """A fresh socket token, for Client."""
        token, self._token = self._token, None
        return token or str((await _session(self.url, self.key, self.secret))["token"])

    def client(self, **options: Any) -> Client:
        """A client for this contact; the options are those of Client."""
        return Client(self.url, self.token, **{"origin": origin(self.url), "name": "widget/test"} | options)


@dataclass(slots=True)
class Staff:
    """An agent who is logged in."""

    url: str
    cookie: str
    agent: dict[str, Any]

    @classmethod
    async def login(cls, url: str, email: str, password: str) -> "Staff":
        """Log in; raises Refused (`bad_credentials`), OSError."""
        answer, headers = await _request("POST", url, "/v1/login", {"email": email, "password": password})
        cookie = headers.get("Set-Cookie", "").partition(";")[0]
        return cls(url, cookie, answer["agent"])

    async def token(self) -> str:
        """A fresh socket token, for Client."""
        return str((await self.ask("POST", "/v1/token", {}))["token"])

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One HTTP request with the login's cookie; returns the decoded JSON."""
        answer, _ = await _request(method, self.url, path, body, {"Cookie": self.cookie})
        return answer

    def client(self, **options: Any) -> Client:
        """A client for this agent; the options are those of Client."""
        return Client(self.url, self.token, **{"origin": origin(self.url), "name": "console/test"} | options)


def origin(url: str) -> str:
    """The service's own origin, which a browser's page from there would send."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


async def _session(url: str, key: str, secret: str | None) -> dict[str, Any]:
    body = {"inbox": key} | ({"session": secret} if secret else {})
    answer, _ = await _request("POST", url, "/v1/session", body)
    return dict(answer)


async def _request(
    method: str, url: str, path: str, body: Any, headers: dict[str, str] | None = None
) -> tuple[Any, Message]:
    sent = {"Content-Type": "application/json", "Origin": origin(url)} | (headers or {})
    data = None if body is None else orjson.dumps(body)
    request = urllib.request.Request(url.rstrip("/") + path, data, sent, method=method)
    return await asyncio.to_thread(_open, request)


def _open(request: urllib.request.Request) -> tuple[Any, Message]:
    try:
        with urllib.request.urlopen(request, timeout=HTTP_SECONDS) as answer:
            body = answer.read()
            return orjson.loads(body) if body else None, answer.headers
    except urllib.error.HTTPError as error:
        with error:
            raise _refusal(error.code, error.read()) from None


def _refusal(status: int, body: bytes) -> Refused | OSError:
    """A 4xx is final; a 5xx is a service that isn't well, to be tried again."""
    if status >= 500:
        return OSError(f"HTTP {status}")
    try:
        problem = orjson.loads(body)
    except ValueError:
        problem = {}
    return Refused(problem.get("code", f"http_{status}"), problem.get("detail", ""), retry=status == 429)
