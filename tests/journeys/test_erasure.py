"""A contact is erased while it is connected: from store, files, index and sockets, down to the bytes on the disk."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.node import Node, on_a_node
from tests.peer import Closed, Peer, new_id

MARK = "Zwiebelkuchen"  # a word that stands nowhere else
SOON_SECONDS = 5.0


async def admins(node: Node) -> httpx.AsyncClient:
    secret, _ = await node._sessions.open_for_agent(node.mine.agent)
    headers = {"cookie": f"shopbell={secret}", "origin": node.origin}
    return httpx.AsyncClient(base_url=node.origin, headers=headers)


async def hits(client: httpx.AsyncClient) -> list[Any]:
    found: list[Any] = (await client.get("/v1/search", params={"q": MARK})).json()["hits"]
    return found


async def with_a_file(node: Node, secret: str, contact: Peer, conversation: str) -> str:
    """The upload of a message with a file that says the word, in its name too."""
    async with httpx.AsyncClient(base_url=node.origin, headers={"authorization": f"Bearer {secret}"}) as client:
        query = {"conversation": conversation, "name": f"{MARK}.txt"}
        sent = (await client.post("/v1/uploads", params=query, content=f"{MARK} ".encode() * 50)).json()
    answer = await contact.ask(
        "message.send", id=new_id(), conversation=conversation, text="Look", attachments=[sent["id"]]
    )
    assert answer["type"] == "ok", answer
    return str(sent["id"])


def stands_in(folder: Path) -> list[str]:
    """The files that have the word in their bytes or in their names."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path.name for path in files if MARK.encode() in path.read_bytes() or MARK in path.name]


@on_a_node()
async def test_nothing_is_left_of_somebody_who_was_erased(node: Node, tmp_path: Path) -> None:
    secret, session = await node._sessions.open_for_contact(node.mine.door)
    contact = await node.contact(session)
    conversation = await node.started(contact, f"Where is my {MARK}?")
    upload = await with_a_file(node, secret, contact, conversation)
    other = await node.contact()
    async with await admins(node) as client:
        path = f"/v1/contacts/{session.actor.id}"
        await client.patch(path, json={"name": MARK, "email": f"{MARK}@shop.example"})
        ends = time.monotonic() + SOON_SECONDS
        while len(await hits(client)) < 2 and time.monotonic() < ends:  # noqa: ASYNC110  # nobody is told when
            await asyncio.sleep(0.02)
        assert len(await hits(client)) >= 2
        assert MARK in (await client.get(f"{path}/export")).text

        erased = await client.delete(path)

        assert erased.status_code == 204
        assert await hits(client) == []
        assert (await client.get(f"/v1/uploads/{upload}")).status_code == 404
        assert MARK not in (await client.get(f"/v1/conversations/{conversation}")).text
        assert MARK not in (await client.get(f"{path}/export")).text
        assert MARK not in (await client.get("/v1/audit")).text
        with pytest.raises(Closed):
            await contact.until("never")
        with pytest.raises(Closed):
            await (await node.peer()).hello(node.token(session))
        assert (await other.ask("typing", conversation=conversation, on=True))["code"] == "not_found"
    assert stands_in(tmp_path / "data") == []  # while it runs
    await node.still_works()
    await node.stop()

    assert stands_in(tmp_path / "data") == []
