"""Two accounts with one of everything, ways to ask as anybody, and a look at all rows of an account."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from starlette.routing import BaseRoute

from chat.store.tables import metadata
from tests.node import Node
from tests.peer import Peer, new_id
from tests.shop import Account

MARK = "Zanzibar"
"""In every text of the world, together with whose it is: nobody else may ever hear it."""

PREFIXES = {
    "account": "acc",
    "inbox": "inb",
    "agent": "agt",
    "team": "tem",
    "bot": "bot",
    "contact": "con",
    "conversation": "cnv",
    "upload": "upl",
    "token": "tok",
    "invite": "inv",
    "session": "ses",
}


def nobodys(kind: str, like: str) -> str:
    """An id as this one, which nothing has."""
    if kind == "entry":
        return new_id()
    if kind == "attribute":
        return "a_" + secrets.token_hex(len(like))[: len(like) - 2]
    prefix, _, rest = like.partition("_")
    return f"{prefix}_{secrets.token_hex(len(rest))[: len(rest)]}"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Somebody:
    """An actor with a socket, and with what it sends along over HTTP."""

    name: str
    peer: Peer
    headers: dict[str, str]


@dataclass
class Side:
    """An account's people, and the ids of its things by kind. `spare` are entries that no other try names."""

    account: Account
    admin: Somebody
    agent: Somebody
    bot: Somebody
    contacts: list[Somebody]
    ids: dict[str, list[str]] = field(default_factory=dict)
    of_contact: list[dict[str, list[str]]] = field(default_factory=list)
    spare: list[str] = field(default_factory=list)

    def add(self, kind: str, *ids: str) -> None:
        self.ids.setdefault(kind, []).extend(ids)


class World:
    """The node with both sides on it."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.app: Any = node.shopbell.http
        self.mine: Side
        self.other: Side

    @classmethod
    async def made(cls, node: Node) -> World:
        world = cls(node)
        world.mine = await world._side(node.mine, "mine")
        world.other = await world._side(node.other, "other")
        return world

    @property
    def routes(self) -> list[BaseRoute]:
        app = self.app
        while not hasattr(app, "routes"):
            app = getattr(app, "_app", None) or app.app
        return list(app.routes)

    async def http(
        self, who: Somebody, method: str, path: str, query: Mapping[str, Any] | None = None, body: Any = None
    ) -> Answer:
        """One request through the whole application, without a server around it."""
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        type_ = "image/png" if isinstance(body, bytes) else "application/json"
        headers = {"host": "shop.test", "content-type": type_, "content-length": str(len(data)), **who.headers}
        if not data:
            del headers["content-length"]
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": urlencode(query or {}, doseq=True).encode(),
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": ("127.0.0.1", 4711),
            "server": ("127.0.0.1", 80),
        }
        answer = Answer(0, {}, b"")
        sent = False

        async def receive() -> dict[str, Any]:
            nonlocal sent
            if sent:
                return {"type": "http.disconnect"}
            sent = True
            return {"type": "http.request", "body": data, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            else:
                answer.body += message.get("body", b"")

        await self.app(scope, receive, send)
        return answer

    # --- making it ------------------------------------------------------------------------------------------------

    async def _side(self, account: Account, name: str) -> Side:
        node = self.node
        plain = await node.directory.add_agent(
            account.id, email=f"plain@{name}.example", name=f"{MARK}-{name} plain", role="agent", password="none"
        )
        bot = {"authorization": f"Bearer {account.bot_token}"}
        side = Side(
            account,
            await self._staff(account.agent, f"{name}'s admin"),
            await self._staff(plain, f"{name}'s agent"),
            Somebody(f"{name}'s bot", await node.bot(account), bot),
            [await self._contact(account, f"{name}'s {which} contact") for which in ("one", "other")],
        )
        side.add("account", account.id)
        side.add("inbox", account.door.id)
        side.add("agent", account.agent.id, plain.id)
        side.add("bot", account.bot.id)
        side.add("team", account.team.id)
        await self._administration(side, name)
        for which, contact in enumerate(side.contacts):
            await self._conversation(side, contact, f"{MARK}-{name}-{which}")
        return side

    async def _staff(self, agent: Any, name: str) -> Somebody:
        secret, session = await self.node._sessions.open_for_agent(agent)
        peer = await self.node.peer()
        await peer.hello(self.node.token(session))
        return Somebody(name, peer, {"cookie": f"shopbell={secret}", "origin": self.node.origin})

    async def _contact(self, account: Account, name: str) -> Somebody:
        secret, session = await self.node._sessions.open_for_contact(account.door)
        peer = await self.node.contact(session)
        return Somebody(name, peer, {"authorization": f"Bearer {secret}"})

    async def _administration(self, side: Side, name: str) -> None:
        admin, inbox, bot = side.admin, side.ids["inbox"][0], side.ids["bot"][0]

        async def made(path: str, body: Any = None, method: str = "POST", what: str = "id") -> str:
            answer = await self.http(admin, method, path, body=body)
            assert answer.status in (200, 201, 204), (path, answer)
            return str(_find(json.loads(answer.body), what)) if answer.body else ""

        side.add("key", await made(f"/v1/inboxes/{inbox}/keys"))
        side.add(
            "invite",
            await made("/v1/invites", {"email": f"new@{name}.example", "name": f"{MARK}-{name}", "role": "agent"}),
        )
        side.add("token", await made(f"/v1/bots/{bot}/tokens"))
        side.add("team", await made("/v1/teams", {"name": f"{MARK}-{name} team"}))
        side.add("attribute", f"colour_of_{name}")
        await made(f"/v1/attributes/contact/colour_of_{name}", {"type": "text"}, "PUT")
        await made("/v1/account", {"name": f"{MARK}-{name}"}, "PATCH")

    async def _conversation(self, side: Side, contact: Somebody, text: str) -> None:
        """Messages, a note and a file; what is spare is of no contact."""
        own: dict[str, list[str]] = {"contact": [contact.peer.welcome["me"]["id"]]}
        inbox, first = side.ids["inbox"][0], new_id()
        ok = await contact.peer.ask("conversation.start", id=first, inbox=inbox, text=text)
        assert ok["type"] == "ok", ok
        conversation = ok["conversation"]
        upload = await self._upload(contact, conversation)
        second = new_id()
        ok = await contact.peer.ask(
            "message.send", id=second, conversation=conversation, text=text, attachments=[upload]
        )
        assert ok["type"] == "ok", ok
        loose = await self._upload(contact, conversation)
        for ask in ("note.add", "message.send"):
            ok = await side.admin.peer.ask(ask, id=new_id(), conversation=conversation, text=text)
            assert ok["type"] == "ok", ok
        own |= {"conversation": [conversation], "entry": [first, second], "upload": [upload, loose]}
        for _ in range(30):
            spare = new_id()
            ok = await contact.peer.ask("message.send", id=spare, conversation=conversation, text=text)
            assert ok["type"] == "ok", ok
            side.spare.append(spare)
        side.of_contact.append(own)
        for kind, ids in own.items():
            side.add(kind, *ids)

    async def _upload(self, contact: Somebody, conversation: str) -> str:
        answer = await self.http(contact, "POST", "/v1/uploads", {"name": "dot.png", "conversation": conversation}, DOT)
        assert answer.status == 201, answer
        return str(json.loads(answer.body)["id"])


def _find(value: Any, name: str) -> Any:
    """The first field of this name, wherever it is."""
    if isinstance(value, dict):
        if name in value:
            return value[name]
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            found = _find(each, name)
            if found is not None:
                return found
    return None


# One black pixel.
DOT = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360000000000500010d0a2db40000000049454e44ae426082"
)


def rows_of(path: Path, account: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row that belongs to this account, by table: found along the foreign keys."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    keys: dict[tuple[str, str], set[Any]] = {}
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        for table in metadata.sorted_tables:
            if table.name.startswith("search_") or table.name == "meta":  # made from the rest, in its own time
                continue
            names = [column.name for column in table.columns]
            parents = [
                (column.name, next(iter(column.foreign_keys)).column) for column in table.columns if column.foreign_keys
            ]
            listed = ", ".join('"' + name + '"' for name in names)
            rows = connection.execute(f"SELECT {listed} FROM {table.name}").fetchall()
            if table.name == "accounts":
                rows = [row for row in rows if row[names.index("id")] == account]
            else:
                rows = [
                    row
                    for row in rows
                    if any(row[names.index(name)] in keys[to.table.name, to.name] for name, to in parents)
                ]
            found[table.name] = sorted(rows, key=repr)
            for name in names:
                keys[table.name, name] = {row[names.index(name)] for row in rows}
    return found


def rows_beside(path: Path, contact: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of one contact, in an account where others go on."""
    queries = {
        "contacts": "SELECT * FROM contacts WHERE id = ?",
        "conversations": "SELECT * FROM conversations WHERE contact = ?",
        "entries": "SELECT e.* FROM entries e JOIN conversations c ON c.key = e.conversation WHERE c.contact = ?",
        "uploads": "SELECT * FROM uploads WHERE owner = ?",
        "sessions": "SELECT * FROM sessions WHERE actor = ?",
        "identities": "SELECT * FROM identities WHERE contact = ?",
    }
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return {name: connection.execute(query, (contact,)).fetchall() for name, query in queries.items()}
