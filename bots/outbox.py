"""Asks that wait for their answer: sent in order, resent with the same id until settled. No I/O, time comes in."""

import asyncio
import random
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

from bots.errors import Closed, OutboxFull, Refused, Unsettled
from bots.frames import Ok, Refusal

RETRY_BASE, RETRY_CAP = 0.25, 20.0  # seconds; how long a retryable refusal without after_ms waits, doubled each time
TAILS = 10_000  # conversations whose last own entry we remember; the mirror knows the others
POSITION_SECONDS = 1.0  # a conversation's read or delivered goes out at most this often
POSITIONS = ("read", "delivered")
NODE_WIDE = ("rate_limited", "busy", "unavailable")  # these refuse the peer or the node, not this one ask


@dataclass(slots=True, eq=False)
class Ask:
    """One ask on its way. Await it for its Ok; a final refusal raises Refused."""

    frame: dict[str, Any]
    lane: str  # asks of one lane keep their order also over retries
    patience: float
    settled: asyncio.Future[Ok]
    ref: int | None = None  # set while it is in flight on the connection of now
    sent_after: str | None = None  # what it named the last time it was sent; the chain may have been mended since
    tries: int = 0
    not_before: float = 0.0

    @property
    def id(self) -> str:
        return str(self.frame.get("id", ""))

    async def ok(self, timeout: float) -> Ok:
        """Wait for the answer this long; raises Refused, Closed, or Unsettled and may be awaited again."""
        try:
            return await asyncio.wait_for(asyncio.shield(self.settled), timeout)
        except TimeoutError:
            raise Unsettled(f"{self.frame['type']} has no answer after {timeout:g} s") from None

    def __await__(self) -> Generator[Any, None, Ok]:
        return self.ok(self.patience).__await__()


@dataclass(slots=True)
class Outbox:
    """The order of asks, the window of unanswered ones, the `after` chains and the retries."""

    bound: int = 1000
    window: int = 16
    dice: random.Random = field(default_factory=random.Random)
    _asks: dict[int, Ask] = field(default_factory=dict)  # by order of asking
    _flying: dict[int, int] = field(default_factory=dict)  # ref -> order
    _tails: dict[str, str | None] = field(default_factory=dict)  # conversation -> id of our last entry there
    _position_sent: dict[str, float] = field(default_factory=dict)
    _paused_until: float = 0.0
    _orders: int = 0
    _refs: int = 0

    def __len__(self) -> int:
        return len(self._asks)

    def add(self, ask: Ask) -> None:
        """Take an ask to the end of the queue; raises OutboxFull."""
        if len(self._asks) >= self.bound:
            raise OutboxFull(f"{self.bound} asks wait for an answer")
        self._orders += 1
        self._asks[self._orders] = ask

    def chain(self, frame: dict[str, Any], tail: str | None) -> None:
        """Give an entry the name of our previous one in its conversation; `tail` when we don't remember any."""
        after = self._tails.pop(frame["conversation"], tail)
        if after is not None:
            frame["after"] = after
        self._tails[frame["conversation"]] = frame["id"]
        if len(self._tails) > TAILS:
            del self._tails[next(iter(self._tails))]

    def position(self, lane: str, seq: int) -> bool:
        """Raise a waiting read or delivered of this lane instead of adding another; False when none waits."""
        for ask in self._asks.values():
            if ask.lane == lane and ask.ref is None:
                ask.frame["seq"] = max(ask.frame["seq"], seq)
                return True
        return False

    def has_lane(self, lane: str) -> bool:
        """Does an ask of this lane wait, sent or not?"""
        return any(ask.lane == lane for ask in self._asks.values())

    def due(self, now: float) -> Iterator[Ask]:
        """The asks to write now, in order; each gets its ref and counts as in flight."""
        if now < self._paused_until:
            return
        blocked = set()
        for order, ask in list(self._asks.items()):
            if ask.ref is not None:
                continue
            if len(self._flying) >= self.window:
                return
            if ask.lane in blocked or ask.not_before > now:
                blocked.add(ask.lane)
                continue
            self._refs += 1  # a retry on the same connection is another ask to the service
            ask.ref = ask.frame["ref"] = self._refs
            ask.sent_after = ask.frame.get("after")
            ask.tries += 1
            self._flying[self._refs] = order
            if ask.frame["type"] in POSITIONS:
                self._sent_position(ask.lane, now)
            yield ask

    def next_due(self, now: float) -> float | None:
        """Seconds until something may be written that waits for its time, or None."""
        if len(self._flying) >= self.window:
            return None
        heads: dict[str, float] = {}
        for ask in self._asks.values():
            if ask.ref is None:
                heads.setdefault(ask.lane, ask.not_before)
        return max(0.0, max(min(heads.values()), self._paused_until) - now) if heads else None

    def position_time(self, lane: str) -> float:
        """The earliest moment at which this lane's next position may go out."""
        return self._position_sent.get(lane, -POSITION_SECONDS) + POSITION_SECONDS

    def ok(self, frame: Ok) -> Ask | None:
        """Settle an ask and return it; an unknown ref (None) is an answer that came too late to matter."""
        order = self._flying.get(frame["ref"])
        if order is None:
            return None
        ask = self._take(order)
        if ask.frame["type"] == "conversation.start" and "conversation" in frame:
            self._tails.setdefault(frame["conversation"], ask.id)
        if not ask.settled.done():
            ask.settled.set_result(frame)
        return ask

    def refused(self, frame: Refusal, now: float) -> bool:
        """Settle an ask with its final refusal, or put it back for a retry; False when its ref is unknown."""
        order = self._flying.get(frame.get("ref", 0))
        if order is None:
            return False
        ask = self._asks[order]
        if frame["retry"]:
            self._retry(ask, frame, now)
            return True
        ask = self._take(order)
        self._mend_chain(ask)
        if not ask.settled.done():
            ask.settled.set_exception(_refusal(frame))
        return True

    def disconnected(self) -> None:
        """Nothing is in flight any more; what isn't settled will be sent again, in order."""
        self._flying.clear()
        self._paused_until = 0.0
        for ask in self._asks.values():
            ask.ref = None

    def close(self, why: Closed) -> None:
        """End: every ask that isn't settled raises `why`."""
        for order in list(self._asks):
            settled = self._take(order).settled
            if not settled.done():
                settled.set_exception(why)
                settled.exception()  # whoever never awaits it isn't told again by the loop

    def _take(self, order: int) -> Ask:
        ask = self._asks.pop(order)
        if ask.ref is not None:
            self._flying.pop(ask.ref, None)
        return ask

    def _sent_position(self, lane: str, now: float) -> None:
        self._position_sent[lane] = now
        if len(self._position_sent) > TAILS:
            self._position_sent = {lane: at for lane, at in self._position_sent.items() if at > now - POSITION_SECONDS}

    def _retry(self, ask: Ask, frame: Refusal, now: float) -> None:
        self._flying.pop(ask.ref or 0)
        ask.ref = None
        wait = self.dice.uniform(0, min(RETRY_CAP, RETRY_BASE * 2 ** min(ask.tries, 16)))
        if "after_ms" in frame:
            wait = frame["after_ms"] / 1000
        if frame["code"] == "behind":
            wait = self._catch_up(ask, wait)
        ask.not_before = now + wait
        if frame["code"] in NODE_WIDE:
            self._paused_until = max(self._paused_until, ask.not_before)

    def _catch_up(self, ask: Ask, wait: float) -> float:
        """The entry before isn't stored. If it still waits here, go right behind it; else nobody will bring it."""
        after = ask.frame.get("after")
        if after != ask.sent_after:
            return 0.0
        if any(other.id == after for other in self._asks.values()):
            return 0.0 if ask.tries < 3 else wait
        ask.frame.pop("after", None)
        return wait

    def _mend_chain(self, lost: Ask) -> None:
        """A refused entry will never be stored, so whoever stood behind it stands behind its predecessor."""
        before = lost.frame.get("after")
        for ask in self._asks.values():
            if lost.id and ask.frame.get("after") == lost.id:
                ask.frame.pop("after")
                if before is not None:
                    ask.frame["after"] = before
        conversation = lost.frame.get("conversation")
        if conversation is not None and self._tails.get(conversation) == lost.id:
            self._tails[conversation] = before


def _refusal(frame: Refusal) -> Refused:
    return Refused(
        frame["code"],
        frame.get("message", ""),
        retry=frame["retry"],
        field=frame.get("field"),
        after_ms=frame.get("after_ms"),
    )
