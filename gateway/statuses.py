"""Who of an account can take a conversation and why not, told to its agents: whole at first, then what changes."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from gateway import protocol
from gateway.floor import Line
from gateway.hub import Listener

PACE_SECONDS = 0.1  # between two tellings of one account
AGAIN_SECONDS = 0.5  # to those who couldn't take it
BYTES_PER_SECOND = 20_000_000  # that one account's tellings may cost: everybody is told of everybody
NEVER = float("inf")


class Board:
    """What an account's agents on this node were told."""

    __slots__ = ("again", "agents", "changed", "due", "waiting")

    def __init__(self) -> None:
        self.agents: set[Listener] = set()
        self.waiting: set[Listener] = set()
        """Those who are to be told everything: they have come, or couldn't take what changed."""
        self.changed: set[str] = set()
        self.due = 0.0
        """When what has changed may be told."""
        self.again = 0.0
        """The same of everything."""


class Statuses:
    """Moments are seconds that never go back."""

    def __init__(self) -> None:
        self._boards: dict[str, Board] = {}

    def enter(self, listener: Listener) -> None:
        """An agent's socket has come: it will be told everything."""
        board = self._boards.setdefault(listener.actor.account, Board())
        board.agents.add(listener)
        board.waiting.add(listener)
        board.again = 0.0

    def leave(self, listener: Listener) -> bool:
        """Whether it had come."""
        account = listener.actor.account
        board = self._boards.get(account)
        if board is None or listener not in board.agents:
            return False
        board.agents.discard(listener)
        board.waiting.discard(listener)
        if not board.agents:
            del self._boards[account]
        return True

    def change(self, account: str, members: Collection[str]) -> None:
        """These lines are others now."""
        board = self._boards.get(account)
        if board is not None:
            board.changed.update(members)

    def forget(self, account: str) -> None:
        """Somebody isn't there any more: everybody is told everything."""
        board = self._boards.get(account)
        if board is not None:
            board.waiting = set(board.agents)

    def due(self, account: str) -> float:
        """When there is something to tell."""
        board = self._boards.get(account)
        if board is None:
            return NEVER
        return min(board.due if board.changed else NEVER, max(board.due, board.again) if board.waiting else NEVER)

    def tell(self, account: str, lines: Mapping[str, Line], now: float) -> None:
        """Tell what is to be told by now; whoever can't take it is told everything later."""
        board = self._boards.get(account)
        if board is None or now < board.due:
            return
        late: set[Listener] = set()
        size = 0
        if board.changed:
            changed = [lines[id_] for id_ in sorted(board.changed) if id_ in lines]
            board.changed.clear()
            size += _tell(board.agents - board.waiting, protocol.statuses(changed, whole=False), late)
        if board.waiting and now >= board.again:
            waiting, board.waiting = board.waiting, set()
            size += _tell(waiting, protocol.statuses(lines.values(), whole=True), late)
        if late:
            board.waiting |= late
            board.again = now + AGAIN_SECONDS
        board.due = now + max(PACE_SECONDS, size / BYTES_PER_SECOND)


def _tell(listeners: Collection[Listener], payloads: list[bytes], late: set[Listener]) -> int:
    """How many bytes that were; who couldn't take them is late."""
    for listener in listeners:
        if not all(listener.overhear(payload) for payload in payloads):
            late.add(listener)
    return sum(map(len, payloads)) * len(listeners)
