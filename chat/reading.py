"""The only reader: snapshots, catching up, older entries, the inbox views. Gives each actor what it may see."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Literal

from msgspec import Struct
from msgspec.json import encode
from msgspec.structs import replace

from chat.access import contact_entries, contact_view, enter, sees
from chat.errors import BadRequest, Forbidden, NotFound
from chat.model import Actor, ContactView, Conversation, Entry
from chat.store import Scoped, Store, View

PAGE = 50  # entries of a snapshot and of a page of history
TOGETHER = 3  # entries that one change writes at most: an answer, and the lines that it reopened and claimed
ALL = 2**62  # of a hole nothing may be left out
CATCH_UP_CHANGES = 2_000  # beyond this, or CATCH_UP_BYTES, a snapshot is the shorter way
CATCH_UP_BYTES = 1024 * 1024
CONTACT_CONVERSATIONS = 20  # latest ones that a contact's socket is brought up to date with
HELD = 100  # conversations that a contact's resume may name; what is beyond is loaded anew when it is opened
WATCHED = 50  # conversations that a staff socket may watch by name
VIEWED = 2_000  # conversations that the counts of the views look at

ViewName = Literal["mine", "unassigned", "team", "all"]
VIEWS: tuple[ViewName, ...] = ("mine", "unassigned", "team", "all")


class Snapshot(Struct, frozen=True, gc=False):
    """A conversation as one actor may see it: its state, its newest entries, and whether there are older ones."""

    cursor: int
    conversation: Conversation
    state: Conversation | ContactView
    entries: list[Entry]
    more: bool


class Missed(Struct, frozen=True, gc=False):
    """What an actor hasn't got of one conversation: the newest versions of the entries, and the state."""

    conversation: Conversation
    state: Conversation | ContactView
    entries: list[Entry]


class Returning(Struct, frozen=True, gc=False):
    """A contact that comes back and has seen these conversations up to these seqs."""

    actor: Actor
    held: tuple[tuple[str, int], ...]

    @property
    def who(self) -> Scoped:
        return self.actor.account, self.actor.id


class CatchUp(Struct, frozen=True, gc=False):
    """All that brings a socket up to date, as it was at `cursor`.

    `too_far`: it is cheaper to begin anew; then there are only snapshots. `heads`: states of what moved elsewhere.
    """

    cursor: int
    too_far: bool
    missed: list[Missed]
    snapshots: list[Snapshot]
    heads: list[Conversation]
    gone: list[str]


class Count(Struct, frozen=True):
    """Conversations of a view, and those among them with something unread."""

    total: int
    unread: int


class Views(Struct, frozen=True):
    """One of the inbox views, with the counts of all of them."""

    cursor: int
    views: dict[ViewName, Count]
    conversations: list[Conversation]


class Reading:
    """Every method reads one moment of the store and raises Refused or Unavailable."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def conversation(self, account: str, conversation: str) -> Conversation | None:
        """A conversation of the account, for whoever then asks `access` about it."""
        async with self._store.view() as view:
            return await view.conversation(account, conversation)

    async def as_now(self, actor: Actor) -> Actor:
        """A contact with the end of its block as it is now; staff as it is."""
        if actor.kind != "contact":
            return actor
        async with self._store.view() as view:
            return replace(actor, blocked_until=await view.blocked_until(actor.account, actor.id))

    async def cursors(self, accounts: Collection[str]) -> dict[str, int]:
        """Where the ledgers of these accounts stand."""
        async with self._store.view() as view:
            return await view.cursors(accounts)

    async def heads(self, known: Mapping[str, int]) -> dict[str, int]:
        """The same of accounts whose ledgers stood so far at least; see `Store.heads`."""
        return await self._store.heads(known)

    async def missed(self, account: str, since: int) -> tuple[int, list[tuple[Conversation, list[Entry]]]]:
        """The head, and everything after a cursor up to it: each conversation that moved with its entries.

        Never a part of it: a conversation that moved in this part and again in the next would come with the entries
        of the next alone.
        """
        async with self._store.view() as view:
            head, moved = await view.head(account), await view.moved(account, since, ALL)
            entries = await view.after_cursor(account, [conversation.id for conversation in moved], since, ALL)
        return head, [(conversation, entries.get(conversation.id, [])) for conversation in moved]

    async def snapshot(self, actor: Actor, conversation: str) -> Snapshot:
        """NotFound if it isn't there for this actor."""
        async with self._store.view() as view:
            found = enter(actor, await view.conversation(actor.account, conversation))
            return await _snapshot(view, actor, found, await view.head(actor.account))

    async def snapshots(self, actor: Actor, conversations: Collection[str]) -> tuple[int, list[Snapshot], list[str]]:
        """The cursor, a snapshot of each that is there for this actor, and the ids of those that aren't."""
        async with self._store.view() as view:
            cursor = await view.head(actor.account)
            there: list[Snapshot] = []
            gone: list[str] = []
            for conversation in conversations:
                found = await view.conversation(actor.account, conversation)
                if found is None or not sees(actor, found):
                    gone.append(conversation)
                else:
                    there.append(await _snapshot(view, actor, found, cursor))
            return cursor, there, gone

    async def older(self, actor: Actor, conversation: str, before: int, limit: int = PAGE) -> tuple[list[Entry], bool]:
        """Entries born before a seq, oldest first, and whether there are still older ones.

        A few more than the limit, rather than a part of what one change wrote: the next page begins before its seq.
        """
        if not 1 <= limit <= 200:
            raise BadRequest("A page has 1 to 200 entries.", field="limit")
        async with self._store.view() as view:
            enter(actor, await view.conversation(actor.account, conversation))
            entries = await view.before(actor.account, conversation, before, limit + TOGETHER, staff=actor.is_staff)
        page, more = _page(entries, limit)
        return (page if actor.is_staff else contact_entries(page)), more

    async def versions(self, actor: Actor, conversation: str, entry: str) -> list[Entry]:
        """All that an entry ever said, the newest first: staff's alone. NotFound if it isn't there for this actor."""
        if not actor.is_staff:
            raise Forbidden
        async with self._store.view() as view:
            enter(actor, await view.conversation(actor.account, conversation))
            found = await view.versions(actor.account, conversation, entry)
        if not found:
            raise NotFound(field="entry")
        return found

    async def in_hands(self, actor: Actor, held: Collection[str] = ()) -> list[str]:
        """The ids of what this staff member has: all that isn't resolved, and what is among the held ones."""
        async with self._store.view() as view:
            mine = [
                *await view.assigned(actor.account, actor.id, WATCHED),
                *await view.followed(actor.account, actor.id, WATCHED),
            ]
            ids = list(dict.fromkeys(found.id for found in mine))
            for conversation in held:
                found = None if conversation in ids else await view.conversation(actor.account, conversation)
                if found is not None and actor.id in found.hands:
                    ids.append(conversation)
            return ids

    async def catch_up_contact(self, actor: Actor, held: Mapping[str, int]) -> CatchUp:
        """For a contact that has seen these conversations up to these seqs."""
        returning = Returning(actor, tuple(held.items()))
        return (await self.catch_up_contacts([returning]))[returning]

    async def catch_up_contacts(self, crowd: Sequence[Returning]) -> dict[Returning, CatchUp]:
        """The same for many that come back together, by as many statements as for one."""
        async with self._store.view() as view:
            cursors = await view.cursors({each.actor.account for each in crowd})
            latest = await view.of_contacts({each.who for each in crowd}, CONTACT_CONVERSATIONS)
            mine = {each: {found.id: found for found in latest.get(each.who, ())} for each in crowd}
            for each in crowd:
                await _with(view, each.actor, mine[each], [name for name, _ in each.held[:HELD]])
            seqs = {each: _seqs(each, mine[each]) for each in crowd}
            behind: dict[Scoped, int] = {}  # of two sockets of one contact, the one that is further behind
            for each in crowd:
                for place, seq in seqs[each].items():
                    if seq < mine[each][place[1]].seq:
                        behind[place] = min(seq, behind.get(place, seq))
            entries = await view.after_seq(behind, CATCH_UP_CHANGES + 1, staff=False) if behind else {}
            return {
                each: await _caught_up(view, each, cursors.get(each.actor.account, 0), mine[each], seqs[each], entries)
                for each in crowd
            }

    async def catch_up_staff(
        self, actor: Actor, since: int | None, held: Collection[str], assigned: Collection[str], *, heads: bool = True
    ) -> CatchUp:
        """For staff that stands at a cursor, holds snapshots of some and needs them of what is assigned to it.

        None: for staff that holds nothing. A snapshot comes even of what has been assigned away since it was listed:
        it is listened to by now.
        """
        async with self._store.view() as view:
            cursor = await view.head(actor.account)
            mine = await _with(view, actor, {}, assigned)
            if since is None:
                return await _anew(view, actor, cursor, mine, too_far=False)
            moved = await view.moved(actor.account, since, CATCH_UP_CHANGES + 1)
            if len(moved) > CATCH_UP_CHANGES or since > cursor:
                return await _anew(view, actor, cursor, await _with(view, actor, mine, held), too_far=True)
            return await _catch_up(view, actor, cursor, since, moved, mine, held, heads=heads)

    async def views(
        self, actor: Actor, *, view: ViewName, resolved: bool, limit: int, teams: Collection[str] = ()
    ) -> Views:
        """One view, longest waiting first, and the counts of all views over what isn't resolved."""
        async with self._store.view() as store_view:
            cursor = await store_view.head(actor.account)
            open_ones = await store_view.listed(actor.account, resolved=False, limit=VIEWED)
            shown = await store_view.listed(actor.account, resolved=True, limit=VIEWED) if resolved else open_ones
        counts = {name: _count(actor, [c for c in open_ones if _in_view(name, actor, c, teams)]) for name in VIEWS}
        return Views(cursor, counts, [c for c in shown if _in_view(view, actor, c, teams)][:limit])


def unread(actor: str, conversation: Conversation) -> int:
    """How many of the contact's messages this staff member hasn't read."""
    position = conversation.positions.get(actor)
    return conversation.messages - (position.seen if position else 0)


def _in_view(name: ViewName, actor: Actor, conversation: Conversation, teams: Collection[str]) -> bool:
    match name:
        case "mine":
            return conversation.assignee == actor.id
        case "unassigned":
            return conversation.assignee is None
        case "team":
            return conversation.team in teams
        case "all":
            return True


def _count(actor: Actor, conversations: list[Conversation]) -> Count:
    return Count(len(conversations), sum(unread(actor.id, conversation) > 0 for conversation in conversations))


async def _snapshot(view: View, actor: Actor, conversation: Conversation, cursor: int) -> Snapshot:
    entries = await view.latest(actor.account, conversation.id, PAGE + TOGETHER, staff=actor.is_staff)
    page, more = _page(entries, PAGE)
    if actor.is_staff:
        return Snapshot(cursor, conversation, conversation, page, more)
    return Snapshot(cursor, conversation, contact_view(conversation), contact_entries(page), more)


def _page(entries: list[Entry], limit: int) -> tuple[list[Entry], bool]:
    """The newest `limit` of entries sorted oldest first, none of one change cut off; and whether some were left out."""
    first = max(0, len(entries) - limit)
    while first > 0 and entries[first - 1].born == entries[first].born:
        first -= 1
    return entries[first:], first > 0


def _seqs(returning: Returning, mine: Mapping[str, Conversation]) -> dict[Scoped, int]:
    """Of the conversations of which this contact holds a good copy: up to which seq."""
    account, held = returning.actor.account, dict(returning.held)
    return {
        (account, name): held[name]
        for name, conversation in mine.items()
        # Not when the contact claims to be ahead of us, nor when entries changed in place since.
        if name in held and conversation.rewritten <= held[name] <= conversation.seq
    }


async def _caught_up(
    view: View,
    returning: Returning,
    cursor: int,
    mine: Mapping[str, Conversation],
    seqs: Mapping[Scoped, int],
    entries: Mapping[Scoped, list[Entry]],
) -> CatchUp:
    actor = returning.actor
    missed: list[Missed] = []
    snapshots: list[Snapshot] = []
    for name, conversation in mine.items():
        place = (actor.account, name)
        later = entries.get(place, [])
        if place not in seqs or _is_too_much(later):
            snapshots.append(await _snapshot(view, actor, conversation, cursor))
        else:
            later = [entry for entry in later if entry.seq > seqs[place]]
            missed.append(Missed(conversation, contact_view(conversation), contact_entries(later)))
    return CatchUp(cursor, False, missed, snapshots, [], [name for name, _ in returning.held if name not in mine])


def _is_too_much(entries: Collection[Entry]) -> bool:
    return len(entries) > CATCH_UP_CHANGES or sum(map(_weight, entries)) > CATCH_UP_BYTES


def _weight(entry: Entry) -> int:
    return len(entry.text) + (len(encode(entry.blocks)) if entry.blocks else 0)


async def _with(
    view: View, actor: Actor, mine: dict[str, Conversation], held: Collection[str]
) -> dict[str, Conversation]:
    """The actor's own and those it held, as far as they are there for it."""
    for conversation in held:
        if conversation not in mine:
            found = await view.conversation(actor.account, conversation)
            if found is not None and sees(actor, found):
                mine[conversation] = found
    return mine


async def _anew(
    view: View, actor: Actor, cursor: int, conversations: Mapping[str, Conversation], *, too_far: bool
) -> CatchUp:
    snapshots = [await _snapshot(view, actor, conversation, cursor) for conversation in conversations.values()]
    return CatchUp(cursor, too_far, [], snapshots, [], [])


async def _catch_up(
    view: View,
    actor: Actor,
    cursor: int,
    since: int,
    moved: list[Conversation],
    mine: dict[str, Conversation],
    held: Collection[str],
    *,
    heads: bool,
) -> CatchUp:
    by_id = {conversation.id: conversation for conversation in moved}
    changed = [by_id[other] for other in held if other in by_id and not by_id[other].rewritten]
    entries = await view.after_cursor(
        actor.account, [conversation.id for conversation in changed], since, CATCH_UP_CHANGES + 1
    )
    missed = [Missed(conversation, conversation, entries.get(conversation.id, [])) for conversation in changed]
    if _is_too_much([entry for each in missed for entry in each.entries]):
        return await _anew(view, actor, cursor, await _with(view, actor, mine, held), too_far=True)
    whole = {other: mine[other] for other in mine if other not in held}
    # Of what was rewritten once, copies may be older than that: nobody knows by cursors.
    whole |= {other: by_id[other] for other in held if other in by_id and by_id[other].rewritten}
    snapshots = [await _snapshot(view, actor, conversation, cursor) for conversation in whole.values()]
    elsewhere = [conversation for conversation in moved if conversation.id not in held] if heads else []
    gone = [other for other in held if other not in by_id and not await view.conversation(actor.account, other)]
    return CatchUp(cursor, False, missed, snapshots, elsewhere, gone)
