"""When and how to come back after a socket has closed: close codes and back-off with full jitter. No I/O."""

import random
from dataclasses import dataclass, field
from typing import Literal

UNAUTHORIZED = 4005
CHANGED = 4202  # who we are: the token is another's by now
LOST = 1006  # no close frame came: the network, or a killed server

Manner = Literal["stop", "renew", "back_off", "promptly"]


def manner(code: int) -> Manner:
    """What a close code asks of a client."""
    if code == UNAUTHORIZED:
        return "renew"
    if 4000 <= code <= 4099 or code in (1003, 1007, 1008):
        return "stop"
    if 4200 <= code <= 4299 or code in (1001, LOST, 1012):
        return "promptly"
    return "back_off"


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between attempts. The defaults are the protocol's; tests go faster."""

    first: float = 1.0  # after a connection that lived, within this
    base: float = 0.5  # doubles with each failure
    cap: float = 20.0
    floor: float = 0.25
    calm: float = 10.0  # this long synced, and the failures are forgotten

    def delay(self, failures: int, dice: random.Random) -> float:
        """Full jitter: anything between the floor and the doubled base, capped."""
        return dice.uniform(0, min(self.cap, self.base * 2 ** min(failures, 32))) + self.floor


@dataclass(slots=True)
class Course:
    """Counts failures over a client's life and decides the next step after each close."""

    pace: Pace = field(default_factory=Pace)
    can_renew: bool = False  # is there somebody to ask for a new token?
    dice: random.Random = field(default_factory=random.Random)
    failures: int = 0
    _renewed: bool = False

    def welcomed(self) -> None:
        """The token was good, so a later 4005 may ask for a new one again."""
        self._renewed = False

    def ended(self, code: int, synced_for: float | None) -> tuple[Manner, float]:
        """Which way to go on and after how many seconds. `synced_for` is None when it never came to `synced`."""
        if synced_for is not None and synced_for >= self.pace.calm:
            self.failures = 0
        failures, self.failures = self.failures, self.failures + 1
        way = manner(code)
        if way == "stop":
            return "stop", 0.0
        if way == "renew":
            if self._renewed or not self.can_renew:
                return "stop", 0.0
            self._renewed = True
            return "renew", self.pace.floor
        # Promptly, but not for ever: a server that takes us and drops us again and again must not be hammered.
        is_first = synced_for is not None and failures == 0
        if is_first or (way == "promptly" and synced_for is not None and failures < 3):
            return way, self.dice.uniform(0, self.pace.first)
        return way, self.pace.delay(failures, self.dice)
