"""Whose heartbeat is late, and for how long anybody waits for it."""

from __future__ import annotations

from gateway.bus.pulse import DEAF_SECONDS, NODES, REMEMBER_SECONDS, SUSPECT_SECONDS, Pulse

NOW = 1000.0


def a_pulse() -> Pulse:
    pulse = Pulse(b"own")
    pulse.begin(NOW)
    return pulse


def test_nothing_is_steady_before_it_begins() -> None:
    assert not Pulse(b"own").is_steady(NOW)


def test_our_own_heartbeat_is_due() -> None:
    pulse = a_pulse()

    assert pulse.is_steady(NOW + SUSPECT_SECONDS)
    assert not pulse.is_steady(NOW + SUSPECT_SECONDS + 0.01)
    pulse.hear(b"own", NOW + 2)
    assert pulse.is_steady(NOW + 2 + SUSPECT_SECONDS)


def test_whoever_was_heard_is_waited_for_until_forgotten() -> None:
    pulse = a_pulse()
    pulse.hear(b"other", NOW)

    for seconds, is_steady in {1.0: True, 2.0: False, REMEMBER_SECONDS: False, REMEMBER_SECONDS + 1: True}.items():
        pulse.hear(b"own", NOW + seconds)
        assert pulse.is_steady(NOW + seconds) is is_steady
    assert pulse.others == 0


def test_whoever_comes_back_is_no_longer_waited_for() -> None:
    pulse = a_pulse()
    pulse.hear(b"other", NOW)
    pulse.hear(b"own", NOW + 5)
    assert not pulse.is_steady(NOW + 5)

    pulse.hear(b"other", NOW + 5)

    assert pulse.is_steady(NOW + 5)


def test_whoever_says_that_it_leaves_is_not_waited_for() -> None:
    pulse = a_pulse()
    pulse.hear(b"other", NOW)
    pulse.leave(b"other")
    pulse.leave(b"nobody knew")
    pulse.hear(b"own", NOW + 5)

    assert pulse.is_steady(NOW + 5)


def test_not_hearing_ourselves_for_long_is_deafness_whoever_else_is_heard() -> None:
    pulse = a_pulse()
    pulse.hear(b"other", NOW + DEAF_SECONDS)

    assert not pulse.is_deaf(NOW + DEAF_SECONDS)
    assert pulse.is_deaf(NOW + DEAF_SECONDS + 0.01)
    pulse.begin(NOW + DEAF_SECONDS + 1)
    assert not pulse.is_deaf(NOW + DEAF_SECONDS + 1)


def test_nobody_fills_the_memory_with_names() -> None:
    pulse = a_pulse()

    for number in range(2 * NODES):
        pulse.hear(b"%d" % number, NOW)

    assert pulse.others == NODES
