"""What shoppers are told: how long it may take from their place, what the door shows, and how soon answers come."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from msgspec import Struct

from chat.clock import Clock
from chat.correction import Correction, correction
from chat.errors import Unavailable
from chat.floors import Door
from chat.forecast import Estimate, Handling, estimates, handling
from chat.model import Member, TeamRules
from chat.promises import Lately, Promise, Promises
from chat.waiting import queued_at
from gateway.duty import NodeDuty, shift_of
from gateway.floor import Floor
from gateway.queues import Prospect, Shown
from gateway.reception import shown_at

log = logging.getLogger("gateway.prospects")

FRESH_SECONDS = 300.0  # for so long what was read of recent waits and answers is good enough
ROUNDED_SECONDS = 10  # nobody believes more, and a figure that changes all the time says nothing
ESTIMATED = 200  # places of one queue: nobody behind them is told how long it takes


class Pace(Struct, frozen=True):
    """How things went lately with one team. `worked` is the share of the time in hand that isn't the contact's silence:
    what is in hand now has been worked at for as much of its time."""

    handling: Handling
    correction: Correction
    worked: float


class Known(Struct):
    """Of one account, and when it was read."""

    at: float
    lately: Lately
    replies: Mapping[str, int]
    paces: dict[str, Pace] = {}


NOTHING = Known(float("-inf"), Lately(), {})


class Prospects:
    """What was read of an account is kept until it is forgotten."""

    def __init__(self, promises: Promises, duty: NodeDuty, clock: Clock) -> None:
        self._promises = promises
        self._duty = duty
        self._clock = clock
        self._known: dict[str, Known] = {}

    async def read(self, account: str) -> None:
        """Read what estimates are made from, unless that was done a moment ago. While the store is away, what is known
        must do."""
        now = self._clock.ticks()
        if now - self._known.get(account, NOTHING).at < FRESH_SECONDS:
            return
        try:
            lately = await self._promises.lately(account, self._clock.now())
            replies = await self._promises.reply_seconds(account, self._clock.now())
        except Unavailable as error:
            log.warning("what became of earlier waits can't be read: %s", error)
            return
        self._known[account] = Known(now, lately, replies)

    def forget(self, account: str) -> None:
        """Nobody is told anything of it any more."""
        self._known.pop(account, None)

    # --- what is shown --------------------------------------------------------------------------------------------

    def show(self, floor: Floor, door: Door, at: int) -> Shown:
        """What a door shows at a moment (ms)."""
        found = shown_at(floor, door, self._duty, at)
        replies = self._known.get(floor.account, NOTHING).replies
        return Shown(found.status, found.opens_at, found.until, found.then, replies.get(door.id))

    def look(self, floor: Floor, at: int) -> Mapping[str, Prospect]:
        """What everybody who waits is told at a moment (ms)."""
        ranges = self._ranges(floor, at)
        shown: dict[str, Shown] = {}
        told: dict[str, Prospect] = {}
        for id_, (_, place, found) in ranges.items():
            inbox = floor.waiting[id_].inbox
            if inbox not in shown and inbox in floor.doors:
                shown[inbox] = self.show(floor, floor.doors[inbox], at)
            told[id_] = _prospect(place, found, shown.get(inbox), at)
        return told

    async def promise(self, floor: Floor, conversations: Collection[str]) -> None:
        """Write down what those are told who have begun to wait, if somebody can say."""
        await self.read(floor.account)
        at = self._clock.now()
        ranges = self._ranges(floor, at) if conversations else {}
        promises = []
        for id_ in conversations:
            team, place, found = ranges.get(id_, ("", 0, None))
            if found is None:
                continue
            queued = queued_at(floor.waiting[id_])
            waited = max(0, at - queued)
            promises.append(
                Promise(
                    id_,
                    queued,
                    team,
                    place,
                    found.estimate + waited,
                    found.low + waited,
                    found.high + waited,
                    found.tail + waited,
                    found.closes_at,
                    found.opens_at,
                )
            )
        if promises:
            try:
                await self._promises.make(floor.account, promises)
            except Unavailable as error:
                log.warning("what was promised can't be written: %s", error)

    # --- how it is worked out -------------------------------------------------------------------------------------

    def _ranges(self, floor: Floor, at: int) -> dict[str, tuple[str, int, Estimate | None]]:
        """Of each that waits for a team: the team, the place, and how long it may take."""
        places = floor.places()
        found: dict[str, tuple[str, int, Estimate | None]] = {}
        of: dict[str, dict[int, str]] = {}
        for each in floor.queue():
            id_ = each.conversation.id
            if id_ not in places:
                continue
            team, place = each.teams[0], places[id_]
            found[id_] = (team, place, None)
            rules = floor.teams.get(team)
            if rules is not None and rules.policy != "manual" and place <= ESTIMATED:
                of.setdefault(team, {})[place] = id_
        for team, waiting in of.items():
            pace = self._pace(floor.account, team)
            slots, elapsed = self._crew(floor, floor.teams[team], at)
            hands = [round(each * pace.worked) for each in elapsed]
            told = estimates(waiting, at, slots, hands, pace.handling, pace.correction)
            for place, id_ in waiting.items():
                found[id_] = (team, place, told[place])
        return found

    def _pace(self, account: str, team: str) -> Pace:
        """Worked out once for what was read."""
        known = self._known.get(account)
        if known is None:
            return USUAL
        if team not in known.paces:
            handles = [each for each in known.lately.handles if each.team == team]
            held = sum(each.held for each in handles)
            worked = sum(each.worked for each in handles) / held if held else 1.0
            known.paces[team] = Pace(
                handling([each.worked for each in handles]),
                correction(past for of, past in known.lately.waits if of == team),
                worked,
            )
        return known.paces[team]

    def _crew(self, floor: Floor, rules: TeamRules, at: int) -> tuple[list[tuple[int, int]], list[int]]:
        """How many of the team's slots there are from which moment on, and for how long their conversations have been
        in the hands of those who are there now (ms)."""
        moves: Counter[int] = Counter({at: 0})
        present: set[str] = set()
        for member in floor.members.values():
            if rules.id in member.teams:
                for begins, ends in self._presences(floor, member, at):
                    moves[begins] += member.slots
                    if ends is not None:
                        moves[ends] -= member.slots
                    if begins == at:
                        present.add(member.id)
        return _steps(moves), floor.elapsed(present, at)

    def _presences(self, floor: Floor, member: Member, at: int) -> Iterable[tuple[int, int | None]]:
        """When somebody takes conversations: from now on, who does so; from the next shift on, who is at home. Who is
        away by choice, or always on shift and not here, comes when nobody knows."""
        shift = shift_of(member.schedule, at)
        standing = floor.standings.get(member.id)
        if standing is not None and (standing.status == "accepting_chats" or standing.reason == "full"):
            ends = shift.ends_at if shift.winding_down_at is None else shift.winding_down_at
            yield at, ends
        elif shift.back_at is not None:
            yield shift.back_at, None


def _steps(moves: Mapping[int, int]) -> list[tuple[int, int]]:
    steps: list[tuple[int, int]] = []
    count = 0
    for moment in sorted(moves):
        count += moves[moment]
        steps.append((moment, count))
    return steps


def _prospect(place: int, found: Estimate | None, shown: Shown | None, at: int) -> Prospect:
    """Where the wait goes on beyond closing time, it says when it opens again."""
    closes_at = shown and (at if shown.status == "away" else shown.until)
    opens_at = None
    if shown is not None and closes_at and (found is None or at + found.high > closes_at):
        opens_at = shown.opens_at
    if found is None:
        return Prospect(place, None, opens_at)
    if opens_at is None and found.passes_closing:
        opens_at = found.opens_at
    low, high = (_rounded(each) for each in (found.low, found.high))
    return Prospect(place, (low, max(high, low + ROUNDED_SECONDS)), opens_at)


def _rounded(ms: int) -> int:
    return round(ms / 1000 / ROUNDED_SECONDS) * ROUNDED_SECONDS


USUAL = Pace(handling([]), Correction(), 1.0)
