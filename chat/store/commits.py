"""Where COMMIT runs: on the loop's thread while the disk is quick, in a worker thread when it is slow."""

from __future__ import annotations

SLOW_SECONDS = 0.004  # a loop that stands still for longer is felt in the latency of everybody
QUICK_SECONDS = 0.002  # a thread's hand-over costs 0.1 ms, so below this it isn't worth it
WEIGHT = 0.2  # of the newest commit in the moving average
MOST_SECONDS = 2 * SLOW_SECONDS  # that one counts: a checkpoint takes tens of ms, and says nothing about the others


class CommitPlace:
    """A switch with hysteresis over the moving average of commit times."""

    def __init__(self) -> None:
        self.is_thread = False
        self._average = 0.0

    def took(self, seconds: float) -> None:
        """Tell it how long a commit took."""
        self._average += WEIGHT * (min(seconds, MOST_SECONDS) - self._average)
        if self.is_thread:
            self.is_thread = self._average > QUICK_SECONDS
        else:
            self.is_thread = self._average > SLOW_SECONDS
