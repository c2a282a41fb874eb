"""The only writer: gather asks, lock their accounts, load, let the rules decide, write, commit, answer.

Group commit without a timer: what arrives while one batch commits is the next batch.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable

from chat.batch import Batch, Commit
from chat.clock import Clock
from chat.duty import Duty, NobodyKnows
from chat.errors import Internal, StoreAway, Unavailable
from chat.gather import BatchLimits, Gather
from chat.model import Lasting, Needs
from chat.store import Store, Wanted
from chat.ticket import Answer, Ticket

log = logging.getLogger("chat.ledger")

TAILS = 50_000  # remembered (conversation, author) pairs
AT_WORK_SECONDS = 1.0

Settle = Callable[[list[Answer], list[Commit]], None]


class Ledger:
    """Give it tickets by `submit`; run `run` as a task; `settle` is called once per batch, after the commit."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        settle: Settle,
        limits: BatchLimits | None = None,
        *,
        lanes: int = 1,
        duty: Duty | None = None,
    ) -> None:
        """`lanes` are the transactions at once, where the store can have several. `duty` knows who is present; where
        nobody does, nothing is routed."""
        self._store = store
        self._clock = clock
        self._settle = settle
        self._gather = Gather(limits or BatchLimits())
        self._tails: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._lanes = lanes
        self._duty = duty or NobodyKnows()
        self._performing = 0
        self._worked_at = float("-inf")

    def submit(self, ticket: Ticket) -> None:
        """Join the next batch. Raises Busy when too much is waiting already."""
        self._gather.add(ticket)

    async def run(self) -> None:
        """Carry out batches until `stop`; what was submitted before that is still carried out."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._lanes):
                group.create_task(self._run_lane())

    async def _run_lane(self) -> None:
        while batch := await self._gather.next():
            self._performing += 1
            await self._perform(list(batch))
            self._performing -= 1
            self._worked_at = self._clock.ticks()
            self._gather.done(batch)
            await asyncio.sleep(0)  # let the sockets be read: that is the next batch

    def stop(self) -> None:
        """Refuse new tickets; `run` returns when the gathered ones are settled."""
        self._gather.close()

    def forget(self) -> None:
        """The store's history is another one: what was remembered may not be there any more."""
        self._tails.clear()

    @property
    def is_busy(self) -> bool:
        """Whether some tickets aren't settled yet."""
        return self._performing > 0 or not self._gather.is_empty

    @property
    def is_at_work(self) -> bool:
        """Whether it has been busy within the last second: under load there are moments without a batch."""
        return self.is_busy or self._clock.ticks() - self._worked_at < AT_WORK_SECONDS

    async def _perform(self, tickets: list[Ticket]) -> None:
        try:
            answers, commits = await self._transact(tickets)
        except Unavailable as error:
            log.warning("the store is away: %s", error)
            answers, commits = [Answer(ticket, StoreAway()) for ticket in tickets], []
        except Exception:
            # The boundary where a bug, or data that the database won't take, is caught. One ask may be the cause
            # of it and the others not, so they are run one at a time.
            log.exception("a batch of %d failed", len(tickets))
            if len(tickets) > 1:
                for ticket in tickets:
                    await self._perform([ticket])
                return
            answers, commits = [Answer(tickets[0], Internal())], []
        if answers:
            self._settle(answers, commits)

    async def _transact(self, tickets: list[Ticket]) -> tuple[list[Answer], list[Commit]]:
        """Tickets that go back leave the list: whoever carries them out later answers them, whatever happens here."""
        transaction = await self._store.begin({ticket.account for ticket in tickets})
        if transaction.skipped:
            self._gather.put_back([ticket for ticket in tickets if ticket.account in transaction.skipped])
            tickets[:] = [ticket for ticket in tickets if ticket.account not in transaction.skipped]
        if not tickets:
            await transaction.rollback()
            return [], []
        try:
            began = self._clock.ticks()
            wanted = self._wanted(tickets)
            loaded = await transaction.load(wanted)
            deciding = self._clock.ticks()
            batch = Batch(transaction.heads, loaded, self._clock.now(), self._tails, self._duty)
            answers = [Answer(ticket, batch.decide(ticket)) for ticket in tickets]
            if batch.without_desk:  # none of it is written: all are decided once more, those with a desk
                wanted.desks |= batch.without_desk
                loaded = await transaction.load(wanted)
                batch = Batch(transaction.heads, loaded, self._clock.now(), self._tails, self._duty)
                answers = [Answer(ticket, batch.decide(ticket)) for ticket in tickets]
            moves = batch.moves()
            beside = batch.beside()
            decided = self._clock.ticks()
            if moves or beside:
                await transaction.write(moves, batch.heads(), beside)
        except BaseException:
            await transaction.rollback()
            raise
        # Only what grows with the asks and is the loop's: a slow disk calls for large batches, not for small ones.
        held = self._clock.ticks() - began if self._store.holds_loop else decided - deciding
        self._gather.took(held, len(tickets))
        if moves or beside:
            await transaction.commit()
            self._remember(batch)
        else:
            await transaction.rollback()
        return answers, batch.commits(moves)

    def _wanted(self, tickets: list[Ticket]) -> Wanted:
        wanted = Wanted()
        for ticket in tickets:
            account, ask = ticket.account, ticket.ask
            wanted.actors.add((account, ticket.actor))
            needs = ticket.needs = ticket.command.needs(ask)
            if needs.conversation is not None:
                wanted.conversations.add((account, needs.conversation))
            if needs.actor is not None:
                wanted.actors.add((account, needs.actor))
            if needs.inbox is not None:
                wanted.inboxes.add((account, needs.inbox))
                wanted.queues.add((account, needs.inbox))
            if needs.team is not None:
                wanted.teams.add((account, needs.team))
            if needs.are_rare:
                _want_more(wanted, account, needs)
            if isinstance(ask, Lasting):
                wanted.receipts.add((account, ask.id))
                if ask.after is not None and self._tails.get((needs.conversation or "", ticket.actor)) != ask.after:
                    wanted.receipts.add((account, ask.after))
        return wanted

    def _remember(self, batch: Batch) -> None:
        """Each author's last entry in a conversation: the usual `after`, which then needs no look-up."""
        for key, entry in batch.tails.items():
            self._tails[key] = entry
            self._tails.move_to_end(key)
        while len(self._tails) > TAILS:
            self._tails.popitem(last=False)


def _want_more(wanted: Wanted, account: str, needs: Needs) -> None:
    if needs.entry is not None:
        wanted.entries.add((account, needs.entry))
    wanted.contacts.update((account, contact) for contact in needs.contacts)
    wanted.uploads.update((account, upload) for upload in needs.uploads)
    if needs.attributes:
        wanted.attributes.add(account)
    if needs.desk:
        wanted.desks.add(account)
    wanted.held_by.update((account, member) for member in needs.held_by)
