"""One account as this node serves it: what it hears of it, what follows, and which chore is due. Decides, does nothing.

Moments are seconds that never go back, but `at`, which is wall time in ms.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable

from msgspec.json import Decoder

from chat.access import SYSTEM
from chat.floors import Look
from chat.model import Conversation, Member
from chat.rules.availability import IDLE
from gateway.agenda import NEVER, Agenda
from gateway.bulletin import Bulletin
from gateway.floor import Floor
from gateway.idle import Idle

LOOK_SECONDS = 1.0  # between two looks at the clock, if nothing happens
HELD = 5_000  # bulletins that came while the store was read; beyond that it is read once more
AGAIN_SECONDS = 5.0  # until what was asked about a member and changed nothing is asked again

_decode = Decoder(Conversation).decode


class Case:
    """`is_own` says of a member whether it has a socket on this node; `chance` gives numbers from 0 to 1."""

    def __init__(self, floor: Floor, now: float, is_own: Callable[[str], bool], chance: Callable[[], float]) -> None:
        self.floor = floor
        self.account = floor.account
        self.agenda = Agenda(now)
        self.idle = Idle()
        self.is_busy = False
        self.is_read = False
        self.is_known = asyncio.Event()
        """Whether the store was read and the presence engine asked."""
        self.look_at = now
        self.queued: set[str] = set()
        """What has begun to wait by this node's own doing, and was promised nothing yet."""
        self.returning: set[str] = set()
        """Agents whom the service set away as they were idle, and who have come back to life."""
        self._is_own = is_own
        self._chance = chance
        self._here: frozenset[str] = frozenset()
        self._is_heard = False
        self._held: list[Bulletin] | None = None
        self._asked: dict[str, float] = {}

    # --- what is heard --------------------------------------------------------------------------------------------

    def hear(self, bulletin: Bulletin, now: float, *, is_own: bool) -> bool:
        """Whether the queue is another one now."""
        if self._held is not None:
            self._held.append(bulletin)
            if len(self._held) > HELD:
                self._held.clear()
                self.agenda.read_soon(now)
        return self._take(bulletin, now, is_own=is_own)

    def _take(self, bulletin: Bulletin, now: float, *, is_own: bool) -> bool:
        floor = self.floor
        is_other = False
        for item in bulletin.items:
            if item.is_routing:
                waited = item.conversation in floor.waiting
                is_other |= floor.take(_decode(item.document))
                if is_own and not waited and item.conversation in floor.waiting:
                    self.queued.add(item.conversation)
        self.look_at = now
        if floor.waiting:
            self._route(now, is_own=is_own)
        return is_other

    def employ(self, members: Collection[Member], now: float) -> None:
        """What was written of them. Whatever is otherwise from now on may be asked about at once."""
        for member in members:
            self._asked.pop(member.id, None)
        self.floor.employ(members)
        self.look_at = now

    def act(self, agent: str, now: float, *, chooses: bool) -> bool:
        """An agent has shown that it is there; `chooses`: by saying what it is. Whether others should hear of it."""
        member = self.floor.members.get(agent)
        if member is not None and not chooses and is_set_idle(member):
            self.returning.add(agent)
            self.agenda.write = now
        return self.idle.act(agent, now)

    # --- reading the store ----------------------------------------------------------------------------------------

    def begin_read(self) -> None:
        """What is heard from now on may not be in what is read."""
        self.agenda.begin_read()
        self._held = []

    def end_read(self, look: Look | None, now: float, *, is_blind: bool) -> bool:
        """What was read, or that it couldn't be. Whether somebody isn't there any more."""
        held, self._held = self._held, None
        self.agenda.end_read(now, self._chance(), is_done=look is not None, is_blind=is_blind)
        if look is None:
            return False
        were = self.floor.members.keys()
        self.floor.begin(look)
        self.is_read = True
        for bulletin in held or ():
            self._take(bulletin, now, is_own=False)
        if self.floor.waiting:
            self._route(now, is_own=False)
        self.look_at = now
        return not were <= self.floor.members.keys()

    # --- what follows ---------------------------------------------------------------------------------------------

    def look(self, here: frozenset[str], now: float, at: int, *, is_known: bool, is_heard: bool) -> set[str]:
        """Who is here, whether that is worth anything, and whether other nodes are heard. Whose line is another one."""
        floor = self.floor
        if is_heard != self._is_heard:  # from now on something, or nothing, is known of those on other nodes
            floor.touch(floor.members)
        else:
            floor.touch(here ^ self._here)
        self._here, self._is_heard = here, is_heard
        changed = floor.look(at)
        if self.is_read and is_known and not self.is_known.is_set():
            self.is_known.set()
            changed = set(floor.members)
        if self.is_known.is_set():
            self._plan(changed, now)
        self.look_at = now + min(LOOK_SECONDS, max(0.0, (floor.next_end - at) / 1000))
        return changed

    def _plan(self, changed: Iterable[str], now: float) -> None:
        """Who is free may get what waits, and what isn't written down is to be."""
        floor, agenda = self.floor, self.agenda
        free = [id_ for id_ in changed if floor.is_accepting(id_)]
        if free and floor.waiting:
            self._route(now, is_own=any(map(self._is_own, free)))
        if agenda.run == NEVER and floor.has_hands and floor.has_work():
            agenda.end_run(now, is_done=True)
        unwritten = self.unwritten(now) + self.silent(now)
        if any(map(self._is_own, unwritten)):
            agenda.write_soon(now)
        elif unwritten:
            agenda.write_later(now, self._chance())

    def _route(self, now: float, *, is_own: bool) -> None:
        if is_own:
            self.agenda.route_soon(now)
        else:
            self.agenda.route_later(now, self._chance())

    # --- what is to be asked --------------------------------------------------------------------------------------

    @property
    def can_route(self) -> bool:
        """Whether something waits that somebody may get."""
        return self.floor.has_hands and self.floor.has_work()

    def unwritten(self, now: float) -> list[str]:
        """Of whom something else is written down than what is so, and nothing was asked about it a moment ago."""
        return [id_ for id_ in self.floor.unwritten if self._may_ask(id_, now)]

    def silent(self, now: float) -> list[str]:
        """Agents of this node who are available, but haven't been there for too long."""
        minutes = self.floor.idle_minutes
        if not minutes:
            return []
        found = (self.floor.members.get(agent) for agent in self.idle.silent(now, minutes * 60))
        return [each.id for each in found if each and each.availability == "available" and self._may_ask(each.id, now)]

    def take_returning(self) -> list[str]:
        """Whom the service set away, and who has shown since that it is there."""
        returning, self.returning = self.returning, set()
        found = (self.floor.members.get(agent) for agent in returning)
        return [member.id for member in found if member is not None and is_set_idle(member)]

    def ask_about(self, members: Iterable[str], now: float) -> None:
        """They are being asked about: not again for a moment."""
        self._asked = {id_: at for id_, at in self._asked.items() if at + AGAIN_SECONDS > now}
        self._asked.update(dict.fromkeys(members, now))

    def _may_ask(self, member: str, now: float) -> bool:
        return self._asked.get(member, -NEVER) + AGAIN_SECONDS <= now


def is_set_idle(member: Member) -> bool:
    """Whether it is the service that took it for idle."""
    return (member.availability, member.reason, member.set_by) == ("away", IDLE, SYSTEM)
