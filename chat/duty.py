"""The Duty seam: who is present and what follows from it. What stands outside of chat knows that, see `gateway`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from chat.model import Member, Standing


class Duty(Protocol):
    """What the ledger asks while it has an account locked. Nothing in here waits."""

    def is_known(self, account: str) -> bool:
        """Whether this node knows at this moment who is present in the account."""
        ...

    def standing(self, member: Member, used: int, at: int) -> Standing:
        """What follows for a member with so many conversations at a moment (ms): the same from the same facts, on
        every node. Presence is as this node knows it."""
        ...


class NobodyKnows:
    """Where nobody knows who is present, nothing is routed."""

    def is_known(self, account: str) -> bool:
        return False

    def standing(self, member: Member, used: int, at: int) -> Standing:
        return Standing("offline", "unknown", None, False, "on_shift")


class Standings(Mapping[str, Standing]):
    """The members' standings at one moment, each worked out when somebody looks, once."""

    def __init__(self, duty: Duty, members: Mapping[str, Member], used: Mapping[str, int], at: int) -> None:
        self._duty = duty
        self._members = members
        self._used = used
        self._at = at
        self._found: dict[str, Standing] = {}

    def __getitem__(self, member: str) -> Standing:
        found = self._found.get(member)
        if found is None:
            known, used = self._members[member], self._used.get(member, 0)
            found = self._found[member] = self._duty.standing(known, used, self._at)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def forget(self, member: str) -> None:
        """Its facts have changed."""
        self._found.pop(member, None)


_: type[Duty] = NobodyKnows
