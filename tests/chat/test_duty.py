"""Standings are worked out when somebody looks, and again only when their facts have changed."""

from __future__ import annotations

from chat.duty import NobodyKnows, Standings
from chat.model import Member, Standing
from tests.builders import MINE, MOMENT, NOA


class Counting(NobodyKnows):
    """A duty that remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int, int]] = []

    def standing(self, member: Member, used: int, at: int) -> Standing:
        self.asked.append((member.id, used, at))
        return Standing("accepting_chats", "", None, True, "on_shift")


def test_a_standing_is_worked_out_once_and_again_when_its_facts_have_changed() -> None:
    duty, used = Counting(), {NOA.id: 2}
    standings = Standings(duty, {NOA.id: Member(MINE, NOA.id)}, used, MOMENT)
    assert duty.asked == []

    assert standings[NOA.id] == standings[NOA.id]
    used[NOA.id] = 3
    standings.forget(NOA.id)
    assert standings[NOA.id].status == "accepting_chats"

    assert duty.asked == [(NOA.id, 2, MOMENT), (NOA.id, 3, MOMENT)]
    assert list(standings) == [NOA.id]
    assert len(standings) == 1


def test_where_nobody_knows_who_is_present_nobody_accepts() -> None:
    duty = NobodyKnows()

    assert not duty.is_known(MINE)
    assert duty.standing(Member(MINE, NOA.id), 0, MOMENT).status == "offline"
