"""What a search means: its pieces, its filters, what is found first, what is shown. Pure.

Every engine supplies the same candidates, the newest documents whose folded text contains every piece. All else is
decided here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from chat.errors import BadRequest
from chat.folding import GRAM, aligned, begins, contains, fold, places
from chat.model import Conversation, Entry

DocKind = Literal["message", "note", "subject", "contact"]

QUERY_LIMIT = 256  # characters
PIECES = 16
CANDIDATES = 2_000
EXCERPT = 160  # characters
BEFORE = 40  # of them before what was found

_PIECE = re.compile(r'"(.+?)(?:"(?= |$)|$)|(\S+)')
_FIELD: dict[DocKind, int] = {"contact": 3, "subject": 2, "message": 1, "note": 1}


class Doc(Struct, frozen=True, gc=False):
    """What can be found: one text of an entry, of a conversation (its subject) or of a contact.

    Of a contact the text has two lines: its name and its address. No other folded text has lines.
    """

    of: str
    kind: DocKind
    conversation: str | None
    at: int
    text: str
    """Folded."""


class Query(Struct, frozen=True, gc=False):
    """Words and phrases, folded: a text must contain every piece. `whole` is all of it as one phrase."""

    pieces: tuple[str, ...]
    whole: str


class Filters(Struct, frozen=True, gc=False):
    """What else must hold. An agent is its conversation's assignee or takes part in it."""

    kind: DocKind | None = None
    inbox: str | None = None
    agent: str | None = None
    tag: str | None = None
    since: int = 0
    until: int = 2**62

    @property
    def of_conversation(self) -> bool:
        return (self.inbox, self.agent, self.tag) != (None, None, None)

    def admit_doc(self, kind: str, at: int) -> bool:
        return (self.kind is None or self.kind == kind) and self.since <= at < self.until

    def admit(self, conversation: Conversation) -> bool:
        return (
            (self.inbox is None or self.inbox == conversation.inbox)
            and (self.tag is None or self.tag in conversation.tags)
            and (self.agent is None or self.agent == conversation.assignee or self.agent in conversation.people)
        )


class Rank(Struct, frozen=True, gc=False, order=True):
    """Smaller comes first: the better match, the better field, the newer one, the lesser id."""

    level: int
    field: int
    age: int
    of: str


class Ranked(Struct, frozen=True, gc=False):
    rank: Rank
    doc: Doc


class Excerpt(Struct, frozen=True, gc=False):
    """A part of the original text, from its character `start`; what was found in it, as places in the whole text."""

    text: str
    start: int
    highlights: list[tuple[int, int]]


def parse(text: str) -> Query:
    """BadRequest where nothing is left to look for, or too much."""
    if len(text) > QUERY_LIMIT:
        raise BadRequest(f"A query has at most {QUERY_LIMIT} characters.", field="q")
    folded = fold(text)
    said = [phrase.strip() or word for phrase, word in _PIECE.findall(folded)]
    pieces = dict.fromkeys(
        phrase.strip() or _without_stop(word) for phrase, word in _PIECE.findall(folded) if phrase.strip() or word
    )
    if not pieces:
        raise BadRequest("There is nothing to look for.", field="q")
    if len(pieces) > PIECES:
        raise BadRequest(f"A query has at most {PIECES} words.", field="q")
    return Query(tuple(pieces), " ".join(said))


def matches(query: Query, text: str) -> bool:
    """Whether a folded text contains every piece."""
    return all(contains(text, piece) for piece in query.pieces)


def level(query: Query, text: str) -> int:
    """How well a folded text matches: 5 is the query itself, 4 has it as a phrase, 3 all its words, 2 words that begin
    with its, 1 has them inside of words, 0 not at all."""
    worst = min(_quality(text, piece) for piece in query.pieces)
    if worst and query.whole in text.split("\n"):
        return 5
    if worst == 3 and len(query.pieces) > 1 and _quality(text, query.whole) == 3:
        return 4
    return worst


def ranked(query: Query, docs: Iterable[Doc], after: Rank | None = None) -> list[Ranked]:
    """What matches, the obvious first; only what comes after a rank, if one is given."""
    found: list[Ranked] = []
    for doc in docs:
        how_well = level(query, doc.text)
        if how_well:
            rank = Rank(-how_well, -_FIELD[doc.kind], -doc.at, doc.of)
            if after is None or rank > after:
                found.append(Ranked(rank, doc))
    return sorted(found, key=lambda each: each.rank)


def excerpt(query: Query, text: str) -> Excerpt | None:
    """Where it was found in the original text. None if it doesn't match, as it may have changed since."""
    folded, came_from = aligned(text)
    if not matches(query, folded):
        return None
    found = sorted(
        (came_from[place][0], came_from[place + len(piece) - 1][1])
        for piece in query.pieces
        for place in places(folded, piece)
    )
    first, end_of_first = found[0]
    highlights = _merged(found)
    start = next(begin for begin, _ in came_from if begin >= first - BEFORE) if first > BEFORE else 0
    end = len(text)
    if end > start + EXCERPT:  # no character is cut in two, nor from its marks
        end = max([end_of_first, *(stop for _, stop in came_from if stop <= start + EXCERPT)])
    return Excerpt(text[start:end], start, [(begin, min(stop, end)) for begin, stop in highlights if begin < end])


# --- what is indexed ----------------------------------------------------------------------------------------


def of_entry(conversation: str, entry: Entry) -> Doc | None:
    """None for what isn't searchable: activities, and what is withdrawn or has no text (any more)."""
    if entry.kind == "activity" or entry.withdrawn:
        return None
    return _doc(entry.id, entry.kind, conversation, entry.at, entry.text)


def of_subject(conversation: Conversation) -> Doc | None:
    return _doc(conversation.id, "subject", conversation.id, conversation.created_at, conversation.subject)


def of_contact(contact: str, at: int, text: str) -> Doc | None:
    """Of a text with a line for each field, as `contact_text` makes it."""
    return _doc(contact, "contact", None, at, text)


def contact_text(name: str, email: str | None) -> str:
    return f"{name}\n{email or ''}"


def _doc(of: str, kind: DocKind, conversation: str | None, at: int, text: str) -> Doc | None:
    folded = "\n".join(fold(line) for line in text.split("\n")) if kind == "contact" else fold(text)
    return Doc(of, kind, conversation, at, folded) if folded.strip() else None


# --- ranking ------------------------------------------------------------------------------------------------


def _quality(text: str, piece: str) -> int:
    """Of the best place: 3 as whole words, 2 at the beginning of a word, 1 inside of one."""
    best = 0
    for place in places(text, piece):
        if begins(text, place):
            if begins(text, place + len(piece)):
                return 3
            best = 2
        best = best or 1
    return best


def _without_stop(word: str) -> str:
    """What ends a sentence isn't looked for, unless hardly anything else is."""
    bare = word.rstrip(".,;:!?")
    return bare if len(bare) >= GRAM else word


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in spans:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
