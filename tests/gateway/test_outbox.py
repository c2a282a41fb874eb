"""The outbox: what is put in comes out in order, joined or not; bounds count only while the transport holds."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.outbox import Outbox, OutboxLimits, framed
from gateway.protocol import FRAME_LIMIT

LIMITS = OutboxLimits(frames=8, bytes=1000, seconds=10.0)


def frames_in(data: bytes) -> list[bytes]:
    """The payloads of the text frames in these bytes, as a peer reads them."""
    payloads = []
    while data:
        assert data[0] == 0x81
        head = {126: 4, 127: 10}.get(data[1], 2)
        size = data[1] if head == 2 else int.from_bytes(data[2:head], "big")
        payloads.append(data[head : head + size])
        data = data[head + size :]
    return payloads


def an_outbox(*payloads: bytes, is_held: bool = False) -> Outbox:
    outbox = Outbox()
    outbox.is_held = is_held
    for payload in payloads:
        outbox.put(payload)
    return outbox


def test_a_frame_says_its_size_in_one_two_or_eight_bytes() -> None:
    sizes = [0, 125, 126, 65535, 65536, 100_000]

    assert [len(framed(b"x" * size)) - size for size in sizes] == [2, 2, 4, 4, 10, 10]
    assert [frames_in(framed(b"x" * size)) for size in sizes] == [[b"x" * size] for size in sizes]


@given(st.lists(st.binary(min_size=1, max_size=200).map(lambda part: part.replace(b"\n", b"") * 200)))
def test_joined_payloads_come_out_whole_and_in_order(payloads: list[bytes]) -> None:
    messages = frames_in(an_outbox(*payloads).take(joined=True)) if payloads else []

    assert [line for message in messages for line in message.split(b"\n")] == payloads
    assert all(len(message) <= FRAME_LIMIT for message in messages)
    assert sum(map(len, messages)) + len(messages) >= (len(messages) - 1) * FRAME_LIMIT / 2  # and not needlessly many


def test_a_payload_beyond_the_joining_limit_goes_alone() -> None:
    big = b"x" * (FRAME_LIMIT + 1)

    assert frames_in(an_outbox(b"a", big, b"b", b"c").take(joined=True)) == [b"a", big, b"b\nc"]


def test_joining_goes_up_to_the_limit() -> None:
    half = b"x" * (FRAME_LIMIT // 2 - 1)

    assert len(frames_in(an_outbox(half, half).take(joined=True))) == 1
    assert len(frames_in(an_outbox(half, half + b"xxx").take(joined=True))) == 2


def test_without_joining_each_payload_is_a_frame() -> None:
    assert frames_in(an_outbox(b"a", b"b", b"c").take(joined=False)) == [b"a", b"b", b"c"]


def test_what_was_taken_is_gone() -> None:
    outbox = an_outbox(b"a")
    assert outbox.payloads

    outbox.take(joined=True)

    assert not outbox.payloads


def test_only_what_is_held_counts() -> None:
    outbox = an_outbox(*[b"x" * 200] * 100)

    assert not outbox.is_too_full(LIMITS, now=1000.0)
    assert not outbox.is_half_full(LIMITS)


def test_too_many_frames_or_too_many_bytes_are_too_much() -> None:
    assert not an_outbox(*[b"x"] * 8, is_held=True).is_too_full(LIMITS)
    assert an_outbox(*[b"x"] * 9, is_held=True).is_too_full(LIMITS)
    assert not an_outbox(b"x" * 1000, is_held=True).is_too_full(LIMITS)
    assert an_outbox(b"x" * 1001, is_held=True).is_too_full(LIMITS)


def test_half_of_either_is_where_signals_go_overboard() -> None:
    assert not an_outbox(*[b"x"] * 4, is_held=True).is_half_full(LIMITS)
    assert an_outbox(*[b"x"] * 5, is_held=True).is_half_full(LIMITS)
    assert not an_outbox(b"x" * 500, is_held=True).is_half_full(LIMITS)
    assert an_outbox(b"x" * 501, is_held=True).is_half_full(LIMITS)


def test_one_frame_that_waits_too_long_is_too_much() -> None:
    outbox = an_outbox(b"x", is_held=True)
    outbox.since = 100.0

    assert not outbox.is_too_full(LIMITS, now=110.0)
    assert outbox.is_too_full(LIMITS, now=110.1)


def test_a_slow_peer_for_whom_nothing_waits_is_left_alone() -> None:
    outbox = an_outbox(is_held=True)

    assert not outbox.is_too_full(LIMITS, now=1e9)


def test_clearing_forgets_the_size_too() -> None:
    outbox = an_outbox(b"x" * 1001, is_held=True)

    outbox.clear()
    outbox.put(b"x")

    assert not outbox.is_too_full(LIMITS)
