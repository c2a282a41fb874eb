"""Goes round the accounts that have somebody on this node: says who, asks who else is here, and tells what follows.

Nobody waits for the engine: what this node's own devices do is known at once, what others do as soon as it is heard.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from contextlib import suppress

from presence import About, Away, Presence, Times
from presence.roster import NEVER, Heartbeats, Roster

log = logging.getLogger("presence.rounds")

PACE_SECONDS = 0.5  # between two calls for an account, however much happens there
AT_ONCE = 8  # calls under way
RETRY_SECONDS = 1.0
FIRST_SECONDS = 1.0  # for the engine to say who else is here; then what this node knows must do
LOOK_SECONDS = 0.5  # between looks at who is to be asked or has stayed away too long
GATHER_SECONDS = 0.02  # for what happens together to be said together
HEAR_SECONDS = 0.05  # after a sleep: to hear who has gone meanwhile
CLOSE_SECONDS = 2.0


class Page:
    """What is known of one account."""

    __slots__ = (
        "account",
        "answered_at",
        "asked_at",
        "due",
        "heard",
        "is_attended",
        "is_settled",
        "look_at",
        "refresh_at",
        "roster",
        "since",
        "was_asked",
    )

    def __init__(self, account: str, roster: Roster, now: float) -> None:
        self.account = account
        self.roster = roster
        self.since = now
        self.due = now
        self.refresh_at = now
        self.asked_at = 0.0
        self.answered_at = -NEVER
        self.look_at = now + FIRST_SECONDS
        self.heard = ""
        self.was_asked = False
        self.is_settled = False
        self.is_attended = False


class Rounds:
    """`ring` tells the other nodes that an account has another version; `moved` is called with an account when somebody
    came or went there, or when its first answer is here. `ticks` are seconds that never go back."""

    def __init__(
        self,
        presence: Presence,
        ticks: Callable[[], float],
        *,
        ring: Callable[[str, str], None] = lambda account, version: None,
        moved: Callable[[str], None] = lambda account: None,
        times: Times | None = None,
        version: str = "",
    ) -> None:
        self._presence = presence
        self._ticks = ticks
        self._ring = ring
        self._moved = moved
        self._times = times or Times()
        self._about = About(version)
        self._grace = self._times.grace
        self._pages: dict[str, Page] = {}
        self._heartbeats = Heartbeats(self._times)
        self._beaten_at = NEVER
        self._rung = asyncio.Event()
        self._is_told_away = False

    def listen(self, ring: Callable[[str, str], None], moved: Callable[[str], None]) -> None:
        """Say who is to be told; before anything else."""
        self._ring, self._moved = ring, moved

    def watch(self, moved: Callable[[str], None]) -> None:
        """Another one who is told when somebody came or went."""
        first = self._moved

        def both(account: str) -> None:
            first(account)
            moved(account)

        self._moved = both

    # --- what happens on this node ----------------------------------------------------------------------------

    def enter(self, account: str, actor: str, device: object) -> None:
        """A device of the actor is connected to this node."""
        now = self._ticks()
        page = self._page(account, now)
        page.roster.enter(actor, device)
        self._happened(page, now)

    def leave(self, account: str, actor: str, device: object, *, for_good: bool = False) -> None:
        """It isn't any more, perhaps for a moment; or for good, as whoever signs out. Harmless when it never was."""
        page = self._pages.get(account)
        if page is not None:
            now = self._ticks()
            page.roster.leave(actor, device, now, 0.0 if for_good else self._grace)
            self._happened(page, now)

    def attend(self, account: str) -> None:
        """From now on it is known who is here, also while nobody of the account's staff is on this node."""
        now = self._ticks()
        page = self._page(account, now)
        if not page.is_attended:
            page.is_attended = True
            self._call_soon(page, now)

    def unattend(self, account: str) -> None:
        """Not any more, unless somebody of its staff is on this node. Harmless when it wasn't attended."""
        page = self._pages.get(account)
        if page is not None and page.is_attended:
            page.is_attended = False
            self._look(page, self._ticks())

    def hear(self, account: str, version: str) -> None:
        """Another node says that the account has this version."""
        page = self._pages.get(account)
        if page is not None and version != page.roster.version:
            page.heard = version
            self._call_soon(page, self._ticks())

    def lose_bells(self) -> None:
        """Something that other nodes said may be lost: ask about every account."""
        now = self._ticks()
        for page in self._pages.values():
            self._call_soon(page, now)

    def drain(self) -> None:
        """From now on whoever drops was dropped by us, and has longer to come back to another node."""
        self._grace = self._times.drain_grace
        self._about = About(self._about.version, is_draining=True)

    def here(self, account: str) -> frozenset[str]:
        """Who is here, on any node, as far as this one knows. Nobody in an account that has nobody on this node and
        isn't attended."""
        page = self._pages.get(account)
        if page is None:
            return frozenset()
        now = self._ticks()
        if page.look_at <= now:
            self._look(page, now)
        return page.roster.here

    def is_known(self, account: str) -> bool:
        """Whether `here` says something: the engine was asked, or takes too long."""
        page = self._pages.get(account)
        return page is not None and page.is_settled

    def is_sure(self, account: str, actor: str) -> bool:
        """Whether what `here` says of the actor is known: it is on this node or was a moment ago, or the others were
        heard within a lease's time. While the engine is away longer, nobody can say it of those on other nodes."""
        page = self._pages.get(account)
        return page is not None and (page.roster.is_own(actor) or self.is_heard(account))

    def is_own(self, account: str, actor: str) -> bool:
        """Whether the actor has a device on this node, or had one a moment ago."""
        page = self._pages.get(account)
        return page is not None and page.roster.is_own(actor)

    def is_heard(self, account: str) -> bool:
        """Whether the other nodes were heard within a lease's time."""
        page = self._pages.get(account)
        return page is not None and self._ticks() - page.answered_at <= self._times.lease

    def is_settled(self, account: str) -> bool:
        """Whether that is worth telling: the engine was asked, or takes too long."""
        page = self._pages.get(account)
        return page is None or page.is_settled

    def is_stale(self, account: str) -> bool:
        """Whether what is known of other nodes is old. Who is on this one is known in any case."""
        page = self._pages.get(account)
        return page is None or not page.roster.version or page.roster.is_lost

    # --- the tasks --------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Beat, talk and look until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._beat_for_ever())
            group.create_task(self._talk_for_ever())
            group.create_task(self._look_for_ever())

    async def close(self) -> None:
        """Whoever is still on this node is told to be in grace, and then it is no node any more."""
        now = self._ticks()
        for page in self._pages.values():
            page.roster.leave_all(now, self._grace)
        with suppress(TimeoutError):  # then the leases end by themselves
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._call_each([page for page in self._pages.values() if page.roster.has_news])
                await self._presence.close()
        self._pages.clear()

    async def beat(self) -> None:
        """This node is alive; look who else is."""
        asked = self._ticks()
        try:
            nodes = await self._presence.beat(self._about)
        except Away as error:
            self._tell_away(error)
            self._heartbeats.lose()
            return
        self._tell_here()
        if asked - self._beaten_at >= self._times.node_lease:
            for page in self._pages.values():
                page.roster.oversleep()
        self._beaten_at = asked
        if self._heartbeats.take(nodes, asked):
            for page in self._pages.values():
                self._call_soon(page, asked)

    async def talk(self) -> None:
        """One round: a call for each account that is due."""
        now = self._ticks()
        due = sorted((page for page in self._pages.values() if page.due <= now), key=lambda page: page.due)
        lost = [page for page in due if page.roster.is_lost]
        await self._call_each([page for page in due if not page.roster.is_lost])
        await self._call_each(lost, until_one_fails=True)  # not every account need find out again that nobody answers

    def look(self) -> None:
        """See who has been away for too long."""
        now = self._ticks()
        for page in [page for page in self._pages.values() if page.look_at <= now]:
            self._look(page, now)

    async def _beat_for_ever(self) -> None:
        while True:
            await self.beat()
            await self._sleep(self._times.beat)

    async def _talk_for_ever(self) -> None:
        while True:
            await self.talk()
            await asyncio.sleep(GATHER_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._idle_seconds()):
                    await self._rung.wait()
            self._rung.clear()
            self.look()
            if self._ticks() - self._beaten_at >= self._times.node_lease:  # it was frozen, or the engine was away
                await asyncio.sleep(HEAR_SECONDS)
                await self.beat()

    def _idle_seconds(self) -> float:
        due = min((page.due for page in self._pages.values()), default=NEVER)
        return min(LOOK_SECONDS, max(0.0, due - self._ticks()))

    async def _look_for_ever(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.look()

    async def _sleep(self, seconds: float) -> None:
        began = self._ticks()
        await asyncio.sleep(seconds)
        if self._ticks() - began > seconds + 1.0:  # frozen: first hear who has gone meanwhile
            await asyncio.sleep(HEAR_SECONDS)

    # --- one account ------------------------------------------------------------------------------------------

    def _page(self, account: str, now: float) -> Page:
        page = self._pages.get(account)
        if page is None:
            page = self._pages[account] = Page(account, Roster(self._presence.node, self._times), now)
        return page

    def _happened(self, page: Page, now: float) -> None:
        """What follows is looked at when somebody wants to know: of thousands that come at once, not for each."""
        page.look_at = now
        self._call_soon(page, now)
        if page.is_settled:
            self._moved(page.account)

    def _call_soon(self, page: Page, now: float) -> None:
        if not page.roster.is_lost:
            page.due = min(page.due, max(now, page.asked_at + PACE_SECONDS))
        self._rung.set()

    def _look(self, page: Page, now: float) -> None:
        moves = page.roster.look(now)
        page.look_at = page.roster.next_look(now)
        if not page.is_settled:
            page.is_settled = page.was_asked or now >= page.since + FIRST_SECONDS
            page.look_at = min(page.look_at, page.since + FIRST_SECONDS) if not page.is_settled else page.look_at
            if page.is_settled:
                self._moved(page.account)
        elif moves:
            self._moved(page.account)
        if page.roster.is_over(now) and not page.is_attended:
            self._pages.pop(page.account, None)

    async def _call_each(self, pages: list[Page], *, until_one_fails: bool = False) -> None:
        for start in range(0, len(pages), AT_ONCE):
            answered = await asyncio.gather(*(self._call(page) for page in pages[start : start + AT_ONCE]))
            if until_one_fails and not all(answered):
                return

    async def _call(self, page: Page) -> bool:
        """Whether it was answered."""
        asked = self._ticks()
        roster, is_refresh = page.roster, asked >= page.refresh_at
        words, living = roster.words(everything=is_refresh), self._heartbeats.living
        page.asked_at, page.heard = asked, ""
        try:
            table = await self._presence.touch(page.account, words.here, words.graces(asked), roster.version)
        except Away as error:
            self._tell_away(error)
            roster.lose()
            page.due = page.refresh_at = self._ticks() + RETRY_SECONDS
        else:
            self._tell_here()
            page.answered_at = asked
            roster.take(table, words, self._ticks(), living)
            if table.is_moved:
                self._ring(page.account, table.version)
            if is_refresh:
                jitter = self._times.jitter
                page.refresh_at = asked + self._times.refresh + random.uniform(-jitter, jitter)
            page.due = self._next_call(page)
        page.was_asked = True
        self._look(page, self._ticks())
        return not roster.is_lost

    def _next_call(self, page: Page) -> float:
        soon = page.asked_at + PACE_SECONDS
        if page.roster.has_news or page.heard not in ("", page.roster.version):
            return soon
        return min(page.refresh_at, max(soon, page.roster.next_end() + GATHER_SECONDS))

    def _tell_away(self, error: Away) -> None:
        """Once, however often it is tried in vain."""
        if not self._is_told_away:
            log.warning("presence isn't shared at the moment: %s", error)
        self._is_told_away = True

    def _tell_here(self) -> None:
        if self._is_told_away:
            log.info("presence is shared again")
        self._is_told_away = False
