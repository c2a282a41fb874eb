"""Has conversations go to whoever can take them: hears what waits, who is here and when it is, and asks the ledger.

Every node does it for the accounts whose streams it follows. Who asks first doesn't matter: the ledger decides under
the account's lock, and what was done already isn't done again.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from functools import partial

from chat.access import SYSTEM, system
from chat.clock import Clock
from chat.errors import Refused, Unavailable
from chat.floors import Floors
from chat.model import Ask, Member
from chat.rules.availability import OBSERVED, Observe, SetAvailability
from chat.rules.routing import Return, Run, Unanswered
from chat.ticket import Done
from gateway import word
from gateway.agenda import NEVER
from gateway.api.asked import ask_id
from gateway.bulletin import Bulletin
from gateway.case import Case
from gateway.duty import NodeDuty
from gateway.floor import Floor
from gateway.hub import Listener
from gateway.prospects import Prospects
from gateway.queues import Queues
from gateway.statuses import Statuses
from gateway.switchboard import DUTY, Switchboard
from presence.rounds import Rounds

log = logging.getLogger("gateway.dispatch")

PACE_SECONDS = 0.01  # between two looks at what is to be done: what happens together is done together
WANTED_SECONDS = 60.0  # how long an account is followed for those who ask by HTTP
KNOWN_SECONDS = 2.0  # how long they wait until something is known of it
RECOVER_SECONDS = 5.0
AFTER_SECONDS = 0.05  # what the administration changes together is read together
LOST_SECONDS = 2.0  # over which everything is read again where words were lost


class Dispatch:
    """`ask` carries out an ask as an actor of an account and raises Refused; `follow` has an account's stream run here;
    `prospects` know what those who wait are told. It is the relay's Follower."""

    def __init__(
        self,
        *,
        floors: Floors,
        duty: NodeDuty,
        rounds: Rounds,
        switchboard: Switchboard,
        queues: Queues,
        prospects: Prospects,
        ask: Callable[[str, str, Ask], Awaitable[Done]],
        follow: Callable[[str], Awaitable[None]],
        is_bus_healthy: Callable[[], bool],
        flush: Callable[[], None],
        clock: Clock,
    ) -> None:
        self._floors = floors
        self._duty = duty
        self._rounds = rounds
        self._switchboard = switchboard
        self._queues = queues
        self._prospects = prospects
        self._ask = ask
        self._follow = follow
        self._is_bus_healthy = is_bus_healthy
        self._flush = flush
        self._clock = clock
        self._statuses = Statuses()
        self._cases: dict[str, Case] = {}
        self._wanted: dict[str, float] = {}
        self._rung = asyncio.Event()
        self._is_draining = False
        rounds.watch(self._touch)
        switchboard.connect(DUTY, self._hear_word)
        switchboard.on_gap(self._lose)

    # --- the relay's Follower -------------------------------------------------------------------------------------

    def begin(self, account: str) -> None:
        if account not in self._cases:
            floor = Floor(account, self._duty.standing)
            is_own = partial(self._rounds.is_own, account)
            self._cases[account] = Case(floor, self._clock.ticks(), is_own, random.random)
            self._rounds.attend(account)
            self._rung.set()

    def end(self, account: str) -> None:
        if self._cases.pop(account, None) is not None:
            self._rounds.unattend(account)
            self._prospects.forget(account)

    def hear(self, bulletin: Bulletin, *, is_own: bool) -> None:
        case = self._cases.get(bulletin.account)
        if case is None or not any(item.is_routing for item in bulletin.items):
            return
        try:
            if case.hear(bulletin, self._clock.ticks(), is_own=is_own):
                self._queues.change(case.account)
        except Exception:  # the boundary: what goes wrong here stops no batch of the ledger
            log.exception("an account's floor is read anew")
            case.agenda.read_soon(self._clock.ticks())
        self._rung.set()

    def employ(self, account: str, members: Collection[Member]) -> None:
        case = self._cases.get(account)
        if case is not None:
            case.employ(members, self._clock.ticks())
            self._rung.set()
        self._tell(account, word.Word(members=tuple(members)))

    def act(self, account: str, actor: str, ask: Ask) -> None:
        case = self._cases.get(account)
        if case is not None and case.act(actor, self._clock.ticks(), chooses=isinstance(ask, SetAvailability)):
            self._tell(account, word.Word(acted=(actor,)))
            self._rung.set()

    def wants(self, account: str) -> bool:
        return self._wanted.get(account, -NEVER) > self._clock.ticks()

    # --- who listens ----------------------------------------------------------------------------------------------

    def enter(self, listener: Listener, inbox: str | None) -> None:
        """A peer is up to date: it is told what concerns it, and what changes of that. `inbox`: a contact's door."""
        actor = listener.actor
        if actor.kind == "contact":
            self._queues.enter(listener, inbox)
        elif actor.kind == "agent":
            self._statuses.enter(listener)
            if (case := self._cases.get(actor.account)) is not None:
                case.idle.enter(actor.id, self._clock.ticks())
        self._rung.set()

    def leave(self, listener: Listener) -> None:
        """Harmless when it never came."""
        actor = listener.actor
        if actor.kind == "contact":
            self._queues.leave(listener)
        elif actor.kind == "agent" and self._statuses.leave(listener):
            case = self._cases.get(actor.account)
            if case is not None:
                case.idle.leave(actor.id)

    # --- who asks, and who says something -------------------------------------------------------------------------

    async def floor(self, account: str) -> Floor:
        """The account's floor as it is known now, or in a moment. It is followed for a while from now on. Raises
        Unavailable."""
        now = self._clock.ticks()
        self._wanted = {each: until for each, until in self._wanted.items() if until > now}
        self._wanted[account] = now + WANTED_SECONDS
        await self._follow(account)
        case = self._cases.get(account)
        if case is None:
            raise Unavailable("the account isn't followed")
        try:
            async with asyncio.timeout(KNOWN_SECONDS):
                await case.is_known.wait()
        except TimeoutError:
            raise Unavailable("nobody could say who works in the account") from None
        self._look(case, self._clock.ticks())
        return case.floor

    async def ring(self, account: str, actor: str, ask: Ask) -> Done:
        """Carry out what a timer is for. For what routing set it must be known who is here, also where nobody of the
        account is on this node."""
        if isinstance(ask, Unanswered | Return):
            with suppress(Unavailable):  # then it is refused, and tried again
                await self.floor(account)
        return await self._ask(account, actor, ask)

    def administered(self, account: str) -> None:
        """Something that routing goes by has been changed just now, from outside the ledger."""
        case = self._cases.get(account)
        if case is not None:
            case.agenda.read_soon(self._clock.ticks(), AFTER_SECONDS)
            self._rung.set()
        self._tell(account, word.STALE)

    def drain(self) -> None:
        """From now on this node routes nothing more; the others do."""
        self._is_draining = True

    def _tell(self, account: str, what: word.Word) -> None:
        if self._switchboard.wants(account):
            self._switchboard.tell(account, word.pack(what))

    def _hear_word(self, account: str, payload: bytes) -> None:
        """Of another node."""
        case = self._cases.get(account)
        if case is None:
            return
        now, said = self._clock.ticks(), word.unpack(payload)
        if said.is_stale:
            case.agenda.read_soon(now, AFTER_SECONDS)
        if said.members:
            case.employ(said.members, now)
        for agent in said.acted:
            case.idle.hear(agent, now)
        self._rung.set()

    def _lose(self) -> None:
        """Some words may be lost, and nobody knows of which accounts."""
        now = self._clock.ticks()
        for case in self._cases.values():
            case.agenda.read_soon(now, LOST_SECONDS * random.random())
        self._rung.set()

    # --- the task -------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Do what is due until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                for case in self.turn():
                    case.is_busy = True
                    group.create_task(self.work(case))
                await asyncio.sleep(PACE_SECONDS)
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._idle_seconds()):
                        await self._rung.wait()
                self._rung.clear()

    def turn(self) -> list[Case]:
        """Look at every account that is due, and tell what is to be told; returns those that need the store."""
        now = self._clock.ticks()
        for case in self._cases.values():
            if case.look_at <= now:
                self._look(case, now)
            if case.is_known.is_set():
                self._statuses.tell(case.account, case.floor.lines, now)
                if self._queues.due(case.account) <= now:
                    self._queues.tell(case.floor, self._clock.now(), now)
        self._flush()
        return [case for case in self._cases.values() if not case.is_busy and case.agenda.due <= now]

    async def work(self, case: Case) -> None:
        """Do what is due for one account, one after the other."""
        try:
            await self._work(case)
        except Exception:  # the boundary: a bug here may cost one account its routing, and nobody else anything
            log.exception("an account can't be served")
            await asyncio.sleep(RECOVER_SECONDS)
        finally:
            case.is_busy = False
            self._rung.set()

    def _idle_seconds(self) -> float:
        now = self._clock.ticks()
        return max(0.0, min((self._due(case) for case in self._cases.values()), default=NEVER) - now)

    def _due(self, case: Case) -> float:
        due = min(case.look_at, case.agenda.due if not case.is_busy else NEVER)
        if case.is_known.is_set():
            due = min(due, self._statuses.due(case.account), self._queues.due(case.account))
        return due

    def _touch(self, account: str) -> None:
        case = self._cases.get(account)
        if case is not None:
            case.look_at = 0.0
            self._rung.set()

    def _look(self, case: Case, now: float) -> None:
        account, rounds = case.account, self._rounds
        changed = case.look(
            rounds.here(account),
            now,
            self._clock.now(),
            is_known=rounds.is_known(account),
            is_heard=rounds.is_heard(account),
        )
        if changed:
            self._statuses.change(account, changed)
            self._queues.change(account)

    # --- what takes time ------------------------------------------------------------------------------------------

    async def _work(self, case: Case) -> None:
        agenda = case.agenda
        if agenda.read <= self._clock.ticks():
            await self._read(case)
        if not case.is_known.is_set():
            agenda.begin_write()  # nothing is known yet: looking will say when there is something
            agenda.run = NEVER
            return
        if agenda.run <= self._clock.ticks():
            await self._route(case)
        if agenda.write <= self._clock.ticks():
            await self._write(case)

    async def _read(self, case: Case) -> None:
        case.begin_read()
        try:
            look = await self._floors.look(case.account)
        except Unavailable as error:
            log.warning("who works in an account can't be read: %s", error)
            look = None
        if case.end_read(look, self._clock.ticks(), is_blind=not self._is_bus_healthy()):
            self._statuses.forget(case.account)
        self._look(case, self._clock.ticks())
        await self._prospects.read(case.account)
        self._queues.change(case.account)

    async def _route(self, case: Case) -> None:
        case.agenda.begin_run(self._clock.ticks())
        if self._is_draining:
            return
        if case.can_route:
            is_done = await self._asked(case.account, Run(id=self._new_id(case.account)))
            if case.can_route:
                case.agenda.end_run(self._clock.ticks(), is_done=is_done)
        if case.queued:  # whoever still waits is told for how long
            queued, case.queued = case.queued, set()
            await self._prospects.promise(case.floor, queued & case.floor.waiting.keys())

    async def _write(self, case: Case) -> None:
        case.agenda.begin_write()
        if self._is_draining:
            return
        await self._observe(case, case.take_returning(), "active", idle=False)
        now = self._clock.ticks()
        await self._observe(case, case.silent(now), "idle", idle=True)
        by_cause: dict[str, list[str]] = {}
        for id_ in case.unwritten(now):
            by_cause.setdefault(case.floor.cause(id_), []).append(id_)
        for cause, members in by_cause.items():
            await self._observe(case, members, cause)

    async def _observe(self, case: Case, members: Sequence[str], cause: str, *, idle: bool | None = None) -> None:
        for start in range(0, len(members), OBSERVED):
            some = tuple(members[start : start + OBSERVED])
            case.ask_about(some, self._clock.ticks())
            ask = Observe(id=self._new_id(case.account), members=some, cause=cause, idle=idle)
            await self._asked(case.account, ask)

    async def _asked(self, account: str, ask: Ask) -> bool:
        """Whether it was done."""
        try:
            await self._ask(account, SYSTEM, ask)
        except Refused as refused:
            level = logging.INFO if refused.retry else logging.WARNING
            log.log(level, "%s can't be done for %s: %s", type(ask).__name__, account, refused)
            return False
        return True

    def _new_id(self, account: str) -> str:
        return ask_id(None, system(account), self._clock.now())
