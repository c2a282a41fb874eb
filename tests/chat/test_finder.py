"""Searching as staff does it: ranked, page by page, and never what isn't there any more."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from msgspec.structs import replace

from chat.errors import BadRequest, Busy, Forbidden
from chat.finder import AT_ONCE, Finder, Found
from chat.search import Doc, Filters, of_contact, of_entry, of_subject, parse, ranked
from chat.store import Store, Written
from tests.builders import (
    DANA,
    DOOR,
    ECHO,
    MINE,
    MOMENT,
    NOA,
    RIVAL,
    a_conversation,
    a_message,
    a_move,
    a_note,
    an_id,
    store_moves,
)

CORPUS = [
    "Where is my PARCEL?",
    "อยากสั่งซื้อน้ำหอมสองขวด",
    "שָׁלוֹם, איפה החבילה שלי?",
    "IŞIK paketi İSTANBUL'a ne zaman gelir?",
    "Ich wohne in der Hauptstraße 12",
    "我想要退款，谢谢",
    "The parcel of the parcels is a parcelling one",
]


async def with_corpus(store: Store, *texts: str) -> Finder:
    """Dana's conversation with these messages, a note and a subject, indexed."""
    entries = [replace(a_message(n, text=text, seq=n), at=MOMENT + n) for n, text in enumerate(texts or CORPUS, 1)]
    entries.append(a_note(99, text="Her parcel was stolen", seq=99))
    made = a_conversation(seq=99, subject="Lost parcel")
    await store_moves(store, a_move(made, *entries))
    docs = [of_subject(made), of_contact(DANA.id, MOMENT, "Dana\n"), *(of_entry(made.id, entry) for entry in entries)]
    async with store.search.turn(MINE) as turn:
        await turn.put(doc for doc in docs if doc)
    return Finder(store)


async def texts(finder: Finder, query: str, **filters: Any) -> list[str]:
    return [hit.excerpt.text for hit in (await finder.find(NOA, query, Filters(**filters))).hits]


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("น้ำหอม", 1),
        ("สองขวด", 1),
        ("שלום", 2),
        ("חֲבִילָה", 2),
        ("istanbul", 3),
        ("ışık", 3),
        ("ISIK", 3),
        ("hauptstrasse 12", 4),
        ("退款", 5),
        ('"is my parcel"', 0),
        ("parcelli", 6),
    ],
)
async def test_every_script_is_found(store: Store, query: str, number: int) -> None:
    finder = await with_corpus(store)

    assert await texts(finder, query) == [CORPUS[number]]


async def test_a_hit_says_what_and_where_it_is(store: Store) -> None:
    finder = await with_corpus(store)

    subject, *others = (await finder.find(NOA, "lost parcel", Filters())).hits
    note, *_ = (await finder.find(ECHO, "stolen", Filters())).hits
    contact, *_ = (await finder.find(NOA, "dan", Filters())).hits

    assert others == []
    assert (subject.kind, subject.match, subject.conversation, subject.entry) == (
        "subject",
        "whole",
        "cnv_parcel",
        None,
    )
    assert (subject.contact, subject.inbox, subject.excerpt.highlights) == (DANA.id, DOOR, [(0, 4), (5, 11)])
    assert (note.kind, note.entry, note.author, note.at) == ("note", an_id(99), NOA.id, MOMENT)
    assert (contact.kind, contact.match, contact.contact, contact.conversation) == (
        "contact",
        "prefixes",
        DANA.id,
        None,
    )


async def test_the_obvious_comes_first(store: Store) -> None:
    finder = await with_corpus(store)

    found = await texts(finder, "parcel")

    assert found == ["Lost parcel", CORPUS[6], CORPUS[0], "Her parcel was stolen"]


async def test_pages_fit_together_while_more_is_written(store: Store) -> None:
    finder = await with_corpus(store, *(f"parcel {n}" for n in range(1, 31)))
    everything = await finder.find(NOA, "parcel", Filters(), 50)

    pages: list[Found] = []
    after: str | None = ""
    while after is not None:
        pages.append(await finder.find(NOA, "parcel", Filters(), 7, after))
        after = pages[-1].after
        async with store.search.turn(MINE) as turn:
            await turn.put([Doc(an_id(500 + len(pages)), "message", "cnv_parcel", MOMENT, "parcel")])

    assert [hit for page in pages for hit in page.hits] == everything.hits
    assert everything.after is None
    assert [len(page.hits) for page in pages[:-1]] == [7] * (len(pages) - 1)


async def test_what_changed_since_it_was_indexed_is_shown_as_it_is_or_not_at_all(store: Store) -> None:
    finder = await with_corpus(store, "a parcel here", "a parcel there", "a parcel gone")
    before = a_conversation(seq=99, subject="Lost parcel")
    move = a_move(replace(before, subject="", seq=102, cursor=2), before=before)
    for number, text, withdrawn in ((1, "the parcel, edited", False), (2, "nothing", False), (3, "", True)):
        entry = replace(a_message(number, text=text, seq=100 + number), born=number, withdrawn=withdrawn)
        move.entries.append(Written(entry, 2, b"e", f"ask-{number}"))
    await store_moves(store, move)

    assert await texts(finder, "parcel", kind="message") == ["the parcel, edited"]
    assert await texts(finder, "parcel", kind="subject") == []


async def test_among_five_thousand_texts_the_pages_are_what_ranking_all_of_them_gives(store: Store) -> None:
    chance = random.Random(5)
    words = ["parcel", "parcels", "שלום", "שָׁלוֹם", "น้ำหอม", "สั่งซื้อ", "ışık", "IŞIK", "refund", "refunded", "the", "of"]
    said = [" ".join(chance.choices(words, k=chance.randint(1, 7))) for _ in range(5_000)]
    entries = [replace(a_message(n, text=text, seq=n), at=MOMENT + n // 3) for n, text in enumerate(said, 1)]
    await store_moves(store, a_move(a_conversation(seq=5_000), *entries))
    docs = [doc for entry in entries if (doc := of_entry("cnv_parcel", entry))]
    for start in range(0, len(docs), 250):
        async with store.search.turn(MINE) as turn:
            await turn.put(docs[start : start + 250])
        while await store.search.seal(MINE):
            pass
    finder = Finder(store)

    for query in ("refund שלום", "หอม isik", '"the parcel"', "arcel ซื้อ", "refunded the of"):
        expected = ranked(parse(query), docs)
        assert 20 < len(expected) < 2_000
        first = await finder.find(NOA, query, Filters(), 20)
        second = await finder.find(NOA, query, Filters(), 50, first.after or "")
        assert [hit.entry for hit in first.hits + second.hits] == [each.doc.of for each in expected[:70]]


async def test_contacts_may_not_search_and_other_accounts_find_nothing(store: Store) -> None:
    finder = await with_corpus(store)

    with pytest.raises(Forbidden):
        await finder.find(DANA, "parcel", Filters())
    assert (await finder.find(RIVAL, "parcel", Filters())).hits == []


@pytest.mark.parametrize("after", ["x", "1.2", "1.2.x.con_1", "-1.1.1.x", "1.1.99999999999999999.x", "²..", "..."])
async def test_what_is_no_end_of_a_page_is_refused(store: Store, after: str) -> None:
    with pytest.raises(BadRequest) as refused:
        await Finder(store).find(NOA, "parcel", Filters(), after=after)

    assert refused.value.field == "after"


async def test_too_many_searches_at_once_are_refused(store: Store) -> None:
    finder = await with_corpus(store)

    answers = await asyncio.gather(
        *(finder.find(NOA, "parcel", Filters()) for _ in range(AT_ONCE + 3)), return_exceptions=True
    )

    assert [isinstance(answer, Busy) for answer in answers] == [False] * AT_ONCE + [True] * 3
    assert (await finder.find(NOA, "parcel", Filters())).hits
