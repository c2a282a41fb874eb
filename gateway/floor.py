"""One account's floor as this node sees it: who works there, what is in whose hands, what waits, who can take it. Pure.

It begins with what was read from the store at a cursor, and follows the account's stream from there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable
from heapq import heappop, heappush

from msgspec import Struct
from msgspec.structs import replace

from chat.floors import Door, Look, held_since
from chat.model import Conversation, Member, Standing, TeamRules
from chat.waiting import Waiting, is_full, places, turn, waiting

NEVER = float("inf")


class Line(Struct, frozen=True, gc=False, omit_defaults=True):
    """What an agent may know of a colleague, as it is on the wire. Moments are ms."""

    agent: str
    status: str
    reason: str
    until: int | None
    slots: int
    used: int
    availability: str
    availability_reason: str
    since: int
    set_by: str | None = None
    """Who has set the availability: a colleague, or `sys`. None: that agent's own choice."""
    finishes: bool = False
    """Whether what is open stays in these hands when the shift ends."""
    shift_ends_at: int | None = None
    """Of who is here and on shift: when it ends, if it does."""


class Floor:
    """`standing` says what follows for a member with so many conversations at a moment (ms)."""

    def __init__(self, account: str, standing: Callable[[Member, int, int], Standing]) -> None:
        self.account = account
        self._standing = standing
        self.cursor = 0
        self.members: dict[str, Member] = {}
        self.teams: dict[str, TeamRules] = {}
        self.full: frozenset[str] = frozenset()
        self.doors: dict[str, Door] = {}
        self.idle_minutes = 0
        self.waiting: dict[str, Conversation] = {}
        self.used: Counter[str] = Counter()
        self.standings: dict[str, Standing] = {}
        self.lines: dict[str, Line] = {}
        self._taken: dict[str, str] = {}
        self._held_since: dict[str, int] = {}
        self.unwritten: set[str] = set()
        """Of whom something else is written down than what is so."""
        self._accepting: set[str] = set()
        self._stale: set[str] = set()
        self._ends: list[tuple[int, str]] = []
        self._ending: set[tuple[int, str]] = set()

    # --- what happens ---------------------------------------------------------------------------------------------

    def begin(self, look: Look) -> None:
        """From now on it is as it was read; whoever isn't there any more is forgotten."""
        self.cursor = look.cursor
        self.teams, self.full, self.doors = dict(look.teams), look.full, dict(look.doors)
        self.idle_minutes = look.idle_minutes
        self.waiting = {each.id: each for each in look.waiting}
        self._taken, self.used = dict(look.taken), Counter(look.taken.values())
        self._held_since = dict(look.since)
        members = {id_: member for id_, member in look.members.items() if member.active}
        for gone in self.standings.keys() - members.keys():
            del self.standings[gone]
            del self.lines[gone]
        self.unwritten &= members.keys()
        self._accepting &= members.keys()
        self.members = members
        self._stale = set(members)

    def take(self, conversation: Conversation) -> bool:
        """It is so now. Whether it joined or left the queue, or another place in it; what is older than what was read
        changes nothing."""
        if conversation.cursor <= self.cursor:
            return False
        id_, before = conversation.id, self.waiting.pop(conversation.id, None)
        held = self._taken.pop(id_, None)
        self._held_since.pop(id_, None)
        if held is not None:
            self._count(held, -1)
        if conversation.status == "open" and conversation.assignee is not None:
            self._taken[id_] = conversation.assignee
            self._held_since[id_] = held_since(conversation)
            self._count(conversation.assignee, 1)
        if conversation.status == "queued":
            self.waiting[id_] = conversation
        after = self.waiting.get(id_)
        return (before and _wanted(before)) != (after and _wanted(after))

    def employ(self, members: Iterable[Member]) -> None:
        """What routing writes of them is so now. Slots, skills and schedules aren't its own, and stay as they are."""
        for told in members:
            known = self.members.get(told.id)
            if known is not None:
                self.members[told.id] = replace(told, **{name: getattr(known, name) for name in ADMINISTERED})
                self._stale.add(told.id)

    def touch(self, members: Iterable[str]) -> None:
        """Something that concerns them has changed, as their presence."""
        self._stale.update(id_ for id_ in members if id_ in self.members)

    def _count(self, member: str, change: int) -> None:
        self.used[member] += change
        if not self.used[member]:
            del self.used[member]
        self.touch((member,))

    # --- what follows ---------------------------------------------------------------------------------------------

    def look(self, at: int) -> set[str]:
        """Work out anew what follows for whom something changed or the time has come. Whose line is another one."""
        while self._ends and self._ends[0][0] <= at:
            end = heappop(self._ends)
            self._ending.discard(end)
            self._stale.add(end[1])
        stale, self._stale = self._stale, set()
        return {id_ for id_ in stale if id_ in self.members and self._renew(id_, at)}

    def _renew(self, id_: str, at: int) -> bool:
        member, used = self.members[id_], self.used[id_]
        standing = self.standings[id_] = self._standing(member, used, at)
        self._remind(standing.until, id_)
        _keep(self._accepting, id_, standing.status == "accepting_chats")
        # Of whom nobody knows, nothing is written.
        was_nothing = not member.status_at and standing.reason == "not_present"  # nobody writes down who never came
        is_written = was_nothing or (standing.status, standing.reason) == (member.status, member.status_reason)
        _keep(self.unwritten, id_, not is_written and standing.reason != "unknown")
        since = member.status_at if is_written and member.status_at else self._since(standing, id_, at)
        line = Line(
            id_,
            standing.status,
            standing.reason,
            standing.until,
            member.slots,
            used,
            member.availability,
            member.reason,
            since,
            member.set_by if member.set_by not in ("", id_) else None,
            member.finishes,
            standing.shift_ends_at if standing.is_present else None,
        )
        known, self.lines[id_] = self.lines.get(id_), line
        # That it is written down now, some ms later, is nothing to tell anybody.
        return known is None or replace(line, since=known.since) != known

    def _remind(self, until: int | None, id_: str) -> None:
        """Once of each end, however often the same is found out."""
        if until is not None and (until, id_) not in self._ending:
            self._ending.add((until, id_))
            heappush(self._ends, (until, id_))

    def _since(self, standing: Standing, id_: str, at: int) -> int:
        known = self.lines.get(id_)
        if known is not None and (known.status, known.reason) == (standing.status, standing.reason):
            return known.since
        return at

    @property
    def is_stale(self) -> bool:
        """Whether something is to be worked out anew."""
        return bool(self._stale)

    @property
    def next_end(self) -> float:
        """The next moment (ms) at which something may be otherwise by itself."""
        return self._ends[0][0] if self._ends else NEVER

    @property
    def has_hands(self) -> bool:
        """Whether anybody accepts."""
        return bool(self._accepting)

    def is_accepting(self, member: str) -> bool:
        return member in self._accepting

    def cause(self, id_: str) -> str:
        """What made a member's status another one than what is written: a word for the log."""
        before, after = self.members[id_].status_reason or "not_present", self.standings[id_].reason
        if before == "not_present":
            return "connected"
        return CAUSES.get(after) or CAUSES.get(before, "capacity")

    def elapsed(self, members: Container[str], at: int) -> list[int]:
        """For how long (ms) each conversation has been in the hands of one of these."""
        return [max(0, at - self._held_since.get(id_, at)) for id_, member in self._taken.items() if member in members]

    # --- the queue ------------------------------------------------------------------------------------------------

    def queue(self) -> list[Waiting]:
        """What waits, in the order in which it is served."""
        inboxes = {id_: door.teams for id_, door in self.doors.items()}
        return [waiting(each, inboxes) for each in sorted(self.waiting.values(), key=turn)]

    def places(self) -> dict[str, int]:
        """The place of each that waits for somebody."""
        return places(self.queue())

    def length(self, team: str) -> int:
        """How many wait for this team."""
        return sum(each.teams[:1] == (team,) and not is_left(each.conversation) for each in self.queue())

    def is_full(self, team: str) -> bool:
        """Whether its queue takes nobody more."""
        rules = self.teams.get(team)
        return rules is not None and is_full(rules, self.length(team), team in self.full)

    def is_routed(self, conversation: Conversation) -> bool:
        """Whether anybody is routed to for it."""
        door = self.doors.get(conversation.inbox)
        teams = (conversation.team,) if conversation.team is not None else door.teams if door else ()
        return any(team in self.teams and self.teams[team].policy != "manual" for team in teams)

    def has_work(self) -> bool:
        """Whether something waits that somebody could be given."""
        return any(self.is_routed(each) for each in self.waiting.values())


# What a status comes from, by the reason that it has now; of one that is free again, by the reason that is over.
CAUSES = {
    "not_present": "disconnected",
    "off_shift": "shift",
    "time_off": "shift",
    "winding_down": "shift",
    "away": "chosen",
    "busy": "chosen",
    "full": "capacity",
}
ADMINISTERED = ("slots", "skills", "schedule", "teams", "name", "picture", "active")


def _wanted(conversation: Conversation) -> tuple[object, ...]:
    """What of a conversation that waits makes a difference to its place, or to who may get it."""
    return turn(conversation), conversation.team, conversation.routing


def _keep(among: set[str], id_: str, holds: bool) -> None:
    if holds:
        among.add(id_)
    else:
        among.discard(id_)


def is_left(conversation: Conversation) -> bool:
    """Whether its contact has left a message and doesn't wait."""
    return conversation.routing is not None and conversation.routing.left
