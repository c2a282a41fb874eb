"""What nodes tell each other of who works somewhere."""

from __future__ import annotations

import pytest

from chat.model import Member
from gateway.switchboard import DUTY
from gateway.word import MEMBERS, STALE, VERSION, Word, pack, unpack

NOA = Member("acc_shop", "agt_noa", "Noa", availability="away", reason="lunch", schedule='{"zone":"UTC"}', slots=3)


def test_what_is_packed_comes_out_without_schedules() -> None:
    packed = pack(Word(members=(NOA,), acted=("agt_dara",)))

    assert packed[:2] == bytes([DUTY, VERSION])
    said = unpack(packed)
    assert said.acted == ("agt_dara",)
    assert not said.is_stale
    assert [(each.id, each.reason, each.slots, each.schedule) for each in said.members] == [("agt_noa", "lunch", 3, "")]


def test_too_many_are_to_be_read_instead() -> None:
    assert unpack(pack(Word(members=(NOA,) * (MEMBERS + 1), acted=("agt_noa",)))) == Word(
        acted=("agt_noa",), is_stale=True
    )


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        bytes([DUTY]),
        bytes([DUTY, VERSION + 1]) + pack(Word())[2:],
        bytes([DUTY, VERSION]),
        bytes([DUTY, VERSION]) + b"\xff\xff",
        bytes([DUTY, VERSION]) + b"\x91" * 100_000,
        pack(Word(members=(NOA,)))[:-3],
    ],
)
def test_what_cannot_be_understood_is_a_reason_to_read(payload: bytes) -> None:
    assert unpack(payload) == STALE
