"""The audit log: one line for each act, for its own account alone, and none for what was rolled back."""

import pytest
from sqlalchemy import Connection

from chat.audit import NEWEST, Audit, unheard
from chat.errors import NotFound
from chat.model import Actor
from tests.shop import Shop, in_a_shop


@in_a_shop
async def test_acts_are_told_newest_first_and_page_by_page(shop: Shop) -> None:
    audit = Audit(shop.store, shop.clock)
    for number in range(5):
        await audit.write(shop.mine.agent.actor, f"ask {number}", "team.create", f"tem_{number}", {"n": number})
        shop.clock.move(1)
    await audit.write(shop.other.agent.actor, "ask", "team.create", "tem_theirs", {})

    first = await audit.page(shop.mine.id, NEWEST, 3)
    rest = await audit.page(shop.mine.id, first[-1].position, 3)

    assert [act.target for act in [*first, *rest]] == ["tem_4", "tem_3", "tem_2", "tem_1", "tem_0"]
    assert (first[0].actor, first[0].action, first[0].data) == (
        shop.mine.agent.id,
        "team.create",
        {"n": 4, "ask": "ask 4"},
    )
    assert first[0].at == shop.clock.now() - 1000


@in_a_shop
async def test_what_fails_leaves_no_line(shop: Shop) -> None:
    audit = Audit(shop.store, shop.clock)

    def work(connection: Connection) -> None:
        audit.by(shop.mine.agent.actor)(connection, "team.create", "tem_a", {})
        raise NotFound

    with pytest.raises(NotFound):
        await shop.store.administer(work)
    assert await audit.page(shop.mine.id, NEWEST, 10) == []


@in_a_shop
async def test_an_ask_that_is_sent_again_has_one_line(shop: Shop) -> None:
    audit = Audit(shop.store, shop.clock)
    for ask in ("first", "first", "second"):
        await audit.write(shop.mine.agent.actor, ask, "contact.block", "con_a", {})

    asks = [act.data["ask"] for act in await audit.page(shop.mine.id, NEWEST, 10)]
    assert asks == ["second", "first"]


@in_a_shop
async def test_nothing_is_written_for_an_account_that_is_not_there(shop: Shop) -> None:
    with pytest.raises(NotFound):
        await Audit(shop.store, shop.clock).write(
            Actor("acc_nowhere", "agent", "agt_a"), "ask", "team.create", "tem_a", {}
        )


@in_a_shop
async def test_what_is_unheard_writes_nothing(shop: Shop) -> None:
    await shop.store.administer(lambda connection: unheard(connection, "team.create", "tem_a", {}))

    assert await Audit(shop.store, shop.clock).page(shop.mine.id, NEWEST, 10) == []
