"""Who works in an account: roles, coming and going, tokens. There is always an admin."""

import pytest

from chat.audit import Audit
from chat.errors import InvalidState, NotFound
from chat.staffing import Staffing
from tests.shop import PASSWORD, Shop, in_a_shop


@in_a_shop
async def test_the_last_admin_stays_admin_and_active(shop: Shop) -> None:
    staffing, by = Staffing(shop.store, shop.clock), Audit(shop.store, shop.clock).by(shop.mine.agent.actor)
    me = (shop.mine.id, shop.mine.agent.id)

    for role in ("agent", "supervisor"):
        with pytest.raises(InvalidState):
            await staffing.change_agent(me, {"role": role}, by)
    with pytest.raises(InvalidState):
        await staffing.set_active(me, False, by)
    assert await staffing.agent(me) == (await staffing.agents(shop.mine.id))[0]
    assert ((await staffing.agent(me)).role, (await staffing.agent(me)).active) == ("admin", True)

    second = await shop.colleague("admin")
    await staffing.set_active((shop.mine.id, second.id), False, by)
    with pytest.raises(InvalidState):  # the second one doesn't work here any more
        await staffing.set_active(me, False, by)
    await staffing.set_active((shop.mine.id, second.id), True, by)
    await staffing.set_active(me, False, by)


@in_a_shop
async def test_who_is_deactivated_is_out_and_may_come_back(shop: Shop) -> None:
    staffing, by = Staffing(shop.store, shop.clock), Audit(shop.store, shop.clock).by(shop.mine.agent.actor)
    left = await shop.colleague("agent")
    secret, _ = await shop.sessions.open_for_agent(left)

    await staffing.set_active((shop.mine.id, left.id), False, by)
    assert await shop.sessions.by_secret(secret) is None

    await staffing.set_active((shop.mine.id, left.id), True, by)
    assert await shop.sessions.by_secret(secret) is None  # by logging in, not by an old cookie
    assert (await staffing.agent((shop.mine.id, left.id))).active


@in_a_shop
async def test_a_bots_tokens_open_nothing_while_it_is_inactive(shop: Shop) -> None:
    staffing, by = Staffing(shop.store, shop.clock), Audit(shop.store, shop.clock).by(shop.mine.agent.actor)
    bot = (shop.mine.id, shop.mine.bot.id)

    await staffing.set_active(bot, False, by)
    assert await shop.directory.bot_by_token(shop.mine.bot_token) is None
    assert [each.active for each in await staffing.bots(shop.mine.id)] == [False]

    await staffing.set_active(bot, True, by)
    assert await shop.directory.bot_by_token(shop.mine.bot_token) is not None


@in_a_shop
async def test_a_revoked_token_opens_nothing_and_the_others_still_do(shop: Shop) -> None:
    staffing, by = Staffing(shop.store, shop.clock), Audit(shop.store, shop.clock).by(shop.mine.agent.actor)
    bot = (shop.mine.id, shop.mine.bot.id)
    id_, token = await shop.directory.add_token(bot)
    assert id_ in [each.id for each in await staffing.tokens(bot)]

    await staffing.revoke_token(bot, id_, by)

    assert await shop.directory.bot_by_token(token) is None
    assert await shop.directory.bot_by_token(shop.mine.bot_token) is not None
    for stranger in (shop.other, shop.mine):
        with pytest.raises(NotFound):
            await staffing.revoke_token((stranger.id, stranger.bot.id), id_, by)


@in_a_shop
async def test_a_new_password_ends_all_other_sessions(shop: Shop) -> None:
    staffing, by = Staffing(shop.store, shop.clock), Audit(shop.store, shop.clock).by(shop.mine.agent.actor)
    here, session = await shop.sessions.open_for_agent(shop.mine.agent)
    elsewhere, other = await shop.sessions.open_for_agent(shop.mine.agent)

    ended = await staffing.set_password(
        (shop.mine.id, shop.mine.agent.id), await shop.passwords.hash("new horse battery"), session.id, by
    )

    _, stored = await shop.directory.agent_by_email(shop.mine.agent.email) or (None, None)
    assert ended == [other.id]
    assert await shop.sessions.by_secret(here) is not None
    assert await shop.sessions.by_secret(elsewhere) is None
    assert await shop.passwords.match(stored, "new horse battery")
    assert not await shop.passwords.match(stored, PASSWORD)


@in_a_shop
async def test_changes_show_and_are_the_own_accounts(shop: Shop) -> None:
    staffing, by = Staffing(shop.store, shop.clock), Audit(shop.store, shop.clock).by(shop.mine.agent.actor)
    await shop.directory.add_member((shop.mine.id, shop.mine.team.id), shop.mine.bot.id)

    agent = await staffing.change_agent((shop.mine.id, shop.mine.agent.id), {"name": "Noa L", "picture": None}, by)
    bot = await staffing.change_bot((shop.mine.id, shop.mine.bot.id), {"name": "Bell"}, by)

    assert (agent.name, bot.name, bot.teams) == ("Noa L", "Bell", [shop.mine.team.id])
    for who in (shop.other.agent.id, "agt_nowhere"):
        with pytest.raises(NotFound):
            await staffing.change_agent((shop.mine.id, who), {"name": "X"}, by)
        with pytest.raises(NotFound):
            await staffing.agent((shop.mine.id, who))
    with pytest.raises(NotFound):
        await staffing.change_bot((shop.mine.id, shop.other.bot.id), {"name": "X"}, by)
    with pytest.raises(NotFound):
        await staffing.bot((shop.mine.id, shop.other.bot.id))
