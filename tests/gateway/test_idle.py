"""Who has shown no sign of life for long."""

from __future__ import annotations

from gateway.idle import TOLD_SECONDS, Idle

NOA, DARA = "agt_noa", "agt_dara"
LIMIT = 600.0


def test_who_does_nothing_is_silent_after_the_limit_and_not_before() -> None:
    idle = Idle()
    idle.enter(NOA, 0.0)

    assert idle.silent(LIMIT - 0.1, LIMIT) == []
    assert idle.silent(LIMIT, LIMIT) == [NOA]


def test_an_act_is_a_sign_wherever_it_is_done_and_another_socket_is_none() -> None:
    idle = Idle()
    for agent in (NOA, DARA):
        idle.enter(agent, 0.0)

    idle.enter(NOA, 500.0)
    idle.hear(DARA, 500.0)
    assert idle.silent(LIMIT, LIMIT) == [NOA]
    idle.act(NOA, 601.0)

    assert idle.silent(LIMIT + 2, LIMIT) == []
    assert idle.silent(500.0 + LIMIT, LIMIT) == [DARA]


def test_others_hear_of_an_agent_once_a_minute() -> None:
    idle = Idle()
    idle.enter(NOA, 0.0)

    told = [idle.act(NOA, second) for second in (0.0, 1.0, TOLD_SECONDS - 1, TOLD_SECONDS, TOLD_SECONDS + 1)]

    assert told == [True, False, False, True, False]


def test_of_whom_no_socket_is_here_nothing_is_known() -> None:
    idle = Idle()
    assert not idle.act(NOA, 1.0)
    idle.hear(NOA, 1.0)
    for _ in range(2):
        idle.enter(NOA, 1.0)

    idle.leave(NOA)
    assert idle.silent(LIMIT + 1, LIMIT) == [NOA]
    idle.leave(NOA)
    idle.leave(NOA)

    assert idle.silent(10 * LIMIT, LIMIT) == []
    assert (idle._acted, idle._told) == ({}, {})
