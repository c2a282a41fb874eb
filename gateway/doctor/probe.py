"""Goes the way that a browser goes: through DNS, TLS and proxies to the public URL, and opens a WebSocket there."""

from __future__ import annotations

import asyncio
import http.client
import socket
import ssl
import time
from typing import NoReturn
from urllib.parse import urlsplit

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, WebSocketException

from gateway.admission import PATH
from gateway.doctor.finding import Finding
from gateway.doctor.road import PATIENCE_SECONDS, Answer, Held, Seen, judge, status_of_node
from gateway.origins import Origin
from gateway.protocol import PROTOCOL
from gateway.settings import Settings

CONNECT_SECONDS = 5.0
LATE_SECONDS = 3.0  # beyond the time that a silent socket has
BODY = 2_000  # bytes of an answer that are looked at


def get(origin: Origin, path: str) -> Answer:
    """One HTTP request, without following redirects."""
    kind = http.client.HTTPSConnection if origin.scheme == "https" else http.client.HTTPConnection
    connection = kind(origin.host, origin.port, timeout=CONNECT_SECONDS)
    try:
        connection.request("GET", path, headers={"User-Agent": "shopbell-doctor", "Host": urlsplit(str(origin)).netloc})
        response = connection.getresponse()
        body = response.read(BODY).decode(errors="replace")
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer("http", status=response.status, headers=headers, body=body)
    except (OSError, http.client.HTTPException) as error:
        return _failed(error)
    finally:
        connection.close()


class _Knock(connect):
    def process_redirect(self, exc: Exception) -> Exception:
        """A redirect is an answer: browsers don't follow it either."""
        return exc


async def knock(origin: Origin) -> ClientConnection | Answer:
    """An open WebSocket, as a browser's page of this origin opens it, or how far it came."""
    try:
        return await _Knock(
            origin.socket + PATH,
            additional_headers={"Origin": str(origin)},
            compression=None,
            ping_interval=None,
            open_timeout=CONNECT_SECONDS,
            close_timeout=1,
            proxy=None,
            user_agent_header="shopbell-doctor",
        )
    except InvalidStatus as refused:
        response = refused.response
        headers = {name.lower(): value for name, value in response.headers.raw_items()}
        return Answer(
            "http", "", response.status_code, headers, bytes(response.body or b"")[:BODY].decode(errors="replace")
        )
    except (InvalidHandshake, WebSocketException) as error:
        return Answer("broken", str(error))
    except OSError as error:  # TimeoutError is one
        return _failed(error)


async def talk(connection: ClientConnection) -> tuple[float | None, int]:
    """Ping it and say a hello that nobody may say: the ms until the pong, and the code with which it was closed."""
    began = time.monotonic()
    pong: float | None = None
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await (await connection.ping())
            pong = (time.monotonic() - began) * 1000
            hello = {"type": "hello", "protocol": PROTOCOL, "token": "doctor", "client": "doctor"}
            await connection.send(orjson.dumps(hello), text=True)
            await _until_closed(connection)
    except ConnectionClosed:
        return pong, connection.close_code or 1006
    except TimeoutError:
        connection.transport.abort()
    return pong, 0


async def keep_silent(connection: ClientConnection, seconds: float) -> tuple[float, int]:
    """Say nothing for so long: after how many seconds it was closed, and with which code."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(seconds + LATE_SECONDS):
            await _until_closed(connection)
    except ConnectionClosed:
        return time.monotonic() - began, connection.close_code or 1006
    except TimeoutError:
        connection.transport.abort()
    return time.monotonic() - began, 0


async def _until_closed(connection: ClientConnection) -> NoReturn:
    while True:
        await connection.recv()


def _failed(error: BaseException) -> Answer:
    if isinstance(error, ssl.SSLCertVerificationError):
        return Answer("certificate", error.verify_message)
    if isinstance(error, ssl.SSLError):
        return Answer("tls", error.reason or str(error))
    if isinstance(error, socket.gaierror):
        return Answer("name")
    if isinstance(error, ConnectionRefusedError):
        return Answer("refused")
    if isinstance(error, TimeoutError):
        return Answer("timeout")
    if isinstance(error, ConnectionError | http.client.HTTPException):
        return Answer("broken", str(error) or type(error).__name__)
    return Answer("unreachable", str(error))


async def see(origin: Origin, hello_seconds: float) -> Seen:
    """Ask for a page, open a socket, talk on it, and keep silent on another."""
    page = await asyncio.to_thread(get, origin, "/readyz")
    if page.stage != "http":
        return Seen(page)
    first = await knock(origin)
    if isinstance(first, Answer):
        return Seen(page, first)
    second = await knock(origin)
    try:
        pong, code = await talk(first)
        if isinstance(second, Answer):
            return Seen(page, Answer("open"), Held(pong, code))
        silence, silence_code = await keep_silent(second, hello_seconds)
    finally:
        for connection in (first, second):
            if not isinstance(connection, Answer):
                connection.transport.abort()
    return Seen(page, Answer("open"), Held(pong, code, silence, silence_code))


async def look(settings: Settings) -> list[Finding]:
    """Every public origin, and the node's own port for comparison."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
    own = Origin("http", host, settings.port)
    direct = await asyncio.to_thread(get, own, "/healthz")
    is_here = direct.stage == "http" and status_of_node(direct) == "ok"
    seen = await asyncio.gather(*(see(origin, settings.hello_seconds) for origin in settings.public_url))
    return [
        finding
        for origin, each in zip(settings.public_url, seen, strict=True)
        for finding in judge(origin, each, settings, is_node_here=is_here)
    ]
