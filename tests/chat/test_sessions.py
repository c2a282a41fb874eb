"""Sessions: a secret opens one, for as long as it lives and its actor is there."""

from sqlalchemy import select, update

from chat.keys import fingerprint
from chat.store.tables import agents, sessions
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
