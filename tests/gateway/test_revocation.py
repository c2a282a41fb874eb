"""Revocation: whoever is no longer allowed is cut off at once on all nodes, and at the next look if that got lost."""

import asyncio
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, Update, update

from chat.errors import Unavailable
from chat.model import Actor
from chat.store.tables import accounts, agents, bot_tokens, contacts, sessions
from gateway import revocation
from gateway.bus import Gap, Hear
from gateway.bus.memory import Exchange, MemoryBus
from gateway.metrics import new_metrics
from gateway.protocol import CloseCode
from gateway.revocation import SLICE, Revocations, Revoked, pack, unpack
from gateway.switchboard import REVOCATION, Switchboard
from tests.builders import DANA, MINE, NOA, RIVAL
from tests.node import Node, on_a_node
from tests.pair import two_healthy_nodes, two_nodes
from tests.peer import Peer
from tests.servers import RedisServer, a_free_port

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


def revocations(tabs: list[Tab], standing: Standing | None = None, bus: MemoryBus | None = None) -> Revocations:
    switchboard = Switchboard(bus or MemoryBus(), lambda: None, new_metrics().bus_unknown)
    return Revocations(lambda: tabs, standing or Standing({}), switchboard, lambda: None)


@pytest.mark.parametrize(
    ("whom", "closed"),
    [
        ({"account": MINE, "session": "ses_1"}, [True, False, False, False]),
        ({"account": RIVAL.account, "session": "ses_1"}, [False, False, False, False]),
        ({"account": MINE, "actor": NOA.id}, [True, True, False, False]),
        ({"account": RIVAL.account, "actor": NOA.id}, [False, False, False, False]),
        ({"account": MINE}, [True, True, True, False]),
        ({"account": MINE, "session": "ses_none"}, [False, False, False, False]),
    ],
    ids=str,
)
def test_those_are_closed_whom_it_concerns(whom: dict[str, Any], closed: list[bool]) -> None:
    tabs = [Tab(NOA, "ses_1"), Tab(NOA, "ses_2"), Tab(DANA, "ses_3"), Tab(RIVAL, "ses_4")]

    revocations(tabs).close(**whom)

    assert [tab.codes == [REVOKED] for tab in tabs] == closed


def test_who_has_not_said_hello_is_nobody() -> None:
    tab = Tab(Actor("", "system", "sys_nobody"), "")

    revocations([tab]).close("")
    revocations([tab]).close("", session="")

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


# --- from node to node -----------------------------------------------------------------------------------------------


async def two_places(tabs: list[Tab], standing: Standing | None = None) -> tuple[Revocations, MemoryBus, Revocations]:
    """One that nobody listens to, its bus, and one with these sockets that follows the account."""
    exchange = Exchange()
    bus, there = MemoryBus(exchange), MemoryBus(exchange)
    await there.subscribe(MINE)
    return revocations([], bus=bus), bus, revocations(tabs, standing, there)


async def test_a_node_that_does_not_follow_the_account_tells_those_who_do() -> None:
    tabs = [Tab(NOA, "ses_1"), Tab(NOA, "ses_2"), Tab(DANA, "ses_3"), Tab(RIVAL, "ses_4")]
    here, _, there = await two_places(tabs)

    here.close(MINE, session="ses_1")
    here.close(MINE, actor=DANA.id, code=CHANGED)
    here.close(RIVAL.account)
    await asyncio.sleep(0.01)

    assert [tab.codes for tab in tabs] == [[REVOKED], [], [CHANGED], []]
    assert there.count == 2


@pytest.mark.parametrize(
    "payload",
    [bytes([REVOCATION, 2]), bytes([REVOCATION]), pack(Revoked())[:2] + b"\x93\xc0\xc0\xcd\xff\xff"],
    ids=repr,
)
async def test_of_a_revocation_that_makes_no_sense_the_store_is_asked_at_once(
    monkeypatch: pytest.MonkeyPatch, payload: bytes
) -> None:
    """Of a newer version, say: that something was revoked is clear."""
    monkeypatch.setattr(revocation, "PROMPT_SECONDS", 0.02)
    tabs = [Tab(NOA, "ses_1"), Tab(NOA, "ses_2")]
    standing = Standing({"ses_1": NOA.id})
    _, bus, there = await two_places(tabs, standing)
    looking = asyncio.create_task(there.run())

    for _ in range(100):
        bus.publish(MINE, payload)
    await asyncio.sleep(0.06)

    assert [tab.codes for tab in tabs] == [[], [UNAUTHORIZED]]
    assert (there.count, len(standing.asked)) == (100, 1)
    looking.cancel()
    await asyncio.wait([looking])


class LosingBus(MemoryBus):
    """Says that something was lost when the test wants it."""

    def listen(self, hear: Hear, on_gap: Gap) -> None:
        super().listen(hear, on_gap)
        self.lose = on_gap


async def test_when_something_was_lost_it_may_have_been_a_revocation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revocation, "PROMPT_SECONDS", 0.02)
    tab, bus = Tab(NOA, "ses_1"), LosingBus()
    here = revocations([tab], Standing({}), bus)
    looking = asyncio.create_task(here.run())

    bus.lose()
    await asyncio.sleep(0.06)

    assert (tab.codes, here.count) == ([UNAUTHORIZED], 1)
    looking.cancel()
    await asyncio.wait([looking])


async def test_sockets_are_looked_through_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revocation, "PROMPT_SECONDS", 0.01)
    monkeypatch.setattr(revocation, "SWEEP_SECONDS", 0.03)
    tab, standing = Tab(NOA, "ses_1"), Standing({}, is_away=True)
    looking = asyncio.create_task(revocations([tab], standing).run())
    await asyncio.sleep(0.05)
    assert tab.codes == []

    standing.is_away = False
    await asyncio.sleep(0.05)

    assert tab.codes[0] == UNAUTHORIZED
    looking.cancel()
    await asyncio.wait([looking])


names = st.none() | st.text()


@given(st.builds(Revoked, names, names, st.sampled_from(CloseCode)))
def test_what_was_packed_comes_out_as_it_was(revoked: Revoked) -> None:
    assert unpack(pack(revoked)) == revoked


@given(st.binary() | st.binary().map(lambda body: bytes([REVOCATION, revocation.VERSION]) + body))
def test_whatever_comes_never_raises(payload: bytes) -> None:
    assert isinstance(unpack(payload), Revoked | None)


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
        revocations.close(node.mine.id, session=token)
        assert await peers.pop("bot").closed() == REVOKED
    async with asyncio.timeout(WITHIN):
        revocations.close(node.mine.id, actor=by_actor["contact"])
        assert await peers.pop("contact").closed() == REVOKED
    await still_there(second, *peers.values())
    async with asyncio.timeout(WITHIN):
        revocations.close(node.mine.id)
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
        shopbell._revocations.close(node.mine.id, session=session.id)
        await follow(account)

    shopbell.node.doorman._follow = slow  # type: ignore[attr-defined]
    peer = await node.peer()
    await peer.say({"type": "hello", "protocol": 1, "token": node.token(session)})

    assert await peer.closed() == UNAUTHORIZED


# --- on two nodes ----------------------------------------------------------------------------------------------------


@pytest.fixture
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One that a test may kill."""
    server = RedisServer(tmp_path_factory.mktemp("redis"), a_free_port())
    yield server
    server.stop()


async def an_admins_browser(node: Node) -> httpx.AsyncClient:
    """Logged in by a cookie, at this node."""
    secret, _ = await node._sessions.open_for_agent(node.mine.agent)
    cookies, headers = {"shopbell": secret}, {"origin": node.origin}
    return httpx.AsyncClient(base_url=node.origin, cookies=cookies, headers=headers)


async def token_of(node: Node, bot: Peer) -> str:
    """The id of the API token with which this bot came."""
    who = bot.welcome["me"]["id"]
    return next(socket.proof for socket in node.shopbell.node.sockets if socket.actor.id == who)


async def falls(peer: Peer, began: float) -> int | None:
    """The code with which it is closed in time."""
    async with asyncio.timeout(began + WITHIN - time.monotonic()):
        return await peer.closed()


async def test_what_is_ended_on_one_node_closes_sockets_on_the_other_within_two_seconds(tmp_path: Path) -> None:
    async with two_healthy_nodes(tmp_path) as (first, second):
        dara = await first.second_agent()
        session = await second.agent_session(dara)
        login = await second.peer()
        await login.hello(second.token(session))
        other_login, bot, contact = await second.agent(dara), await second.bot(), await second.contact()
        stays, last = await second.agent(second.mine.agent), await second.agent(second.other.agent)
        browser = await an_admins_browser(first)

        async def ends(method: str, path: str, **more: Any) -> float:
            """Asked of the first node, where no socket is."""
            began = time.monotonic()
            answer = await browser.request(method, path, **more)
            assert answer.status_code in (200, 204), answer.text
            return began

        await first.end(session)
        began = time.monotonic()
        first.shopbell._revocations.close(first.mine.id, session=session.id)  # as a logout does, whose cookie we lack
        assert await falls(login, began) == REVOKED
        who, token = bot.welcome["me"]["id"], await token_of(second, bot)
        assert await falls(bot, await ends("DELETE", f"/v1/bots/{who}/tokens/{token}")) == REVOKED
        assert await falls(other_login, await ends("POST", f"/v1/agents/{dara.id}/deactivate")) == REVOKED
        erased = contact.welcome["me"]["id"]
        assert await falls(contact, await ends("DELETE", f"/v1/contacts/{erased}")) == REVOKED
        await still_there(stays, last)

        began = time.monotonic()
        first.shopbell._revocations.close(first.mine.id)
        assert await falls(stays, began) == REVOKED
        await still_there(last)
        await browser.aclose()


async def test_what_is_ended_while_redis_is_away_is_found_at_the_next_look(
    tmp_path: Path, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revocation, "SWEEP_SECONDS", 1.5)
    await asyncio.to_thread(redis.kill)
    async with two_nodes(tmp_path, redis) as (first, second):
        session = await second.contact_session()
        contact, stays = await second.contact(session), await second.contact()

        await first.end(session)
        began = time.monotonic()
        first.shopbell._revocations.close(first.mine.id, session=session.id)

        assert await falls(contact, began + revocation.SWEEP_SECONDS) == UNAUTHORIZED
        await still_there(stays)


async def test_what_is_ended_while_the_first_of_its_account_arrives_does_not_get_in(tmp_path: Path) -> None:
    """Until it follows the account, the node isn't told: so whoever was looked at before that is looked at again."""
    async with two_healthy_nodes(tmp_path) as (first, second):
        session, shopbell = await second.contact_session(), second.shopbell
        subscribe = shopbell._bus.subscribe

        async def late(account: str) -> None:
            await first.end(session)
            first.shopbell._revocations.close(account, session=session.id)
            await asyncio.sleep(0.05)
            await subscribe(account)

        shopbell._bus.subscribe = late  # type: ignore[method-assign,assignment]
        peer = await second.peer()
        await peer.say({"type": "hello", "protocol": 1, "token": second.token(session)})

        assert await falls(peer, time.monotonic()) == UNAUTHORIZED
