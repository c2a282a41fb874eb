"""What chat asks about who can take a conversation: this node's presence and the schedules, put together."""

from __future__ import annotations

import logging
from functools import lru_cache

from chat.model import Member, Standing
from presence.availability import Facts, answer
from presence.rounds import Rounds
from presence.shifts import Senseless, Shift, parse, shift_at

log = logging.getLogger("gateway.duty")

UNREADABLE = Shift("off_shift", "", "", None, None, None, None, None)
"""Of a schedule that this version can't read: better nobody than somebody who went home."""


class NodeDuty:
    """See `chat.duty.Duty` for the promises. Presence is what `rounds` of this node know."""

    def __init__(self, rounds: Rounds) -> None:
        self._rounds = rounds

    def is_known(self, account: str) -> bool:
        return self._rounds.is_known(account)

    def is_here(self, member: Member) -> bool:
        return member.id in self._rounds.here(member.account)

    def is_sure(self, member: Member) -> bool:
        """Whether it is known where the member is: not, when the other nodes can't be heard for long."""
        return self._rounds.is_sure(member.account, member.id)

    def facts(self, member: Member, used: int, at: int) -> Facts:
        """The four, at a moment (ms)."""
        return Facts(
            self.is_here(member),
            member.availability,
            member.reason,
            shift_of(member.schedule, at),
            member.slots,
            used,
        )

    def standing(self, member: Member, used: int, at: int) -> Standing:
        facts = self.facts(member, used, at)
        if not self.is_sure(member):
            return Standing("offline", "unknown", None, facts.is_present, facts.shift.state)
        found = answer(facts, at)
        return Standing(
            found.status, found.reason, found.until, facts.is_present, facts.shift.state, facts.shift.ends_at
        )


def shift_of(schedule: str, at: int) -> Shift:
    """What a stored schedule says of a moment (ms); an empty one is always on shift. It is read once, and its answer
    kept until that is over."""
    try:
        return shift_at(parse(schedule), at)
    except Senseless as error:
        _tell_unreadable(str(error))
        return UNREADABLE


@lru_cache(1000)
def _tell_unreadable(why: str) -> None:
    """Once: it is asked all the time."""
    log.warning("a schedule can't be read, and nobody is on shift by it: %s", why)
