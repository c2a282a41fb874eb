"""What is written down of a simulated week while it is played: what was committed, and what was true."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict

from msgspec import Struct

from chat.batch import Commit
from chat.model import Conversation, Member


class Stay(Struct):
    """A device that was connected, from when to when (ms). `ended_at` is None while it is."""

    node: str
    began_at: int
    ended_at: int | None = None
    is_for_good: bool = False
    """Whether it signed out: nobody waits for it to come back."""


class Diary:
    """Kept by those who play; read by the oracle when all is over."""

    def __init__(self) -> None:
        self.commits: list[Commit] = []
        """Of all nodes, as they were heard of."""
        self.states: dict[str, Conversation] = {}
        """As they are now."""
        self.open: dict[str, str] = {}
        """In whose hands each open conversation is."""
        self.held: dict[str, int] = {}
        """Since when (ms)."""
        self.waits: dict[str, int] = {}
        """Since when (ms) each has been in the queue this time."""
        self.members: dict[str, Member] = {}
        self.stays: dict[str, list[Stay]] = defaultdict(list)
        self.here: dict[str, list[tuple[int, frozenset[str] | None]]] = defaultdict(list)
        """By node: what it said of who is here, from when on (ms). None: it says nothing more."""
        self.faults: list[tuple[int, str]] = []
        """When something happened to a node or to what they share."""

    def record(self, commits: list[Commit], at: int) -> None:
        """At a moment (ms)."""
        for commit in commits:
            self.commits.append(commit)
            for move in commit.moves:
                self.hear(move.after, at)
            for member in commit.members:
                self.members[member.id] = member

    def hear(self, state: Conversation, at: int) -> None:
        """Also what a node wrote that died before it could say so."""
        known = self.states.get(state.id)
        if known is None or known.cursor < state.cursor:
            self.states[state.id] = state
            self._place(state, at)

    def _place(self, state: Conversation, at: int) -> None:
        held, held_since = self.open.pop(state.id, None), self.held.pop(state.id, at)
        since = self.waits.pop(state.id, at)
        if state.status == "open" and state.assignee is not None:
            self.open[state.id] = state.assignee
            self.held[state.id] = held_since if held == state.assignee else at
        if state.status == "queued":
            self.waits[state.id] = since

    def note_here(self, node: str, at: int, here: frozenset[str] | None) -> None:
        said = self.here[node]
        if not said or said[-1][1] != here:
            said.append((at, here))

    def was_connected(self, agent: str, since: int, until: int) -> bool:
        """At any moment between these (ms)."""
        stays = self.stays[agent]
        return any(stay.began_at <= until and (stay.ended_at is None or stay.ended_at >= since) for stay in stays)

    def stayed(self, agent: str, since: int, until: int) -> bool:
        """Whether one device was connected all the time between these (ms)."""
        stays = self.stays[agent]
        return any(stay.began_at <= since and (stay.ended_at is None or stay.ended_at >= until) for stay in stays)

    def said_here(self, agent: str, at: int, is_here: bool) -> bool:
        """Whether some node said this of the agent at a moment (ms); what changed in that very ms counts both ways."""
        for said in self.here.values():
            first, last = bisect_left(said, at, key=_moment), bisect_right(said, at, key=_moment)
            near = said[max(0, first - 1) : last]
            if any(here is not None and (agent in here) == is_here for _, here in near):
                return True
        return False

    def is_calm(self, since: int, until: int) -> bool:
        """Whether nothing happened to any node between these moments (ms)."""
        return not any(since <= at <= until for at, _ in self.faults)


def _moment(said: tuple[int, frozenset[str] | None]) -> int:
    return said[0]
