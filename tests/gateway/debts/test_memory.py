"""Debts in memory, beyond the contract: whoever is alone needs to tell nobody."""

from gateway.debts.memory import MemoryDebts
from tests.builders import StillClock


def test_only_nodes_that_have_something_in_common_share_it() -> None:
    clock = StillClock()

    assert not MemoryDebts(clock.ticks).is_shared
    assert MemoryDebts(clock.ticks, {}).is_shared
