"""Sealing: only the right key opens, only for the right purpose, and only what nobody changed."""

import pytest

from chat.sealing import BrokenSeal, Sealer

KEY = b"the server's secret, which has some length"
OTHER = b"another server's secret, of a like length"
PLAIN = b"sbk_what a shop signs with"
PURPOSE = "inbox_key:inb_door:key_one"


def test_what_was_sealed_opens_again() -> None:
    sealed = Sealer(KEY).seal(PLAIN, PURPOSE)

    assert Sealer(KEY).open(sealed, PURPOSE) == PLAIN
    assert PLAIN not in sealed


def test_the_same_value_never_looks_the_same() -> None:
    sealer = Sealer(KEY)

    assert len({sealer.seal(PLAIN, PURPOSE) for _ in range(50)}) == 50


def test_another_key_opens_nothing() -> None:
    with pytest.raises(BrokenSeal):
        Sealer(OTHER).open(Sealer(KEY).seal(PLAIN, PURPOSE), PURPOSE)


def test_a_value_opens_only_for_what_it_was_sealed_for() -> None:
    sealer = Sealer(KEY)

    with pytest.raises(BrokenSeal):
        sealer.open(sealer.seal(PLAIN, PURPOSE), "inbox_key:inb_other:key_one")


def test_any_change_breaks_it() -> None:
    sealer = Sealer(KEY)
    sealed = sealer.seal(PLAIN, PURPOSE)

    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(BrokenSeal):
            sealer.open(bytes(changed), PURPOSE)


@pytest.mark.parametrize("nonsense", [b"", b"\x01", b"\x01" * 14, b"\x01" * 40, b"\x00" * 100])
def test_nonsense_opens_to_nothing(nonsense: bytes) -> None:
    with pytest.raises(BrokenSeal):
        Sealer(KEY).open(nonsense, PURPOSE)


def test_after_a_rotation_the_old_still_opens_and_the_new_is_used() -> None:
    old = Sealer(KEY).seal(PLAIN, PURPOSE)
    rotating = Sealer(OTHER, KEY)

    assert rotating.open(old, PURPOSE) == PLAIN
    assert Sealer(OTHER).open(rotating.seal(PLAIN, PURPOSE), PURPOSE) == PLAIN


def test_keys_with_the_same_mark_are_all_tried() -> None:
    many = [b"%032d" % number for number in range(600)]  # 256 marks: some are shared
    sealed = [Sealer(key).seal(PLAIN, PURPOSE) for key in many]

    opener = Sealer(*many)

    assert {opener.open(each, PURPOSE) for each in sealed} == {PLAIN}
