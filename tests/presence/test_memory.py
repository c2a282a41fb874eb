"""What is particular to presence in memory. What every presence promises is in contracts/test_presence.py."""

from __future__ import annotations

from presence import About, Times
from presence.memory import Memory, MemoryPresence
from tests.builders import StillClock


async def test_what_nobody_touches_any_more_is_forgotten(clock: StillClock) -> None:
    memory = Memory()
    presence = MemoryPresence(clock.ticks, "node_1", memory)
    before = await presence.touch("acc_1", ["agt_noa"])
    await presence.touch("acc_2", ["agt_rival"])

    clock.move(3 * Times().lease)
    after = await presence.touch("acc_1", [])
    await presence.beat(About())

    assert after.epoch != before.epoch
    assert set(memory.accounts) == {"acc_1"}


async def test_a_node_alone_needs_neither_name_nor_table(clock: StillClock) -> None:
    presence = MemoryPresence(clock.ticks)

    table = await presence.touch("acc_1", ["agt_noa"])

    assert table.leases is not None
    assert [(lease.actor, lease.node) for lease in table.leases] == [("agt_noa", presence.node)]
