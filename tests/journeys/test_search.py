"""What somebody just wrote is found by staff, on a whole node, within two seconds."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx

from gateway.indexing import LOOK_SECONDS
from tests.node import Node, on_a_node

SOON_SECONDS = 2.0


async def found(node: Node, q: str, bot_token: str = "") -> list[dict[str, Any]]:
    headers = {"authorization": f"Bearer {bot_token or node.mine.bot_token}"}
    async with httpx.AsyncClient(base_url=node.origin, headers=headers) as client:
        answer = await client.get("/v1/search", params={"q": q})
    assert answer.status_code == 200, answer.text
    hits: list[dict[str, Any]] = answer.json()["hits"]
    return hits


async def soon(node: Node, q: str) -> list[dict[str, Any]]:
    """What is found as soon as something is. Nobody is told when, so it is asked again and again."""
    assert LOOK_SECONDS < SOON_SECONDS / 2
    ends = time.monotonic() + SOON_SECONDS
    while not (hits := await found(node, q)) and time.monotonic() < ends:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    return hits


@on_a_node()
async def test_what_was_just_written_is_found_by_its_own_staff(node: Node) -> None:
    contact = await node.contact()
    conversation = await node.started(contact, "Ich hätte gern Zwetschgen")

    (hit,) = await soon(node, "zwetsch")

    assert (hit["conversation"], hit["match"], hit["excerpt"]["highlights"]) == (conversation, "prefixes", [[15, 22]])
    assert await found(node, "zwetsch", node.other.bot_token) == []
