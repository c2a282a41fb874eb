"""What an admin does over HTTP is felt on the sockets at once."""

from __future__ import annotations

import httpx
import pytest

from gateway.protocol import CloseCode
from tests.node import Node, on_a_node
from tests.peer import Closed, Peer, new_id


async def admins(node: Node) -> httpx.AsyncClient:
    secret, _ = await node._sessions.open_for_agent(node.mine.agent)
    headers = {"cookie": f"shopbell={secret}", "origin": node.origin}
    return httpx.AsyncClient(base_url=node.origin, headers=headers)


async def closed(peer: Peer) -> int | None:
    with pytest.raises(Closed) as end:
        await peer.until("never")
    return end.value.code


@on_a_node()
async def test_a_deactivated_agent_is_cut_off_and_its_conversations_are_free(node: Node) -> None:
    left = await node.second_agent()
    agent, witness, contact = await node.agent(left), await node.agent(), await node.contact()
    conversation = await node.started(contact)
    await agent.ask("conversation.claim", id=new_id(), conversation=conversation)
    await witness.ask("watch", conversations=[conversation])

    async with await admins(node) as client:
        answer = await client.post(f"/v1/agents/{left.id}/deactivate")

    assert answer.json()["active"] is False
    assert await closed(agent) == CloseCode.REVOKED
    state = (await node_state(node, conversation))["assignee"]
    assert state is None
    heard = await witness.settle()
    assert any(frame.get("state", {}).get("assignee", left.id) is None for frame in heard if frame["type"] == "change")


async def node_state(node: Node, conversation: str) -> dict[str, object]:
    async with await admins(node) as client:
        state: dict[str, object] = (await client.get(f"/v1/conversations/{conversation}")).json()["state"]
    return state


@on_a_node()
async def test_a_revoked_token_closes_its_socket_and_no_other(node: Node) -> None:
    async with await admins(node) as client:
        path = f"/v1/bots/{node.mine.bot.id}/tokens"
        made = (await client.post(path)).json()
        bot = await node.peer(origin=None)
        await bot.hello(made["token"])
        other = await node.bot()

        assert (await client.delete(f"{path}/{made['id']}")).status_code == 204

    assert await closed(bot) == CloseCode.REVOKED
    await other.settle()


@on_a_node()
async def test_a_new_password_closes_the_sockets_of_the_other_sessions(node: Node) -> None:
    other = await node.agent()
    async with await admins(node) as client:
        body = {"current": "correct horse", "new": "a better horse"}
        assert (await client.post("/v1/agents/me/password", json=body)).status_code == 204
        assert (await client.get("/v1/me")).status_code == 200

    assert await closed(other) == CloseCode.REVOKED


@on_a_node()
async def test_a_blocked_contact_hears_that_it_is(node: Node) -> None:
    session = await node.contact_session()
    contact = await node.contact(session)
    conversation = await node.started(contact)
    async with await admins(node) as client:
        await client.post(f"/v1/contacts/{session.actor.id}/block", json={"until": None})
        refused = await contact.ask("message.send", id=new_id(), conversation=conversation, text="Hello?")
        await client.post(f"/v1/contacts/{session.actor.id}/unblock")
        heard = await contact.ask("message.send", id=new_id(), conversation=conversation, text="Hello?")

    assert (refused["code"], heard["type"]) == ("blocked", "ok")
