"""Searching, for staff: candidates from the store's index, ranked by one function, shown as their originals are now."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from chat.errors import BadRequest, Busy, Forbidden
from chat.model import Actor
from chat.search import CANDIDATES, Doc, DocKind, Excerpt, Filters, Query, Rank, Ranked, excerpt, parse, ranked
from chat.store import Store
from chat.store.search_index import Original

PAGE = 20
AT_ONCE = 16  # searches that may wait for each other on a node

Match = Literal["whole", "phrase", "words", "prefixes", "inside"]
_MATCHES: dict[int, Match] = {5: "whole", 4: "phrase", 3: "words", 2: "prefixes", 1: "inside"}


class Hit(Struct, frozen=True, omit_defaults=True):
    """Something that was found: an entry (`kind` message or note), a conversation by its subject, or a contact."""

    kind: DocKind
    at: int
    match: Match
    contact: str
    excerpt: Excerpt
    conversation: str | None = None
    entry: str | None = None
    author: str | None = None
    inbox: str | None = None


class Found(Struct, frozen=True):
    """A page of hits, the obvious first. `after` is where the next one begins; None when there is none.

    `cut`: there was too much to look at all of it, so older things may be missing.
    """

    hits: list[Hit]
    after: str | None
    cut: bool


class Finder:
    """Raises BadRequest, Busy, Forbidden for contacts, and Unavailable."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._under_way = 0

    async def find(self, actor: Actor, text: str, filters: Filters, limit: int = PAGE, after: str = "") -> Found:
        """What is there for this text. Pages of one search fit together, also when more is written meanwhile."""
        if not actor.is_staff:
            raise Forbidden
        query, last = parse(text), _rank(after) if after else None
        if self._under_way >= AT_ONCE:
            raise Busy
        self._under_way += 1
        try:
            return await self._find(actor.account, query, filters, limit, last)
        finally:
            self._under_way -= 1

    async def _find(self, account: str, query: Query, filters: Filters, limit: int, after: Rank | None) -> Found:
        candidates = await self._store.search.candidates(account, query.pieces, filters, CANDIDATES)
        # In a thread, as two thousand long texts take longer than others should wait.
        found = await asyncio.to_thread(ranked, query, candidates.docs, after)
        hits: list[Hit] = []
        looked_at = 0
        while len(hits) < limit and looked_at < len(found):
            page = found[looked_at : looked_at + limit - len(hits)]
            looked_at += len(page)
            originals = await self._store.search.originals(account, [each.doc for each in page])
            hits += await asyncio.to_thread(_shown, query, page, originals)
        more = _token(found[looked_at - 1].rank) if looked_at < len(found) else None
        return Found(hits, more, candidates.cut)


def _shown(query: Query, page: list[Ranked], originals: Mapping[str, Original]) -> list[Hit]:
    """What isn't there any more, or says something else by now, isn't shown: the index comes behind the ledger."""
    hits: list[Hit] = []
    for each in page:
        original = originals.get(each.doc.of)
        shown = excerpt(query, original.text) if original else None
        if original and shown:
            hits.append(_hit(each.doc, _MATCHES[-each.rank.level], original, shown))
    return hits


def _hit(doc: Doc, match: Match, original: Original, shown: Excerpt) -> Hit:
    entry = doc.of if doc.kind in ("message", "note") else None
    return Hit(
        doc.kind, doc.at, match, original.contact, shown, doc.conversation, entry, original.author, original.inbox
    )


def _token(rank: Rank) -> str:
    return f"{-rank.level}.{-rank.field}.{-rank.age}.{rank.of}"


def _rank(token: str) -> Rank:
    level, _, rest = token.partition(".")
    field, _, rest = rest.partition(".")
    at, _, of = rest.partition(".")
    if not all(number.isdecimal() and len(number) < 16 for number in (level, field, at)):
        raise BadRequest("That isn't where a page ended.", field="after")
    return Rank(-int(level), -int(field), -int(at), of)
