"""A node that attends an account knows who is here, on every engine, and the engine hardly hears of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from presence import Presence, Table, Times
from presence.rounds import Rounds
from tests.engines import PresenceEngine

TIMES = Times()
SHOP = "acc_shop"


class Counted:
    """Counts what is said to an engine."""

    def __init__(self, presence: Presence) -> None:
        self.count = 0
        self.node, self.beat, self.close = presence.node, presence.beat, presence.close
        self._touch = presence.touch

    async def touch(
        self, account: str, here: Collection[str], gone: Mapping[str, float | None] | None = None, known: str = ""
    ) -> Table:
        self.count += 1
        return await self._touch(account, here, gone, known)


async def test_an_attended_account_is_heard_of_and_costs_a_command_per_refresh(presences: PresenceEngine) -> None:
    agents, shoppers = Counted(presences.open("agents")), Counted(presences.open("shoppers"))
    here = Rounds(agents, presences.clock.ticks)
    there = Rounds(shoppers, presences.clock.ticks)
    here.enter(SHOP, "agt_noa", "laptop")
    await here.talk()

    there.attend(SHOP)
    await there.talk()
    assert there.here(SHOP) == {"agt_noa"}
    for _ in range(120):
        presences.clock.move(0.5)
        await there.talk()
    attended = shoppers.count
    there.unattend(SHOP)
    for _ in range(120):
        presences.clock.move(0.5)
        await there.talk()
        there.look()

    assert 6 <= attended <= 8
    assert shoppers.count == attended
    assert not there.is_known(SHOP)
