"""Revocation: whoever is no longer allowed is cut off at once here, and at the next look for what others did."""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import Connection, Update, update

from chat.errors import Unavailable
from chat.model import Actor
from chat.store.tables import accounts, agents, bot_tokens, contacts, sessions
from gateway.protocol import CloseCode
from gateway.revocation import SLICE, Revocations
from tests.builders import DANA, NOA, RIVAL
from tests.node import Node, on_a_node
from tests.peer import Peer

REVOKED, UNAUTHORIZED, CHANGED = CloseCode.REVOKED, CloseCode.UNAUTHORIZED, CloseCode.CHANGED
WITHIN = 2.0  # seconds


@dataclass
class Tab:
    """A socket."""

    actor: Actor
    proof: str
    codes: list[int] = field(default_factory=list)

    def close(self, code: int) -> None:
        self.codes.append(code)


@dataclass
class Standing:
    """A store that answers what it was told."""

    whose: dict[str, str]
    asked: list[int] = field(default_factory=list)
    is_away: bool = False

    async def __call__(self, proofs: Collection[str]) -> dict[str, str]:
        self.asked.append(len(proofs))
        if self.is_away:
            raise Unavailable
        return {proof: self.whose[proof] for proof in proofs if proof in self.whose}


def revocations(tabs: list[Tab], standing: Standing | None = None) -> Revocations:
    return Revocations(lambda: tabs, standing or Standing({}), lambda: None)


@pytest.mark.parametrize(
    ("whom", "closed"),
    [
        ({"session": "ses_1"}, [True, False, False, False]),
        ({"actor": (NOA.account, NOA.id)}, [True, True, False, False]),
        ({"actor": (RIVAL.account, NOA.id)}, [False, False, False, False]),
        ({"account": NOA.account}, [True, True, True, False]),
        ({"session": "ses_none"}, [False, False, False, False]),
    ],
    ids=str,
)
def test_those_are_closed_whom_it_concerns(whom: dict[str, Any], closed: list[bool]) -> None:
    tabs = [Tab(NOA, "ses_1"), Tab(NOA, "ses_2"), Tab(DANA, "ses_3"), Tab(RIVAL, "ses_4")]

    revocations(tabs).close(**whom)

    assert [tab.codes == [REVOKED] for tab in tabs] == closed


def test_who_has_not_said_hello_is_nobody() -> None:
    tab = Tab(Actor("", "system", "sys_nobody"), "")

    revocations([tab]).close(session="", account="")

    assert tab.codes == []


async def test_a_look_finds_what_ended_and_what_became_another() -> None:
    tabs = [Tab(NOA, "ses_1"), Tab(DANA, "ses_2"), Tab(DANA, "ses_3"), Tab(DANA, "")]
    standing = Standing({"ses_1": NOA.id, "ses_2": "con_other"})

    await revocations(tabs, standing).sweep()

    assert [tab.codes for tab in tabs] == [[], [CHANGED], [UNAUTHORIZED], []]


async def test_many_sockets_are_looked_through_in_slices() -> None:
    tabs = [Tab(NOA, f"ses_{n}") for n in range(2 * SLICE + 1)]
    standing = Standing({tab.proof: NOA.id for tab in tabs})

    await revocations(tabs, standing).sweep()

    assert standing.asked == [SLICE, SLICE, 1]
    assert not any(tab.codes for tab in tabs)


async def test_while_the_store_is_away_nobody_is_cut_off() -> None:
    tabs = [Tab(NOA, "ses_1")]

    await revocations(tabs, Standing({}, is_away=True)).sweep()

    assert tabs[0].codes == []


# --- on real sockets --------------------------------------------------------------------------------------------------


async def administer(node: Node, statement: Update | Callable[[Connection], object]) -> None:
    work = statement if callable(statement) else lambda connection: connection.execute(statement)
    await node.shopbell._store.administer(work)


async def everybody(node: Node) -> dict[str, Peer]:
    return {
        "contact": await node.contact(),
        "agent": await node.agent(),
        "bot": await node.bot(),
        "other bot": await node.bot(node.other),
        "other agent": await node.agent(node.other.agent),
    }


async def still_there(*peers: Peer) -> None:
    for peer in peers:
        await peer.settle()


@on_a_node()
async def test_a_session_a_token_an_actor_and_an_account_are_cut_off_within_two_seconds(node: Node) -> None:
    revocations, peers = node.shopbell._revocations, await everybody(node)
    second = await node.contact()
    by_actor = {name: peer.welcome["me"]["id"] for name, peer in peers.items()}
    token = next(socket.proof for socket in node.shopbell.node.sockets if socket.actor.id == by_actor["bot"])

    async with asyncio.timeout(WITHIN):
        revocations.close(session=token)
        assert await peers.pop("bot").closed() == REVOKED
    async with asyncio.timeout(WITHIN):
        revocations.close(actor=(node.mine.id, by_actor["contact"]))
        assert await peers.pop("contact").closed() == REVOKED
    await still_there(second, *peers.values())
    async with asyncio.timeout(WITHIN):
        revocations.close(account=node.mine.id)
        assert [await peers.pop("agent").closed(), await second.closed()] == [REVOKED, REVOKED]
    await still_there(*peers.values())


@pytest.mark.parametrize(
    ("act", "name"),
    [
        (update(accounts).values(suspended_at=1), "everybody"),
        (update(agents).values(active=False), "agent"),
        (update(contacts).values(erased=True), "contact"),
        (update(contacts).values(merged_into="con_other"), "contact"),
        (update(sessions).where(sessions.c.actor.like("con_%")).values(ended_at=1), "contact"),
        (update(sessions).where(sessions.c.actor.like("agt_%")).values(expires_at=1), "agent"),
        (lambda connection: connection.execute(bot_tokens.delete()), "bot"),
    ],
    ids=["suspended", "deactivated", "erased", "merged", "ended", "expired", "token gone"],
)
@on_a_node()
async def test_what_another_node_did_is_found_at_the_next_look(node: Node, act: Any, name: str) -> None:
    peers = {kind: peer for kind, peer in (await everybody(node)).items() if "other" not in kind}
    await administer(node, act)

    await node.shopbell._revocations.sweep()

    gone = set(peers) if name == "everybody" else {name}
    for kind in gone:
        assert await peers[kind].closed() == UNAUTHORIZED
    await still_there(*(peer for kind, peer in peers.items() if kind not in gone))


@on_a_node()
async def test_a_socket_whose_session_has_become_another_contacts_comes_back(node: Node) -> None:
    session = await node.contact_session()
    contact, other = await node.contact(session), await node.contact_session()
    await administer(node, update(sessions).where(sessions.c.id == session.id).values(actor=other.actor.id))

    await node.shopbell._revocations.sweep()

    assert await contact.closed() == CHANGED


@on_a_node()
async def test_who_is_revoked_while_it_arrives_does_not_get_in(node: Node) -> None:
    """Between the look at the token and the joining the socket can't be found: so it is looked at once more."""
    session = await node.contact_session()
    shopbell = node.shopbell
    follow = shopbell.node.doorman._follow  # type: ignore[attr-defined]  # the only wait in between

    async def slow(account: str) -> None:
        await shopbell._sessions.end(session)
        shopbell._revocations.close(session=session.id)
        await follow(account)

    shopbell.node.doorman._follow = slow  # type: ignore[attr-defined]
    peer = await node.peer()
    await peer.say({"type": "hello", "protocol": 1, "token": node.token(session)})

    assert await peer.closed() == UNAUTHORIZED
