"""The asks of one transaction, decided one after the other on rows that are locked. No I/O in here."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from chat.access import allow, enter
from chat.errors import Behind, IdReused, NotFound, Refused
from chat.model import Actor, Change, Conversation, Lasting, Receipt, Turn, derived_id, digest, encode
from chat.store import Head, Loaded, Move, Scoped, Written
from chat.ticket import Done, Ticket


class Commit(Struct, frozen=True, gc=False):
    """What one transaction did to one account: everything after cursor `since` up to `cursor`, no holes."""

    account: str
    since: int
    cursor: int
    moves: tuple[Move, ...]


class Batch:
    """`decide` each ticket in turn; then `moves`, `heads` and `commits` say what came of them."""

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
