"""The SearchIndex seam: what a store knows of the texts in it, so that few of them must be looked at.

An index follows the ledger from behind. It is made of what the store has anyway, and can be made anew at any time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from msgspec import Struct

from chat.folding import needed
from chat.search import Doc, Filters
from chat.store import View

# What one search may cost, whatever the engine.
LOOKED_AT = 50_000  # documents; long ones count more
LONG = 128  # characters, that count as one more
GRAMS_AT_MOST = 24  # of a query: more don't make candidates much fewer, and each is read anyway


class Candidates(Struct, frozen=True, gc=False):
    """Documents, those first that were indexed last. `cut`: there may be older ones that nobody looked at."""

    docs: list[Doc]
    cut: bool


def sought(pieces: Sequence[str]) -> list[str]:
    """Grams that every text has which contains these pieces: all of them, or some where there are many."""
    wanted = sorted(set().union(*map(needed, pieces)))
    return wanted[:: -(-len(wanted) // GRAMS_AT_MOST)]


class Original(Struct, frozen=True, gc=False):
    """A document's text as it was written and is now, whose it is, and in which inbox."""

    text: str
    contact: str
    author: str | None = None
    inbox: str | None = None


class IndexTurn(Protocol):
    """One short transaction on one account's index: what is read in it stays true until it ends."""

    @property
    def view(self) -> View: ...

    @property
    def cursor(self) -> int:
        """Everything up to here is indexed."""
        ...

    async def advance(self, cursor: int) -> None: ...

    async def reached(self, conversations: Collection[str]) -> Mapping[str, int]:
        """The seqs up to which these are indexed; those that aren't begun yet aren't there."""
        ...

    async def reach(self, seqs: Mapping[str, int]) -> None: ...

    async def put(self, docs: Iterable[Doc]) -> None:
        """Each in the place of what was there of the same entry, conversation or contact."""
        ...

    async def drop(self, of: Collection[str]) -> None: ...

    async def waiting_contacts(self, limit: int) -> list[tuple[str, int, str | None]]:
        """Contacts that are new or have changed: id, moment of their coming, and text (a line for each field); None
        for those that aren't there any more. They wait no longer."""
        ...


class SearchIndex(Protocol):
    """Promises: nothing of another account is ever seen; what was forgotten can't be found any more, nor read from
    what the index keeps. What the ledger erases, and a contact that it merges, is forgotten by the same transaction.
    Every method may raise Unavailable."""

    @property
    def room(self) -> int:
        """Documents of one turn; long ones count more."""
        ...

    async def behind(self) -> list[str]:
        """The accounts that have something to index. Those that another node is at just now may be left out."""
        ...

    def turn(self, account: str) -> AbstractAsyncContextManager[IndexTurn]:
        """Everything that it did is kept together when it ends well; nothing of it otherwise. The ledger may wait
        meanwhile, a few ms at most; where it erases or merges it always does, for as long as a turn takes."""
        ...

    async def seal(self, account: str) -> bool:
        """Make some of what was put quicker to find. Whether there was anything to do. After a few hundred documents
        that were put it must be called until there isn't."""
        ...

    async def candidates(self, account: str, pieces: Sequence[str], filters: Filters, limit: int) -> Candidates:
        """At most `limit` documents that contain every piece, in the sense of `chat.folding.contains`."""
        ...

    async def originals(self, account: str, docs: Collection[Doc]) -> Mapping[str, Original]:
        """What these are now. What has been withdrawn, erased or superseded meanwhile isn't among them."""
        ...

    async def forget(
        self, account: str, *, conversations: Collection[str] = (), contacts: Collection[str] = ()
    ) -> None:
        """Take away all that the index has of these, entries included."""
        ...
