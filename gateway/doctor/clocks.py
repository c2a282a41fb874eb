"""Whether the clocks of this machine, the database and Redis tell the same time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from msgspec import Struct

from gateway.doctor.finding import Finding, fail, well

ALARM_SECONDS = 2.0  # entries would carry moments that people notice, and snoozes would end too soon or too late


class Clock(Struct, frozen=True):
    """How far somebody's clock is ahead of this machine's, in seconds, and by how much that may be wrong."""

    whose: str
    ahead: float
    error: float


HERE = Clock("this machine", 0.0, 0.0)


def read(whose: str, before: float, theirs: float, after: float) -> Clock:
    """From one question: asked at `before`, answered by `after`, both by this machine's clock in seconds."""
    return Clock(whose, theirs - (before + after) / 2, (after - before) / 2)


def judge(clocks: Sequence[Clock]) -> list[Finding]:
    """One line for each pair that is apart, or one that says that none is. Nothing where there is nobody to ask."""
    if not clocks:
        return []
    findings = []
    widest = 0.0
    for one, other in combinations([HERE, *clocks], 2):
        apart = abs(one.ahead - other.ahead)
        widest = max(widest, apart)
        if apart - one.error - other.error > ALARM_SECONDS:
            late, early = sorted((one, other), key=lambda clock: clock.ahead)
            findings.append(
                fail(
                    "clocks",
                    f"the clock of {early.whose} is {apart:.1f} s ahead of that of {late.whose}. Let both be set by "
                    "NTP (`timedatectl` shows whether a machine's is).",
                )
            )
    whom = " and ".join(clock.whose for clock in clocks)
    return findings or [well("clocks", f"this machine and {whom} are within {max(widest, 0.001):.3f} s.")]
