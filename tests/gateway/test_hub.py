"""The hub: who hears what. Delivery is in order, heads are gathered, and whoever left hears nothing more."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec.structs import replace

from chat.model import Actor
from gateway.bulletin import Bulletin, Item
from gateway.hub import Hub
from tests.builders import DANA, ECHO, ELI, MINE, NOA, OTHER, RIVAL, SOMCHAI, a_contact

C, D = "cnv_parcel", "cnv_other"


@dataclass(eq=False)
class Ear:
    """A listener that writes down what it hears, and does as a socket does when its set changes."""

    actor: Actor
    hub: Hub | None = None
    watching: set[str] = field(default_factory=set)
    heard: list[tuple[str, str]] = field(default_factory=list)
    noticed: list[Any] = field(default_factory=list)
    overheard: list[str] = field(default_factory=list)
    grown: list[str] = field(default_factory=list)
    shrunk: list[str] = field(default_factory=list)
    renewed: list[str] = field(default_factory=list)
    comes_back: bool = False

    def hear(self, conversation: str, seq: int, payload: bytes) -> None:
        self.heard.append((conversation, payload.decode()))

    def overhear(self, payload: bytes) -> bool:
        self.overheard.append(payload.decode())
        return True

    def notice(self, payload: bytes) -> None:
        self.noticed.append(json.loads(payload))

    def grow(self, conversations: list[str]) -> None:
        self.grown += conversations

    def shrink(self, conversation: str) -> None:
        self.shrunk.append(conversation)

    def renew(self, conversation: str) -> None:
        self.renewed.append(conversation)

    def come_back(self) -> None:
        self.comes_back = True


@dataclass
class Room:
    """A hub with its timer in the test's hand."""

    timers: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    flushes: int = 0

    def __post_init__(self) -> None:
        self.hub = Hub(lambda seconds, call: self.timers.append((seconds, call)), self._flush)

    def listener(self, actor: Actor, *watching: str) -> Ear:
        ear = Ear(actor, self.hub)
        self.hub.join(ear)
        self.hub.watch(ear, watching)
        return ear

    def pass_time(self) -> None:
        """Until no timer is left."""
        while self.timers:
            self.ring()

    def ring(self) -> None:
        """The timers that run now."""
        timers, self.timers = self.timers, []
        for _, call in timers:
            call()

    def _flush(self) -> None:
        self.flushes += 1


def an_item(
    conversation: str = C,
    seq: int = 1,
    *,
    contact: Actor = DANA,
    assignee: Actor | None = None,
    reassigned: bool = False,
    is_secret: bool = False,
) -> Item:
    return Item(
        conversation=conversation,
        seq=seq,
        contact=contact.id,
        hands=(assignee.id,) if assignee else (),
        regrouped=reassigned,
        document=b'{"id":"%b","seq":%d}' % (conversation.encode(), seq),
        for_staff=b"staff %d" % seq,
        for_contact=None if is_secret else b"contact %d" % seq,
    )


def a_bulletin(*items: Item, cursor: int = 1, account: str = MINE) -> Bulletin:
    return Bulletin(account, cursor - 1, cursor, items)


def test_staff_hears_what_it_watches_and_the_contact_what_is_its_own() -> None:
    room = Room()
    watcher, idle, contact, stranger = (
        room.listener(NOA, C),
        room.listener(SOMCHAI),
        room.listener(DANA),
        room.listener(ELI),
    )

    room.hub.deliver(a_bulletin(an_item()))

    assert (watcher.heard, contact.heard) == ([(C, "staff 1")], [(C, "contact 1")])
    assert (idle.heard, stranger.heard) == ([], [])


def test_what_is_for_staff_alone_the_contact_never_hears() -> None:
    room = Room()
    contact = room.listener(DANA)

    room.hub.deliver(a_bulletin(an_item(is_secret=True)))

    assert contact.heard == []


def test_every_device_of_a_contact_hears_it() -> None:
    room = Room()
    tabs = [room.listener(DANA) for _ in range(3)]

    room.hub.deliver(a_bulletin(an_item()))

    assert [tab.heard for tab in tabs] == [[(C, "contact 1")]] * 3


def test_another_account_hears_nothing_even_under_the_same_names() -> None:
    room = Room()
    rival, namesake = room.listener(RIVAL, C), room.listener(a_contact(DANA.id, account=OTHER))

    room.hub.deliver(a_bulletin(an_item()))
    room.pass_time()

    assert (rival.heard, rival.noticed, namesake.heard) == ([], [], [])


def test_who_names_a_conversation_twice_hears_it_once() -> None:
    room = Room()
    ear = room.listener(NOA, C, C)

    room.hub.deliver(a_bulletin(an_item()))
    room.hub.unwatch(ear, [C])
    room.hub.deliver(a_bulletin(an_item(seq=2), cursor=2))

    assert ear.heard == [(C, "staff 1")]


def test_watching_says_what_is_new() -> None:
    room = Room()
    ear = room.listener(NOA, C)

    assert room.hub.watch(ear, [C, D]) == [D]
    assert ear.watching == {C, D}


def test_who_left_hears_nothing_more_and_may_leave_twice() -> None:
    room = Room()
    ears = [room.listener(NOA, C), room.listener(DANA), room.listener(ECHO, C)]

    for ear in ears + ears:
        room.hub.leave(ear)
    room.hub.deliver(a_bulletin(an_item()))
    room.pass_time()

    assert [(ear.heard, ear.noticed) for ear in ears] == [([], [])] * 3
    assert room.hub.agents(MINE) == []


def test_leaving_without_having_joined_is_harmless() -> None:
    room = Room()
    room.hub.leave(Ear(NOA))
    room.hub.leave(Ear(DANA))


# --- assignment ------------------------------------------------------------------------------------------------------


def test_whoever_gets_a_conversation_hears_it_from_now_on() -> None:
    room = Room()
    devices, bystander = [room.listener(NOA), room.listener(NOA)], room.listener(SOMCHAI)

    room.hub.deliver(a_bulletin(an_item(assignee=NOA, reassigned=True)))

    assert [device.grown for device in devices] == [[C], [C]]
    assert bystander.grown == []


def test_whoever_watches_it_by_name_learns_that_it_is_theirs_now() -> None:
    room = Room()
    ear = room.listener(NOA, C)

    room.hub.deliver(a_bulletin(an_item(assignee=NOA, reassigned=True)))

    assert (ear.grown, ear.shrunk, ear.heard) == ([C], [], [(C, "staff 1")])


def test_whoever_loses_it_hears_that_and_then_shrinks() -> None:
    room = Room()
    ear = room.listener(NOA, C)

    room.hub.deliver(a_bulletin(an_item(assignee=SOMCHAI, reassigned=True)))

    assert (ear.heard, ear.shrunk) == ([(C, "staff 1")], [C])


def test_what_was_rewritten_is_not_told_but_given_anew() -> None:
    room = Room()
    watcher, contact, former = room.listener(NOA, C), room.listener(DANA), room.listener(ELI)

    room.hub.deliver(a_bulletin(replace(an_item(), rewritten=True, left=(ELI.id,))))

    assert (watcher.renewed, watcher.heard) == ([C], [])
    assert (contact.comes_back, former.comes_back) == (True, True)
    assert (contact.heard, former.heard) == ([], [])


def test_who_became_another_without_leaving_anything_behind_comes_back_alone() -> None:
    room = Room()
    watcher, contact, former = room.listener(NOA, C), room.listener(DANA), room.listener(ELI)

    room.hub.deliver(a_bulletin(replace(an_item(), left=(ELI.id,))))

    assert (watcher.heard, watcher.renewed) == ([(C, "staff 1")], [])
    assert (contact.comes_back, former.comes_back) == (False, True)


def test_whoever_begins_to_follow_hears_it_from_now_on_and_whoever_stops_does_not() -> None:
    room = Room()
    begins, stops, has = room.listener(NOA), room.listener(ECHO, C), room.listener(SOMCHAI, C)

    room.hub.deliver(a_bulletin(replace(an_item(reassigned=True), hands=(SOMCHAI.id, NOA.id))))

    assert (begins.grown, stops.shrunk, has.shrunk) == ([C], [C], [])


def test_what_nobody_reassigned_moves_nobody() -> None:
    room = Room()
    ear = room.listener(NOA, C)

    room.hub.deliver(a_bulletin(an_item(assignee=SOMCHAI)))

    assert ear.shrunk == []


# --- heads -----------------------------------------------------------------------------------------------------------


def test_agents_get_the_newest_head_of_each_conversation_in_one_frame() -> None:
    room = Room()
    ear = room.listener(NOA)

    room.hub.deliver(a_bulletin(an_item(C, 1), an_item(D, 1), cursor=2))
    room.hub.deliver(a_bulletin(an_item(C, 2), cursor=3))
    assert ear.noticed == []
    room.pass_time()

    assert ear.noticed == [
        {"type": "heads", "cursor": 3, "heads": [{"id": C, "seq": 2}, {"id": D, "seq": 1}]},
    ]
    assert room.flushes == 1


def test_heads_are_gathered_for_so_long_and_no_longer() -> None:
    room = Room()
    ear = room.listener(NOA)

    for cursor in range(1, 5):
        room.hub.deliver(a_bulletin(an_item(seq=cursor), cursor=cursor))
    gathered = [seconds for seconds, _ in room.timers]
    room.ring()
    assert ear.noticed == []
    gathered += [seconds for seconds, _ in room.timers]
    assert gathered == [pytest.approx(0.2), pytest.approx(0.05)]
    room.pass_time()
    room.hub.deliver(a_bulletin(an_item(seq=5), cursor=5))
    room.pass_time()

    assert [frame["cursor"] for frame in ear.noticed] == [4, 5]


def test_a_change_takes_the_heads_along_that_would_be_told_soon() -> None:
    room = Room()
    ear = room.listener(NOA, C)

    room.hub.deliver(a_bulletin(an_item(seq=1), cursor=1))
    room.ring()
    room.hub.deliver(a_bulletin(an_item(seq=2), cursor=2))

    assert [frame["cursor"] for frame in ear.noticed] == [2], "behind the change, before the batch is flushed"
    room.pass_time()
    assert (len(ear.noticed), room.flushes) == (1, 0)

    room.hub.deliver(a_bulletin(an_item(seq=3), cursor=3))
    assert len(ear.noticed) == 1, "what comes then is gathered anew"


def test_heads_that_need_several_frames_move_the_position_with_the_last() -> None:
    room = Room()
    ear = room.listener(NOA)
    items = [an_item(f"cnv_{n:060}", 1) for n in range(2000)]

    room.hub.deliver(a_bulletin(*items, cursor=2000))
    room.pass_time()

    assert len(ear.noticed) > 1
    assert [frame.get("cursor") for frame in ear.noticed] == [None] * (len(ear.noticed) - 1) + [2000]
    assert sum(len(frame["heads"]) for frame in ear.noticed) == 2000


def test_heads_can_be_told_at_once_and_what_comes_then_waits_its_own_time() -> None:
    room = Room()
    ear = room.listener(NOA)
    room.hub.deliver(a_bulletin(an_item(seq=1), cursor=1))

    room.hub.tell_heads()
    assert [frame["cursor"] for frame in ear.noticed] == [1]
    room.ring()  # for those that are told already
    room.hub.deliver(a_bulletin(an_item(seq=2), cursor=2))
    assert len(ear.noticed) == 1
    room.pass_time()

    assert [frame["cursor"] for frame in ear.noticed] == [1, 2]


def test_bots_get_no_heads_and_an_account_without_agents_needs_no_timer() -> None:
    room = Room()
    bot = room.listener(ECHO)

    room.hub.deliver(a_bulletin(an_item()))

    assert (room.timers, bot.noticed) == ([], [])


# --- signals ---------------------------------------------------------------------------------------------------------


def test_a_signal_goes_to_all_who_listen_but_the_one_who_makes_it() -> None:
    room = Room()
    noa, somchai, dana, eli = (
        room.listener(NOA, C),
        room.listener(SOMCHAI, C),
        room.listener(DANA),
        room.listener(ELI),
    )

    room.hub.signal(MINE, C, DANA.id, NOA.id, b"staff", b"contact")

    assert [ear.overheard for ear in (noa, somchai, dana, eli)] == [[], ["staff"], ["contact"], []]


def test_a_contacts_own_other_tab_does_not_hear_it_type() -> None:
    room = Room()
    tab, watcher = room.listener(DANA), room.listener(NOA, C)

    room.hub.signal(MINE, C, DANA.id, DANA.id, b"staff", b"contact")

    assert (tab.overheard, watcher.overheard) == ([], ["staff"])


def test_what_is_not_for_the_contact_it_does_not_hear() -> None:
    room = Room()
    tab, watcher = room.listener(DANA), room.listener(NOA, C)

    room.hub.signal(MINE, C, DANA.id, SOMCHAI.id, b"staff", None)

    assert (tab.overheard, watcher.overheard) == ([], ["staff"])


def test_it_is_told_when_the_last_socket_of_a_member_of_staff_has_left() -> None:
    room = Room()
    gone: list[Actor] = []
    room.hub.gone = gone.append
    first, second, contact = room.listener(NOA, C), room.listener(NOA, C), room.listener(DANA)

    for listener in (contact, first):
        room.hub.leave(listener)
    assert (gone, room.hub.is_here(NOA)) == ([], True)
    room.hub.leave(second)

    assert (gone, room.hub.is_here(NOA)) == ([NOA], False)


# --- any life --------------------------------------------------------------------------------------------------------

ACTORS = st.sampled_from([NOA, SOMCHAI, ECHO, DANA, ELI])
NAMES = st.lists(st.sampled_from([C, D]), max_size=4)


class AnyLife(RuleBasedStateMachine):
    """Listeners come, watch, unwatch and go in any order, twice too: each hears each bulletin once or not at all."""

    def __init__(self) -> None:
        super().__init__()
        self.room = Room()
        self.here: list[Ear] = []
        self.gone: list[Ear] = []
        self.seq = 0

    @rule(actor=ACTORS, names=NAMES)
    def come(self, actor: Actor, names: list[str]) -> None:
        self.here.append(self.room.listener(actor, *(names if actor.is_staff else [])))

    @rule(data=st.data(), names=NAMES)
    def watch(self, data: st.DataObject, names: list[str]) -> None:
        if staff := [ear for ear in self.here if ear.actor.is_staff]:
            self.room.hub.watch(data.draw(st.sampled_from(staff)), names)

    @rule(data=st.data(), names=NAMES)
    def unwatch(self, data: st.DataObject, names: list[str]) -> None:
        if staff := [ear for ear in self.here if ear.actor.is_staff]:
            self.room.hub.unwatch(data.draw(st.sampled_from(staff)), names)

    @rule(data=st.data())
    def go(self, data: st.DataObject) -> None:
        if self.here:
            ear = data.draw(st.sampled_from(self.here))
            self.here.remove(ear)
            self.gone.append(ear)
            self.room.hub.leave(ear)

    @rule(conversation=st.sampled_from([C, D]))
    def deliver(self, conversation: str) -> None:
        self.seq += 1
        contact = DANA if conversation == C else ELI
        for ear in self.here + self.gone:
            ear.heard.clear()

        self.room.hub.deliver(a_bulletin(an_item(conversation, self.seq, contact=contact), cursor=self.seq))

        for ear in self.here:
            hears = conversation in ear.watching if ear.actor.is_staff else ear.actor == contact
            side = "staff" if ear.actor.is_staff else "contact"
            assert ear.heard == ([(conversation, f"{side} {self.seq}")] if hears else [])

    @invariant()
    def the_gone_hear_nothing(self) -> None:
        assert all(not ear.watching and ear not in self.room.hub.agents(MINE) for ear in self.gone)
        assert all(not ear.heard or ear.heard[0][1] != f"staff {self.seq + 1}" for ear in self.gone)


TestAnyLife = AnyLife.TestCase
