"""The Store seam: where everything lasting is. Its engines are named for their technology."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Protocol, TypeVar

from msgspec import Struct, field
from sqlalchemy import Connection

from chat.model import (
    Actor,
    AttributeType,
    Contact,
    Conversation,
    Decision,
    Desk,
    Entry,
    Inbox,
    Member,
    Queue,
    Receipt,
    StatusLine,
    Team,
    Timer,
    Upload,
)

if TYPE_CHECKING:  # it names our View
    from chat.store.search_index import SearchIndex

T = TypeVar("T")
Scoped = tuple[str, str]
"""(account, id): nothing is looked up by an id alone, so that one account never finds another's."""


class Head(Struct, frozen=True, gc=False):
    """Where an account's ledger stands: its last cursor and the moment (ms) of that change."""

    cursor: int = 0
    at: int = 0


class Wanted(Struct):
    """All that a batch of asks must see before its rules run.

    `attributes` and `desks` are accounts; `queues` are inboxes; `held_by` are agents and bots, of whom all is wanted
    that is open in their hands.
    """

    receipts: set[Scoped] = field(default_factory=set)
    conversations: set[Scoped] = field(default_factory=set)
    actors: set[Scoped] = field(default_factory=set)
    inboxes: set[Scoped] = field(default_factory=set)
    teams: set[Scoped] = field(default_factory=set)
    entries: set[Scoped] = field(default_factory=set)
    contacts: set[Scoped] = field(default_factory=set)
    uploads: set[Scoped] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)
    queues: set[Scoped] = field(default_factory=set)
    held_by: set[Scoped] = field(default_factory=set)
    desks: set[str] = field(default_factory=set)

    @property
    def has_duties(self) -> bool:
        """Whether something of routing is wanted, as few batches do."""
        return bool(self.desks or self.held_by or self.queues)


class Loaded(Struct):
    """What was found of the wanted; what isn't in here isn't there (or is another account's).

    `entries` are (conversation, newest version). Of every contact that was wanted, all its conversations are among
    `conversations`; so are those that are open with `held_by`, and those that wait at a desk.
    """

    receipts: dict[Scoped, Receipt] = field(default_factory=dict)
    conversations: dict[Scoped, Conversation] = field(default_factory=dict)
    actors: dict[Scoped, Actor] = field(default_factory=dict)
    inboxes: dict[Scoped, Inbox] = field(default_factory=dict)
    teams: dict[Scoped, Team] = field(default_factory=dict)
    entries: dict[Scoped, tuple[str, Entry]] = field(default_factory=dict)
    contacts: dict[Scoped, Contact] = field(default_factory=dict)
    uploads: dict[Scoped, Upload] = field(default_factory=dict)
    attributes: dict[str, tuple[AttributeType, ...]] = field(default_factory=dict)
    queues: dict[Scoped, Queue] = field(default_factory=dict)
    desks: dict[str, Desk] = field(default_factory=dict)
    """Without standings: who is present, no store knows."""


class Written(Struct):
    """An entry to write, at its change's cursor; the digest belongs to the first entry of an ask.

    An entry whose seq isn't the one it was born with is a later version: it supersedes the others, and `ask` is the
    id of the ask that made it, `asker` and `asked_at` who made it and when: not always the entry's author.
    """

    entry: Entry
    cursor: int
    digest: bytes | None = None
    ask: str | None = None
    asker: str | None = None
    asked_at: int | None = None


class Move(Struct):
    """All that one transaction does to one conversation. `erases` comes before its entries are written."""

    account: str
    before: Conversation | None
    after: Conversation
    entries: list[Written]
    document: bytes = b""
    """`after` as JSON: what is stored and what staff is sent, encoded once."""
    timers: list[Timer] = field(default_factory=list)
    erases: bool = False


class WaitEnd(Struct, frozen=True, gc=False):
    """A contact waits no more: `answered` (somebody took it up), `left` or `abandoned`."""

    conversation: str
    queued_at: int
    at: int
    outcome: str


class Hold(Struct, frozen=True, gc=False):
    """A conversation was in a member's hands from one moment to another (ms), and was answered."""

    account: str
    conversation: str
    member: str
    team: str | None
    began_at: int
    ended_at: int


class Rows(Struct):
    """All that one transaction writes beside conversations and their entries. Members without slots, skills and
    schedule: those are the administration's."""

    contacts: list[Contact] = field(default_factory=list)
    members: list[Member] = field(default_factory=list)
    statuses: list[StatusLine] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    timers: list[tuple[str, Timer]] = field(default_factory=list)
    """Each with its account."""
    queues: list[Queue] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)
    """Members who have said something in what they were given: they haven't bounced lately."""
    emails: list[tuple[str, str]] = field(default_factory=list)
    """A contact and its address, unless one is known."""
    wait_ends: list[WaitEnd] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    """How long was worked in it is found out from its entries."""

    @property
    def are_any(self) -> bool:
        return any(getattr(self, name) for name in self.__struct_fields__)


class Transaction(Protocol):
    """One writing transaction over some accounts.

    Promises: the accounts are locked until commit or rollback, so what is loaded stays true; commit is all or
    nothing and durable (fsynced) when it returns; after a failed commit nothing may be assumed: Unavailable is
    raised, the outcome is found out by the resend's id. Every method may raise Unavailable; a transaction that
    raised is rolled back by its owner.
    """

    @property
    def heads(self) -> Mapping[str, Head]: ...

    @property
    def skipped(self) -> Collection[str]:
        """Accounts that somebody else is writing: of several that were wanted none is waited for."""
        ...

    async def load(self, wanted: Wanted) -> Loaded: ...

    async def write(self, moves: Sequence[Move], heads: Mapping[str, Head], beside: Rows | None = None) -> None:
        """A contact that was merged takes its entries, sessions and identities to the one that it lives on in. The
        uploads of entries are theirs from now on."""
        ...

    async def commit(self) -> None: ...

    async def rollback(self) -> None: ...


class View(Protocol):
    """What can be read at one moment: every method sees the same snapshot.

    Entries come in their newest version, oldest first by `born`.
    """

    async def head(self, account: str) -> int:
        """The account's cursor; 0 for an account without changes or that isn't there."""
        ...

    async def cursors(self, accounts: Collection[str]) -> dict[str, int]: ...

    async def conversation(self, account: str, conversation: str) -> Conversation | None: ...

    async def blocked_until(self, account: str, contact: str) -> int:
        """The end of the contact's block (ms); 0 when there is none."""
        ...

    async def of_contacts(self, contacts: Collection[Scoped], limit: int) -> dict[Scoped, list[Conversation]]:
        """Each one's conversations, so many at most, latest change first. Who has none is left out."""
        ...

    async def assigned(self, account: str, actor: str, limit: int) -> list[Conversation]:
        """What isn't resolved and in this actor's hands, latest change first."""
        ...

    async def moved(self, account: str, since: int, limit: int) -> list[Conversation]:
        """The conversations changed after a cursor, in the order of their last change."""
        ...

    async def listed(self, account: str, *, resolved: bool, limit: int) -> list[Conversation]:
        """Conversations that are resolved, or that aren't: who waits longest first, then the latest."""
        ...

    async def latest(self, account: str, conversation: str, limit: int, *, staff: bool) -> list[Entry]: ...

    async def before(self, account: str, conversation: str, born: int, limit: int, *, staff: bool) -> list[Entry]: ...

    async def followed(self, account: str, actor: str, limit: int) -> list[Conversation]:
        """What isn't resolved and this actor follows, latest change first."""
        ...

    async def versions(self, account: str, conversation: str, entry: str) -> list[Entry]:
        """Every version of an entry of this conversation, the newest first."""
        ...

    async def after_seq(self, seqs: Mapping[Scoped, int], limit: int, *, staff: bool) -> dict[Scoped, list[Entry]]:
        """Of each of these conversations what came after a seq, so many at most; those without any are left out."""
        ...

    async def after_cursor(
        self, account: str, conversations: Collection[str], cursor: int, limit: int
    ) -> dict[str, list[Entry]]:
        """Of each of these conversations so many at most; those without any are left out."""
        ...


class Store(Protocol):
    """Promises: one serial history per account; a view sees every commit that returned before it was opened."""

    @property
    def epoch(self) -> str:
        """A random id of this history of the database; positions of another epoch mean nothing. It may change while
        the store is open, where a copy can come back or a standby take over beneath it."""
        ...

    def listen(self, renewed: Callable[[], None]) -> None:
        """`renewed` is called when the epoch has changed: what was read before may not be there any more. Once."""
        ...

    async def heads(self, known: Mapping[str, int]) -> dict[str, int]:
        """Where the ledgers of these accounts stand. Each stood where it says here, or further on; where one doesn't
        any more, history was lost, and the epoch is a new one when this returns."""
        ...

    async def renew(self) -> None:
        """Begin a new epoch, as a copy was put back."""
        ...

    @property
    def holds_loop(self) -> bool:
        """Whether statements run on the event loop's thread, so that everybody waits while one runs."""
        ...

    @property
    def search(self) -> SearchIndex:
        """What is known of the texts in here, see `chat.store.search_index`."""
        ...

    async def begin(self, accounts: Collection[str]) -> Transaction:
        """Lock the accounts; a single one is waited for. Raises Unavailable when that takes more than 2 s. Unknown
        accounts have no head."""
        ...

    def view(self) -> AbstractAsyncContextManager[View]: ...

    async def inspect(self, work: Callable[[Connection], T]) -> T:
        """Run a cold read, written in SQLAlchemy Core."""
        ...

    async def administer(self, work: Callable[[Connection], T]) -> T:
        """Run a cold write (never of ledgers, conversations or entries) in a transaction of its own."""
        ...

    async def scrub(self) -> bool:
        """Let what was blanked or deleted before stand in none of the engine's files any more; whether that could be
        done now. Where it couldn't, it happens later by itself."""
        ...

    async def close(self) -> None: ...
