"""Whose heartbeat is late, and for how long anybody waits for it."""

from __future__ import annotations

from gateway.bus.pulse import DEAF_SECONDS, NODES, REMEMBER_SECONDS, SUSPECT_SECONDS, Pulse

NOW = 1000.0
THEIRS = -77.0  # at the same moment by another node's clock


def a_pulse() -> Pulse:
    pulse = Pulse(b"own")
    pulse.begin(NOW)
    return pulse


def test_nothing_is_steady_before_it_begins() -> None:
    assert not Pulse(b"own").is_steady(NOW)


def test_our_own_heartbeat_is_due() -> None:
    pulse = a_pulse()

    assert pulse.is_steady(NOW + SUSPECT_SECONDS - 0.01)
    assert not pulse.is_steady(NOW + SUSPECT_SECONDS + 0.01)
    pulse.hear(b"own", NOW + 2, NOW + 2)
    assert pulse.is_steady(NOW + 2 + SUSPECT_SECONDS - 0.01)


def test_whoever_was_heard_is_waited_for_until_forgotten() -> None:
    pulse = a_pulse()
    pulse.hear(b"other", THEIRS, NOW)

    for seconds, is_steady in {1.0: True, 2.0: False, REMEMBER_SECONDS: False, REMEMBER_SECONDS + 1: True}.items():
        pulse.hear(b"own", NOW + seconds, NOW + seconds)
        assert pulse.is_steady(NOW + seconds) is is_steady
    assert pulse.others == 0


def test_a_heartbeat_of_ours_that_took_long_tells_that_all_is_late() -> None:
    pulse = a_pulse()

    pulse.hear(b"own", NOW + 1, NOW + 1 + SUSPECT_SECONDS + 0.1)

    assert not pulse.is_steady(NOW + 1 + SUSPECT_SECONDS + 0.1)


def test_a_way_that_gets_longer_shows_though_heartbeats_come_and_clocks_differ() -> None:
    pulse = a_pulse()
    way = 0.01
    seen = []
    for beat in range(40):
        sent = 0.4 * beat
        way = 0.01 if beat < 10 or beat > 30 else way + 0.2  # each comes 0.6 s after the last one
        pulse.hear(b"other", THEIRS + sent, NOW + sent + way)
        pulse.hear(b"own", NOW + sent + way, NOW + sent + way)
        seen.append(pulse.is_steady(NOW + sent + way))

    assert seen == [True] * 15 + [False] * 16 + [True] * 9


def test_clocks_that_part_slowly_are_no_longer_way() -> None:
    pulse = a_pulse()
    for beat in range(20_000):  # two hours
        sent = 0.4 * beat
        pulse.hear(b"other", THEIRS + sent * (1 - 0.0001), NOW + sent)
        pulse.hear(b"own", NOW + sent, NOW + sent)
        assert pulse.is_steady(NOW + sent)


def test_a_machine_that_slept_is_not_late_for_ever() -> None:
    pulse = a_pulse()
    pulse.hear(b"other", THEIRS, NOW)

    pulse.hear(b"other", THEIRS, NOW + 30)  # its clock stood still
    pulse.hear(b"own", NOW + 30, NOW + 30)

    assert pulse.is_steady(NOW + 30)


def test_whoever_comes_back_is_no_longer_waited_for() -> None:
    pulse = a_pulse()
    pulse.hear(b"other", THEIRS, NOW)
    pulse.hear(b"own", NOW + 5, NOW + 5)
    assert not pulse.is_steady(NOW + 5)

    pulse.hear(b"other", THEIRS + 5, NOW + 5)

    assert pulse.is_steady(NOW + 5)


def test_whoever_says_that_it_leaves_is_not_waited_for() -> None:
    pulse = a_pulse()
    pulse.hear(b"other", THEIRS, NOW)
    pulse.leave(b"other")
    pulse.leave(b"nobody knew")
    pulse.hear(b"own", NOW + 5, NOW + 5)

    assert pulse.is_steady(NOW + 5)


def test_not_hearing_ourselves_for_long_is_deafness_whoever_else_is_heard() -> None:
    pulse = a_pulse()
    pulse.hear(b"other", THEIRS, NOW + DEAF_SECONDS)

    assert not pulse.is_deaf(NOW + DEAF_SECONDS)
    assert pulse.is_deaf(NOW + DEAF_SECONDS + 0.01)
    pulse.begin(NOW + DEAF_SECONDS + 1)
    assert not pulse.is_deaf(NOW + DEAF_SECONDS + 1)


def test_nobody_fills_the_memory_with_names() -> None:
    pulse = a_pulse()

    for number in range(2 * NODES):
        pulse.hear(b"%d" % number, THEIRS, NOW)

    assert pulse.others == NODES
