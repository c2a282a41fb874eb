"""Following: by oneself, for another, and whom the contact never sees."""

from __future__ import annotations

import pytest

from chat.access import contact_view_differs
from chat.errors import Forbidden, InvalidState, NotFound
from chat.model import Actor, Change
from chat.rules.follow import FOLLOWERS, Follow, follow
from tests.builders import DANA, ECHO, GONE, MINE, NOA, SOMCHAI, a_conversation, a_held_conversation, a_turn, an_id

BOSS = Actor(MINE, "agent", "agt_boss", "Boss", "supervisor")


def followed(
    by: Actor, *, on: bool = True, other: Actor | None = None, followers: tuple[str, ...] = ()
) -> Change | None:
    before = a_conversation(followers=followers)
    ask = Follow(id=an_id(2), conversation=before.id, on=on, actor=other.id if other else None)
    return follow(ask, a_turn(by, before, other=other))


@pytest.mark.parametrize("by", [NOA, ECHO], ids=["an agent", "a bot"])
def test_who_follows_has_it_in_hand_and_the_contact_is_not_told(by: Actor) -> None:
    before = a_held_conversation(SOMCHAI)

    change = follow(Follow(id=an_id(2), conversation=before.id, on=True), a_turn(by, before))

    assert change is not None
    assert change.conversation.hands == (SOMCHAI.id, by.id)
    assert not contact_view_differs(before, change.conversation)
    (entry,) = change.entries
    assert (entry.activity, entry.audience, entry.data) == ("followed", "staff", {"actor": by.id})


def test_who_stops_following_has_it_no_longer() -> None:
    change = followed(NOA, on=False, followers=(SOMCHAI.id, NOA.id))

    assert change is not None
    assert change.conversation.followers == (SOMCHAI.id,)
    assert change.entries[0].activity == "unfollowed"


def test_following_twice_and_stopping_twice_change_nothing() -> None:
    assert followed(NOA, followers=(NOA.id,)) is None
    assert followed(NOA, on=False) is None


def test_supervisors_may_make_others_follow_and_let_them_go() -> None:
    change = followed(BOSS, other=SOMCHAI)
    ended = followed(BOSS, on=False, other=GONE, followers=(GONE.id,))

    assert change is not None
    assert ended is not None
    assert (change.conversation.followers, ended.conversation.followers) == ((SOMCHAI.id,), ())


@pytest.mark.parametrize("by", [NOA, ECHO], ids=["an agent", "a bot"])
def test_others_may_not(by: Actor) -> None:
    with pytest.raises(Forbidden):
        followed(by, other=SOMCHAI)


def test_naming_oneself_needs_no_role() -> None:
    assert followed(NOA, other=NOA) is not None


@pytest.mark.parametrize("other", [DANA, GONE], ids=["a contact", "who is no longer active"])
def test_only_staff_that_is_there_follows(other: Actor) -> None:
    with pytest.raises(NotFound) as caught:
        followed(BOSS, other=other)

    assert caught.value.field == "actor"


def test_who_is_not_there_does_not_follow() -> None:
    before = a_conversation()
    ask = Follow(id=an_id(2), conversation=before.id, on=True, actor="agt_none")

    with pytest.raises(NotFound):
        follow(ask, a_turn(BOSS, before))


def test_there_are_at_most_so_many() -> None:
    with pytest.raises(InvalidState):
        followed(NOA, followers=tuple(f"agt_{n}" for n in range(FOLLOWERS)))
