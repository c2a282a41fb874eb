"""What is particular to presence in memory. What every presence promises is in contracts/test_presence.py."""

from __future__ import annotations

from presence import LEASE_SECONDS
from presence.memory import Leases, MemoryPresence
from tests.builders import StillClock


async def test_leases_that_ended_are_forgotten() -> None:
    clock, leases = StillClock(), Leases()
    presence = MemoryPresence(clock.ticks, "node_1", leases)
    await presence.touch("acc_1", ["agt_noa"])
    clock.move(LEASE_SECONDS)

    await presence.present("acc_1")

    assert leases == {}


async def test_a_node_alone_needs_neither_name_nor_table() -> None:
    presence = MemoryPresence(StillClock().ticks)
    await presence.touch("acc_1", ["agt_noa"])

    assert await presence.present("acc_1") == {"agt_noa"}
    await presence.close()
    assert await presence.present("acc_1") == frozenset()
