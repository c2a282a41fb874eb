"""Invites: the secret makes an agent once, and not for ever."""

import pytest
from sqlalchemy import select

from chat import invites as module
from chat.audit import NEWEST, Audit, unheard
from chat.errors import BadRequest, InvalidState, NotFound
from chat.invites import INVITE_MS, Invites
from chat.store.tables import invites as table
from tests.shop import Account, Shop, in_a_shop


async def invited(shop: Shop, email: str = "new@mine.example", of: Account | None = None) -> tuple[str, str]:
    account = of or shop.mine
    made, secret = await Invites(shop.store, shop.clock).invite(
        account.id, email=email, name="New", role="supervisor", into=[account.team.id], audit=unheard
    )
    return made.id, secret


@in_a_shop
async def test_whoever_has_the_secret_becomes_an_agent_once(shop: Shop) -> None:
    invites = Invites(shop.store, shop.clock)
    id_, secret = await invited(shop, " New@Mine.example")
    assert (await invites.invited(secret)).email == "new@mine.example"

    account, agent = await invites.accept(secret, "stored")

    found = await shop.directory.agent((account, agent))
    assert found is not None
    assert (account, found.role, found.email) == (shop.mine.id, "supervisor", "new@mine.example")
    assert await shop.directory.teams_of((account, agent)) == [shop.mine.team.id]
    (act,) = await Audit(shop.store, shop.clock).page(shop.mine.id, NEWEST, 10)
    assert (act.actor, act.action, act.target) == (agent, "invite.accept", id_)
    for again in (secret, "sbi_unknown"):
        with pytest.raises(NotFound):
            await invites.accept(again, "stored")


@in_a_shop
async def test_the_secret_itself_is_not_stored(shop: Shop) -> None:
    _, secret = await invited(shop)

    (row,) = await shop.store.inspect(lambda found: found.execute(select(table)).all())
    assert secret not in str(row)
    assert secret.encode() not in (shop.folder / "shop.db-wal").read_bytes()


@in_a_shop
async def test_an_invite_ends_by_time_by_hand_and_by_the_next_one(shop: Shop) -> None:
    invites = Invites(shop.store, shop.clock)
    _, replaced = await invited(shop)
    revoked_id, revoked = await invited(shop)
    await invites.revoke_invite((shop.mine.id, revoked_id), unheard)
    _, late = await invited(shop, "late@mine.example")
    assert len(await invites.open(shop.mine.id)) == 1
    shop.clock.move(INVITE_MS / 1000)

    for secret in (replaced, revoked, late):
        with pytest.raises(NotFound):
            await invites.invited(secret)
    assert await invites.open(shop.mine.id) == []


@in_a_shop
async def test_nobody_revokes_another_accounts_invite(shop: Shop) -> None:
    id_, secret = await invited(shop)

    with pytest.raises(NotFound):
        await Invites(shop.store, shop.clock).revoke_invite((shop.other.id, id_), unheard)
    assert (await Invites(shop.store, shop.clock).invited(secret)).id == id_


@in_a_shop
async def test_an_address_that_is_taken_becomes_no_second_agent(shop: Shop) -> None:
    with pytest.raises(BadRequest):
        await invited(shop, shop.mine.agent.email)
    # That another account has it must not be learned by inviting.
    _, secret = await invited(shop, shop.other.agent.email)
    with pytest.raises(BadRequest):
        await Invites(shop.store, shop.clock).accept(secret, "stored")


@in_a_shop
async def test_teams_must_be_the_accounts_and_there_are_not_too_many_invites(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    invites = Invites(shop.store, shop.clock)
    with pytest.raises(NotFound):
        await invites.invite(
            shop.mine.id, email="a@b.example", name="A", role="agent", into=[shop.other.team.id], audit=unheard
        )
    monkeypatch.setattr(module, "INVITES", 1)
    await invited(shop)
    with pytest.raises(InvalidState):
        await invited(shop, "second@mine.example")
