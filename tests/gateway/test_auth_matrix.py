"""Who gets in, as tables: every kind of credential, right and wrong, at each of the doors. One node, many knocks."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import jwt
from sqlalchemy import update

from chat.clock import SystemClock
from chat.identities import Identities
from chat.model import Actor
from chat.sealing import Sealer
from chat.sessions import Session
from chat.store.tables import accounts, agents, bot_tokens, bots, contacts, inbox_keys, sessions
from gateway.auth import AUDIENCE
from gateway.protocol import PROTOCOL, CloseCode
from tests.node import SECRET, Node, on_a_node
from tests.peer import Closed
from tests.shop import Account
from tests.shopfront import Shopfront, a_shopfront

IN = "in"
GONE = 10  # seconds, for what is over
UNAUTHORIZED, ORIGIN = CloseCode.UNAUTHORIZED, CloseCode.ORIGIN_REFUSED


class World:
    """Everybody who might knock, in two accounts, and what they hold."""

    def __init__(self, node: Node, shop: Shopfront) -> None:
        self.node, self.shop = node, shop
        self.sessions = node.shopbell._sessions
        self.store = node.shopbell._store

    async def contact(self, account: Account | None = None) -> tuple[str, Session]:
        return await self.sessions.open_for_contact((account or self.node.mine).door)

    async def agent(self, account: Account | None = None) -> tuple[str, Session]:
        return await self.sessions.open_for_agent((account or self.node.mine).agent)

    async def ended(self) -> Session:
        session = (await self.contact())[1]
        await self.sessions.end(session)
        return session

    async def change(self, table: Any, where: Any, **values: Any) -> None:
        statement = update(table).where(where).values(**values)
        await self.store.administer(lambda connection: connection.execute(statement))

    def token(self, session: Session, **claims: Any) -> dict[str, Any]:
        """The claims of a good token, but for these; ... leaves one out."""
        good = {"sub": session.actor.id, "acc": session.actor.account, "ses": session.id}
        given = {**good, "exp": int(time.time()) + 60, "aud": AUDIENCE, **claims}
        return {name: value for name, value in given.items() if value is not ...}

    async def signed(self, secret: str = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
        session = (await self.contact())[1]
        return jwt.encode(self.token(session, **claims), secret, algorithm)

    async def raw(self, header: dict[str, Any], signature: str = "", **claims: Any) -> str:
        """A token whose header says what it likes."""
        session = (await self.contact())[1]
        parts = (json.dumps(part).encode() for part in (header, self.token(session, **claims)))
        return ".".join([*(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts), signature])

    def minted(self, session: Session, life: int | None = None) -> str:
        return self.node.token(session, life=life)


# --- hello: (what is held, Origin, what comes of it) ------------------------------------------------------------------


async def _of_a_changed(world: World, table: Any, who: Callable[[Session], Any], **values: Any) -> str:
    """The token of a contact about whom something has changed since."""
    session = (await world.contact())[1]
    await world.change(table, who(session), **values)
    return world.minted(session)


async def _of_an_inactive_agent(world: World) -> str:
    agent = await world.node.directory.add_agent(
        world.node.mine.id, email=f"{time.time_ns()}@mine.example", name="Gone", role="agent", password="none"
    )
    session = (await world.sessions.open_for_agent(agent))[1]
    await world.change(agents, agents.c.id == agent.id, active=False)
    return world.minted(session)


async def _of_a_bot(world: World, *, active: bool = True, kept: bool = True, suspended: bool = False) -> str:
    account = (await world.node.directory.add_account("third")).id if suspended else world.node.mine.id
    bot = await world.node.directory.add_bot(account, f"bot {time.time_ns()}")
    token = await world.node.directory.add_api_token((account, bot.id))
    await world.change(bots, bots.c.id == bot.id, active=active)
    if suspended:
        await world.change(accounts, accounts.c.id == account, suspended_at=1)
    if not kept:
        gone = bot_tokens.delete().where(bot_tokens.c.bot == bot.id)
        await world.store.administer(lambda connection: connection.execute(gone))
    return token


async def _of_a_suspended_account(world: World) -> str:
    account = (await world.node.directory.add_account("fourth")).id
    door = await world.node.directory.add_inbox(account, "door")
    session = (await world.sessions.open_for_contact(door))[1]
    await world.change(accounts, accounts.c.id == account, suspended_at=1)
    return world.minted(session)


async def _changed(world: World, **claims: Any) -> str:
    """A good token's head and signature around other claims."""
    session = (await world.contact())[1]
    head, _, signature = world.minted(session).split(".")
    body = base64.urlsafe_b64encode(json.dumps(world.token(session, **claims)).encode()).rstrip(b"=").decode()
    return f"{head}.{body}.{signature}"


Held = Callable[[World], Awaitable[str]]


def _now(make: Callable[[World], str]) -> Held:
    async def held(world: World) -> str:
        return make(world)

    return held


async def _contact(w: World) -> str:
    return w.minted((await w.contact())[1])


async def _agent(w: World) -> str:
    return w.minted((await w.agent())[1])


async def _with_life(w: World, seconds: int) -> str:
    return w.minted((await w.contact())[1], seconds)


async def _secret(w: World, *, of_agent: bool) -> str:
    return (await (w.agent() if of_agent else w.contact()))[0]


async def _ended(w: World) -> str:
    return w.minted(await w.ended())


async def _foreign(w: World, **claims: str) -> str:
    """Signed by us, with what belongs to another account's contact among the claims."""
    other = (await w.contact(w.node.other))[1]
    values = {"sub": other.actor.id, "acc": other.actor.account, "ses": other.id}
    return await w.signed(**{name: values[name] for name in claims})


HELLOS: dict[str, tuple[Held, str | None, str | int]] = {
    "a contact's token": (_contact, "own", IN),
    "an agent's token": (_agent, "own", IN),
    "a bot's API token": (_now(lambda w: w.node.mine.bot_token), None, IN),
    "a bot's API token in a browser of ours": (_now(lambda w: w.node.mine.bot_token), "own", IN),
    "a contact's token, no Origin": (_contact, None, ORIGIN),
    "an agent's token, no Origin": (_agent, None, ORIGIN),
    "none": (_now(lambda w: ""), "own", UNAUTHORIZED),
    "nonsense": (_now(lambda w: "let me in"), "own", UNAUTHORIZED),
    "three dots": (_now(lambda w: "..."), "own", UNAUTHORIZED),
    "too long": (_now(lambda w: "a" * 2100), "own", UNAUTHORIZED),
    "expired": (lambda w: _with_life(w, -GONE), "own", UNAUTHORIZED),
    "expired just now, as another node's clock may say": (lambda w: _with_life(w, -2), "own", IN),
    "from a clock an hour ahead": (lambda w: _with_life(w, 3600), "own", IN),
    "forged with another secret": (lambda w: w.signed("x" * 50), "own", UNAUTHORIZED),
    "alg: none": (lambda w: w.raw({"alg": "none", "typ": "JWT"}), "own", UNAUTHORIZED),
    "alg: None with something signed": (lambda w: w.raw({"alg": "None"}, "eA"), "own", UNAUTHORIZED),
    "no alg": (lambda w: w.raw({"typ": "JWT"}, "eA"), "own", UNAUTHORIZED),
    "alg: HS512 with our secret": (lambda w: w.signed(SECRET * 2, "HS512"), "own", UNAUTHORIZED),
    "alg: RS256 with a made-up signature": (lambda w: w.raw({"alg": "RS256"}, "eA"), "own", UNAUTHORIZED),
    "a key of its own in the header": (
        lambda w: w.raw({"alg": "HS256", "jwk": {"kty": "oct", "k": "eA"}}, "eA"),
        "own",
        UNAUTHORIZED,
    ),
    "another contact written into it": (lambda w: _changed(w, sub="con_other"), "own", UNAUTHORIZED),
    "a longer life written into it": (lambda w: _changed(w, exp=int(time.time()) + 10**6), "own", UNAUTHORIZED),
    "signed by us for something else": (lambda w: w.signed(aud="shopbell:files"), "own", UNAUTHORIZED),
    "for nothing in particular": (lambda w: w.signed(aud=...), "own", UNAUTHORIZED),
    "without an end": (lambda w: w.signed(exp=...), "own", UNAUTHORIZED),
    "with an end in words": (lambda w: w.signed(exp="tomorrow"), "own", UNAUTHORIZED),
    "without a session": (lambda w: w.signed(ses=...), "own", UNAUTHORIZED),
    "of a session that isn't there": (lambda w: w.signed(ses="ses_nothing"), "own", UNAUTHORIZED),
    "another tenant's account": (lambda w: _foreign(w, acc=""), "own", UNAUTHORIZED),
    "another tenant's contact": (lambda w: _foreign(w, sub=""), "own", UNAUTHORIZED),
    "another tenant's session": (lambda w: _foreign(w, ses=""), "own", UNAUTHORIZED),
    "replayed after logging out": (_ended, "own", UNAUTHORIZED),
    "of a session that is over": (
        lambda w: _of_a_changed(w, sessions, lambda s: sessions.c.id == s.id, expires_at=1),
        "own",
        UNAUTHORIZED,
    ),
    "of a session that is another's now": (
        lambda w: _of_a_changed(w, sessions, lambda s: sessions.c.id == s.id, actor="con_other"),
        "own",
        UNAUTHORIZED,
    ),
    "of a contact that was erased": (
        lambda w: _of_a_changed(w, contacts, lambda s: contacts.c.id == s.actor.id, erased=True),
        "own",
        UNAUTHORIZED,
    ),
    "of a contact that was merged": (
        lambda w: _of_a_changed(w, contacts, lambda s: contacts.c.id == s.actor.id, merged_into="con_other"),
        "own",
        UNAUTHORIZED,
    ),
    "of an agent who was deactivated": (_of_an_inactive_agent, "own", UNAUTHORIZED),
    "of a suspended account": (_of_a_suspended_account, "own", UNAUTHORIZED),
    "of a suspended account's bot": (lambda w: _of_a_bot(w, suspended=True), None, UNAUTHORIZED),
    "of a bot that was deactivated": (lambda w: _of_a_bot(w, active=False), None, UNAUTHORIZED),
    "an API token that was revoked": (lambda w: _of_a_bot(w, kept=False), None, UNAUTHORIZED),
    "an API token with a letter more": (_now(lambda w: w.node.mine.bot_token + "x"), None, UNAUTHORIZED),
    "an API token in capitals": (_now(lambda w: w.node.mine.bot_token.upper()), None, UNAUTHORIZED),
    "an API token's beginning": (_now(lambda w: "sbt_"), None, UNAUTHORIZED),
    "a contact's session secret": (lambda w: _secret(w, of_agent=False), "own", UNAUTHORIZED),
    "an agent's cookie": (lambda w: _secret(w, of_agent=True), "own", UNAUTHORIZED),
    "the inbox's own key": (_now(lambda w: w.shop.secret), "own", UNAUTHORIZED),
    "what the shop signed": (_now(lambda w: w.shop.jwt()), "own", UNAUTHORIZED),
    "the server's secret": (_now(lambda w: SECRET), "own", UNAUTHORIZED),
}


async def _knock(node: Node, token: str, origin: str | None) -> str | int | None:
    peer = await node.peer(origin=origin)
    try:
        await peer.say({"type": "hello", "protocol": PROTOCOL, "token": token})
        while (await peer.hear())["type"] != "synced":
            pass
        return IN
    except Closed as closed:
        return closed.code
    finally:
        peer.leave()


@on_a_node(unauthenticated_per_address="100000", rate_address_connects="100000/s")
async def test_hello(node: Node) -> None:
    async with a_shopfront(node) as shop:
        world = World(node, shop)
        found = {name: await _knock(node, await held(world), origin) for name, (held, origin, _) in HELLOS.items()}

        assert found == {name: outcome for name, (_, _, outcome) in HELLOS.items()}


# --- HTTP: (headers and cookies, status) of reading one conversation --------------------------------------------------

Held2 = Callable[[World], Awaitable[dict[str, Any]]]


def _bearer(secret: str) -> dict[str, Any]:
    return {"headers": {"authorization": f"Bearer {secret}"}}


def _cookie(secret: str) -> dict[str, Any]:
    return {"headers": {"cookie": f"shopbell={secret}"}}


async def _http_bearer(w: World, make: Callable[[World], Awaitable[Any]]) -> dict[str, Any]:
    made = await make(w)
    return _bearer(made[0] if isinstance(made, tuple) else made)


class Reader:
    """The conversation, its contact, and what each asker gets."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.secret = ""
        self.actor: Actor | None = None
        self.conversation = ""

    async def prepare(self) -> None:
        self.secret, session = await self.world.contact()
        self.actor = session.actor
        peer = await self.world.node.contact(session)
        self.conversation = await self.world.node.started(peer)
        peer.leave()

    async def cases(self) -> dict[str, tuple[dict[str, Any], int]]:
        w, node = self.world, self.world.node
        agent = (await w.agent())[0]
        other_contact, other_agent = (await w.contact())[0], (await w.agent(node.other))[0]
        ended_secret, ended = await w.contact()
        await w.sessions.end(ended)
        over_secret, over = await w.agent()
        await w.change(sessions, sessions.c.id == over.id, expires_at=1)
        mine, both = _bearer(self.secret), _cookie(agent)
        return {
            "nobody": ({}, 401),
            "its contact": (mine, 200),
            "its contact, bearer in small letters": ({"headers": {"authorization": f"bearer {self.secret}"}}, 200),
            "its contact, as basic": ({"headers": {"authorization": f"Basic {self.secret}"}}, 401),
            "its contact, as a cookie": (_cookie(self.secret), 401),
            "its contact, in the address": ({"params": {"token": self.secret, "authorization": self.secret}}, 401),
            "its contact's socket token": (_bearer(w.minted(ended)), 401),
            "another contact beside it": (_bearer(other_contact), 404),
            "another tenant's contact": (_bearer((await w.contact(node.other))[0]), 404),
            "an agent": (_cookie(agent), 200),
            "an agent's cookie as bearer": (_bearer(agent), 401),
            "another tenant's agent": (_cookie(other_agent), 404),
            "a bot": (_bearer(node.mine.bot_token), 200),
            "a bot's token as a cookie": (_cookie(node.mine.bot_token), 401),
            "another tenant's bot": (_bearer(node.other.bot_token), 404),
            "a revoked bot": (_bearer(await _of_a_bot(w, kept=False)), 401),
            "an inactive bot": (_bearer(await _of_a_bot(w, active=False)), 401),
            "a suspended account's bot": (_bearer(await _of_a_bot(w, suspended=True)), 401),
            "a session that ended": (_bearer(ended_secret), 401),
            "a login that is over": (_cookie(over_secret), 401),
            "a made-up secret": (_bearer("sbs_" + "x" * 43), 401),
            "a made-up cookie": (_cookie("sbs_" + "x" * 43), 401),
            "bearer without anything": ({"headers": {"authorization": "Bearer"}}, 401),
            "a wrong bearer beside a good cookie": (
                {"headers": {**both["headers"], "authorization": "Bearer sbs_x"}},
                401,
            ),
            "the inbox's key": (_bearer(w.shop.secret), 401),
            "what the shop signed": (_bearer(w.shop.jwt()), 401),
            "the server's secret": (_bearer(SECRET), 401),
        }


@on_a_node(rate_address_requests="100000/s")
async def test_http(node: Node) -> None:
    async with a_shopfront(node) as shop, httpx.AsyncClient(base_url=node.origin) as http:
        reader = Reader(World(node, shop))
        await reader.prepare()
        cases = await reader.cases()

        async def status(more: dict[str, Any]) -> int:
            return (await http.get(f"/v1/conversations/{reader.conversation}", **more)).status_code

        assert {name: await status(more) for name, (more, _) in cases.items()} == {
            name: expected for name, (_, expected) in cases.items()
        }


# --- what a shop signed: (body of /v1/session, status, whether it is the known customer) -----------------------------

KNOWN, STRANGER = "known", "stranger"


async def _visits(w: World) -> dict[str, tuple[dict[str, Any], int | str]]:
    node, shop, clock = w.node, w.shop, SystemClock()
    identities = Identities(w.store, clock, Sealer(SECRET.encode()))
    second_inbox = await node.directory.add_inbox(node.mine.id, "second", public_key="second")
    door = (node.mine.id, node.mine.door.id)
    key, second = await identities.add_key(door)
    _, elsewhere = await identities.add_key((node.mine.id, second_inbox.id))
    _, foreign = await identities.add_key((node.other.id, node.other.door.id))

    def by(secret: str, headers: dict[str, Any] | None = None, life: float = 300, **claims: Any) -> dict[str, Any]:
        given = {"sub": "known", "exp": int(time.time() + life), **claims}
        given = {name: value for name, value in given.items() if value is not ...}
        return {"identity": jwt.encode(given, secret, headers=headers)}

    good = by(shop.secret)
    head, body, signature = good["identity"].split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    replayed = by(shop.secret)
    return {
        "no identity": ({}, STRANGER),
        "the first key": (good, KNOWN),
        "the second key": (by(second), KNOWN),
        "the second key by its name": (by(second, {"kid": key.id}), KNOWN),
        "a key under the other's name": (by(shop.secret, {"kid": key.id}), 401),
        "a key that isn't there": (by(shop.secret, {"kid": "key_nothing"}), 401),
        "the same identity once": (replayed, KNOWN),
        "the same identity again": (replayed, KNOWN),
        "expired": (by(shop.secret, life=-120), 401),
        "expired within the leeway": (by(shop.secret, life=-30), KNOWN),
        "for longer than a day": (by(shop.secret, life=2 * 86400), 401),
        "without an end": (by(shop.secret, exp=...), 401),
        "from a clock a little ahead": (by(shop.secret, iat=time.time() + 30, nbf=time.time() + 30), KNOWN),
        "from a clock far ahead": (by(shop.secret, iat=time.time() + 600), 401),
        "not yet": (by(shop.secret, nbf=time.time() + 600), 401),
        "nobody in particular": (by(shop.secret, sub=...), 401),
        "forged": (by("sbk_" + "x" * 43), 401),
        "alg: none": ({"identity": f"{none}.{body}."}, 401),
        "no signature": ({"identity": f"{head}.{body}."}, 401),
        "a changed signature": ({"identity": f"{head}.{body}.{signature[:-4]}AAAA"}, 401),
        "HS384": (
            {"identity": jwt.encode({"sub": "known", "exp": int(time.time()) + 60}, shop.secret * 2, "HS384")},
            401,
        ),
        "another inbox's key": (by(elsewhere), 401),
        "another tenant's key": (by(foreign), 401),
        "signed by the server's own secret": (by(SECRET), 401),
        "a socket token": ({"identity": w.minted((await w.contact())[1])}, 401),
        "a session secret": ({"identity": (await w.contact())[0]}, 401),
        "no text": ({"identity": 7}, 400),
        "too long": ({"identity": "a" * 8193}, 400),
        "a stranger's own session": ({"session": (await w.contact())[0]}, STRANGER),
        "another tenant's session": ({"session": (await w.contact(node.other))[0]}, STRANGER),
        "an agent's session": ({"session": (await w.agent())[0]}, STRANGER),
        "a bot's token as session": ({"session": node.mine.bot_token}, STRANGER),
        "another tenant's session, signed in": ({"session": (await w.contact(node.other))[0], **good}, KNOWN),
        "the last one that worked, its key expired": (good, "expired key"),
    }


@on_a_node(rate_address_requests="100000/s", rate_address_sessions="100000/s")
async def test_visits(node: Node) -> None:
    async with a_shopfront(node) as shop:
        world = World(node, shop)
        known = (await shop.visit(identity=shop.jwt("known")))["contact"]["id"]
        taken: set[str] = {node.mine.agent.id, known}
        cases = await _visits(world)
        found: dict[str, int | str] = {}
        for name, (body, expected) in cases.items():
            if expected == "expired key":
                await world.change(inbox_keys, inbox_keys.c.inbox == node.mine.door.id, expires_at=1)
            answer = await shop.knock(**body)
            if answer.status_code == 200:
                contact = answer.json()["contact"]["id"]
                found[name] = KNOWN if contact == known else STRANGER
                taken.add(contact)
            else:
                found[name] = answer.status_code
                assert "session" not in answer.json(), name

        wanted = {name: 401 if expected == "expired key" else expected for name, (_, expected) in cases.items()}
        assert found == wanted


# --- sockets that are open already, and secrets that change -----------------------------------------------------------


class Ahead(SystemClock):
    """The machine's clock, some seconds ahead."""

    def __init__(self, seconds: float) -> None:
        self._ahead = round(seconds * 1000)

    def now(self) -> int:
        return super().now() + self._ahead


@on_a_node()
async def test_an_open_socket_outlives_its_token_and_not_its_session(node: Node) -> None:
    session = await node.contact_session()  # of 1000 seconds, see tests.node
    contact = await node.contact(session)
    clock = node.shopbell._sessions._clock

    node.shopbell._sessions._clock = Ahead(900)  # its token lived 600
    await node.shopbell._revocations.sweep()
    await contact.settle()

    node.shopbell._sessions._clock = Ahead(1001)
    await node.shopbell._revocations.sweep()
    assert await contact.closed() == UNAUTHORIZED
    node.shopbell._sessions._clock = clock


@on_a_node()
async def test_a_second_hello_is_none(node: Node) -> None:
    contact = await node.contact()
    await contact.say({"type": "hello", "protocol": PROTOCOL, "token": node.token(await node.contact_session())})

    assert await contact.closed() == CloseCode.HELLO_EXPECTED


@on_a_node(secret="n" * 50, secret_before=SECRET)
async def test_while_the_secret_is_replaced_tokens_of_both_count(node: Node) -> None:
    session = await node.contact_session()
    by_new = jwt.encode(jwt.decode(node.token(session), options={"verify_signature": False}), "n" * 50, "HS256")

    assert [await _knock(node, token, node.origin) for token in (node.token(session), by_new)] == [IN, IN]


@on_a_node(secret="n" * 50)
async def test_after_that_those_of_the_old_one_do_not(node: Node) -> None:
    assert await _knock(node, node.token(await node.contact_session()), node.origin) == UNAUTHORIZED


def test_the_first_table_alone_is_almost_long_enough() -> None:
    assert len(HELLOS) >= 45  # and the other two have 27 and 34
