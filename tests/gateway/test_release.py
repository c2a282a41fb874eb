"""Whoever is out has nothing that isn't resolved: it is free again, and the line says by whom."""

from chat.model import Conversation
from gateway import release as module
from gateway.release import Release
from tests.shop import Shop, in_a_shop


async def now(shop: Shop, made: Conversation) -> Conversation:
    async with shop.store.view() as view:
        found = await view.conversation(shop.mine.id, made.id)
    assert found is not None
    return found


@in_a_shop
async def test_all_that_is_not_resolved_is_free_again(shop: Shop) -> None:
    module.AT_ONCE, before = 2, module.AT_ONCE
    left = await shop.colleague("agent")
    held = [
        await shop.conversation(shop.mine, f"con_{number}", assignee=left.id, status="open", handler="agent")
        for number in range(5)
    ]
    others = await shop.conversation(shop.mine, "con_x", assignee=shop.mine.agent.id, status="open", handler="agent")

    await Release(shop.asking, shop.store, shop.clock)(shop.mine.agent.actor, left.id)
    module.AT_ONCE = before

    assert [(await now(shop, each)).assignee for each in held] == [None] * 5
    assert (await now(shop, others)).assignee == shop.mine.agent.id
    async with shop.store.view() as view:
        (line,) = await view.latest(shop.mine.id, held[0].id, 1, staff=True)
    assert (line.kind, line.author.id) == ("activity", shop.mine.agent.id)


@in_a_shop
async def test_again_changes_nothing(shop: Shop) -> None:
    left = await shop.colleague("agent")
    held = await shop.conversation(shop.mine, "con_a", assignee=left.id, status="open", handler="agent")
    release = Release(shop.asking, shop.store, shop.clock)
    await release(shop.mine.agent.actor, left.id)
    seq = (await now(shop, held)).seq

    await release(shop.mine.agent.actor, left.id)

    assert (await now(shop, held)).seq == seq
