"""Who says hello: tokens that we signed, of sessions that still count; bots by their API tokens."""

import base64
import json
from typing import Any

import jwt
import pytest
from sqlalchemy import update

from chat.store.tables import agents, bots
from gateway.auth import ALGORITHM, AUDIENCE, LEEWAY_SECONDS, Identity, Unauthorized
from tests.shop import AGENT_LIFE, SECRET, TOKEN_LIFE, Shop, in_a_shop


async def claims(shop: Shop, **others: Any) -> dict[str, Any]:
    """The claims of a good token, but for the others."""
    _, session = await shop.sessions.open_for_contact(shop.mine.door)
    good = {
        "sub": session.actor.id,
        "acc": session.actor.account,
        "ses": session.id,
        "exp": shop.clock.now() // 1000 + TOKEN_LIFE,
        "aud": AUDIENCE,
    }
    return {name: value for name, value in {**good, **others}.items() if value is not None}


async def refused(shop: Shop, token: str) -> bool:
    try:
        await shop.doorkeeper.identify(token)
    except Unauthorized:
        return True
    return False


@in_a_shop
async def test_a_contacts_token_tells_who_it_is(shop: Shop) -> None:
    _, session = await shop.sessions.open_for_contact(shop.mine.door)

    found = await shop.doorkeeper.identify(shop.tokens.mint(session))

    assert found == Identity(session.actor, session.id, session.expires_at, inbox=shop.mine.door.id)
    assert (found.account, found.kind, found.id) == (shop.mine.id, "contact", session.actor.id)


@in_a_shop
async def test_an_agents_token_tells_name_and_role(shop: Shop) -> None:
    _, session = await shop.sessions.open_for_agent(shop.mine.agent)

    found = await shop.doorkeeper.identify(shop.tokens.mint(session))

    assert (found.actor.name, found.actor.role) == ("Noa", "admin")


@in_a_shop
async def test_a_bot_comes_with_its_api_token(shop: Shop) -> None:
    found = await shop.doorkeeper.identify(shop.mine.bot_token)

    assert (found.actor, found.session[:4]) == (shop.mine.bot.actor, "tok_")


@in_a_shop
async def test_an_inactive_bot_stays_outside(shop: Shop) -> None:
    await shop.store.administer(lambda connection: connection.execute(update(bots).values(active=False)))

    assert await refused(shop, shop.mine.bot_token)


@in_a_shop
async def test_a_token_lives_its_time_and_a_little_for_the_clocks(shop: Shop) -> None:
    _, session = await shop.sessions.open_for_contact(shop.mine.door)
    token = shop.tokens.mint(session)

    shop.clock.move(TOKEN_LIFE + LEEWAY_SECONDS)
    assert not await refused(shop, token)

    shop.clock.move(1)
    assert await refused(shop, token)


@in_a_shop
async def test_a_token_dies_with_its_session(shop: Shop) -> None:
    _, session = await shop.sessions.open_for_contact(shop.mine.door)
    token = shop.tokens.mint(session)

    await shop.sessions.end(session)

    assert await refused(shop, token)


@in_a_shop
async def test_a_session_whose_life_is_over_lets_nobody_in(shop: Shop) -> None:
    _, session = await shop.sessions.open_for_agent(shop.mine.agent)
    shop.clock.move(AGENT_LIFE)

    assert await refused(shop, shop.tokens.mint(session))


@in_a_shop
async def test_a_deactivated_agent_stays_outside(shop: Shop) -> None:
    _, session = await shop.sessions.open_for_agent(shop.mine.agent)
    await shop.store.administer(lambda connection: connection.execute(update(agents).values(active=False)))

    assert await refused(shop, shop.tokens.mint(session))


@in_a_shop
async def test_the_good_claims_of_these_tests_are_good(shop: Shop) -> None:
    assert not await refused(shop, jwt.encode(await claims(shop), SECRET, ALGORITHM))


@pytest.mark.parametrize(
    "others",
    [
        {"aud": "shopbell:other"},
        {"aud": None},
        {"exp": None},
        {"exp": "4000000000"},
        {"exp": True},
        {"exp": 1},
        {"sub": None},
        {"sub": "con_somebody"},
        {"acc": None},
        {"acc": "acc_elsewhere"},
        {"ses": None},
        {"ses": "ses_nowhere"},
        {"ses": 7},
        {"ses": ["ses_nowhere"]},
    ],
    ids=str,
)
@in_a_shop
async def test_a_token_with_other_claims_lets_nobody_in(shop: Shop, others: dict[str, Any]) -> None:
    assert await refused(shop, jwt.encode(await claims(shop, **others), SECRET, ALGORITHM))


@in_a_shop
async def test_a_session_of_somebody_else_does_not_help(shop: Shop) -> None:
    _, other = await shop.sessions.open_for_contact(shop.other.door)

    assert await refused(shop, jwt.encode(await claims(shop, ses=other.id), SECRET, ALGORITHM))
    assert await refused(shop, jwt.encode(await claims(shop, sub=other.actor.id), SECRET, ALGORITHM))


@in_a_shop
async def test_only_our_signature_and_our_algorithm_count(shop: Shop) -> None:
    good = await claims(shop)
    token = jwt.encode(good, SECRET, ALGORITHM)
    head, body, signature = token.split(".")

    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    forged = [
        jwt.encode(good, SECRET + b"x", ALGORITHM),
        jwt.encode(good, SECRET * 2, "HS512"),
        f"{part({'alg': 'none', 'typ': 'JWT'})}.{body}.",
        f"{part({'alg': 'None', 'typ': 'JWT'})}.{body}.{signature}",
        f"{part({'alg': 'HS256', 'typ': 'JWT', 'crit': ['exp']})}.{body}.{signature}",
        f"{head}.{part({**good, 'sub': 'con_other'})}.{signature}",
        f"{head}.{body}.{signature[:-4]}",
        f"{head}.{body}.",
        f"{head}.{body}",
        f"{head}.{part('text')}.{signature}",
        token + "x",
        " " + token,
    ]

    assert [await refused(shop, each) for each in forged] == [True] * len(forged)


@pytest.mark.parametrize(
    "token", ["", ".", "..", "x", "\ud800", "\x00", "é.é.é", "sbt_", "sbt_\ud800", "sbs_x", "a" * 5000, "." * 500]
)
@in_a_shop
async def test_nonsense_lets_nobody_in(shop: Shop, token: str) -> None:
    assert await refused(shop, token)


@in_a_shop
async def test_a_sessions_own_secret_is_no_token(shop: Shop) -> None:
    secret, _ = await shop.sessions.open_for_contact(shop.mine.door)

    assert await refused(shop, secret)
