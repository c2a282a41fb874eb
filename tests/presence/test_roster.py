"""Leases in, joins and leaves out. What follows of all this in any order is in test_truth.py."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from presence import About, Lease, Nodes, Table, Times
from presence.roster import NEVER, Departure, Heartbeats, Living, Moves, Roster

TIMES = Times()
HERE, THERE = "node_here", "node_there"
NOA, DARA = "agt_noa", "agt_dara"
START = 1000.0


def a_roster() -> Roster:
    return Roster(HERE, TIMES)


def a_table(*leases: tuple[str, str], epoch: str = "one", number: int = 1, age: float = 100.0) -> Table:
    """Of leases that were renewed right now."""
    lasts = {True: TIMES.lease, False: TIMES.grace}
    return Table(
        f"{epoch}:{number}", age, is_moved=False, leases=tuple(Lease(who, on, lasts[bool(on)]) for who, on in leases)
    )


def hear(roster: Roster, table: Table, now: float = START, living: Living | None = None) -> Moves:
    """Say everything, and take this for the answer."""
    words = roster.words(everything=True)
    if living is None:
        roster.take(table, words, now)
    else:
        roster.take(table, words, now, living)
    return roster.look(now)


def moves(joined: Iterable[str] = (), left: Iterable[str] = ()) -> Moves:
    return Moves(frozenset(joined), frozenset(left))


# --- this node's own -------------------------------------------------------------------------------------------


def test_who_has_a_device_here_is_here_at_once() -> None:
    roster = a_roster()
    roster.enter(NOA, "laptop")

    assert roster.look(START) == moves([NOA])
    assert roster.look(START) == moves()
    assert roster.here == {NOA}


def test_a_second_device_is_nothing_new_and_nothing_for_the_others() -> None:
    roster = a_roster()
    roster.enter(NOA, "laptop")
    hear(roster, a_table((NOA, HERE)))

    roster.enter(NOA, "phone")

    assert roster.look(START) == moves()
    assert not roster.has_news


def test_who_drops_has_a_grace_here_though_nobody_else_hears_of_it() -> None:
    roster = a_roster()
    roster.enter(NOA, "laptop")
    roster.look(START)

    roster.leave(NOA, "laptop", START, TIMES.grace)

    assert roster.look(START + TIMES.grace - 0.1) == moves()
    assert roster.next_look(START) == START + TIMES.grace
    assert roster.look(START + TIMES.grace) == moves(left=[NOA])


def test_who_is_back_in_time_never_left() -> None:
    roster = a_roster()
    roster.enter(NOA, "laptop")
    roster.look(START)
    roster.leave(NOA, "laptop", START, TIMES.grace)

    roster.enter(NOA, "laptop again")

    assert roster.look(START + 2 * TIMES.grace) == moves()
    assert roster.words(everything=False).gone == {}


def test_who_signs_out_is_gone_at_once() -> None:
    roster = a_roster()
    roster.enter(NOA, "laptop")
    roster.look(START)

    roster.leave(NOA, "laptop", START, 0.0)

    assert roster.look(START) == moves(left=[NOA])
    assert roster.words(everything=False).graces(START) == {NOA: None}


def test_a_device_that_never_came_takes_nobody_away() -> None:
    roster = a_roster()
    roster.enter(NOA, "laptop")
    roster.leave(NOA, "phone", START, 0.0)
    roster.leave(DARA, "phone", START, 0.0)

    assert roster.look(START) == moves([NOA])
    assert roster.words(everything=False).gone == {}


@given(
    closing=st.permutations(range(5)),
    signs_out=st.lists(st.booleans(), min_size=5, max_size=5),
    pauses=st.lists(st.floats(0, 40), min_size=5, max_size=5),
)
def test_however_five_tabs_are_closed_the_last_one_decides(
    closing: list[int], signs_out: list[bool], pauses: list[float]
) -> None:
    roster, now = a_roster(), START
    for tab in range(5):
        roster.enter(NOA, tab)
    assert roster.look(now) == moves([NOA])

    for tab, for_good, pause in zip(closing, signs_out, pauses, strict=True):
        assert roster.look(now) == moves()
        now += pause
        roster.leave(NOA, tab, now, 0.0 if for_good else TIMES.grace)
    if not signs_out[-1]:
        assert roster.look(now + TIMES.grace - 0.01) == moves()

    assert roster.look(now + TIMES.grace + 0.01) == moves(left=[NOA])


# --- the others ------------------------------------------------------------------------------------------------


def test_whoever_has_a_lease_on_another_node_is_here() -> None:
    roster = a_roster()

    assert hear(roster, a_table((NOA, THERE), (DARA, "node_third"))) == moves([NOA, DARA])
    assert hear(roster, a_table((DARA, "node_third"), number=2)) == moves(left=[NOA])


def test_who_is_on_two_nodes_is_here_until_it_is_gone_from_both() -> None:
    roster = a_roster()
    hear(roster, a_table((NOA, THERE), (NOA, "node_third")))

    assert hear(roster, a_table((NOA, "node_third"), number=2)) == moves()
    assert hear(roster, a_table(number=3)) == moves(left=[NOA])


def test_a_grace_lasts_until_the_table_has_it_no_more() -> None:
    """Somebody who came back in time is told by the same table, and may be a moment late."""
    roster = a_roster()
    hear(roster, a_table((NOA, "")))
    assert roster.next_end() == START + TIMES.grace

    assert roster.look(START + TIMES.grace + 1) == moves()
    assert hear(roster, a_table(number=2), START + TIMES.grace + 1) == moves(left=[NOA])
    assert roster.next_end() == NEVER


def test_a_table_that_is_known_changes_nothing() -> None:
    roster = a_roster()
    hear(roster, a_table((NOA, THERE)))

    assert hear(roster, Table("one:1", 101.0, is_moved=False, leases=None)) == moves()


def test_who_signs_out_here_is_gone_though_in_grace_from_elsewhere() -> None:
    roster = a_roster()
    hear(roster, a_table((NOA, "")))
    roster.enter(NOA, "laptop")

    roster.leave(NOA, "laptop", START, 0.0)

    assert roster.look(START) == moves(left=[NOA])


def test_who_signs_out_here_is_still_here_on_another_node() -> None:
    roster = a_roster()
    roster.enter(NOA, "laptop")
    hear(roster, a_table((NOA, HERE), (NOA, ""), (NOA, THERE)))

    roster.leave(NOA, "laptop", START, 0.0)

    assert roster.look(START) == moves()


def test_who_signs_out_here_may_be_on_another_node_that_has_not_said_it_again() -> None:
    roster = a_roster()
    roster.enter(NOA, "laptop")
    hear(roster, a_table((NOA, HERE), (NOA, THERE)))
    hear(roster, a_table((NOA, HERE), epoch="two", age=0.0))

    roster.leave(NOA, "laptop", START + 1, 0.0)

    assert roster.look(START + 1) == moves()
    assert hear(roster, a_table((NOA, THERE), epoch="two", number=2, age=3.0), START + 3) == moves()
    assert roster.look(START + TIMES.hold + 1) == moves()


# --- nodes that die ----------------------------------------------------------------------------------------------


def test_people_of_a_node_that_died_leave_before_their_leases_end() -> None:
    roster = a_roster()
    hear(roster, a_table((NOA, THERE), (DARA, "node_third")))

    dead = Living(START + 20, frozenset({HERE, "node_third"}), is_complete=True)

    assert hear(roster, a_table((DARA, "node_third"), (NOA, THERE), number=2), START, dead) == moves(left=[NOA])


def test_a_node_that_spoke_after_the_look_at_the_nodes_is_not_dead() -> None:
    looked = Living(START - 1, frozenset({HERE}), is_complete=True)

    assert hear(a_roster(), a_table((NOA, THERE)), START, looked) == moves([NOA])


def test_a_grace_counts_whatever_became_of_its_node() -> None:
    looked = Living(START + 1, frozenset({HERE}), is_complete=True)

    assert hear(a_roster(), a_table((NOA, "")), START, looked) == moves([NOA])


def test_nobody_is_dead_before_everybody_had_the_time_to_beat() -> None:
    beats = Heartbeats(TIMES)
    alone = {HERE: About()}
    beats.take(Nodes(100.0, alone), START)
    assert not beats.living.missed(THERE, START - 50)

    beats.take(Nodes(100.0, alone), START + TIMES.node_lease)
    assert beats.living.missed(THERE, START - 50)

    beats.lose()  # perhaps the others couldn't beat either
    beats.take(Nodes(200.0, alone), START + 100)
    assert not beats.living.missed(THERE, START - 50)


def test_nobody_is_dead_when_the_nodes_themselves_were_forgotten() -> None:
    beats = Heartbeats(TIMES)
    for moment in (0.0, TIMES.node_lease, 2 * TIMES.node_lease):
        beats.take(Nodes(100.0, {HERE: About(), THERE: About()}), START + moment)

    beats.take(Nodes(0.5, {HERE: About()}), START + 100)

    assert not beats.living.missed(THERE, START)


def test_it_is_told_when_a_node_comes_or_goes() -> None:
    beats = Heartbeats(TIMES)
    one, both = {HERE: About()}, {HERE: About(), THERE: About()}

    said = [beats.take(Nodes(100.0, nodes), START + n) for n, nodes in enumerate((one, one, both, both, one))]

    assert said == [True, False, True, False, True]


# --- leases that are lost ------------------------------------------------------------------------------------------


def test_a_table_that_begins_anew_makes_nobody_leave_until_all_nodes_had_the_time_to_say_theirs() -> None:
    roster = a_roster()
    roster.enter(NOA, "laptop")
    hear(roster, a_table((NOA, HERE), (DARA, THERE), ("bot_echo", "node_third")))

    assert hear(roster, a_table(epoch="two", age=1.0)) == moves()
    assert roster.has_news  # its own are said again at once, not with the next refresh
    assert hear(roster, a_table((NOA, HERE), (DARA, THERE), epoch="two", number=2, age=3.0), START + 2) == moves()
    end = START + TIMES.hold - 1.0
    assert roster.next_look(START + 2) == end

    assert roster.look(end - 0.1) == moves()
    assert roster.look(end) == moves(left=["bot_echo"])


def test_while_the_engine_is_away_the_others_stay_and_this_nodes_own_come_and_go() -> None:
    roster = a_roster()
    hear(roster, a_table((DARA, THERE), ("bot_echo", "")))

    roster.lose()
    roster.enter(NOA, "laptop")
    assert roster.look(START + 1000) == moves([NOA])
    roster.leave(NOA, "laptop", START + 1000, TIMES.grace)

    assert roster.look(START + 1000 + TIMES.grace) == moves(left=[NOA])
    assert roster.here == {DARA, "bot_echo"}


def test_when_the_engine_is_back_nobody_leaves_until_all_nodes_had_the_time_to_come_back() -> None:
    roster = a_roster()
    hear(roster, a_table((DARA, THERE), ("bot_echo", THERE)))
    roster.lose()

    assert hear(roster, a_table(("bot_echo", THERE), number=7)) == moves()
    assert roster.look(START + TIMES.hold - 0.1) == moves()

    assert roster.look(START + TIMES.hold) == moves(left=[DARA])


def test_what_stands_wrongly_in_the_table_is_put_right() -> None:
    """A word may have got lost, or been carried out late."""
    roster = a_roster()
    roster.enter(NOA, "laptop")

    hear(roster, a_table((DARA, HERE)))

    words = roster.words(everything=False)
    assert words.here == {NOA}
    assert words.graces(START) == {DARA: 0.0}
    assert roster.here == {NOA}


def test_what_happens_while_a_word_is_under_way_is_said_with_the_next() -> None:
    roster = a_roster()
    roster.enter(NOA, "laptop")
    roster.enter(DARA, "laptop")
    hear(roster, a_table((NOA, HERE), (DARA, HERE)))
    roster.leave(NOA, "laptop", START, TIMES.grace)

    words = roster.words(everything=False)
    roster.enter(NOA, "laptop again")
    roster.leave(NOA, "laptop again", START + 3, TIMES.grace)
    roster.leave(DARA, "laptop", START + 3, TIMES.grace)
    roster.take(a_table((NOA, ""), (DARA, HERE), number=2), words, START + 3)

    assert roster.words(everything=False).graces(START + 3) == {NOA: TIMES.grace, DARA: TIMES.grace}


def test_who_dropped_while_the_others_took_this_node_for_dead_does_not_come_back_to_go_once_more() -> None:
    roster = a_roster()
    roster.enter(NOA, "laptop")
    hear(roster, a_table((NOA, HERE)))
    roster.leave(NOA, "laptop", START, TIMES.grace)

    roster.oversleep()

    assert roster.words(everything=False).graces(START + 1) == {NOA: 0.0}
    assert hear(roster, a_table(number=2), START + 1) == moves()  # here it is awaited all the same
    assert not roster.has_news
    assert roster.look(START + TIMES.grace) == moves(left=[NOA])


def test_a_farewell_that_comes_late_does_not_end_what_was_promised_since() -> None:
    farewell = Departure(START, is_wanted=False)

    assert [farewell.grace(START + late) for late in (0.0, 1.9, 2.0)] == [None, None, 0.0]


def test_it_is_over_when_nobody_is_left_and_all_is_said_or_too_old_to_be() -> None:
    roster = a_roster()
    roster.enter(NOA, "laptop")
    assert not roster.is_over(START)
    roster.leave(NOA, "laptop", START, TIMES.grace)
    assert not roster.is_over(START)
    assert roster.is_over(START + TIMES.grace + TIMES.lease)

    hear(roster, a_table((NOA, "")))

    assert roster.is_over(START)
