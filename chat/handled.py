"""How long somebody worked on a conversation: without the time in which its contact had nothing to say. Pure.

Work is from when it was taken up, or from the contact's line, until the member's. What comes after the member's line is
the contact's silence, until the contact says something. If it is the member who ends that silence, by another line or
by letting the conversation go, the last minute of it was spent on writing that.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

WRITING_MS = 60_000  # at most, of a silence that the member ends


class Handled(Struct, frozen=True, gc=False):
    """A conversation in somebody's hands, up to the last thing that happened in it."""

    worked: int
    """ms."""
    at: int
    """The last thing that happened (ms)."""
    is_silence: bool = False
    """Whether the contact's answer is waited for."""

    def said(self, at: int, by_contact: bool) -> Handled:
        """What it is after a line. One that comes late, from before the last thing that happened, adds nothing."""
        gap = max(0, at - self.at)
        if self.is_silence:
            gap = 0 if by_contact else min(gap, WRITING_MS)
        return Handled(self.worked + gap, max(at, self.at), not by_contact)

    def let_go(self, at: int) -> int:
        """All of it (ms), for whoever gives it back, away or resolves it at this moment."""
        return self.said(at, by_contact=False).worked


def taken_up(at: int) -> Handled:
    """Somebody has it from this moment (ms) on, and its contact waits."""
    return Handled(0, at)


def worked(taken_up_at: int, lines: Iterable[tuple[int, bool]], let_go_at: int) -> int:
    """How long (ms) somebody worked on it who had it between these moments. `lines` are (when, whether the contact
    wrote it), oldest first; those from before or after count for others."""
    handled = taken_up(taken_up_at)
    for at, by_contact in lines:
        if taken_up_at <= at <= let_go_at:
            handled = handled.said(at, by_contact)
    return handled.let_go(let_go_at)
