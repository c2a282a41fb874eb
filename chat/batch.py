"""The asks of one transaction, decided one after the other on rows that are locked. No I/O in here."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from chat.access import SYSTEM, allow, enter, system
from chat.desk import Working, held, note_hands
from chat.duty import Duty, NobodyKnows
from chat.errors import Behind, DeskMissing, IdReused, Internal, NotFound, Refused
from chat.model import (
    Actor,
    Change,
    Contact,
    Conversation,
    Entry,
    Lasting,
    Member,
    Needs,
    Receipt,
    RowChange,
    Turn,
    author_of,
    derived_id,
    digest,
    encode,
)
from chat.store import Head, Loaded, Move, Rows, Scoped, Written
from chat.ticket import Done, Ticket

_NOBODY_KNOWS = NobodyKnows()


class Commit(Struct, frozen=True, gc=False):
    """What one transaction did to one account: everything after cursor `since` up to `cursor`, no holes."""

    account: str
    since: int
    cursor: int
    moves: tuple[Move, ...]
    members: tuple[Member, ...] = ()
    """Of whom something was written that takes no cursor: their availability, their status."""


class Batch:
    """`decide` each ticket in turn; then `moves`, `heads` and `commits` say what came of them."""

    def __init__(
        self,
        heads: Mapping[str, Head],
        loaded: Loaded,
        now: int,
        tails: Mapping[tuple[str, str], str],
        duty: Duty = _NOBODY_KNOWS,
    ) -> None:
        self._heads: dict[str, Head] = dict(heads)
        self._since = {account: head.cursor for account, head in self._heads.items()}
        self._loaded = loaded
        self._now = now
        self._known_tails = tails
        self._moves: dict[Scoped, Move] = {}
        self._contacts: dict[Scoped, Contact] = {}
        self._members: dict[Scoped, Member] = {}
        self._beside = Rows()
        self._desks = {
            account: Working(account, desk, duty, max(now, self._heads[account].at))
            for account, desk in loaded.desks.items()
        }
        self._follows = bool(self._desks or loaded.queues)
        self.tails: dict[tuple[str, str], str] = {}
        self.without_desk: set[str] = set()
        """Accounts of which a rule must see the desk, and it wasn't loaded: nothing of this batch may be written."""

    def decide(self, ticket: Ticket) -> Done | Refused:
        """Carry out one ask on the rows as the asks before it left them, or say why not."""
        try:
            return self._decide(ticket)
        except Refused as refused:
            # Its traceback leads to the frame that holds the answers, and a Struct without cycle tracking is on the way
            # back: batch, ticket and socket would never be freed.
            return refused.with_traceback(None)
        except DeskMissing:
            self.without_desk.add(ticket.account)
            return Internal()

    def moves(self) -> list[Move]:
        """What is to be written, each conversation encoded once."""
        moves = list(self._moves.values())
        for move in moves:
            move.document = encode(move.after)
            before = move.before
            if before is not None and (before.routing is not move.after.routing or before.status != move.after.status):
                note_hands(self._beside, move, before, max(self._now, self._heads[move.account].at))
        return moves

    def beside(self) -> Rows | None:
        """What is to be written beside the conversations, if there is anything. After `moves`."""
        beside = self._beside
        beside.contacts, beside.members = list(self._contacts.values()), list(self._members.values())
        return beside if beside.are_any else None

    def heads(self) -> dict[str, Head]:
        """The new heads of the accounts that moved."""
        return {account: head for account, head in self._heads.items() if head.cursor != self._since[account]}

    def commits(self, moves: list[Move]) -> list[Commit]:
        """Of each account that moved, or of whose members something was written."""
        by_account: dict[str, list[Move]] = {}
        for move in moves:
            by_account.setdefault(move.account, []).append(move)
        members: dict[str, list[Member]] = {}
        for (account, _), member in self._members.items():
            by_account.setdefault(account, [])
            members.setdefault(account, []).append(member)
        return [
            Commit(
                account,
                self._since[account],
                self._heads[account].cursor,
                tuple(mine),
                tuple(members[account]) if account in members else (),
            )
            for account, mine in by_account.items()
        ]

    def _decide(self, ticket: Ticket) -> Done:
        account, ask, command = ticket.account, ticket.ask, ticket.command
        loaded = self._loaded
        head = self._heads.get(account)
        if head is None:
            raise NotFound
        at = max(self._now, head.at)
        lasting = ask if isinstance(ask, Lasting) else None
        actor = allow(command.may, self._actor(account, ticket.actor), at, is_lasting=lasting is not None)
        mark = None
        if lasting is not None:
            mark = digest(lasting)
            receipt = loaded.receipts.get((account, lasting.id))
            if receipt is not None:
                return _again(receipt, actor, mark, self._outcome(account, ticket.needs))
        needs = ticket.needs
        conversation = None
        if needs.conversation is not None:
            conversation = enter(actor, loaded.conversations.get((account, needs.conversation)))
        if lasting is not None and lasting.after is not None:
            self._check_order(account, actor, conversation, lasting.after)
        turn = Turn(
            actor=actor,
            at=at,
            cursor=head.cursor + 1,
            fresh=derived_id("cnv", account, lasting.id) if conversation is None and lasting is not None else "",
            conversation=conversation,
            inbox=loaded.inboxes.get((account, needs.inbox)) if needs.inbox else None,
            other=loaded.actors.get((account, needs.actor)) if needs.actor else None,
            team=loaded.teams.get((account, needs.team)) if needs.team else None,
            queue=loaded.queues.get((account, needs.inbox)) if needs.inbox else None,
            desk=self._desks[account].look() if account in self._desks else None,
        )
        if needs.are_rare:
            turn = self._with_more(account, turn, needs)
        change = command.rule(ask, turn)
        if isinstance(change, Change):
            self._apply(account, actor, conversation, change, at, lasting, mark)
            return Done(change.conversation.id, change.conversation.seq, at, outcome=change.outcome)
        if change is None or isinstance(change, RowChange):
            if change is not None:
                self._write_rows(account, change)
            return Done(conversation.id, conversation.seq, at) if conversation else Done("", 0, at)
        for each in change:
            before = loaded.conversations.get((account, each.conversation.id))
            self._apply(account, actor, before, each, at, lasting, mark)
            lasting = mark = None  # the first entry of the first change is the ask's own
        first = change[0].conversation
        return Done(first.id, first.seq, at)

    def _actor(self, account: str, actor: str) -> Actor | None:
        return system(account) if actor == SYSTEM else self._loaded.actors.get((account, actor))

    def _with_more(self, account: str, turn: Turn, needs: Needs) -> Turn:
        """What only few asks look at."""
        loaded = self._loaded
        theirs: tuple[Conversation, ...] = ()
        if needs.contacts:  # or every reaction would look through all that its batch has loaded
            theirs = tuple(found for found in self._of(account) if found.contact in needs.contacts)
        return replace(
            turn,
            entry=self._entry(account, needs) if needs.entry is not None else None,
            contacts={id: found for id in needs.contacts if (found := loaded.contacts.get((account, id)))},
            conversations=theirs,
            attribute_types=loaded.attributes.get(account, ()) if needs.attributes else (),
            held=held(self._of(account), needs.held_by) if needs.held_by else (),
            uploads={id: upload for id in needs.uploads if (upload := loaded.uploads.get((account, id)))},
        )

    def _of(self, account: str) -> list[Conversation]:
        return [found for (of, _), found in self._loaded.conversations.items() if of == account]

    def _outcome(self, account: str, needs: Needs) -> str:
        """What the asker of a resend was told besides. It stands in the ask's own entry."""
        entry = self._entry(account, needs) if needs.entry is not None else None
        if entry is None or entry.activity != "transferred" or entry.data is None:
            return ""
        return "queued" if entry.data["queued"] else "assigned"

    def _check_order(self, account: str, actor: Actor, conversation: Conversation | None, after: str) -> None:
        """Behind, unless the sender's previous entry is stored (or is in this batch before this one)."""
        place = ((conversation.id if conversation else ""), actor.id)
        if self.tails.get(place) == after or self._known_tails.get(place) == after:
            return
        receipt = self._loaded.receipts.get((account, after))
        if receipt is None or receipt.author != actor.id or receipt.conversation != place[0]:
            raise Behind

    def _entry(self, account: str, needs: Needs) -> Entry | None:
        """Its newest version; it may be in this very batch. One of another conversation isn't there."""
        move = self._moves.get((account, needs.conversation or ""))
        for written in reversed(move.entries if move else ()):
            if written.entry.id == needs.entry:
                return written.entry
        place, entry = self._loaded.entries.get((account, needs.entry or ""), (None, None))
        return entry if place == needs.conversation else None

    def _apply(
        self,
        account: str,
        actor: Actor,
        before: Conversation | None,
        change: Change,
        at: int,
        ask: Lasting | None,
        mark: bytes | None,
    ) -> None:
        after = change.conversation
        scoped = (account, after.id)
        move = self._moves.get(scoped)
        if move is None:
            move = self._moves[scoped] = Move(account, before, after, [])
        move.after = after
        if change.erases:
            self._empty(move)
        self._loaded.conversations[scoped] = after
        self._heads[account] = Head(after.cursor, at)
        for entry in change.entries:
            written = Written(entry, after.cursor, mark)
            move.entries.append(written)
            if ask is not None and mark is not None:  # the first entry is the ask's own
                self._loaded.receipts[account, ask.id] = Receipt(actor.id, mark, after.id, entry.seq, at)
                if entry.id == ask.id:
                    self.tails[after.id, actor.id] = entry.id
                else:  # a later version of another ask's entry
                    written.ask, written.asker, written.asked_at = ask.id, actor.id, at
                mark = None
            if entry.attachments and entry.seq == entry.born:
                self._attach(account, after.id, entry)
        if change.timers or change.erases or change.contacts:
            move.timers += change.timers
            move.erases = move.erases or change.erases
            self._write_contacts(account, change.contacts)
        if change.members or change.statuses or change.decisions or change.queue or change.email:
            self._write_duties(account, change)
            self._note_contact(account, change)
        if self._follows:
            self._follow(account, before, after)

    def _empty(self, move: Move) -> None:
        """The store sees to what is in it; this to what was written in this very batch, and to what it has loaded: a
        reaction would else bring back what it reacts to."""
        for written in move.entries:
            written.entry = _emptied(written.entry)
        for scoped, (conversation, entry) in self._loaded.entries.items():
            if scoped[0] == move.account and conversation == move.after.id:
                self._loaded.entries[scoped] = (conversation, _emptied(entry))

    def _follow(self, account: str, before: Conversation | None, after: Conversation) -> None:
        """Routing sees what has moved since."""
        if account in self._desks:
            self._desks[account].moved(before, after)
        for scoped, queue in self._loaded.queues.items():
            if scoped[0] == account:
                length = queue.length + _waits_for(queue.rules.id, after) - _waits_for(queue.rules.id, before)
                self._loaded.queues[scoped] = replace(queue, length=length)

    def _write_rows(self, account: str, change: RowChange) -> None:
        self._write_contacts(account, change.contacts)
        self._write_duties(account, change)
        self._beside.timers += [(account, timer) for timer in change.timers]

    def _write_duties(self, account: str, change: Change | RowChange) -> None:
        for member in change.members:
            self._members[account, member.id] = member
        if account in self._desks:
            self._desks[account].changed(change.members)
        self._beside.statuses += change.statuses
        self._beside.decisions += change.decisions

    def _note_contact(self, account: str, change: Change) -> None:
        """What a contact's start says of the queue, and of where to write to it."""
        if change.email is not None:
            self._beside.emails.append((change.conversation.contact, change.email))
        if change.queue is not None:
            self._beside.queues.append(change.queue)
            for scoped, queue in self._loaded.queues.items():
                if scoped[0] == account and queue.rules.id == change.queue.rules.id:
                    self._loaded.queues[scoped] = replace(queue, is_full=change.queue.is_full)

    def _attach(self, account: str, conversation: str, entry: Entry) -> None:
        uploads = self._loaded.uploads
        for file in entry.attachments:
            uploads[account, file.id] = replace(uploads[account, file.id], conversation=conversation, entry=entry.id)

    def _write_contacts(self, account: str, contacts: tuple[Contact, ...]) -> None:
        """From here on the batch sees them so."""
        for contact in contacts:
            scoped = (account, contact.id)
            self._contacts[scoped] = self._loaded.contacts[scoped] = contact
            if contact.merged_into is not None:
                self._take_over(account, contact.id, contact.merged_into)
            known = self._loaded.actors.get(scoped)
            if known is not None:
                self._loaded.actors[scoped] = replace(
                    known,
                    name=contact.name,
                    active=contact.merged_into is None and not contact.erased,
                    blocked_until=contact.blocked_until,
                )

    def _take_over(self, account: str, left: str, into: str) -> None:
        """What a contact wrote is the other's: the store sees to what is in it, this to what is in the batch."""
        loaded = self._loaded
        for scoped, receipt in loaded.receipts.items():
            if scoped[0] == account and receipt.author == left:
                loaded.receipts[scoped] = replace(receipt, author=into)
        for scoped, (conversation, entry) in loaded.entries.items():
            if scoped[0] == account:
                loaded.entries[scoped] = (conversation, _as_of(entry, left, into))
        for written in [written for (of, _), move in self._moves.items() if of == account for written in move.entries]:
            written.entry = _as_of(written.entry, left, into)
            written.asker = into if written.asker == left else written.asker


def _as_of(entry: Entry, left: str, into: str) -> Entry:
    """The entry with one contact in the place of another."""
    reactions = {emoji: tuple(into if who == left else who for who in by) for emoji, by in entry.reactions.items()}
    author = author_of(into) if entry.author.id == left else entry.author
    return replace(entry, author=author, reactions=reactions) if entry.reactions else replace(entry, author=author)


def _emptied(entry: Entry) -> Entry:
    """As an erasure leaves entries in the store."""
    return replace(entry, text="", data=None, blocks=(), attachments=(), reactions={}, edited_at=0, withdrawn=False)


def _waits_for(team: str, conversation: Conversation | None) -> bool:
    """Whether it counts in the team's queue."""
    return (
        conversation is not None
        and conversation.status == "queued"
        and conversation.team == team
        and conversation.waiting_since is not None
    )


def _again(receipt: Receipt, actor: Actor, mark: bytes, outcome: str) -> Done:
    """The first result, if this is the same ask by the same author; else IdReused."""
    if receipt.author != actor.id or receipt.digest != mark:
        raise IdReused(field="id")
    return Done(receipt.conversation, receipt.seq, receipt.at, again=True, outcome=outcome)
