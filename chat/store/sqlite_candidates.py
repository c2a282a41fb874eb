"""Searching in SQLite: candidates from the newest document back, and their originals. All in the search's thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from msgspec.json import Decoder

from chat.folding import contains
from chat.model import Conversation
from chat.search import Doc, Filters, contact_text, of_entry
from chat.store.rows import ENTRY, entry_of
from chat.store.search_index import LONG, LOOKED_AT, Candidates, Original, sought
from chat.store.sqlite_runs import GRAMS, LIST, PLACE_BITS, Head, as_json, key_of

RUNS_AT_ONCE = 64

_decode = Decoder(Conversation).decode

_FOUND = """
    SELECT d.of, d.kind, d.conversation, c.id, d.at, d.text FROM search_docs d
    LEFT JOIN conversations c ON c.key = d.conversation WHERE d.key """
_FROM_TO = f"{_FOUND} BETWEEN ? AND ? ORDER BY d.key DESC"
_NAMED = f"{_FOUND} IN {LIST} ORDER BY d.key DESC"
_STATE = "SELECT state FROM conversations WHERE key = ?"
_STATES_OF_CONTACT = "SELECT state FROM conversations WHERE contact = ? AND +account = ?"
_ENTRIES = f"""
    SELECT c.contact, c.id, c.state, {ENTRY} FROM entries e JOIN conversations c ON c.key = e.conversation
    WHERE NOT e.superseded AND e.account = ? AND e.seq {{}} e.born AND e.id IN {LIST}"""
_SUBJECTS = f"SELECT state FROM conversations WHERE account = ? AND id IN {LIST}"
_CONTACTS = f"""
    SELECT id, name, email FROM contacts
    WHERE account = ? AND merged_into IS NULL AND NOT erased AND id IN {LIST}"""


class Search:
    """Walks an account's documents from the last one back: those of runs without grams all, then those with all."""

    def __init__(self, own: sqlite3.Connection, pieces: Sequence[str], filters: Filters, limit: int) -> None:
        self._own = own
        self._pieces = pieces
        self._filters = filters
        self._limit = limit
        self._looked_at = 0
        self._docs: list[Doc] = []
        self._admitted: dict[int | str, bool] = {}

    def of(self, account: str) -> Candidates:
        head = Head.read(self._own, account)
        if head is None:
            return Candidates([], cut=False)
        newest = (key_of(head.account, head.sealed << PLACE_BITS), key_of(head.account, head.place))
        cut = not self._take(head, self._own.execute(_FROM_TO, newest))
        before = head.sealed
        while before > 0 and not cut:
            runs = range(max(0, before - RUNS_AT_ONCE), before)
            cut = not all(
                self._take(head, self._own.execute(_NAMED, (as_json(keys),))) for keys in self._having_all(head, runs)
            )
            before = runs.start
        return Candidates(self._docs, cut)

    def _having_all(self, head: Head, runs: range) -> Iterable[list[int]]:
        """The keys of the documents that have all grams, run by run, the last run first."""
        wanted = sought(self._pieces)
        found: dict[int, list[bytes]] = {}
        for run, _, docs in self._own.execute(GRAMS, (head.account, as_json(list(runs)), as_json(wanted))):
            found.setdefault(run, []).append(docs)
        for run in reversed(runs):
            have = sorted(found.get(run, ()), key=len)
            if len(have) == len(wanted):
                places = set(have[0]).intersection(*have[1:])
                if places:
                    first = key_of(head.account, run << PLACE_BITS)
                    yield [first + place for place in places]

    def _take(self, head: Head, rows: Iterable[Sequence[Any]]) -> bool:
        """Keep what is wanted. False when that is enough."""
        for of, kind, key, conversation, at, text in rows:
            self._looked_at += 1 + len(text) // LONG
            if (
                self._filters.admit_doc(kind, at)
                and all(contains(text, piece) for piece in self._pieces)
                and self._is_admitted(head, of, key)
            ):
                if len(self._docs) == self._limit:
                    return False
                self._docs.append(Doc(of, kind, conversation, at, text))
        return self._looked_at < LOOKED_AT

    def _is_admitted(self, head: Head, of: str, conversation: int | None) -> bool:
        """By its conversation; a contact by any of its conversations."""
        if not self._filters.of_conversation:
            return True
        name = of if conversation is None else conversation
        if name not in self._admitted:
            if conversation is None:
                states = self._own.execute(_STATES_OF_CONTACT, (of, head.account)).fetchall()
            else:
                states = self._own.execute(_STATE, (conversation,)).fetchall()
            self._admitted[name] = any(self._filters.admit(_decode(row[0])) for row in states)
        return self._admitted[name]


def originals(own: sqlite3.Connection, account: str, docs: Collection[Doc]) -> Mapping[str, Original]:
    head = Head.read(own, account)
    if head is None:
        return {}
    of: dict[bool | None, list[str]] = {True: [], False: [], None: []}
    for doc in docs:
        of[None if doc.kind == "contact" else doc.kind == "subject"].append(doc.of)
    found: dict[str, Original] = {}
    for comparison in ("=", "<>"):  # each has an index of its own
        for contact, conversation, state, *row in own.execute(
            _ENTRIES.format(comparison), (head.account, as_json(of[False]))
        ):
            entry = entry_of(row)
            if of_entry(conversation, entry) is not None:
                found[entry.id] = Original(entry.text, contact, entry.author.id, _decode(state).inbox)
    for (state,) in own.execute(_SUBJECTS, (head.account, as_json(of[True]))):
        there = _decode(state)
        found[there.id] = Original(there.subject, there.contact, None, there.inbox)
    for id_, name, email in own.execute(_CONTACTS, (head.account, as_json(of[None]))):
        found[id_] = Original(contact_text(name, email), id_)
    return found
