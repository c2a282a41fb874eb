"""Who of an account's agents has shown no sign of life for long, as far as this node knows. Pure: moments are seconds.

No timer in a browser is needed: every ask of an agent is a sign, whichever device it comes from.
"""

from __future__ import annotations

from collections import Counter

TOLD_SECONDS = 60.0  # between two words to the other nodes about one agent: limits are minutes


class Idle:
    """An agent with sockets on several nodes is idle where each of them says so: they tell each other of its acts."""

    def __init__(self) -> None:
        self._sockets: Counter[str] = Counter()
        self._acted: dict[str, float] = {}
        self._told: dict[str, float] = {}

    def enter(self, agent: str, now: float) -> None:
        """A socket has come. That is no act: a browser comes back by itself. But it must have the time for one."""
        self._sockets[agent] += 1
        self._acted.setdefault(agent, now)

    def leave(self, agent: str) -> None:
        """A socket is gone."""
        self._sockets[agent] -= 1
        if self._sockets[agent] <= 0:
            del self._sockets[agent]
            self._acted.pop(agent, None)
            self._told.pop(agent, None)

    def act(self, agent: str, now: float) -> bool:
        """It has asked for something here. Whether the other nodes should hear of it."""
        if agent not in self._acted:
            return False
        self._acted[agent] = now
        if now - self._told.get(agent, -TOLD_SECONDS) < TOLD_SECONDS:
            return False
        self._told[agent] = now
        return True

    def hear(self, agent: str, now: float) -> None:
        """It has on another node."""
        if agent in self._acted:
            self._acted[agent] = now

    def silent(self, now: float, seconds: float) -> list[str]:
        """Who has done nothing for so long."""
        return [agent for agent, acted in self._acted.items() if now - acted >= seconds]
