"""Running an account: every change leaves one line in the audit log, and none when it is refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pyotp
import pytest

from chat.audit import NEWEST, Act, Audit, unheard
from chat.invites import Invites
from chat.keys import fresh_id
from chat.model import Actor
from chat.store.tables import audit
from gateway.api.route import Operation, operations
from presence.calendars import write
from presence.shifts import parse
from tests.shop import OWN, Account, Shop, in_a_shop

Case = Callable[[Shop, Account], Awaitable[tuple[str, Any]]]

# What is no act of the administration: it comes and goes, or has its trace elsewhere.
NO_ACTS = {
    ("POST", "/v1/login"),
    ("POST", "/v1/logout"),
    ("POST", "/v1/session"),
    ("POST", "/v1/session/end"),
    ("POST", "/v1/token"),
    ("POST", "/v1/me/totp"),  # counts when it was confirmed
}
# What nobody's role is needed for.
OPEN = {("POST", "/v1/invites/accept")}
STAFFS = {
    ("PATCH", "/v1/contacts/{id}"),
    ("POST", "/v1/contacts/{id}/block"),
    ("POST", "/v1/contacts/{id}/unblock"),
    ("POST", "/v1/contacts/{id}/merge"),
    ("POST", "/v1/agents/me/password"),
    ("POST", "/v1/me/totp/confirm"),
    ("POST", "/v1/me/totp/off"),
}


async def a_contact(shop: Shop, of: Account) -> str:
    return (await shop.contact(of))[1].id


async def an_invite(shop: Shop, of: Account) -> tuple[str, str]:
    invites = Invites(shop.store, shop.clock)
    made, secret = await invites.invite(
        of.id, email="new@mine.example", name="New", role="agent", into=[], audit=unheard
    )
    return made.id, secret


async def a_second_agent(shop: Shop, of: Account) -> str:
    address = f"{fresh_id('agt')}@mine.example"
    return (await shop.directory.add_agent(of.id, email=address, name="B", role="agent", password="none")).id


async def a_token(shop: Shop, of: Account) -> str:
    return (await shop.directory.add_token((of.id, of.bot.id)))[0]


async def a_member(shop: Shop, of: Account) -> str:
    await shop.directory.add_member((of.id, of.team.id), of.bot.id)
    return f"/v1/teams/{of.team.id}/members/{of.bot.id}"


async def an_attribute(shop: Shop, of: Account) -> str:
    client = await shop.agents_client(of.agent)
    await client.put("/v1/attributes/contact/size", json={"type": "text"}, headers={"origin": str(OWN)})
    await shop.store.administer(lambda connection: connection.execute(audit.delete()))
    return "/v1/attributes/contact/size"


def case(path: str, body: Any = None) -> Case:
    async def prepare(shop: Shop, of: Account) -> tuple[str, Any]:
        return path.format(inbox=of.door.id, team=of.team.id, bot=of.bot.id, agent=of.agent.id), body

    return prepare


def prepared(make: Callable[[Shop, Account], Awaitable[str]], path: str = "{}", body: Any = None) -> Case:
    async def prepare(shop: Shop, of: Account) -> tuple[str, Any]:
        return path.format(await make(shop, of), bot=of.bot.id, team=of.team.id), body

    return prepare


async def _merge(shop: Shop, of: Account) -> tuple[str, Any]:
    return f"/v1/contacts/{await a_contact(shop, of)}/merge", {"into": await a_contact(shop, of)}


async def _accept(shop: Shop, of: Account) -> tuple[str, Any]:
    return "/v1/invites/accept", {"secret": (await an_invite(shop, of))[1], "password": "correct horse battery"}


async def _revoke(shop: Shop, of: Account) -> tuple[str, Any]:
    return f"/v1/invites/{(await an_invite(shop, of))[0]}", None


def shown(shop: Shop, secret: str) -> str:
    """What the app shows at this moment."""
    return pyotp.TOTP(secret).at(datetime.fromtimestamp(shop.clock.now() / 1000, UTC))


async def with_totp(shop: Shop, of: Account, agent: str) -> str:
    secret = await shop.totps.begin((of.id, agent))
    await shop.totps.confirm((of.id, agent), shown(shop, secret), unheard)
    shop.clock.move(30)
    return secret


async def _confirm(shop: Shop, of: Account) -> tuple[str, Any]:
    return "/v1/me/totp/confirm", {"code": shown(shop, await shop.totps.begin((of.id, of.agent.id)))}


async def _off(shop: Shop, of: Account) -> tuple[str, Any]:
    code = shown(shop, await with_totp(shop, of, of.agent.id))
    return "/v1/me/totp/off", {"password": "correct horse", "code": code}


async def _reset(shop: Shop, of: Account) -> tuple[str, Any]:
    second = await a_second_agent(shop, of)
    await with_totp(shop, of, second)
    return f"/v1/agents/{second}/totp", None


async def _expire(shop: Shop, of: Account) -> tuple[str, Any]:
    key, _ = await shop.identities.add_key((of.id, of.door.id))
    return f"/v1/inboxes/{of.door.id}/keys/{key.id}/expire", {}


NIGHT = write(parse('{"zone":"Asia/Bangkok","weekly":{"mon":[["22:00","06:00"]]}}'), 1_795_287_000_000)

CASES: dict[tuple[str, str], Case] = {
    ("PATCH", "/v1/account"): case("/v1/account", {"name": "New name", "settings": {"zone": "Asia/Bangkok"}}),
    ("POST", "/v1/inboxes"): case("/v1/inboxes", {"name": "Second", "origins": ["https://second.example"]}),
    ("PATCH", "/v1/inboxes/{id}"): case("/v1/inboxes/{inbox}", {"settings": {"uploads": {"off": True}}}),
    ("POST", "/v1/teams"): case("/v1/teams", {"name": "Second"}),
    ("PATCH", "/v1/teams/{id}"): case("/v1/teams/{team}", {"name": "Renamed"}),
    ("DELETE", "/v1/teams/{id}"): case("/v1/teams/{team}"),
    ("POST", "/v1/teams/{id}/members"): prepared(a_second_agent, "/v1/teams/{team}/members", None),
    ("DELETE", "/v1/teams/{id}/members/{member}"): prepared(a_member),
    ("PATCH", "/v1/agents/{id}"): prepared(a_second_agent, "/v1/agents/{}", {"name": "Renamed", "role": "supervisor"}),
    ("POST", "/v1/agents/{id}/deactivate"): prepared(a_second_agent, "/v1/agents/{}/deactivate"),
    ("POST", "/v1/agents/{id}/activate"): prepared(a_second_agent, "/v1/agents/{}/activate"),
    ("PUT", "/v1/agents/{id}/duty"): prepared(a_second_agent, "/v1/agents/{}/duty", {"slots": 3, "skills": ["he"]}),
    ("PUT", "/v1/agents/{id}/schedule"): prepared(a_second_agent, "/v1/agents/{}/schedule", {"zone": "Asia/Bangkok"}),
    ("PUT", "/v1/agents/{id}/schedule.ics"): prepared(a_second_agent, "/v1/agents/{}/schedule.ics", NIGHT),
    ("PUT", "/v1/bots/{id}/duty"): case("/v1/bots/{bot}/duty", {"slots": 100}),
    ("POST", "/v1/agents/me/password"): case(
        "/v1/agents/me/password", {"current": "correct horse", "new": "another horse"}
    ),
    ("POST", "/v1/me/totp/confirm"): _confirm,
    ("POST", "/v1/me/totp/off"): _off,
    ("DELETE", "/v1/agents/{id}/totp"): _reset,
    ("POST", "/v1/inboxes/{id}/keys"): case("/v1/inboxes/{inbox}/keys"),
    ("POST", "/v1/inboxes/{id}/keys/{key}/expire"): _expire,
    ("POST", "/v1/bots"): case("/v1/bots", {"name": "Second"}),
    ("PATCH", "/v1/bots/{id}"): case("/v1/bots/{bot}", {"picture": "https://mine.example/bot.png"}),
    ("POST", "/v1/bots/{id}/deactivate"): case("/v1/bots/{bot}/deactivate"),
    ("POST", "/v1/bots/{id}/activate"): case("/v1/bots/{bot}/activate"),
    ("POST", "/v1/bots/{id}/tokens"): case("/v1/bots/{bot}/tokens"),
    ("DELETE", "/v1/bots/{id}/tokens/{token}"): prepared(a_token, "/v1/bots/{bot}/tokens/{}"),
    ("POST", "/v1/invites"): case("/v1/invites", {"email": "somebody@mine.example", "name": "Somebody"}),
    ("DELETE", "/v1/invites/{id}"): _revoke,
    ("POST", "/v1/invites/accept"): _accept,
    ("PUT", "/v1/attributes/{of}/{name}"): case("/v1/attributes/contact/size", {"type": "number"}),
    ("DELETE", "/v1/attributes/{of}/{name}"): prepared(an_attribute),
    ("PATCH", "/v1/contacts/{id}"): prepared(a_contact, "/v1/contacts/{}", {"name": "Dana Levi"}),
    ("POST", "/v1/contacts/{id}/block"): prepared(a_contact, "/v1/contacts/{}/block", {"until": None}),
    ("POST", "/v1/contacts/{id}/unblock"): prepared(a_contact, "/v1/contacts/{}/unblock"),
    ("POST", "/v1/contacts/{id}/merge"): _merge,
    ("DELETE", "/v1/contacts/{id}"): prepared(a_contact, "/v1/contacts/{}"),
}


# What concerns no shift, no team and nobody who works here.
UNROUTED = (
    "/v1/agents/me/password",
    "/v1/agents/{id}/totp",
    "/v1/attributes",
    "/v1/bots/{id}/tokens",
    "/v1/contacts",
    "/v1/inboxes/{id}/keys",
    "/v1/invites/{id}",
    "/v1/me",
)


def changing(shop: Shop) -> list[Operation]:
    described = operations(shop.routes())
    return [each for each in described if each.is_changing and (each.method, each.path) not in NO_ACTS]


async def acts(shop: Shop, account: Account) -> list[Act]:
    return await Audit(shop.store, shop.clock).page(account.id, NEWEST, 200)


async def ask(shop: Shop, key: tuple[str, str], path: str, body: Any, headers: dict[str, str]) -> httpx.Response:
    if key == ("POST", "/v1/teams/{id}/members"):
        body = {"member": shop.mine.agent.id}
    if isinstance(body, bytes):
        calendar = headers | {"content-type": "text/calendar"}
        return await shop.client.request(key[0], path, content=body, headers=calendar)
    return await shop.client.request(key[0], path, json=body, headers=headers)


async def cookie(shop: Shop, who: Any) -> dict[str, str]:
    return {"cookie": f"shopbell={(await shop.sessions.open_for_agent(who))[0]}", "origin": str(OWN)}


@in_a_shop
async def test_every_act_there_is_has_a_case(shop: Shop) -> None:
    assert {(each.method, each.path) for each in changing(shop)} == set(CASES)


@pytest.mark.parametrize("key", CASES, ids=" ".join)
@in_a_shop
async def test_an_act_leaves_one_line_and_no_secret(shop: Shop, key: tuple[str, str]) -> None:
    path, body = await CASES[key](shop, shop.mine)

    answer = await ask(shop, key, path, body, await cookie(shop, shop.mine.agent))

    (line,) = await acts(shop, shop.mine)
    assert answer.status_code in (200, 201, 204), answer.text
    assert await acts(shop, shop.other) == []
    assert line.actor == shop.mine.agent.id or key in OPEN
    assert not any(secret in str(line) for secret in ("sbs_", "sbt_", "sbi_", "horse", "Dana", "argon2"))


@pytest.mark.parametrize("key", CASES, ids=" ".join)
@in_a_shop
async def test_routing_is_told_of_what_concerns_it(shop: Shop, key: tuple[str, str]) -> None:
    path, body = await CASES[key](shop, shop.mine)
    shop.changed.clear()

    await ask(shop, key, path, body, await cookie(shop, shop.mine.agent))

    is_unrouted = (key[1].startswith(UNROUTED) and key not in OPEN) or key == ("POST", "/v1/invites")
    assert shop.changed == ([] if is_unrouted else [shop.mine.id])


@pytest.mark.parametrize("key", CASES, ids=" ".join)
@in_a_shop
async def test_what_is_refused_leaves_none(shop: Shop, key: tuple[str, str]) -> None:
    path, body = await CASES[key](shop, shop.mine)
    own = await cookie(shop, shop.mine.agent)
    contact, _ = await shop.contact()
    strangers = {
        "nobody": ({}, 401),
        "a contact": (contact, 401),
        "another page": (own | {"origin": "http://evil.test"}, 403),
        "no page": ({"cookie": own["cookie"]}, 403),
    }
    if key not in STAFFS:
        agent = await shop.colleague("agent")
        strangers["an agent"] = (await cookie(shop, agent), 403)
        strangers["a bot"] = ({"authorization": f"Bearer {shop.mine.bot_token}"}, 403)
    if key in OPEN:
        strangers = {"another page": ({"origin": "http://evil.test"}, 403)}

    for who, (headers, status) in strangers.items():
        answer = await ask(shop, key, path, body, headers)
        assert answer.status_code == status, (who, answer.text)
    assert await acts(shop, shop.mine) == []


@pytest.mark.parametrize("key", [key for key in CASES if "{" in key[1]], ids=" ".join)
@in_a_shop
async def test_another_accounts_things_are_like_those_that_are_not_there(shop: Shop, key: tuple[str, str]) -> None:
    path, body = await CASES[key](shop, shop.other)
    nowhere = key[1].format(
        id="con_nowhere", member="agt_nowhere", token="tok_nowhere", of="contact", name="nowhere", key="key_nowhere"
    )
    own = await cookie(shop, shop.mine.agent)
    if key == ("PUT", "/v1/attributes/{of}/{name}"):
        return  # what an account declares is its own by name: there is nothing to find

    theirs = await ask(shop, key, path, body, own)
    none = await ask(shop, key, nowhere, body, own)

    assert (theirs.status_code, theirs.content) == (404, none.content)
    assert await acts(shop, shop.mine) == []


@in_a_shop
async def test_a_bot_may_say_who_a_contact_is_and_block_none(shop: Shop) -> None:
    _, contact = await shop.contact()
    bot = {"authorization": f"Bearer {shop.mine.bot_token}"}

    named = await shop.client.patch(f"/v1/contacts/{contact.id}", json={"name": "Dana"}, headers=bot)
    blocked = await shop.client.post(f"/v1/contacts/{contact.id}/block", json={}, headers=bot)

    assert (named.status_code, named.json()["name"]) == (200, "Dana")
    assert (blocked.status_code, blocked.json()["code"]) == (401, "unauthorized")
    assert [act.actor for act in await acts(shop, shop.mine)] == [shop.mine.bot.id]


@in_a_shop
async def test_a_deactivated_agents_conversations_are_free_again(shop: Shop) -> None:
    left = await shop.colleague("agent")
    held = await shop.conversation(shop.mine, "con_a", assignee=left.id, status="open", handler="agent")
    done = await shop.conversation(shop.mine, "con_b", assignee=left.id, status="resolved", handler="agent")

    answer = await shop.act("POST", f"/v1/agents/{left.id}/deactivate")

    async with shop.store.view() as view:
        freed, kept = await view.conversation(shop.mine.id, held.id), await view.conversation(shop.mine.id, done.id)
    assert answer.json()["active"] is False
    assert shop.closed == [left.id]
    assert freed is not None
    assert kept is not None
    assert (freed.assignee, kept.assignee) == (None, left.id)
    assert isinstance(left.actor, Actor)
