"""What goes over the bus comes out as it went in, and nonsense is known to be nonsense."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bus.parcel import NODE_BYTES, VERSION, Beat, Malformed, Says, join, pack_beat, split, stamp, unpack_beat

NODE = bytes(range(NODE_BYTES))
OWN = stamp(NODE)


def all_of(data: bytes) -> list[bytes] | None:
    payloads = split(data)
    return None if payloads is None else list(payloads)


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_joined_payloads_are_split_again(payloads: list[bytes]) -> None:
    assert all_of(join(OWN, payloads)) == payloads


@given(st.lists(st.binary(min_size=1, max_size=30), min_size=1, max_size=5), st.data())
def test_what_is_cut_is_malformed_or_shorter_by_whole_payloads(payloads: list[bytes], data: st.DataObject) -> None:
    joined = join(OWN, payloads)
    cut = joined[: data.draw(st.integers(0, len(joined) - 1))]

    try:
        found = all_of(cut)
    except Malformed:
        return
    assert found == payloads[: len(found or ())]


@given(st.binary(max_size=60))
def test_anything_is_payloads_or_another_version_or_malformed(data: bytes) -> None:
    for read in (all_of, unpack_beat):
        with suppress(Malformed):
            read(data)


def test_another_version_is_known_by_its_first_byte() -> None:
    newer = bytes([VERSION + 1]) + NODE

    assert all_of(newer + b"whatever that may be") is None
    assert unpack_beat(newer + pack_beat(OWN, Says.HERE, 1.5)[len(OWN) :]) == Beat(NODE, Says.HERE, 1.5)


@pytest.mark.parametrize("says", Says)
def test_a_heartbeat_says_who_and_what(says: Says) -> None:
    assert unpack_beat(pack_beat(OWN, says, 3.25)) == Beat(NODE, says, 3.25)


def test_what_a_newer_node_says_is_taken_for_the_worst() -> None:
    beat = OWN + bytes([200]) + pack_beat(OWN, Says.HERE, 1.0)[len(OWN) + 1 :]

    assert unpack_beat(beat).says is Says.LOST
