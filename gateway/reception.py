"""What the door of an inbox shows to shoppers: open, busy or away, from when on and until when. It names nobody."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from chat.floors import Door
from chat.model import Member
from gateway.duty import NodeDuty, shift_of
from gateway.floor import Floor
from presence.availability import InboxStatus, Post, inbox_status


def shown_at(floor: Floor, door: Door, duty: NodeDuty, at: int) -> InboxStatus:
    """What follows at this moment (ms) from who answers for the inbox."""
    hours = partial(shift_of, door.hours) if door.hours else None
    is_full = bool(door.teams) and floor.is_full(door.teams[0])
    return inbox_status(_posts(floor, door, duty, at), at, hours_at=hours, is_full=is_full)


def _posts(floor: Floor, door: Door, duty: NodeDuty, at: int) -> list[Post]:
    """Whoever is here, and of the others one for each schedule: they say only when somebody may come."""
    posts: list[Post] = []
    seen: set[tuple[str, bool]] = set()
    for member in _answering(floor, door):
        facts = duty.facts(member, floor.used[member.id], at)
        is_human = member.id.startswith("agt_")
        if facts.is_present and not duty.is_sure(member):
            continue
        if not facts.is_present:
            kind = (member.schedule, is_human)
            if kind in seen or not member.slots:
                continue
            seen.add(kind)
        posts.append(Post(facts, partial(shift_of, member.schedule), keeps_hours=is_human))
    return posts


def _answering(floor: Floor, door: Door) -> Iterable[Member]:
    """The members of its teams; of an inbox without any, everybody: they take by hand what comes."""
    teams = set(door.teams)
    return [member for member in floor.members.values() if not teams or not teams.isdisjoint(member.teams)]
