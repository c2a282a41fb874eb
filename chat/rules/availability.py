"""Rules: what an agent chooses, and what the service sees of everybody who works here."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import replace

from chat.access import SYSTEM
from chat.errors import Forbidden, NotFound
from chat.model import (
    Ask,
    Availability,
    Change,
    Conversation,
    Desk,
    Key,
    Lasting,
    Member,
    Needs,
    RowChange,
    Standing,
    StatusLine,
    Timer,
    Turn,
)
from chat.rules.hands import desk_of, timer_id
from chat.rules.routing import RETURN, known_desk, returned, rules_of

REASON_LIMIT = 100  # characters
OBSERVED = 200  # members at once
IDLE = "idle"


class SetAvailability(Ask, frozen=True, gc=False, kw_only=True, tag="availability.set"):
    """Staff says whether it takes conversations. Supervisors and admins may name somebody else as `agent`.

    `finish` lets what is open at the end of this shift stay where it is.
    """

    availability: Availability
    reason: Annotated[str, Meta(max_length=REASON_LIMIT)] = ""
    agent: Key | None = None
    finish: bool | UnsetType = UNSET


class Observe(Lasting, frozen=True, gc=False, kw_only=True, tag="duty.observe"):
    """The service has seen that what is written of these members may not hold any more."""

    members: Annotated[tuple[Key, ...], Meta(min_length=1, max_length=OBSERVED)]
    cause: Annotated[str, Meta(max_length=REASON_LIMIT)]
    """Why it looks: connected, disconnected, shift …; stands in the status log."""
    idle: bool | None = None
    """They have done nothing for as long as the account allows, and who is available is away from now on; or they have
    done something again, and whom that had happened to is available. None: that isn't what was seen."""


def availability_needs(ask: SetAvailability) -> Needs:
    return Needs(desk=True)


def observe_needs(ask: Observe) -> Needs:
    return Needs(desk=True, held_by=ask.members)


def set_availability(ask: SetAvailability, turn: Turn) -> RowChange | None:
    """It stays so until somebody chooses something else, whatever becomes of the connection. Nothing happens if it was
    so already."""
    actor = turn.actor
    who = actor.id if ask.agent is None else ask.agent
    if who != actor.id and actor.role not in ("supervisor", "admin"):
        raise Forbidden(field="agent")
    before = desk_of(turn).members.get(who)
    if before is None:
        raise NotFound(field="agent")
    finishes = before.finishes if ask.finish is UNSET else ask.finish
    if (before.availability, before.reason, before.finishes) == (ask.availability, ask.reason, finishes):
        return None
    after = replace(
        before,
        availability=ask.availability,
        reason=ask.reason,
        set_by=actor.id,
        set_at=turn.at,
        finishes=finishes,
        bounces=0,
    )
    return RowChange(members=(after,))


def observe(ask: Observe, turn: Turn) -> tuple[Change, ...] | RowChange | None:
    """What is so is written down, with a line in the log for each other status or reason.

    What was given to somebody who isn't here any more and hasn't answered goes back to the queue at once; what is in
    progress if it lasts. At the end of a shift all goes back, unless that one wants to finish. Busy while nobody knows
    who is present.
    """
    desk = known_desk(turn)
    seen = [_seen(ask, desk, id_, turn) for id_ in dict.fromkeys(ask.members)]
    changes: list[Change] = []
    for each in seen:
        for conversation in each.gives_back:
            entry_id = ask.id if not changes else f"{ask.id}-{len(changes)}"
            changes.append(returned(entry_id, conversation, turn, each.kind, len(changes)))
    members = tuple(each.member for each in seen if each.member is not None)
    statuses = tuple(each.line for each in seen if each.line is not None)
    timers = tuple(timer for each in seen for timer in each.timers)
    if changes:
        first = replace(changes[0], members=members, statuses=statuses, timers=timers)
        return (first, *changes[1:])
    return RowChange(members=members, statuses=statuses, timers=timers) if members or timers else None


class _Seen:
    """What follows for one member."""

    def __init__(self) -> None:
        self.member: Member | None = None
        self.line: StatusLine | None = None
        self.kind = "returned"
        self.gives_back: list[Conversation] = []
        self.timers: list[Timer] = []


def _seen(ask: Observe, desk: Desk, id_: str, turn: Turn) -> _Seen:
    seen = _Seen()
    held = [conversation for conversation in turn.held if conversation.assignee == id_]
    before = desk.members.get(id_)
    if before is None:  # doesn't work here any more
        seen.gives_back = held
        return seen
    standing = desk.standings[id_]
    if standing.reason == "unknown":
        return seen
    after = _written(_idle(before, ask.idle, turn), standing, turn)
    if (after.status, after.status_reason) != (before.status, before.status_reason):
        cause = before.reason if _is_ours(before) and standing.reason == before.availability else ask.cause
        seen.line = StatusLine(before.account, id_, turn.at, standing.status, standing.reason, standing.until, cause)
        _take_away(seen, ask, desk, before, standing, held, turn)
        if before.finishes and standing.shift == "on_shift" and before.status_reason in _OFF:
            after = replace(after, finishes=False)
    seen.member = after if after != before else None
    return seen


def _take_away(
    seen: _Seen, ask: Observe, desk: Desk, member: Member, standing: Standing, held: list[Conversation], turn: Turn
) -> None:
    """What can't stay in the hands of somebody who stands so now. Who vanished in the last moments of a shift may be
    seen only when it is over."""
    was_on_shift = member.status_reason not in ("", *_OFF)
    is_over = standing.reason in _OFF or (standing.shift != "on_shift" and was_on_shift)
    if is_over and not member.finishes:
        seen.kind, seen.gives_back = "handed_over", held
        return
    if standing.is_present:
        return
    for conversation in held:
        if conversation.routing is not None and conversation.routing.unanswered:
            seen.gives_back.append(conversation)
            continue
        at = turn.at + rules_of(desk, conversation).return_seconds * 1000
        if standing.shift_ends_at is not None and not member.finishes:  # nobody comes back at home
            at = min(at, standing.shift_ends_at)
        seen.timers.append(Timer(timer_id(ask.id, conversation.id, "return"), at, RETURN, conversation.id))


def _written(member: Member, standing: Standing, turn: Turn) -> Member:
    is_same = (member.status, member.status_reason) == (standing.status, standing.reason)
    return replace(
        member,
        status=standing.status,
        status_reason=standing.reason,
        status_until=standing.until,
        status_at=member.status_at if is_same else turn.at,
    )


def _idle(member: Member, idle: bool | None, turn: Turn) -> Member:
    """Their own choices are never touched."""
    if idle and member.availability == "available":
        return replace(member, availability="away", reason=IDLE, set_by=SYSTEM, set_at=turn.at)
    if idle is False and _is_ours(member) and member.reason == IDLE:
        return replace(member, availability="available", reason="", set_by=SYSTEM, set_at=turn.at)
    return member


def _is_ours(member: Member) -> bool:
    """Whether the service has set the availability."""
    return member.set_by == SYSTEM


_OFF = ("off_shift", "time_off")
