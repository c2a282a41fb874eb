"""The second factor: a code of the app counts once, and only when the app has shown that it has the secret."""

import asyncio
from typing import Any

import pyotp
import pytest
from sqlalchemy import select

from chat.audit import Audit, unheard
from chat.errors import InvalidState, NotFound
from chat.sealing import Sealer
from chat.store.tables import agents
from chat.totp import STEP_SECONDS, Totps, reseal
from tests.shop import SECRET, Shop, in_a_shop


def me(shop: Shop) -> tuple[str, str]:
    return (shop.mine.id, shop.mine.agent.id)


def code(shop: Shop, secret: str, steps: int = 0) -> str:
    return pyotp.TOTP(secret).at(shop.clock.now() // 1000 + steps * STEP_SECONDS)


async def turned_on(shop: Shop) -> str:
    secret = await shop.totps.begin(me(shop))
    assert await shop.totps.confirm(me(shop), code(shop, secret), unheard)
    shop.clock.move(STEP_SECONDS)
    return secret


@in_a_shop
async def test_it_counts_when_the_app_has_shown_a_code(shop: Shop) -> None:
    assert await shop.totps.state(me(shop)) == "off"
    secret = await shop.totps.begin(me(shop))
    assert await shop.totps.state(me(shop)) == "waiting"

    assert not await shop.totps.confirm(me(shop), "000000", unheard)
    assert await shop.totps.state(me(shop)) == "waiting"
    assert await shop.totps.confirm(me(shop), code(shop, secret), unheard)
    assert await shop.totps.state(me(shop)) == "on"


@in_a_shop
async def test_a_code_counts_once_and_none_before_it(shop: Shop) -> None:
    secret = await turned_on(shop)
    now = code(shop, secret)

    assert await shop.totps.check(me(shop), now)
    assert not await shop.totps.check(me(shop), now)
    assert not await shop.totps.check(me(shop), code(shop, secret, -1))
    assert await shop.totps.check(me(shop), code(shop, secret, 1))


@in_a_shop
async def test_of_two_who_use_a_code_at_once_one_gets_in(shop: Shop) -> None:
    secret = await turned_on(shop)
    now = code(shop, secret)

    assert sorted(await asyncio.gather(*(shop.totps.check(me(shop), now) for _ in range(5)))) == [False] * 4 + [True]


@pytest.mark.parametrize(("steps", "counts"), [(-2, False), (-1, False), (0, True), (1, True), (2, False)])
@in_a_shop
async def test_clocks_may_differ_by_a_step(shop: Shop, steps: int, counts: bool) -> None:
    secret = await turned_on(shop)  # which has used the step before

    assert await shop.totps.check(me(shop), code(shop, secret, steps)) is counts


@pytest.mark.parametrize("nonsense", ["", "1", "123456789", "abcdef", "１２３４５６", "\ud800", "-1"])
@in_a_shop
async def test_nonsense_is_no_code(shop: Shop, nonsense: str) -> None:
    await turned_on(shop)

    assert not await shop.totps.check(me(shop), nonsense)


@in_a_shop
async def test_spaces_as_people_type_them_do_no_harm(shop: Shop) -> None:
    secret = await turned_on(shop)
    now = code(shop, secret)

    assert await shop.totps.check(me(shop), f"{now[:3]} {now[3:]}")


@in_a_shop
async def test_another_one_is_set_up_only_after_the_first_is_off(shop: Shop) -> None:
    await turned_on(shop)
    with pytest.raises(InvalidState):
        await shop.totps.begin(me(shop))

    await shop.totps.off(me(shop), "totp.off", unheard)
    await shop.totps.off(me(shop), "totp.off", unheard)
    assert await shop.totps.state(me(shop)) == "off"
    await shop.totps.begin(me(shop))


@in_a_shop
async def test_what_was_not_begun_can_not_be_confirmed(shop: Shop) -> None:
    with pytest.raises(InvalidState):
        await shop.totps.confirm(me(shop), "123456", unheard)
    secret = await turned_on(shop)
    with pytest.raises(InvalidState):
        await shop.totps.confirm(me(shop), code(shop, secret), unheard)


@in_a_shop
async def test_an_agent_of_another_account_is_not_there(shop: Shop) -> None:
    foreign = (shop.mine.id, shop.other.agent.id)
    attempts: list[Any] = [
        shop.totps.state(foreign),
        shop.totps.begin(foreign),
        shop.totps.confirm(foreign, "1", unheard),
        shop.totps.check(foreign, "1"),
        shop.totps.off(foreign, "totp.reset", unheard),
    ]

    for attempt in attempts:
        with pytest.raises(NotFound):
            await attempt


@in_a_shop
async def test_it_is_written_down_who_turned_it_on_and_off(shop: Shop) -> None:
    audit = Audit(shop.store, shop.clock)
    written = audit.by(shop.mine.agent.actor)
    secret = await shop.totps.begin(me(shop))
    await shop.totps.confirm(me(shop), code(shop, secret), written)
    await shop.totps.off(me(shop), "totp.off", written)

    acts = await audit.page(shop.mine.id, 2**53, 10)
    assert [(act.action, act.target, act.data) for act in acts] == [
        ("totp.off", shop.mine.agent.id, {}),
        ("totp.on", shop.mine.agent.id, {}),
    ]


@in_a_shop
async def test_the_secret_is_stored_sealed_and_outlives_a_rotation(shop: Shop) -> None:
    secret = await turned_on(shop)
    new = b"another secret that only tests may know"

    def rows(connection: Any) -> list[bytes]:
        return list(connection.execute(select(agents.c.totp).where(agents.c.totp.is_not(None))).scalars())

    [kept] = await shop.store.inspect(rows)
    assert secret.encode() not in kept
    assert await shop.store.administer(lambda connection: reseal(connection, Sealer(new, SECRET))) == 1

    assert not await shop.totps.check(me(shop), code(shop, secret))
    assert await Totps(shop.store, shop.clock, Sealer(new)).check(me(shop), code(shop, secret))
