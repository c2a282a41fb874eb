"""A Shopbell of two hundred lines, in memory, that also misbehaves on order; the client's tests talk to it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

Json = dict[str, Any]

PEOPLE: dict[str, Json] = {
    "shopper": {"kind": "contact", "id": "con_1", "name": "Visitor"},
    "another": {"kind": "contact", "id": "con_2", "name": "Known"},
    "agent": {"kind": "agent", "id": "agt_1", "name": "Noa", "role": "agent"},
    "bot": {"kind": "bot", "id": "bot_1", "name": "Echo"},
}
KINDS = {"conversation.claim": "claimed", "conversation.assign": "assigned", "conversation.resolve": "resolved"}


@dataclass(eq=False)
class Peer:
    socket: ServerConnection
    me: Json
    hello: Json
    watch: set[str] = field(default_factory=set)

    async def write(self, *frames: Json) -> None:
        await self.socket.send(b"\n".join(orjson.dumps(frame) for frame in frames).decode())


@dataclass
class Fake:
    """Everything is public so that a test can look, and bend what comes next."""

    url: str = ""
    epoch: str = "epoch-1"
    cursor: int = 0
    states: dict[str, Json] = field(default_factory=dict)
    entries: dict[str, list[Json]] = field(default_factory=dict)
    peers: list[Peer] = field(default_factory=list)
    hellos: list[Json] = field(default_factory=list)
    asked: list[Json] = field(default_factory=list)
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    refusals: list[Json] = field(default_factory=list)  # given to the next asks, one each
    close_hello_with: list[int] = field(default_factory=list)
    cut_before_ok: int = 0  # so many asks are committed, and then the socket breaks
    pong: asyncio.Event = field(default_factory=asyncio.Event)
    ping_ms: int = 25000
    gate: asyncio.Event = field(default_factory=asyncio.Event)  # shut, it lets nobody be brought up to date
    is_mute: bool = False  # it does what it is asked and doesn't say so

    def __post_init__(self) -> None:
        self.gate.set()

    async def serve(self, socket: ServerConnection) -> None:
        try:
            peer = await self._meet(socket)
            if peer is None:
                return
            self.peers.append(peer)
            self.heard.set()
            async for data in socket:
                await self._take(peer, orjson.loads(data))
        except ConnectionClosed:
            pass
        finally:
            self.peers = [peer for peer in self.peers if peer.socket is not socket]
            self.heard.set()

    async def _meet(self, socket: ServerConnection) -> Peer | None:
        hello = orjson.loads(await socket.recv())
        self.hellos.append(hello)
        self.heard.set()
        if self.close_hello_with:
            await socket.close(self.close_hello_with.pop(0))
            return None
        me = PEOPLE.get(hello["token"])
        if me is None:
            await socket.close(4005)
            return None
        peer = Peer(socket, me, hello)
        limits = {"frame": 65536, "text": 8000, "watch": 50, "inflight": 16}
        welcome = {"type": "welcome", "epoch": self.epoch, "me": me, "account": "acc_1", "now": 0, "ping": self.ping_ms}
        await peer.write(welcome | {"limits": limits})
        await self.gate.wait()
        await peer.write(*self._catch_up(peer), {"type": "synced", "cursor": self.cursor})
        return peer

    def _catch_up(self, peer: Peer) -> list[Json]:
        resume = peer.hello.get("resume", {})
        frames: list[Json] = []
        if resume and resume["epoch"] != self.epoch:
            frames, resume = [{"type": "reset", "reason": "epoch"}], {}
        peer.watch = set(resume.get("watch", ()))
        for id, state in self.states.items():
            if not self._hears(peer, state):
                continue
            if id in resume.get("conversations", {}):
                frames.append(self._change(id, resume["conversations"][id]))
            elif id in resume.get("watch", ()):
                frames.append(self._change(id, 0))
            else:
                frames.append(self.snapshot(id))
        return frames

    def _hears(self, peer: Peer, state: Json) -> bool:
        mine = state["assignee"] == peer.me["id"] or state["id"] in peer.watch
        return state["contact"] == peer.me["id"] if peer.me["kind"] == "contact" else mine

    def snapshot(self, id: str) -> Json:
        head = {"type": "snapshot", "conversation": id, "cursor": self.cursor}
        return head | {"state": self.states[id], "entries": list(self.entries[id]), "more": False}

    def _change(self, id: str, since: int) -> Json:
        newer = [entry for entry in self.entries[id] if entry["seq"] > since]
        head = {"type": "change", "cursor": self.cursor, "conversation": id, "seq": self.states[id]["seq"]}
        return head | {"entries": newer, "state": self.states[id]}

    async def _take(self, peer: Peer, ask: Json) -> None:
        self.asked.append(ask)
        self.heard.set()
        if ask["type"] == "pong":
            self.pong.set()
        elif ask["type"] == "watch":
            await self._watch(peer, ask)
        elif "ref" in ask:
            await self._ask(peer, ask)

    async def _watch(self, peer: Peer, ask: Json) -> None:
        fresh = [id for id in ask["conversations"] if id not in peer.watch]
        peer.watch = set(ask["conversations"])
        await peer.write({"type": "ok", "ref": ask["ref"]}, *[self.snapshot(id) for id in fresh])

    async def _ask(self, peer: Peer, ask: Json) -> None:
        if self.refusals:
            return await peer.write({"type": "refused", "ref": ask["ref"], "message": "no"} | self.refusals.pop(0))
        if ask.get("after") and not self.find(ask["after"]):
            return await peer.write({"type": "refused", "ref": ask["ref"], "code": "behind", "retry": True})
        known = self.find(ask.get("id", "")) if "id" in ask else None
        id, entry = known or self.commit(peer.me, ask)
        if self.cut_before_ok:
            self.cut_before_ok -= 1
            peer.socket.transport.abort()
            return
        if self.is_mute:
            return
        ok = {"type": "ok", "ref": ask["ref"], "conversation": id, "seq": entry["seq"], "at": entry["at"]}
        await peer.write(ok | {"again": True} if known else ok)
        if not known:
            await self.publish(id, entry)

    def find(self, id: str) -> tuple[str, Json] | None:
        """Where an entry is stored, by its id."""
        return next(((c, e) for c, entries in self.entries.items() for e in entries if e["id"] == id), None)

    def commit(self, me: Json, ask: Json) -> tuple[str, Json]:
        """Do what was asked; returns the conversation and its newest entry."""
        id = ask.get("conversation") or f"cnv_{len(self.states) + 1}"
        state = self.states.setdefault(id, _new_state(id, me))
        self.cursor += 1
        state = self.states[id] = state | {"seq": state["seq"] + 1, "cursor": self.cursor}
        entry = {"id": ask.get("id", ""), "seq": state["seq"], "born": state["seq"], "at": 1795287000000}
        entry["author"] = {"kind": me["kind"], "id": me["id"]}
        if ask["type"] in ("read", "delivered"):
            state["positions"] = state["positions"] | {me["id"]: {ask["type"]: ask["seq"]}}
            return id, entry
        if ask["type"] in KINDS:
            entry |= {"kind": "activity", "activity": KINDS[ask["type"]]}
            state["assignee"] = me["id"] if ask["type"].endswith("claim") else ask.get("assignee", state["assignee"])
        else:
            entry |= {"kind": "note" if ask["type"] == "note.add" else "message", "text": ask["text"]}
        self.entries.setdefault(id, []).append(entry)
        return id, entry

    async def publish(self, id: str, entry: Json) -> None:
        """Send a change to everyone who hears the conversation."""
        kept = [entry] if entry.get("kind") else []
        frame = {"type": "change", "cursor": self.cursor, "conversation": id, "seq": self.states[id]["seq"]}
        for peer in list(self.peers):
            if self._hears(peer, self.states[id]):
                await peer.write(frame | {"entries": kept, "state": self.states[id]})

    async def says(self, token: str, **ask: Any) -> str:
        """Something that a person without a socket does; returns the conversation."""
        id, entry = self.commit(PEOPLE[token], ask)
        await self.publish(id, entry)
        return id

    async def until(self, holds: Any, timeout: float = 5.0) -> None:
        """Wait until something is true of what was asked."""
        async with asyncio.timeout(timeout):
            while not holds():
                self.heard.clear()
                await self.heard.wait()


def _new_state(id: str, me: Json) -> Json:
    state: Json = {"id": id, "inbox": "inb_1", "status": "queued", "handler": "none", "subject": None, "seq": 0}
    state |= {"people": {}, "positions": {}, "messages": {}, "created_at": 0, "contact": me["id"], "assignee": None}
    return state


@asynccontextmanager
async def fake_shopbell() -> AsyncIterator[Fake]:
    """A fake that listens on a free port until the block ends."""
    fake = Fake()
    server: Server
    async with serve(fake.serve, "127.0.0.1", 0, compression=None, close_timeout=0.2) as server:
        port = server.sockets[0].getsockname()[1]
        fake.url = f"http://127.0.0.1:{port}"
        yield fake
