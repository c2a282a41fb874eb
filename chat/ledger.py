"""The only writer: gather asks, lock their accounts, load, let the rules decide, write, commit, answer.

Group commit without a timer: what arrives while one batch commits is the next batch.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from chat.access import allow, enter
from chat.catalog import Command
from chat.clock import Clock
from chat.errors import Behind, Busy, IdReused, Internal, NotFound, Refused, StoreAway, Unavailable
from chat.model import Actor, Ask, Change, Conversation, Lasting, Needs, Receipt, Turn, derived_id, digest, encode
from chat.store import Head, Loaded, Move, Scoped, Store, Wanted, Written

log = logging.getLogger("chat.ledger")

BATCH_ASKS = 256
BATCH_SECONDS = 0.005  # of loop time: what others wait at most because a batch runs
GATHER_ASKS = 10_000
GATHER_BYTES = 8 * 1024 * 1024
TAILS = 50_000  # remembered (conversation, author) pairs


NOTHING = Needs()


class Ticket(Struct, gc=False):
    """An ask on its way. `peer` is whoever waits for the answer; the ledger only hands it back."""

    account: str
    actor: str
    command: Command
    ask: Ask
    peer: Any
    size: int = 200
    needs: Needs = NOTHING
    """Filled in by the ledger."""


class Done(Struct, frozen=True, gc=False):
    """The ask is committed (or was, when `again`); `seq` and `at` are those of its change."""

    conversation: str
    seq: int
    at: int
    again: bool = False


class Answer(Struct, frozen=True, gc=False):
    ticket: Ticket
    result: Done | Refused


class Commit(Struct, frozen=True, gc=False):
    """What one transaction did to one account: everything after cursor `since` up to `cursor`, no holes."""

    account: str
    since: int
    cursor: int
    moves: tuple[Move, ...]


Settle = Callable[[list[Answer], list[Commit]], None]


class Ledger:
    """Give it tickets by `submit`; run `run` as a task; `settle` is called once per batch, after the commit."""

    def __init__(self, store: Store, clock: Clock, settle: Settle, *, batch_asks: int = BATCH_ASKS) -> None:
        self._store = store
        self._clock = clock
        self._settle = settle
        self._gather = Gather(batch_asks)
        self._tails: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._is_performing = False

    def submit(self, ticket: Ticket) -> None:
        """Join the next batch. Raises Busy when too much is waiting already."""
        self._gather.add(ticket)

    async def run(self) -> None:
        """Carry out batches until `stop`; what was submitted before that is still carried out."""
        while True:
            batch = await self._gather.next()
            if not batch:
                return
            self._is_performing = True
            await self._perform(batch)
            self._is_performing = False
            await asyncio.sleep(0)  # let the sockets be read: that is the next batch

    def stop(self) -> None:
        """Refuse new tickets; `run` returns when the gathered ones are settled."""
        self._gather.close()

    @property
    def is_busy(self) -> bool:
        """Whether some tickets aren't settled yet."""
        return self._is_performing or not self._gather.is_empty

    async def _perform(self, tickets: list[Ticket]) -> None:
        try:
            self._settle(*await self._transact(tickets))
        except Unavailable as error:
            log.warning("the store is away: %s", error)
            self._settle([Answer(ticket, StoreAway()) for ticket in tickets], [])
        except Exception:
            # The boundary where a bug, or data that the database won't take, is caught. One ask may be the cause
            # of it and the others not, so they are run one at a time.
            log.exception("a batch of %d failed", len(tickets))
            if len(tickets) == 1:
                self._settle([Answer(tickets[0], Internal())], [])
                return
            for ticket in tickets:
                await self._perform([ticket])

    async def _transact(self, tickets: list[Ticket]) -> tuple[list[Answer], list[Commit]]:
        transaction = await self._store.begin({ticket.account for ticket in tickets})
        began = self._clock.ticks()
        try:
            batch = Batch(
                transaction.heads, await transaction.load(self._wanted(tickets)), self._clock.now(), self._tails
            )
            answers = [Answer(ticket, batch.decide(ticket)) for ticket in tickets]
            moves = batch.moves()
            if moves:
                await transaction.write(moves, batch.heads())
        except BaseException:
            await transaction.rollback()
            raise
        # Only what grows with the asks: a slow disk calls for large batches, not for small ones.
        self._gather.took(self._clock.ticks() - began, len(tickets))
        if moves:
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
            if needs.team is not None:
                wanted.teams.add((account, needs.team))
            if isinstance(ask, Lasting):
                wanted.entries.add((account, ask.id))
                if ask.after is not None and self._tails.get((needs.conversation or "", ticket.actor)) != ask.after:
                    wanted.entries.add((account, ask.after))
        return wanted

    def _remember(self, batch: Batch) -> None:
        """Each author's last entry in a conversation: the usual `after`, which then needs no look-up."""
        for key, entry in batch.tails.items():
            self._tails[key] = entry
            self._tails.move_to_end(key)
        while len(self._tails) > TAILS:
            self._tails.popitem(last=False)


class Gather:
    """What waits for the next batch: bounded, accounts in turn, each in the order of arrival."""

    def __init__(self, batch_asks: int = BATCH_ASKS) -> None:
        self._queues: OrderedDict[str, deque[Ticket]] = OrderedDict()
        self._batch_asks = batch_asks
        self._asks = 0
        self._bytes = 0
        self._seconds_per_ask = 0.0
        self._filled = asyncio.Event()
        self._closed = False

    @property
    def is_empty(self) -> bool:
        return not self._queues

    def add(self, ticket: Ticket) -> None:
        if self._closed or self._asks >= GATHER_ASKS or self._bytes + ticket.size > GATHER_BYTES:
            raise Busy
        queue = self._queues.get(ticket.account)
        if queue is None:
            queue = self._queues[ticket.account] = deque()
        queue.append(ticket)
        self._asks += 1
        self._bytes += ticket.size
        self._filled.set()

    def close(self) -> None:
        self._closed = True
        self._filled.set()

    async def next(self) -> list[Ticket]:
        """The next batch, as soon as there is anything; empty when closed and drained."""
        await self._filled.wait()
        batch: list[Ticket] = []
        room = self._room()
        while self._queues and len(batch) < room:
            account, queue = self._queues.popitem(last=False)
            share = max(1, (room - len(batch)) // (len(self._queues) + 1))
            batch.extend(queue.popleft() for _ in range(min(share, len(queue))))
            if queue:
                self._queues[account] = queue
        self._asks -= len(batch)
        self._bytes -= sum(ticket.size for ticket in batch)
        if not self._queues and not self._closed:
            self._filled.clear()
        return batch

    def took(self, seconds: float, asks: int) -> None:
        """Learn how long an ask takes, so that a batch keeps within its loop time."""
        self._seconds_per_ask += 0.1 * (seconds / asks - self._seconds_per_ask)

    def _room(self) -> int:
        if not self._seconds_per_ask:
            return self._batch_asks
        return max(16, min(self._batch_asks, int(BATCH_SECONDS / self._seconds_per_ask)))


class Batch:
    """The asks of one transaction decided one after the other, on rows that are locked. No I/O in here."""

    def __init__(
        self, heads: Mapping[str, Head], loaded: Loaded, now: int, tails: Mapping[tuple[str, str], str]
    ) -> None:
        self._heads: dict[str, Head] = dict(heads)
        self._since = {account: head.cursor for account, head in self._heads.items()}
        self._loaded = loaded
        self._now = now
        self._known_tails = tails
        self._moves: dict[Scoped, Move] = {}
        self.tails: dict[tuple[str, str], str] = {}

    def decide(self, ticket: Ticket) -> Done | Refused:
        """Carry out one ask on the rows as the asks before it left them, or say why not."""
        try:
            return self._decide(ticket)
        except Refused as refused:
            return refused

    def moves(self) -> list[Move]:
        """What is to be written, each conversation encoded once."""
        moves = list(self._moves.values())
        for move in moves:
            move.document = encode(move.after)
        return moves

    def heads(self) -> dict[str, Head]:
        """The new heads of the accounts that moved."""
        return {account: head for account, head in self._heads.items() if head.cursor != self._since[account]}

    def commits(self, moves: list[Move]) -> list[Commit]:
        by_account: dict[str, list[Move]] = {}
        for move in moves:
            by_account.setdefault(move.account, []).append(move)
        return [
            Commit(account, self._since[account], self._heads[account].cursor, tuple(mine))
            for account, mine in by_account.items()
        ]

    def _decide(self, ticket: Ticket) -> Done:
        account, ask, command = ticket.account, ticket.ask, ticket.command
        loaded = self._loaded
        head = self._heads.get(account)
        if head is None:
            raise NotFound
        actor = allow(command.may, loaded.actors.get((account, ticket.actor)))
        mark = None
        lasting = ask if isinstance(ask, Lasting) else None
        if lasting is not None:
            mark = digest(lasting)
            receipt = loaded.receipts.get((account, lasting.id))
            if receipt is not None:
                return _again(receipt, actor, mark)
        needs = ticket.needs
        conversation = None
        if needs.conversation is not None:
            conversation = enter(actor, loaded.conversations.get((account, needs.conversation)))
        if lasting is not None and lasting.after is not None:
            self._check_order(account, actor, conversation, lasting.after)
        turn = Turn(
            actor=actor,
            at=max(self._now, head.at),
            cursor=head.cursor + 1,
            fresh=derived_id("cnv", account, lasting.id) if conversation is None and lasting is not None else "",
            conversation=conversation,
            inbox=loaded.inboxes.get((account, needs.inbox)) if needs.inbox else None,
            other=loaded.actors.get((account, needs.actor)) if needs.actor else None,
            team=loaded.teams.get((account, needs.team)) if needs.team else None,
        )
        change = command.rule(ask, turn)
        if change is None:
            return Done(turn.there.id, turn.there.seq, turn.at)
        self._apply(account, actor, conversation, change, mark, turn)
        return Done(change.conversation.id, change.conversation.seq, turn.at)

    def _check_order(self, account: str, actor: Actor, conversation: Conversation | None, after: str) -> None:
        """Behind, unless the sender's previous entry is stored (or is in this batch before this one)."""
        place = ((conversation.id if conversation else ""), actor.id)
        if self.tails.get(place) == after or self._known_tails.get(place) == after:
            return
        receipt = self._loaded.receipts.get((account, after))
        if receipt is None or receipt.author != actor.id or receipt.conversation != place[0]:
            raise Behind

    def _apply(
        self,
        account: str,
        actor: Actor,
        before: Conversation | None,
        change: Change,
        mark: bytes | None,
        turn: Turn,
    ) -> None:
        after = change.conversation
        scoped = (account, after.id)
        move = self._moves.get(scoped)
        if move is None:
            move = self._moves[scoped] = Move(account, before, after, [])
        move.after = after
        self._loaded.conversations[scoped] = after
        self._heads[account] = Head(turn.cursor, turn.at)
        for entry in change.entries:
            move.entries.append(Written(entry, turn.cursor, mark))
            if mark is not None:  # the first entry is the ask's own
                self._loaded.receipts[account, entry.id] = Receipt(actor.id, mark, after.id, entry.seq, entry.at)
                self.tails[after.id, actor.id] = entry.id
                mark = None


def _again(receipt: Receipt, actor: Actor, mark: bytes) -> Done:
    """The first result, if this is the same ask by the same author; else IdReused."""
    if receipt.author != actor.id or receipt.digest != mark:
        raise IdReused(field="id")
    return Done(receipt.conversation, receipt.seq, receipt.at, again=True)
