"""One socket of the load: frames out as our clients write them, changes counted as they come in."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterable
from typing import Any

import orjson
from picows import WSFrame, WSHandshakeError, WSListener, WSMsgType, WSTransport, ws_connect

from bench.server import Server

TEXT = WSMsgType.TEXT
OK = b'{"type":"ok"'
CHANGE = b'{"type":"change"'
HEADS = b'{"type":"heads"'
SYNCED_SECONDS = 30.0
RETRY_SECONDS = 1.0

Hear = Callable[[str, dict[str, Any]], None]
"""Called with the conversation and each message entry of somebody else's kind."""


class Peer(WSListener):
    """A shopper or an agent. `transport` is there once it is connected, `synced` once it is up to date."""

    def __init__(self, kind: str, token: str, resume: dict[str, Any] | None = None) -> None:
        self.token = token
        self.other = "agent" if kind == "contact" else "contact"
        self.hear: Hear = ignore
        self.synced: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.oks = 0
        self.changes = 0
        self.shown: set[str] = set()
        """Conversations of which a snapshot has come: from then on it hears their changes."""
        self.closed = False
        self.epoch = ""
        self.transport: WSTransport
        self._hello = {"type": "hello", "protocol": 1, "token": token, "client": "bench/1.0", "batch": True}
        if resume is not None:
            self._hello["resume"] = resume
        self._ref = 0
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}

    # --- asking ---------------------------------------------------------------------------------------------------

    def send(self, conversation: str, entry: str, after: str, text: str) -> None:
        """A message; its ok is counted."""
        self._ref = ref = self._ref + 1
        frame = (
            f'{{"type":"message.send","ref":{ref},"id":"{entry}","after":"{after}",'
            f'"conversation":"{conversation}","text":"{text}"}}'
        )
        self.transport.send(TEXT, frame.encode())

    async def ask(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Any ask; returns its ok."""
        self._ref = ref = self._ref + 1
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[ref] = answer
        self._write(kind, ref, fields)
        async with asyncio.timeout(SYNCED_SECONDS):
            return await answer

    def _write(self, kind: str, ref: int, fields: dict[str, Any]) -> None:
        self.transport.send(TEXT, orjson.dumps({"type": kind, "ref": ref, **fields}))

    def drop(self) -> None:
        """Gone without a word, as when a network goes."""
        self.transport.disconnect(False)

    # --- hearing --------------------------------------------------------------------------------------------------

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        transport.send(TEXT, orjson.dumps(self._hello))

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is not TEXT:
            return  # a close: `closed` tells
        for line in frame.get_payload_as_bytes().split(b"\n"):
            if line.startswith(OK) and not self._waiting:
                self.oks += 1
            elif line.startswith(CHANGE):
                self._changed(orjson.loads(line))
            elif not line.startswith(HEADS):
                self._rare(orjson.loads(line))

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.closed = True
        if not self.synced.done():
            self.synced.set_exception(ConnectionError("closed before it was synced"))

    def _changed(self, change: dict[str, Any]) -> None:
        self.changes += 1
        for entry in change["entries"]:
            if entry["kind"] == "message" and entry["author"]["kind"] == self.other:
                self.hear(change["conversation"], entry)

    def _rare(self, frame: dict[str, Any]) -> None:
        match frame["type"]:
            case "ok":
                self._waiting.pop(frame["ref"]).set_result(frame)
            case "refused":
                error = RuntimeError(f"refused: {frame['code']} {frame['message']}")
                if frame.get("ref") in self._waiting:
                    self._waiting.pop(frame["ref"]).set_exception(error)
                else:
                    raise error
            case "welcome":
                self.epoch = frame["epoch"]
            case "synced" if not self.synced.done():  # nor has whoever waited given up
                self.synced.set_result(None)
            case "snapshot":
                self.shown.add(frame["conversation"])
            case "ping":
                self.transport.send(TEXT, b'{"type":"pong","n":%d}' % frame["n"])


async def connect(server: Server, peer: Peer) -> Peer:
    """Connected and synced."""
    await ws_connect(lambda: peer, server.url, extra_headers={"Origin": server.origin}, read_buffer_init_size=4096)
    async with asyncio.timeout(SYNCED_SECONDS):
        await peer.synced
    return peer


async def connect_all(server: Server, peers: Iterable[Peer], at_once: int = 50) -> list[Peer]:
    """All of them, so many at a time."""
    gate = asyncio.Semaphore(at_once)

    async def one(peer: Peer) -> Peer:
        async with gate:
            while True:
                try:
                    return await connect(server, peer)
                except WSHandshakeError as refused:
                    if refused.response is None or refused.response.status != 503:
                        raise
                await asyncio.sleep(RETRY_SECONDS)  # more than the node takes in a second: it said so

    return await asyncio.gather(*map(one, peers))


def ignore(conversation: str, entry: dict[str, Any]) -> None:
    """Nobody looks at this entry."""


def new_id() -> str:
    """A UUIDv7 (RFC 9562), as our clients make them."""
    value = (time.time_ns() // 1_000_000) << 80 | 0x7 << 76 | random.getrandbits(12) << 64
    value |= 0b10 << 62 | random.getrandbits(62)
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
