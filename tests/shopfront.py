"""A shop's backend, which signs who its customers are, and its customers' browsers."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import jwt

from chat.clock import SystemClock
from chat.identities import Identities
from chat.sealing import Sealer
from tests.node import SECRET, Node
from tests.peer import Frame, Peer, new_id

Visit = dict[str, Any]


class Shopfront:
    """At the node's own account, with a live key of its inbox."""

    def __init__(self, node: Node, http: httpx.AsyncClient, secret: str) -> None:
        self.node = node
        self.http = http
        self.secret = secret

    def jwt(self, sub: str = "user-7", *, life: float = 300, **claims: Any) -> str:
        return jwt.encode({"sub": sub, "exp": int(time.time() + life), **claims}, self.secret, "HS256")

    async def knock(self, **body: Any) -> httpx.Response:
        """POST /v1/session with this body."""
        return await self.http.post("/v1/session", json={"inbox": self.node.mine.door.public_key, **body})

    async def visit(self, session: str | None = None, identity: str | None = None) -> Visit:
        given = {"session": session, "identity": identity}
        answer = await self.knock(**{name: value for name, value in given.items() if value is not None})
        assert answer.status_code == 200, answer.text
        body: Visit = answer.json()
        return body

    async def leave(self, session: str) -> None:
        assert (await self.http.post("/v1/session/end", json={"session": session})).status_code == 204

    async def peer(self, visit: Visit, **hello: Any) -> Peer:
        """The browser's socket, synced."""
        peer = await self.node.peer()
        await peer.hello(visit["token"], **hello)
        return peer

    async def started(self, visit: Visit, *texts: str) -> str:
        """A conversation of this visitor, with these messages."""
        peer = await self.peer(visit)
        conversation = await self.node.started(peer, texts[0])
        for text in texts[1:]:
            await peer.ask("message.send", id=new_id(), conversation=conversation, text=text)
        peer.leave()
        return conversation

    async def texts(self, visit: Visit) -> dict[str, list[str]]:
        """Everything that this visitor finds, by conversation: what it and its agents wrote."""
        peer = await self.node.peer()
        heard = await peer.hello(visit["token"])
        peer.leave()
        return {frame["conversation"]: _texts(frame) for frame in heard if frame["type"] == "snapshot"}


def _texts(snapshot: Frame) -> list[str]:
    return [entry["text"] for entry in snapshot["entries"] if entry["kind"] == "message"]


@asynccontextmanager
async def a_shopfront(node: Node) -> AsyncIterator[Shopfront]:
    identities = Identities(node.shopbell._store, SystemClock(), Sealer(SECRET.encode()))
    _, secret = await identities.add_key((node.mine.id, node.mine.door.id))
    async with httpx.AsyncClient(base_url=node.origin, headers={"origin": node.origin}) as http:
        yield Shopfront(node, http, secret)
