"""Sessions: a secret opens one, for as long as it lives and its actor is there."""

from sqlalchemy import Connection, func, insert, select, update

from chat.keys import fingerprint
from chat.sessions import KEPT_MS, SWEPT
from chat.store.tables import accounts, agents, bot_tokens, bots, contacts, sessions
from tests.shop import AGENT_LIFE, CONTACT_LIFE, Shop, in_a_shop


@in_a_shop
async def test_a_contact_is_known_again_by_its_secret(shop: Shop) -> None:
    secret, session = await shop.sessions.open_for_contact(shop.mine.door)

    found = await shop.sessions.by_secret(secret)

    assert found == session
    assert (session.actor.account, session.actor.kind, session.inbox) == (shop.mine.id, "contact", shop.mine.door.id)
    assert await shop.sessions.by_secret(secret + "x") is None


@in_a_shop
async def test_an_agents_session_knows_name_and_role(shop: Shop) -> None:
    secret, _ = await shop.sessions.open_for_agent(shop.mine.agent)

    found = await shop.sessions.by_secret(secret)

    assert found is not None
    assert found.actor == shop.mine.agent.actor


@in_a_shop
async def test_the_store_keeps_the_fingerprint_alone(shop: Shop) -> None:
    secret, _ = await shop.sessions.open_for_contact(shop.mine.door)

    kept = await shop.store.inspect(lambda connection: connection.execute(select(sessions.c.secret)).scalars().all())

    assert kept == [fingerprint(secret)]


@in_a_shop
async def test_a_session_ends_when_its_life_is_over(shop: Shop) -> None:
    contact, _ = await shop.sessions.open_for_contact(shop.mine.door)
    agent, _ = await shop.sessions.open_for_agent(shop.mine.agent)

    shop.clock.move(AGENT_LIFE)
    assert await shop.sessions.by_secret(agent) is None
    assert await shop.sessions.by_secret(contact) is not None

    shop.clock.move(CONTACT_LIFE - AGENT_LIFE)
    assert await shop.sessions.by_secret(contact) is None


@in_a_shop
async def test_a_contact_that_comes_back_in_time_stays_the_same(shop: Shop) -> None:
    secret, session = await shop.sessions.open_for_contact(shop.mine.door)
    for _ in range(4):
        shop.clock.move(CONTACT_LIFE * 0.6)
        found = await shop.sessions.by_secret(secret)
        assert found is not None
        assert found.actor == session.actor
        await shop.sessions.extend(found)


@in_a_shop
async def test_a_young_session_is_not_written_again(shop: Shop) -> None:
    secret, session = await shop.sessions.open_for_contact(shop.mine.door)
    shop.clock.move(CONTACT_LIFE * 0.4)

    await shop.sessions.extend(session)

    found = await shop.sessions.by_secret(secret)
    assert found is not None
    assert found.expires_at == session.expires_at


@in_a_shop
async def test_an_ended_session_opens_nothing(shop: Shop) -> None:
    secret, session = await shop.sessions.open_for_agent(shop.mine.agent)

    await shop.sessions.end(session)

    assert await shop.sessions.by_secret(secret) is None
    assert await shop.sessions.by_ids([session.id]) == {}


@in_a_shop
async def test_a_deactivated_agent_has_no_session(shop: Shop) -> None:
    secret, session = await shop.sessions.open_for_agent(shop.mine.agent)
    await shop.store.administer(
        lambda connection: connection.execute(
            update(agents).where(agents.c.id == shop.mine.agent.id).values(active=False)
        )
    )

    assert await shop.sessions.by_secret(secret) is None
    assert await shop.sessions.by_ids([session.id]) == {}


@in_a_shop
async def test_many_sessions_are_found_at_once(shop: Shop) -> None:
    opened = [(await shop.sessions.open_for_contact(shop.mine.door))[1] for _ in range(5)]

    found = await shop.sessions.by_ids([*(session.id for session in opened), "ses_nowhere"])

    assert found == {session.id: session for session in opened}


@in_a_shop
async def test_a_contact_that_is_there_already_gets_another_session(shop: Shop) -> None:
    _, first = await shop.sessions.open_for_contact(shop.mine.door)

    secret, second = await shop.sessions.open_for_contact(shop.mine.door, first.actor.id)

    assert (second.actor.id, second.id != first.id) == (first.actor.id, True)
    assert await shop.sessions.by_secret(secret) == second


@in_a_shop
async def test_an_api_token_is_a_session_that_lasts(shop: Shop) -> None:
    found = await shop.sessions.by_api_token(shop.mine.bot_token)

    assert found is not None
    assert (found.actor, found.inbox, found.id[:4]) == (shop.mine.bot.actor, None, "tok_")
    assert await shop.sessions.by_api_token(shop.mine.bot_token + "x") is None


@in_a_shop
async def test_in_a_suspended_account_nothing_counts(shop: Shop) -> None:
    secret, session = await shop.sessions.open_for_agent(shop.mine.agent)
    _, elsewhere = await shop.sessions.open_for_agent(shop.other.agent)
    await shop.store.administer(
        lambda connection: connection.execute(
            update(accounts).where(accounts.c.id == shop.mine.id).values(suspended_at=shop.clock.now())
        )
    )

    assert await shop.sessions.by_secret(secret) is None
    assert await shop.sessions.by_api_token(shop.mine.bot_token) is None
    assert await shop.sessions.standing([session.id, elsewhere.id]) == {elsewhere.id: shop.other.agent.id}


@in_a_shop
async def test_of_contacts_only_those_count_who_are_still_there(shop: Shop) -> None:
    opened = [(await shop.sessions.open_for_contact(shop.mine.door))[1] for _ in range(3)]

    def leave(connection: Connection) -> None:
        connection.execute(update(contacts).where(contacts.c.id == opened[0].actor.id).values(erased=True))
        connection.execute(update(contacts).where(contacts.c.id == opened[1].actor.id).values(merged_into="con_x"))

    await shop.store.administer(leave)

    assert list(await shop.sessions.by_ids([each.id for each in opened])) == [opened[2].id]


@in_a_shop
async def test_what_stands_is_asked_for_all_at_once(shop: Shop) -> None:
    _, agent = await shop.sessions.open_for_agent(shop.mine.agent)
    _, ended = await shop.sessions.open_for_contact(shop.mine.door)
    _, contact = await shop.sessions.open_for_contact(shop.mine.door)
    await shop.sessions.end(ended)
    bot = await shop.sessions.by_api_token(shop.mine.bot_token)
    assert bot is not None
    asked = [agent.id, ended.id, contact.id, bot.id, "ses_nowhere"]

    assert await shop.sessions.standing(asked) == {
        agent.id: agent.actor.id,
        contact.id: contact.actor.id,
        bot.id: bot.actor.id,
    }

    await shop.store.administer(lambda connection: connection.execute(bot_tokens.delete()))
    shop.clock.move(AGENT_LIFE)
    assert await shop.sessions.standing(asked) == {contact.id: contact.actor.id}


@in_a_shop
async def test_the_token_of_an_inactive_bot_does_not_stand(shop: Shop) -> None:
    bot = await shop.sessions.by_api_token(shop.mine.bot_token)
    assert bot is not None
    await shop.store.administer(lambda connection: connection.execute(update(bots).values(active=False)))

    assert await shop.sessions.standing([bot.id]) == {}


@in_a_shop
async def test_sessions_over_for_a_month_are_swept_and_no_others(shop: Shop) -> None:
    _, ended = await shop.sessions.open_for_contact(shop.mine.door)
    await shop.sessions.end(ended)
    shop.clock.move(KEPT_MS / 1000 - CONTACT_LIFE)
    await shop.sessions.open_for_contact(shop.mine.door)
    assert await shop.sessions.sweep() == 0

    shop.clock.move(CONTACT_LIFE + 1)
    assert await shop.sessions.sweep() == 1
    shop.clock.move(KEPT_MS / 1000)
    assert await shop.sessions.sweep() == 1
    assert await shop.sessions.sweep() == 0


@in_a_shop
async def test_a_long_table_is_swept_piece_by_piece(shop: Shop) -> None:
    row = {"account": 1, "actor": "con_x", "created_at": 0, "expires_at": 0}
    rows = [{**row, "id": f"ses_{n}", "secret": str(n).encode()} for n in range(SWEPT + 10)]
    await shop.store.administer(lambda connection: connection.execute(insert(sessions), rows))

    swept = [await shop.sessions.sweep() for _ in range(3)]

    assert sorted(swept) == [0, 10, SWEPT]
    counted = select(func.count()).select_from(sessions)
    assert await shop.store.inspect(lambda connection: connection.execute(counted).scalar_one()) == 0
