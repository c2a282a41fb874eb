"""Which of an account's staff is here, told to its agents: whole, when it changes, no more often than is good."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from gateway import protocol
from gateway.hub import Listener
from gateway.switchboard import PRESENCE, Switchboard
from presence.rounds import Rounds

VERSION = 1
PACE_SECONDS = 0.25  # between two tellings of one account
BYTES_PER_SECOND = 20_000_000  # that one account's tellings may cost: everybody is told of everybody
AGAIN_SECONDS = 0.5  # to those who couldn't take it


class Board:
    """What an account's agents on this node were told."""

    __slots__ = ("agents", "due", "told", "waiting")

    def __init__(self) -> None:
        self.agents: set[Listener] = set()
        self.waiting: set[Listener] = set()
        """Those who don't know the newest yet."""
        self.told: frozenset[str] | None = None
        self.due = 0.0


class Roll:
    """Says who is on this node to `rounds`, and to agents what it hears there. `ticks` never go back."""

    def __init__(
        self,
        rounds: Rounds,
        switchboard: Switchboard,
        flush: Callable[[], None],
        ticks: Callable[[], float],
    ) -> None:
        self._rounds = rounds
        self._switchboard = switchboard
        self._flush = flush
        self._ticks = ticks
        self._boards: dict[str, Board] = {}
        self._changed: set[str] = set()
        self._rung = asyncio.Event()
        self.drain = rounds.drain
        """Whoever drops from now on was sent away by this node: see `presence.Times`."""
        self.close = rounds.close
        """When all sockets are closed and `run` is over: says what is still to be said."""
        rounds.listen(self._ring, self._moved)
        switchboard.connect(PRESENCE, self._hear)
        switchboard.on_gap(rounds.lose_bells)

    def enter(self, listener: Listener) -> None:
        """A socket of a member of the staff has come: it will be told who is here, and others of it. Nobody waits."""
        actor = listener.actor
        if actor.kind == "agent":
            board = self._boards.setdefault(actor.account, Board())
            board.agents.add(listener)
            board.waiting.add(listener)
            self._moved(actor.account)
        self._rounds.enter(actor.account, actor.id, listener)

    def leave(self, listener: Listener, *, for_good: bool) -> None:
        """It is gone, and may come back in a moment; or it was signed out. Harmless when it never came."""
        actor = listener.actor
        board = self._boards.get(actor.account)
        if board is not None:
            board.agents.discard(listener)
            board.waiting.discard(listener)
            if not board.agents:
                del self._boards[actor.account]
        self._rounds.leave(actor.account, actor.id, listener, for_good=for_good)

    async def run(self) -> None:
        """Keep the rounds and tell until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._rounds.run())
            group.create_task(self._tell_for_ever())

    def tell(self) -> None:
        """Tell all that is to be told by now."""
        now = self._ticks()
        for account in list(self._changed):
            board = self._boards.get(account)
            if board is None or (self._rounds.is_settled(account) and self._tell(account, board, now)):
                self._changed.discard(account)
        self._flush()

    def _tell(self, account: str, board: Board, now: float) -> bool:
        """Whether all know all."""
        here = self._rounds.here(account)
        is_new = here != board.told
        if not is_new and not board.waiting:
            return True
        payload = protocol.presence(here)
        if is_new and now >= board.due:
            board.told, is_new = here, False
            board.due = now + max(PACE_SECONDS, len(payload) * len(board.agents) / BYTES_PER_SECOND)
            board.waiting = set(board.agents)
        board.waiting = {listener for listener in board.waiting if not listener.overhear(payload)}
        return not is_new and not board.waiting

    def _moved(self, account: str) -> None:
        if account in self._boards:
            self._changed.add(account)
            self._rung.set()

    def _ring(self, account: str, version: str) -> None:
        """Somebody came or went: whoever wants to know who asks the engine."""
        if self._switchboard.wants(account):
            self._switchboard.tell(account, _HEAD + version.encode())

    def _hear(self, account: str, payload: bytes) -> None:
        """Of another node. What another version of it says can't be known: asking does no harm."""
        version = payload[len(_HEAD) :] if payload.startswith(_HEAD) else b"?"
        self._rounds.hear(account, version.decode(errors="replace"))

    async def _tell_for_ever(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(AGAIN_SECONDS if self._changed else None):
                    await self._rung.wait()
            self._rung.clear()
            self.tell()
            await asyncio.sleep(PACE_SECONDS / 5)


_HEAD = bytes([PRESENCE, VERSION])
