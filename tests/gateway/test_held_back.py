"""What waits while a peer is brought up to date."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.held_back import CHANGES, NOTICES, HeldBack, TooMuch


def test_everything_waits_until_all_is_released() -> None:
    held = HeldBack()
    held.hold_all()

    assert held.takes("cnv_1", 3, b"three")
    assert held.takes("cnv_2", 1, b"one")
    assert held.release_all({"cnv_1": 2}) == [b"three", b"one"]
    assert held.is_over


def test_what_the_peer_has_already_is_dropped() -> None:
    held = HeldBack()
    held.hold(["cnv_1"])
    held.take_unread()
    for seq in (4, 5, 6):
        held.takes("cnv_1", seq, b"%d" % seq)

    assert held.release({"cnv_1": 5}) == [b"6"]


def test_other_conversations_pass_while_one_waits() -> None:
    held = HeldBack()
    held.hold(["cnv_1"])

    assert not held.takes("cnv_2", 1, b"one")


def test_a_position_waits_for_the_last_conversation() -> None:
    held = HeldBack()
    held.hold(["cnv_1", "cnv_2"])
    held.take_unread()
    held.take_notice(b"heads")

    assert held.release({"cnv_1": 0}) == []
    assert not held.is_over
    assert held.release({"cnv_2": 0}) == [b"heads"]
    assert held.is_over


def test_what_is_taken_up_meanwhile_waits_for_its_own_reading() -> None:
    held = HeldBack()
    held.hold_all()
    held.hold(["cnv_1"])
    held.takes("cnv_1", 2, b"two")
    held.takes("cnv_2", 1, b"one")

    assert held.release_all({}) == [b"one"]
    assert held.take_unread() == ["cnv_1"]
    assert held.take_unread() == []
    assert held.takes("cnv_1", 3, b"three")
    assert held.release({"cnv_1": 2}) == [b"three"]
    assert held.is_over


def test_what_is_put_on_hold_again_waits_for_the_second_reading() -> None:
    held = HeldBack()
    held.hold(["cnv_1"])
    held.take_unread()
    held.hold(["cnv_1"])
    held.takes("cnv_1", 5, b"five")

    assert held.release({"cnv_1": 3}) == []
    assert held.take_unread() == ["cnv_1"]
    assert held.release({"cnv_1": 4}) == [b"five"]


def test_too_much_is_said() -> None:
    held = HeldBack()
    held.hold_all()
    for seq in range(CHANGES):
        held.takes("cnv_1", seq, b"")
    for _ in range(NOTICES):
        held.take_notice(b"")

    with pytest.raises(TooMuch):
        held.takes("cnv_1", CHANGES, b"")
    with pytest.raises(TooMuch):
        held.take_notice(b"")


@given(
    st.lists(st.sampled_from(["cnv_1", "cnv_2", "cnv_3"]), max_size=40),
    st.dictionaries(st.sampled_from(["cnv_1", "cnv_2", "cnv_3"]), st.integers(0, 20)),
)
def test_each_conversation_goes_on_after_its_seq_in_order(changes: list[str], read: dict[str, int]) -> None:
    held = HeldBack()
    held.hold_all()
    seqs: dict[str, int] = {}
    for conversation in changes:
        seqs[conversation] = seqs.get(conversation, 0) + 1
        held.takes(conversation, seqs[conversation], f"{conversation} {seqs[conversation]}".encode())

    later = [payload.decode().split() for payload in held.release_all(read)]

    for conversation, last in seqs.items():
        assert [int(seq) for name, seq in later if name == conversation] == list(
            range(read.get(conversation, 0) + 1, last + 1)
        )
