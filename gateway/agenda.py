"""When which chore of one account is due for this node: read its floor, route, write down who is what. Pure.

All moments are seconds of a clock that never goes back.
"""

from __future__ import annotations

NEVER = float("inf")

GAP_SECONDS = 0.02  # between two routings of one account, however much happens there
OTHERS_SECONDS = (0.2, 0.4)  # what another node has committed is that node's to route: only what waits still is ours
POLL_SECONDS = 5.0  # between two routings while something waits: a bell may be lost
RETRY_SECONDS = 1.0
GATHER_SECONDS = 0.05  # for statuses that change together to be written together
OTHERS_WRITE_SECONDS = (1.5, 2.5)
FRESH_SECONDS = (240.0, 360.0)  # what was read is read again after so long, whatever was heard
BLIND_SECONDS = (4.0, 6.0)  # the same while the other nodes aren't heard


class Agenda:
    """`chance` gives a number from 0 to 1: of several nodes one is the first, and the others find that it is done."""

    def __init__(self, now: float) -> None:
        self.read = now
        self.run = NEVER
        self.write = NEVER
        self._ran = -NEVER

    @property
    def due(self) -> float:
        return min(self.read, self.run, self.write)

    # --- route ----------------------------------------------------------------------------------------------------

    def route_soon(self, now: float) -> None:
        """It is this node's to do: it has just committed what makes it necessary, or has the socket of who is free."""
        self.run = min(self.run, max(now, self._ran + GAP_SECONDS))

    def route_later(self, now: float, chance: float) -> None:
        """It is another node's, unless that is gone."""
        self.run = min(self.run, now + _between(OTHERS_SECONDS, chance))

    def begin_run(self, now: float) -> None:
        self.run, self._ran = NEVER, now

    def end_run(self, now: float, *, is_done: bool) -> None:
        """It was done or not. What could be given hears of it by itself: this is for what gets lost."""
        self.run = min(self.run, now + (POLL_SECONDS if is_done else RETRY_SECONDS))

    # --- read -----------------------------------------------------------------------------------------------------

    def read_soon(self, now: float, seconds: float = 0.0) -> None:
        self.read = min(self.read, now + seconds)

    def begin_read(self) -> None:
        self.read = NEVER

    def end_read(self, now: float, chance: float, *, is_done: bool, is_blind: bool) -> None:
        usual = _between(BLIND_SECONDS if is_blind else FRESH_SECONDS, chance)
        self.read = min(self.read, now + (usual if is_done else RETRY_SECONDS))

    # --- write ----------------------------------------------------------------------------------------------------

    def write_soon(self, now: float) -> None:
        self.write = min(self.write, now + GATHER_SECONDS)

    def write_later(self, now: float, chance: float) -> None:
        self.write = min(self.write, now + _between(OTHERS_WRITE_SECONDS, chance))

    def begin_write(self) -> None:
        self.write = NEVER


def _between(bounds: tuple[float, float], chance: float) -> float:
    least, most = bounds
    return least + (most - least) * chance
