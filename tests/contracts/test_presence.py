"""What every presence promises: see the docstrings of `presence`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presence import About, Presence, Table, Times
from tests.engines import PRESENCES, PresenceEngine

TIMES = Times()
SHOP = "acc_shop"
GRACE = 15.0


def on(table: Table) -> dict[str, set[str]]:
    """Who is on which nodes; on none while in grace."""
    found: dict[str, set[str]] = {}
    assert table.leases is not None
    for lease in table.leases:
        found.setdefault(lease.actor, set()).update({lease.node} - {""})
    return found


async def look(presence: Presence, account: str = SHOP) -> dict[str, set[str]]:
    return on(await presence.touch(account, []))


async def test_an_actor_is_here_until_it_is_gone(presences: PresenceEngine) -> None:
    first = presences.open("node_1")
    assert await look(first) == {}

    await first.touch(SHOP, ["agt_noa", "bot_echo"])
    assert await look(first) == {"agt_noa": {"node_1"}, "bot_echo": {"node_1"}}
    await first.touch(SHOP, [], {"agt_noa": None})

    assert await look(first) == {"bot_echo": {"node_1"}}


async def test_every_node_sees_who_is_on_any_node(presences: PresenceEngine) -> None:
    first, second = presences.open("node_1"), presences.open("node_2")
    await first.touch(SHOP, ["agt_noa", "agt_dara"])
    await second.touch(SHOP, ["agt_somchai", "agt_dara"])

    both = {"agt_noa": {"node_1"}, "agt_somchai": {"node_2"}, "agt_dara": {"node_1", "node_2"}}
    assert await look(first) == await look(second) == both


async def test_a_lease_that_is_not_renewed_ends(presences: PresenceEngine) -> None:
    first, second = presences.open("node_1"), presences.open("node_2")
    await first.touch(SHOP, ["agt_noa"])

    presences.clock.move(TIMES.lease - 0.001)
    assert await look(second) == {"agt_noa": {"node_1"}}
    presences.clock.move(0.001)

    assert await look(second) == {}


async def test_two_lost_renewals_are_survived(presences: PresenceEngine) -> None:
    first = presences.open("node_1")
    await first.touch(SHOP, ["agt_noa"])
    presences.clock.move(3 * TIMES.refresh - TIMES.jitter)
    await first.touch(SHOP, ["agt_noa"])

    presences.clock.move(TIMES.lease - 1)

    assert await look(first) == {"agt_noa": {"node_1"}}


async def test_it_is_told_how_long_each_lease_lasts(presences: PresenceEngine) -> None:
    first = presences.open("node_1")
    await first.touch(SHOP, ["agt_noa"])
    presences.clock.move(4)

    table = await first.touch(SHOP, ["agt_somchai"], {"agt_noa": GRACE})

    assert table.leases is not None
    assert {(lease.actor, lease.node, lease.seconds) for lease in table.leases} == {
        ("agt_noa", "", GRACE),
        ("agt_somchai", "node_1", TIMES.lease),
    }


async def test_who_is_gone_with_a_grace_is_on_no_node_until_it_is_over(presences: PresenceEngine) -> None:
    first, second = presences.open("node_1"), presences.open("node_2")
    await first.touch(SHOP, ["agt_noa"])

    await first.touch(SHOP, [], {"agt_noa": GRACE})
    presences.clock.move(GRACE - 0.001)
    assert await look(second) == {"agt_noa": set()}
    presences.clock.move(0.001)

    assert await look(second) == {}


async def test_a_grace_outlives_the_node_that_gave_it(presences: PresenceEngine) -> None:
    first, second = presences.open("node_1"), presences.open("node_2")
    await first.beat(About())
    await first.touch(SHOP, ["agt_noa"])

    await first.touch(SHOP, [], {"agt_noa": TIMES.drain_grace})
    await first.close()
    presences.clock.move(TIMES.drain_grace - 1)

    assert await look(second) == {"agt_noa": set()}


async def test_a_grace_ends_when_its_actor_is_back_on_any_node(presences: PresenceEngine) -> None:
    first, second = presences.open("node_1"), presences.open("node_2")
    await first.touch(SHOP, ["agt_noa"])
    await first.touch(SHOP, [], {"agt_noa": GRACE})

    await second.touch(SHOP, ["agt_noa"])

    assert await look(first) == {"agt_noa": {"node_2"}}


async def test_the_longer_of_two_graces_counts(presences: PresenceEngine) -> None:
    first, second = presences.open("node_1"), presences.open("node_2")
    for presence in (first, second):
        await presence.touch(SHOP, ["agt_noa"])

    await first.touch(SHOP, [], {"agt_noa": TIMES.drain_grace})
    await second.touch(SHOP, [], {"agt_noa": GRACE})
    presences.clock.move(TIMES.drain_grace - 1)

    assert await look(first) == {"agt_noa": set()}


async def test_who_goes_for_good_has_no_grace_from_elsewhere_either(presences: PresenceEngine) -> None:
    first, second = presences.open("node_1"), presences.open("node_2")
    await first.touch(SHOP, ["agt_noa"])
    await second.touch(SHOP, ["agt_noa"])
    await first.touch(SHOP, [], {"agt_noa": GRACE})

    await second.touch(SHOP, [], {"agt_noa": None})

    assert await look(first) == {}


async def test_who_goes_without_a_grace_of_this_node_keeps_one_from_elsewhere(presences: PresenceEngine) -> None:
    first, second = presences.open("node_1"), presences.open("node_2")
    await first.touch(SHOP, ["agt_noa"])
    await second.touch(SHOP, ["agt_noa", "agt_somchai"])
    await first.touch(SHOP, [], {"agt_noa": GRACE})

    await second.touch(SHOP, [], {"agt_noa": 0.0, "agt_somchai": 0.0})

    assert await look(first) == {"agt_noa": set()}


async def test_going_from_one_node_does_not_end_another_nodes_lease(presences: PresenceEngine) -> None:
    first, second = presences.open("node_1"), presences.open("node_2")
    await first.touch(SHOP, ["agt_noa"])
    await second.touch(SHOP, ["agt_noa"])

    await first.touch(SHOP, [], {"agt_noa": None})

    assert await look(first) == {"agt_noa": {"node_2"}}


async def test_saying_it_again_changes_nothing(presences: PresenceEngine) -> None:
    first = presences.open("node_1")
    once = await first.touch(SHOP, ["agt_noa", "agt_noa"], {"agt_somchai": GRACE})

    again = await first.touch(SHOP, ["agt_noa"])
    gone = [await first.touch(SHOP, [], {"agt_noa": None}) for _ in range(2)]

    assert again.version == once.version
    assert not again.is_moved
    assert [table.is_moved for table in gone] == [True, False]
    assert await look(first) == {"agt_somchai": set()}


async def test_the_version_is_another_one_whenever_something_is(presences: PresenceEngine) -> None:
    first, second = presences.open("node_1"), presences.open("node_2")
    begun = await first.touch(SHOP, [])
    came = await first.touch(SHOP, ["agt_noa"])
    dropped = await first.touch(SHOP, [], {"agt_noa": GRACE})
    returned = await second.touch(SHOP, ["agt_noa"])
    presences.clock.move(TIMES.lease)
    ended = await first.touch(SHOP, [])

    tables = [begun, came, dropped, returned, ended]
    assert [table.is_moved for table in tables] == [True] * 5
    assert len({table.version for table in tables}) == 5
    assert len({table.epoch for table in tables}) == 1


async def test_leases_of_a_version_that_is_known_are_not_told_again(presences: PresenceEngine) -> None:
    first, second = presences.open("node_1"), presences.open("node_2")
    known = await first.touch(SHOP, ["agt_noa"])

    same = await second.touch(SHOP, [], known=known.version)
    presences.clock.move(TIMES.refresh)
    renewed = await first.touch(SHOP, ["agt_noa"], known=known.version)
    other = await second.touch(SHOP, ["agt_somchai"], known=known.version)

    assert (same.leases, same.version) == (None, known.version)
    assert (renewed.leases, renewed.version, renewed.is_moved) == (None, known.version, False)
    assert on(other) == {"agt_noa": {"node_1"}, "agt_somchai": {"node_2"}}


async def test_leases_that_ended_are_forgotten_and_what_comes_then_is_another_epoch(presences: PresenceEngine) -> None:
    first = presences.open("node_1")
    before = await first.touch(SHOP, ["agt_noa"])
    presences.clock.move(TIMES.lease)

    after = await first.touch(SHOP, [], known=before.version)

    assert after.epoch == before.epoch
    assert on(after) == {}


async def test_the_age_of_an_epoch_is_told(presences: PresenceEngine) -> None:
    first = presences.open("node_1")
    young = await first.touch(SHOP, ["agt_noa"])
    presences.clock.move(7)

    assert young.age == 0
    assert (await first.touch(SHOP, ["agt_noa"])).age == 7


async def test_accounts_do_not_know_of_each_other(presences: PresenceEngine) -> None:
    first = presences.open("node_1")
    await first.touch(SHOP, ["agt_noa"])
    await first.touch("acc_other", [], {"agt_noa": None})

    assert await look(first, "acc_other") == {}
    assert await look(first) == {"agt_noa": {"node_1"}}


async def test_more_than_a_script_takes_in_one_go_come_and_end(presences: PresenceEngine) -> None:
    first = presences.open("node_1")
    crowd = [f"agt_{n}" for n in range(9_000)]
    table = await first.touch(SHOP, crowd)
    assert table.leases is not None
    assert len(table.leases) == len(crowd)

    presences.clock.move(TIMES.lease)

    assert await look(first) == {}


async def test_a_node_is_alive_until_its_last_beat_is_too_old(presences: PresenceEngine) -> None:
    first, second = presences.open("node_1"), presences.open("node_2")
    await first.beat(About("1.2", is_draining=True))

    presences.clock.move(TIMES.node_lease - 0.001)
    nodes = await second.beat(About())
    assert nodes.alive == {"node_1": About("1.2", is_draining=True), "node_2": About()}
    assert nodes.age == TIMES.node_lease - 0.001
    presences.clock.move(0.001)

    assert (await second.beat(About())).alive == {"node_2": About()}


async def test_a_node_that_closes_is_none_at_once(presences: PresenceEngine) -> None:
    first, second = presences.open("node_1"), presences.open("node_2")
    await first.beat(About())
    await first.close()
    await first.close()

    assert (await second.beat(About())).alive == {"node_2": About()}


# --- the engines say the same --------------------------------------------------------------------------------

ACTORS = st.sampled_from(["agt_a", "agt_b", "agt_c"])
GRACES = st.sampled_from([None, 0.0, 0.001, 5.0, GRACE, 45.0])
CALLS = st.tuples(
    st.sampled_from(["node_1", "node_2", "node_3"]),
    st.sampled_from([SHOP, "acc_other"]),
    st.sets(ACTORS),
    st.dictionaries(ACTORS, GRACES),
    st.booleans(),
    st.sampled_from([0.0, 0.001, 1.0, 10.0, 15.0, 30.0, 44.999]),
)


@settings(max_examples=60, deadline=None)
@given(calls=st.lists(st.tuples(CALLS, st.sampled_from(["touch", "touch", "touch", "beat", "close"])), max_size=25))
def test_every_engine_gives_the_same_answers(calls: list[tuple[Any, str]]) -> None:
    async def play(make: Callable[[], PresenceEngine]) -> list[object]:
        engine = make()
        nodes = {name: engine.open(name) for name in ("node_1", "node_2", "node_3")}
        epochs: dict[str, int] = {}
        heard: list[object] = []
        versions: dict[str, str] = {}
        touched: dict[str, float] = {}
        for (node, account, here, gone, is_known, seconds), what in calls:
            engine.clock.move(seconds)
            if engine.clock.ticks() - min(touched.values(), default=engine.clock.ticks()) > 2 * TIMES.lease:
                engine.clock.move(-seconds)  # Redis deletes what nobody touches, on a clock that can't be moved
            if what == "beat":
                heard.append(await nodes[node].beat(About(node)))
            elif what == "close":
                await nodes[node].close()
            else:
                gone = {actor: grace for actor, grace in gone.items() if actor not in here}
                known = versions.get(account, "") if is_known else ""
                table = await nodes[node].touch(account, here, gone, known)
                versions[account] = table.version
                touched[account] = engine.clock.ticks()
                heard.append(comparable(table, epochs))
        await engine.close()
        return heard

    memory, *others = (asyncio.run(play(make)) for make in PRESENCES.values())
    assert all(other == memory for other in others)


def comparable(table: Table, epochs: dict[str, int]) -> object:
    """Without the epochs' names."""
    epoch = epochs.setdefault(table.epoch, len(epochs))
    leases = None if table.leases is None else {(x.actor, x.node, round(x.seconds, 3)) for x in table.leases}
    return epoch, table.version.partition(":")[2], round(table.age, 3), table.is_moved, leases


@pytest.mark.parametrize("longest", [TIMES.lease, TIMES.drain_grace])
def test_what_may_stand_in_a_table_outlives_neither_it_nor_the_tables_own_end(longest: float) -> None:
    assert longest < 3 * TIMES.lease
