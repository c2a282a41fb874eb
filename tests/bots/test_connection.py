"""Opening a socket: what a refused or impossible connection turns into."""

import asyncio
from http import HTTPStatus

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from bots.connection import SHUT_OUT, End, open_socket
from bots.reconnect import LOST, manner


async def _never(socket: ServerConnection) -> None:
    raise AssertionError("nobody gets in")


async def _open(status: HTTPStatus) -> tuple[object, dict[str, str]]:
    seen: dict[str, str] = {}

    def refuse(connection: ServerConnection, request: Request) -> Response:
        seen.update(request.headers.raw_items())
        return connection.respond(status, "no")

    async with serve(_never, "127.0.0.1", 0, process_request=refuse) as server:
        port = server.sockets[0].getsockname()[1]
        return await open_socket(f"ws://127.0.0.1:{port}/v1/socket", "https://shop.example", None), seen


@pytest.mark.parametrize(
    ("status", "code"), [(HTTPStatus.FORBIDDEN, SHUT_OUT), (HTTPStatus.NOT_FOUND, SHUT_OUT), (503, LOST), (429, LOST)]
)
def test_a_refused_upgrade_is_final_only_when_it_is_our_fault(status: int, code: int) -> None:
    end, headers = asyncio.run(_open(HTTPStatus(status)))

    assert end == End(code, f"HTTP {int(status)}")
    assert headers["Origin"] == "https://shop.example"
    assert "Sec-WebSocket-Extensions" not in headers


def test_a_service_that_does_not_listen_is_a_lost_connection() -> None:
    end = asyncio.run(open_socket("ws://127.0.0.1:9/v1/socket", None, None))

    assert isinstance(end, End)
    assert manner(end.code) == "promptly"
