"""Four facts, one answer: presence, choice, shift and slots say who can take a conversation, and why not. Pure.

Moments are ms since 1970 (UTC). The same facts give the same answer on every node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from presence.shifts import Shift

Availability = Literal["available", "busy", "away"]
RoutingStatus = Literal["accepting_chats", "not_accepting_chats", "offline"]
Reason = Literal["not_present", "time_off", "off_shift", "away", "busy", "winding_down", "full", "free"]
InboxState = Literal["open", "busy", "away"]
ScheduleOf = Callable[[int], Shift]
"""What a schedule says of any moment: `presence.shifts.shift_at` of it."""

AT_WORK: frozenset[str] = frozenset(("busy", "winding_down", "full"))  # here for their shoppers, but not for one more
SOON: frozenset[str] = frozenset(("busy", "full"))  # at work, and likely to take more
DAY = 86_400_000  # ms
AHEAD = 2 * DAY  # how far an inbox looks ahead for its next change: no page is left open for longer without a line
LOOKS = 200  # at one schedule: one that changes more often before anybody begins says nothing that helps


class Facts(Struct, frozen=True, gc=False):
    """What is known of one member at a moment."""

    is_present: bool
    """On any device and node, or in grace."""
    availability: Availability
    words: str
    """Why, in the member's own words, or what the service set it for: `idle`, `bounced`."""
    shift: Shift
    slots: int
    used: int


class Answer(Struct, frozen=True, gc=False):
    """Whether a member can take a conversation."""

    status: RoutingStatus
    reason: Reason
    words: str
    """The member's own about a choice; the schedule's about time off, a day off or a holiday. For staff."""
    until: int | None
    """The next moment at which this may change by itself, as time passes and nobody does anything. None: never."""


def answer(facts: Facts, at: int) -> Answer:
    """What follows at this moment. The first reason that holds, in this order, is given:

    offline because `not_present`, because of `time_off` or `off_shift`; not accepting because `away`, `busy`,
    `winding_down` or `full`; else accepting, as there are slots `free`.
    """
    shift = facts.shift
    if not facts.is_present:
        return Answer("offline", "not_present", "", None)
    if shift.state != "on_shift":
        return Answer("offline", shift.state, shift.note or shift.reason, shift.until)
    if facts.availability != "available":
        return Answer("not_accepting_chats", facts.availability, facts.words, shift.until)
    if is_winding_down(shift, at):
        return Answer("not_accepting_chats", "winding_down", "", shift.until)
    until = shift.until if shift.winding_down_at is None else shift.winding_down_at
    if facts.used >= facts.slots:
        return Answer("not_accepting_chats", "full", "", until)
    return Answer("accepting_chats", "free", "", until)


def is_winding_down(shift: Shift, at: int) -> bool:
    """Whether the shift is about to end, so that nothing new is begun in it."""
    return shift.winding_down_at is not None and shift.winding_down_at <= at


# --- an inbox -----------------------------------------------------------------------------------------------------


class Post(Struct, frozen=True):
    """A member of the teams that answer for an inbox."""

    facts: Facts
    """At the moment that is asked about."""
    shift_at: ScheduleOf
    """What the member's schedule says of any moment."""
    keeps_hours: bool = True
    """Whether the inbox's hours are the member's too. Not a bot's: it answers at night as well."""


class InboxStatus(Struct, frozen=True, gc=False):
    """What shoppers are told of an inbox. It says nothing of single members."""

    status: InboxState
    """open: somebody can take a conversation. busy: they are here, but all full or busy, or the queue is full. away:
    nobody is here, or it is closed."""
    opens_at: int | None
    """When somebody is here again, as planned: of one that is away, and of one that will be at `until`. None: nobody
    can say."""
    until: int | None
    """The next moment at which this may be wrong by itself. None: not within two days."""
    then: InboxState
    """What it is from then on, if nobody does anything meanwhile: what to show when nothing more was heard."""


def inbox_status(posts: Sequence[Post], at: int, *, hours_at: ScheduleOf | None, is_full: bool) -> InboxStatus:
    """What follows at this moment from its members, its business hours (None: always open) and whether its queue is
    full. Whoever is away or about to end the shift doesn't make it busy: nobody would come soon."""
    desk = _Desk(posts, hours_at, is_full, at)
    status = desk.status()
    until = desk.next_change()
    then = status if until is None else desk.status()
    if status != "away":
        opens_at = _opens_at(posts, until, hours_at) if until is not None and then == "away" else None
        return InboxStatus(status, opens_at, until, then)
    opens_at = _opens_at(posts, at, hours_at)
    if opens_at is not None and (until is None or opens_at < until):
        until, then = opens_at, "busy" if is_full else "open"
    return InboxStatus(status, opens_at, until, then)


class _Desk:
    """Who is here for an inbox, as time passes and nobody does anything."""

    def __init__(self, posts: Iterable[Post], hours_at: ScheduleOf | None, is_full: bool, at: int) -> None:
        self._hours_at = hours_at
        self._hours = None if hours_at is None else hours_at(at)
        self._is_full = is_full
        self._now, self._end = at, at + AHEAD
        self._members = [_Member(post, at) for post in posts if post.facts.is_present]

    def status(self) -> InboxState:
        answers = [member.at(self._now) for member in self._counting()]
        if any(each.status == "accepting_chats" for each in answers):
            return "busy" if self._is_full else "open"
        return "busy" if any(each.reason in SOON for each in answers) else "away"

    def next_change(self) -> int | None:
        """Go to the moment at which the status may change. None, when it doesn't for long."""
        before = self.status()
        for _ in range(LOOKS):
            at = self._next_moment(before)
            if at is None or at > self._end:
                return None
            self._go(at)
            if self._has_changed(before):
                break
        return self._now

    def _has_changed(self, before: InboxState) -> bool:
        """Of an open inbox with many members most needn't be looked at."""
        return not self._somebody_accepts() if before == "open" else self.status() != before

    def _next_moment(self, status: InboxState) -> int | None:
        """Nothing changes before. As long as somebody accepts, nobody else matters."""
        accepting = self._somebody_accepts() if status == "open" else None
        moments = [accepting.at(self._now).until] if accepting else [m.at(self._now).until for m in self._counting()]
        moments.append(None if self._hours is None else self._hours.until)
        return min((moment for moment in moments if moment is not None), default=None)

    def _somebody_accepts(self) -> _Member | None:
        accepting = (m for m in self._counting() if m.at(self._now).status == "accepting_chats")
        return next(accepting, None)

    def _counting(self) -> list[_Member]:
        is_closed = self._hours is not None and not self._hours.is_on
        return [member for member in self._members if not (is_closed and member.post.keeps_hours)]

    def _go(self, at: int) -> None:
        self._now = at
        if self._hours_at is not None and self._hours is not None and _is_over(self._hours.until, at):
            self._hours = self._hours_at(at)


class _Member:
    """A post as time passes."""

    __slots__ = ("_answer", "_facts", "post")

    def __init__(self, post: Post, at: int) -> None:
        self.post = post
        self._facts = post.facts
        self._answer = answer(post.facts, at)

    def at(self, at: int) -> Answer:
        """What follows then; moments never go back. A schedule is asked only if what it said is over."""
        if _is_over(self._answer.until, at):
            if _is_over(self._facts.shift.until, at):
                self._facts = replace(self._facts, shift=self.post.shift_at(at))
            self._answer = answer(self._facts, at)
        return self._answer


def _is_over(until: int | None, at: int) -> bool:
    return until is not None and until <= at


# --- when it opens ------------------------------------------------------------------------------------------------


def _opens_at(posts: Iterable[Post], after: int, hours_at: ScheduleOf | None) -> int | None:
    """When somebody begins to work here after this moment, as planned: whether they come isn't known, and whoever left
    for the night may have chosen to be away."""
    working = [post for post in posts if post.facts.slots]
    if hours_at is None:
        return _first_begin(working, after)
    people = [post for post in working if post.keeps_hours]
    begins = (_first_begin([post for post in working if not post.keeps_hours], after), _open(people, after, hours_at))
    return min((begin for begin in begins if begin is not None), default=None)


def _open(people: Sequence[Post], after: int, hours_at: ScheduleOf) -> int | None:
    """The first begin within the hours; that of the hours, when somebody is on by then."""
    at = after
    for _ in range(LOOKS):
        hours = hours_at(at)
        if hours.is_on:
            if at > after and any(_takes(post.shift_at(at), at) for post in people):
                return at
            begin = _first_begin(people, at)
            if hours.ends_at is None or (begin is not None and begin < hours.ends_at):
                return begin
            hours = hours_at(hours.ends_at)
        if hours.back_at is None:
            return None
        at = hours.back_at
    return None


def _first_begin(posts: Iterable[Post], after: int) -> int | None:
    return min((begin for post in posts if (begin := _begin(post, after)) is not None), default=None)


def _begin(post: Post, after: int) -> int | None:
    """When this member's next shift begins that isn't all winding down."""
    shift = post.shift_at(after)
    for _ in range(LOOKS):
        if shift.is_on:
            if shift.ends_at is None:
                return None
            shift = post.shift_at(shift.ends_at)
        if shift.back_at is None:
            return None
        at, shift = shift.back_at, post.shift_at(shift.back_at)
        if _takes(shift, at):
            return at
    return None


def _takes(shift: Shift, at: int) -> bool:
    return shift.is_on and not is_winding_down(shift, at)
