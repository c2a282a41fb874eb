"""What changed hands when a shift ended: told to who went home and to who took over, on every engine."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.json import encode

from chat.errors import NotFound
from chat.handovers import Handovers
from chat.model import Candidate, Routing
from chat.store import Store
from chat.store.tables import routing_log, status_log
from tests.builders import (
    DANA,
    MINE,
    MOMENT,
    NOA,
    OTHER,
    RIVAL,
    SOMCHAI,
    a_conversation,
    a_message,
    a_move,
    add_rows,
    store_moves,
)

HOUR = 3_600_000
EVENING = MOMENT + 9 * HOUR
ME, THEM = (MINE, NOA.id), (MINE, SOMCHAI.id)


async def has_in_hand(store: Store, assignee: str | None, *, unanswered: bool = True) -> None:
    """The parcel is in these hands, or nobody's."""
    routing = Routing(MOMENT, MOMENT, unanswered=unanswered)
    status: Any = "open" if assignee else "queued"
    state = a_conversation(status=status, assignee=assignee, routing=routing)
    await store_moves(store, a_move(state, a_message()))


def an_end(at: int, member: str = NOA.id) -> dict[str, Any]:
    return {"member": member, "at": at, "status": "offline", "reason": "off_shift", "until": None, "cause": "shift"}


def a_decision(at: int, kind: str = "handed_over", giver: str = NOA.id) -> dict[str, Any]:
    had = Candidate(giver, "offline", "off_shift", True, "available", "off_shift", 1, 4, "handed_over")
    row = {"conversation": "cnv_parcel", "at": at, "kind": kind, "chosen": None, "team": None, "by": "sys_shopbell"}
    return row | {"candidates": encode([had]).decode()}


async def test_both_sides_are_told_of_what_changed_hands(store: Store) -> None:
    await has_in_hand(store, SOMCHAI.id)
    await add_rows(store, status_log, [an_end(EVENING)])
    await add_rows(store, routing_log, [a_decision(EVENING), a_decision(EVENING + 1, "routed", SOMCHAI.id)])

    mine = await Handovers(store).of(ME, MOMENT)
    theirs = await Handovers(store).of(THEM, MOMENT)

    (given,), (taken,) = mine.given, theirs.taken
    assert (given.at, given.giver, given.state.assignee) == (EVENING, NOA.id, SOMCHAI.id)
    assert taken == given
    assert (mine.taken, theirs.given) == ([], [])


async def test_what_was_given_is_of_ends_of_shifts_lately(store: Store) -> None:
    await has_in_hand(store, None)
    await add_rows(store, status_log, [an_end(MOMENT), an_end(EVENING, SOMCHAI.id)])
    await add_rows(store, routing_log, [a_decision(MOMENT), a_decision(EVENING, giver=SOMCHAI.id)])

    lately = await Handovers(store).of(ME, MOMENT - 1)
    later = await Handovers(store).of(ME, MOMENT)

    assert [each.at for each in lately.given] == [MOMENT]
    assert later.given == []  # and of the colleague whose shift ended later nothing


async def test_of_two_whose_shifts_end_together_each_is_told_its_own(store: Store) -> None:
    await has_in_hand(store, None)
    await add_rows(store, status_log, [an_end(EVENING), an_end(EVENING, SOMCHAI.id)])
    await add_rows(store, routing_log, [a_decision(EVENING, giver=SOMCHAI.id)])

    assert (await Handovers(store).of(ME, MOMENT)).given == []
    assert len((await Handovers(store).of(THEM, MOMENT)).given) == 1


async def test_what_was_taken_over_is_told_until_something_was_said_there(store: Store) -> None:
    await has_in_hand(store, SOMCHAI.id, unanswered=False)
    await add_rows(store, routing_log, [a_decision(EVENING)])

    assert (await Handovers(store).of(THEM, MOMENT)).taken == []


async def test_what_went_round_and_came_back_was_taken_from_nobody(store: Store) -> None:
    await has_in_hand(store, SOMCHAI.id)
    await add_rows(store, routing_log, [a_decision(EVENING), a_decision(EVENING + HOUR, giver=SOMCHAI.id)])

    assert (await Handovers(store).of(THEM, MOMENT)).taken == []


@pytest.mark.parametrize("who", [(MINE, RIVAL.id), (MINE, "agt_nowhere"), (MINE, DANA.id), (OTHER, NOA.id)])
async def test_others_are_like_what_is_not_there(store: Store, who: tuple[str, str]) -> None:
    with pytest.raises(NotFound):
        await Handovers(store).of(who, MOMENT)
