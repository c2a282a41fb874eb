"""What every presence promises: see the docstrings of `presence`."""

from __future__ import annotations

from presence import LEASE_SECONDS, REFRESH_SECONDS
from tests.engines import PresenceEngine

SHOP = "acc_shop"


async def test_an_actor_is_here_from_touch_until_leave(presences: PresenceEngine) -> None:
    presence = presences.open("node_1")
    assert await presence.present(SHOP) == frozenset()

    await presence.touch(SHOP, ["agt_noa", "bot_echo"])
    assert await presence.present(SHOP) == {"agt_noa", "bot_echo"}
    await presence.leave(SHOP, "agt_noa")

    assert await presence.present(SHOP) == {"bot_echo"}


async def test_a_lease_that_is_not_renewed_ends(presences: PresenceEngine) -> None:
    presence = presences.open("node_1")
    await presence.touch(SHOP, ["agt_noa"])

    presences.pass_time(LEASE_SECONDS - 1)
    assert await presence.present(SHOP) == {"agt_noa"}
    presences.pass_time(1)

    assert await presence.present(SHOP) == frozenset()


async def test_two_lost_renewals_are_survived(presences: PresenceEngine) -> None:
    presence = presences.open("node_1")
    await presence.touch(SHOP, ["agt_noa"])
    presences.pass_time(3 * REFRESH_SECONDS - 1)
    await presence.touch(SHOP, ["agt_noa"])

    presences.pass_time(LEASE_SECONDS - 1)

    assert await presence.present(SHOP) == {"agt_noa"}


async def test_touching_and_leaving_twice_is_harmless(presences: PresenceEngine) -> None:
    presence = presences.open("node_1")
    await presence.leave(SHOP, "agt_noa")
    await presence.touch(SHOP, ["agt_noa", "agt_noa"])
    await presence.touch(SHOP, ["agt_noa"])
    await presence.leave(SHOP, "agt_noa")
    await presence.leave(SHOP, "agt_noa")

    assert await presence.present(SHOP) == frozenset()


async def test_touching_nobody_makes_nobody_present(presences: PresenceEngine) -> None:
    presence = presences.open("node_1")
    await presence.touch(SHOP, [])

    assert await presence.present(SHOP) == frozenset()


async def test_leaving_one_node_does_not_end_another_nodes_lease(presences: PresenceEngine) -> None:
    first, second = presences.open("node_1"), presences.open("node_2")
    await first.touch(SHOP, ["agt_noa"])
    await second.touch(SHOP, ["agt_noa"])

    await first.leave(SHOP, "agt_noa")

    assert await first.present(SHOP) == await second.present(SHOP) == {"agt_noa"}


async def test_every_node_sees_who_is_on_any_node(presences: PresenceEngine) -> None:
    first, second = presences.open("node_1"), presences.open("node_2")
    await first.touch(SHOP, ["agt_noa"])
    await second.touch(SHOP, ["agt_somchai"])

    assert await first.present(SHOP) == await second.present(SHOP) == {"agt_noa", "agt_somchai"}


async def test_a_node_that_closes_takes_its_own_leases_with_it(presences: PresenceEngine) -> None:
    first, second = presences.open("node_1"), presences.open("node_2")
    await first.touch(SHOP, ["agt_noa"])
    await second.touch(SHOP, ["agt_somchai"])

    await first.close()

    assert await second.present(SHOP) == {"agt_somchai"}


async def test_accounts_do_not_know_of_each_other(presences: PresenceEngine) -> None:
    presence = presences.open("node_1")
    await presence.touch(SHOP, ["agt_noa"])
    await presence.leave("acc_other", "agt_noa")

    assert await presence.present("acc_other") == frozenset()
    assert await presence.present(SHOP) == {"agt_noa"}
