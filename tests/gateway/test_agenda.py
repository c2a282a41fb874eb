"""The agenda: when which chore of an account is due."""

from __future__ import annotations

from gateway.agenda import GAP_SECONDS, NEVER, OTHERS_SECONDS, POLL_SECONDS, RETRY_SECONDS, Agenda


def a_quiet_agenda() -> Agenda:
    agenda = Agenda(0.0)
    agenda.begin_read()
    return agenda


def test_at_first_the_store_is_read_and_nothing_else_is_due() -> None:
    agenda = Agenda(7.0)
    assert (agenda.due, agenda.read) == (7.0, 7.0)

    agenda.begin_read()
    agenda.end_read(7.5, 0.5, is_done=True, is_blind=False)

    assert agenda.due == 7.5 + 300
    assert (agenda.run, agenda.write) == (NEVER, NEVER)


def test_what_could_not_be_read_is_tried_again_soon_and_without_a_bus_more_often() -> None:
    agenda = a_quiet_agenda()

    agenda.end_read(1.0, 0.0, is_done=False, is_blind=False)
    assert agenda.read == 1.0 + RETRY_SECONDS
    agenda.begin_read()
    agenda.end_read(3.0, 1.0, is_done=True, is_blind=True)

    assert agenda.read == 9.0


def test_what_is_asked_to_be_read_while_it_is_read_is_read_once_more() -> None:
    agenda = a_quiet_agenda()

    agenda.read_soon(1.0, 0.2)
    agenda.end_read(1.1, 0.0, is_done=True, is_blind=False)

    assert agenda.read == 1.2


def test_own_doings_are_routed_at_once_but_not_without_a_gap() -> None:
    agenda = a_quiet_agenda()
    agenda.route_soon(1.0)
    assert agenda.run == 1.0
    agenda.begin_run(1.0)

    agenda.route_soon(1.001)

    assert agenda.run == 1.0 + GAP_SECONDS


def test_others_doings_wait_for_them_and_an_own_one_does_not_wait_for_those() -> None:
    agenda = a_quiet_agenda()
    agenda.route_later(1.0, 0.5)
    assert agenda.run == 1.0 + sum(OTHERS_SECONDS) / 2

    agenda.route_later(1.1, 0.0)
    assert agenda.run == 1.3
    agenda.route_soon(1.1)

    assert agenda.run == 1.1


def test_a_routing_is_repeated_while_something_waits_and_what_came_meanwhile_goes_first() -> None:
    agenda = a_quiet_agenda()
    agenda.begin_run(1.0)
    agenda.end_run(1.2, is_done=True)
    assert agenda.run == 1.2 + POLL_SECONDS
    agenda.begin_run(7.0)
    agenda.end_run(7.2, is_done=False)
    assert agenda.run == 7.2 + RETRY_SECONDS
    agenda.begin_run(9.0)

    agenda.route_soon(9.1)
    agenda.end_run(9.2, is_done=True)

    assert agenda.run == 9.1


def test_what_changes_together_is_written_together() -> None:
    agenda = a_quiet_agenda()

    agenda.write_later(1.0, 0.0)
    assert agenda.write == 2.5
    agenda.write_soon(1.0)
    agenda.write_soon(1.04)

    assert agenda.write == agenda.due == 1.05
    agenda.begin_write()
    assert agenda.due == NEVER
