"""An account's desk while a batch is decided: as it was read, and corrected by what each ask has done. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from chat.duty import Duty, Standings
from chat.model import Conversation, Desk, Member, Routing
from chat.store import Hold, Move, Rows, WaitEnd

_NEVER = Routing()


class Working:
    """Tell it what moves and who has changed; `look` is what the next rule sees."""

    def __init__(self, account: str, desk: Desk, duty: Duty, at: int) -> None:
        self._desk = desk
        self._queued = {conversation.id: conversation for conversation in desk.queued}
        self._is_known = duty.is_known(account)
        self._standings = Standings(duty, desk.members, desk.used, at)

    def look(self) -> Desk:
        """The desk as it is now. Standings stay true as long as nothing moves."""
        desk = self._desk
        desk.queued = tuple(self._queued.values())
        desk.is_known = self._is_known
        desk.standings = self._standings if self._is_known else {}
        return desk

    def moved(self, before: Conversation | None, after: Conversation) -> None:
        """A conversation isn't as it was."""
        was, now = _hands(before), _hands(after)
        if was != now:
            self._count(was, -1)
            self._count(now, 1)
        self._queued.pop(after.id, None)
        if after.status == "queued" and self._is_routed(after):
            self._queued[after.id] = after

    def changed(self, members: Iterable[Member]) -> None:
        for member in members:
            if member.id in self._desk.members:
                self._desk.members[member.id] = member
                self._standings.forget(member.id)

    def _count(self, member: str | None, by: int) -> None:
        if member is not None:
            used = self._desk.used
            used[member] = used.get(member, 0) + by
            self._standings.forget(member)

    def _is_routed(self, conversation: Conversation) -> bool:
        """The store leaves out what waits for teams that nothing is routed to."""
        desk = self._desk
        named = (conversation.team,) if conversation.team is not None else desk.inboxes.get(conversation.inbox, ())
        return any(team in desk.teams and desk.teams[team].policy != "manual" for team in named)


def held(conversations: Iterable[Conversation], members: Iterable[str]) -> tuple[Conversation, ...]:
    """What of these is open in these hands."""
    wanted = set(members)
    return tuple(each for each in conversations if _hands(each) in wanted)


def note_hands(beside: Rows, move: Move, before: Conversation, at: int) -> None:
    """What follows for the books from how a conversation changed hands: a wait or a hold that has ended (ms)."""
    after, was = move.after, before.routing or _NEVER
    if _waits(before) and not _waits(after) and was.queued_at:
        is_answered = after.assignee is not None and (after.status == "open" or before.status == "queued")
        beside.wait_ends.append(WaitEnd(after.id, was.queued_at, at, "answered" if is_answered else "abandoned"))
    holder, now = _hands(before), _hands(after)
    if holder is None:
        return
    if was.unanswered and now == holder and after.routing is not None and not after.routing.unanswered:
        beside.answered.append(holder)
    if now != holder and was.assigned_at and not was.unanswered:
        beside.holds.append(Hold(move.account, after.id, holder, before.team, was.assigned_at, at))


def _waits(conversation: Conversation) -> bool:
    """Whether nobody has taken it up."""
    if conversation.status == "open":
        return conversation.routing is not None and conversation.routing.unanswered
    return conversation.status == "queued"


def _hands(conversation: Conversation | None) -> str | None:
    """Whose slot it takes."""
    return conversation.assignee if conversation is not None and conversation.status == "open" else None
