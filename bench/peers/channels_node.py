"""A Django Channels node that stores, checks and orders nothing: `python -m bench.peers.channels_node PORT REDIS`.

It speaks just enough of our wire for the same load to run against it. Everything that Channels offers to go faster is
on: the pub/sub layer, uvicorn with uvloop and httptools, hiredis, no deflate.
"""

# Channels and Django stand in an environment of their own, which the type checker doesn't see.
# mypy: disable-error-code="import-not-found, import-untyped, misc"

from __future__ import annotations

import secrets
import sys
import time
from itertools import count
from typing import Any

import django
import orjson
import uvicorn
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.urls import path

CAPACITY = 100_000  # messages that may wait for one socket; the default of 100 drops some of this load
numbers = count(1)


class Room(AsyncWebsocketConsumer):
    """One socket, in the groups of its conversations."""

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        ask = orjson.loads(text_data or "")
        seq, at = next(numbers), time.time_ns() // 1_000_000
        match ask["type"]:
            case "hello":
                self.kind = ask["token"].partition(":")[0]
                await self.send(text_data='{"type":"synced"}')
                return
            case "message.send":
                conversation = ask["conversation"]
                entry = {"id": ask["id"], "kind": "message", "author": {"kind": self.kind}, "at": at}
                entry["text"] = ask["text"]
                change = {"type": "change", "conversation": conversation, "seq": seq, "entries": [entry]}
                told = {"type": "change", "frame": orjson.dumps(change).decode()}
                await self.channel_layer.group_send(conversation, told)
            case "conversation.start":
                conversation = f"cnv_{secrets.token_hex(8)}"
                await self.channel_layer.group_add(conversation, self.channel_name)
            case _:  # a claim
                conversation = ask["conversation"]
                await self.channel_layer.group_add(conversation, self.channel_name)
        ok = {"type": "ok", "ref": ask["ref"], "conversation": conversation, "seq": seq, "at": at}
        await self.send(text_data=orjson.dumps(ok).decode())

    async def change(self, told: dict[str, Any]) -> None:
        await self.send(text_data=told["frame"])


async def healthy(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


def main() -> None:
    port, redis = sys.argv[1:]
    layer = {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [redis], "capacity": CAPACITY},
    }
    settings.configure(CHANNEL_LAYERS={"default": layer}, ALLOWED_HOSTS=["*"])
    django.setup()
    app = ProtocolTypeRouter({"http": healthy, "websocket": URLRouter([path("v1/socket", Room.as_asgi())])})
    uvicorn.run(
        app,
        port=int(port),
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
