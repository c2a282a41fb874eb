"""A bare Starlette relay with acks that stores, checks and limits nothing: `python -m bench.peers.bare PORT`.

It speaks just enough of our wire for the same load to run against it. uvicorn's `websockets-sansio`, no deflate.
"""

from __future__ import annotations

import sys
import time
from itertools import count
from typing import Any

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

Sides = dict[str, WebSocket]
"""Who takes part in a conversation, by kind."""

conversations: dict[str, Sides] = {}
numbers = count(1)


async def relay(socket: WebSocket) -> None:
    await socket.accept()
    hello = orjson.loads(await socket.receive_text())
    kind = hello["token"].partition(":")[0]
    await socket.send_text('{"type":"synced"}')
    try:
        while True:
            await answer(socket, kind, orjson.loads(await socket.receive_text()))
    except WebSocketDisconnect:
        pass


async def answer(socket: WebSocket, kind: str, ask: dict[str, Any]) -> None:
    seq, at = next(numbers), time.time_ns() // 1_000_000
    match ask["type"]:
        case "message.send":
            conversation = ask["conversation"]
            peer = conversations[conversation]["agent" if kind == "contact" else "contact"]
            entry = {"id": ask["id"], "kind": "message", "author": {"kind": kind}, "at": at, "text": ask["text"]}
            change = {"type": "change", "conversation": conversation, "seq": seq, "entries": [entry]}
            await peer.send_text(orjson.dumps(change).decode())
        case "conversation.start":
            conversation = f"cnv_{seq}"
            conversations[conversation] = {kind: socket}
        case _:  # a claim
            conversation = ask["conversation"]
            conversations[conversation][kind] = socket
    ok = {"type": "ok", "ref": ask["ref"], "conversation": conversation, "seq": seq, "at": at}
    await socket.send_text(orjson.dumps(ok).decode())


def healthy(request: Request) -> PlainTextResponse:
    return PlainTextResponse("ok")


def main() -> None:
    app = Starlette(routes=[WebSocketRoute("/v1/socket", relay), Route("/healthz", healthy)])
    uvicorn.run(
        app,
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        lifespan="off",
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=1,
    )


if __name__ == "__main__":
    main()
