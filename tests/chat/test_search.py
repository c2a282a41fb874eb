"""What is found by which words, what comes first, and what of a text is shown."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chat.errors import BadRequest
from chat.folding import GRAM, begins, fold
from chat.model import Person
from chat.search import (
    EXCERPT,
    PIECES,
    QUERY_LIMIT,
    Doc,
    Filters,
    Query,
    contact_text,
    excerpt,
    level,
    matches,
    of_contact,
    of_entry,
    of_subject,
    parse,
    ranked,
)
from tests.builders import DANA, MOMENT, NOA, a_conversation, a_message, a_note, an_activity

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60) | st.text(
    st.sampled_from("abI ıİéשׁלםกน้ำ退\u0301\u200d\n“”\"',-?"), max_size=60
)


def finds(query: str, text: str) -> bool:
    return matches(parse(query), fold(text))


# --- what is found ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("parcel", "Where is my PARCEL?"),
        ("where parcel", "The parcel: where?"),
        ("parc wh", "Where is my parcel?"),
        ("arce", "Where is my parcel?"),
        ('"is my"', "Where is my parcel?"),
        ("“is my”", "Where is my parcel?"),
        ('"is m', "Where is my parcel?"),
        ("parcel?", "my parcel is late"),
        ("น้ำหอม", "อยากสั่งซื้อน้ำหอมสองขวด"),
        ("หอ", "อยากสั่งซื้อน้ำหอมสองขวด"),
        ("สั่ง ขวด", "อยากสั่งซื้อน้ำหอมสองขวด"),
        ("๑๒๓", "เลขที่ 123"),
        ("IŞIK", "ışık"),
        ("ışık", "IŞIK"),
        ("isik", "ışık"),
        ("İstanbul", "istanbul'a kargo"),
        ("istanbul", "İSTANBUL"),
        ("ISTANBUL", "ıstanbul"),
        ("שלום", "שָׁלוֹם רַב"),
        ("שָׁלוֹם", "שלום רב"),
        ("חבילה", "איפה החבילה שלי"),
        ("שלומ", "שלום"),
        ('לצה"ל', "שייך לצה״ל"),
        ("退款", "我想要退款，谢谢"),
        ("款", "我想要退款，谢谢"),
        ("メール", "eメールアドレス"),
        ("cafe", "Café"),
        ("strasse 12", "Hauptstraße 12"),
        ("#1234", "order #1234, please"),
        ("1234", "order #1234, please"),
        ("a", "what a day"),
        ("dana@shop.example", "mail dana@shop.example now"),
        ("shop.ex", "mail dana@shop.example now"),
    ],
)
def test_it_is_found(query: str, text: str) -> None:
    assert finds(query, text)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("parcel lost", "Where is my parcel?"),
        ('"my is"', "Where is my parcel?"),
        ('"is parcel"', "Where is my parcel?"),
        ("ar", "Where is my parcel?"),
        ("มา", "ม้า"),
        ("1234", "12 34"),
    ],
)
def test_it_is_not_found(query: str, text: str) -> None:
    assert not finds(query, text)


@given(TEXT, st.data())
def test_a_text_is_found_by_any_part_of_it(text: str, data: st.DataObject) -> None:
    folded = fold("abc" + text)
    start = data.draw(st.integers(0, len(folded) - GRAM))
    part = folded[start : data.draw(st.integers(start + GRAM, len(folded)))].strip()

    if '"' not in part and len(part) >= GRAM:
        assert matches(parse(f'"{part}"'), folded)
    if " " not in part and len(part) >= GRAM:
        assert matches(parse(part), folded)


@given(TEXT)
def test_a_text_is_found_by_how_each_of_its_words_begins(text: str) -> None:
    folded = fold(text)
    for place in range(len(folded)):
        if begins(folded, place) and folded[place] not in ' "':
            word = folded[place:].split()[0]
            for end in range(1, len(word) + 1):
                assert matches(parse(word[:end]), folded)


@given(TEXT)
def test_a_query_can_be_read_or_is_refused(text: str) -> None:
    try:
        query = parse(text)
    except BadRequest:
        return
    assert all(query.pieces)


@pytest.mark.parametrize(
    "query", ["", "  ", "\u200b", "\u0301", '" "', "x" * (QUERY_LIMIT + 1), " ".join(map(str, range(PIECES + 1)))]
)
def test_a_query_of_nothing_or_too_much_is_refused(query: str) -> None:
    with pytest.raises(BadRequest):
        parse(query)


def test_a_word_said_twice_is_looked_for_once() -> None:
    assert parse("again Again, again").pieces == ("again",)


# --- what comes first ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "text", "expected"),
    [
        ("refund please", "Refund please", 5),
        ("refund", "refund", 5),
        ("dana@shop.example", "dana\ndana@shop.example", 5),
        ("refund please", "a refund please!", 4),
        ("refund please", "please, a refund", 3),
        ("refund", "a refund please", 3),
        ('"a refund"', "a refund please", 3),
        ("คืนเงิน", "ขอคืนเงินหน่อย", 3),
        ("refu pl", "please, a refund", 2),
        ("refu please", "refu please me", 4),
        ("fund please", "please, a refund", 1),
        ("fund lost", "please, a refund", 0),
    ],
)
def test_matches_have_levels(query: str, text: str, expected: int) -> None:
    assert level(parse(query), "\n".join(map(fold, text.split("\n")))) == expected


def a_doc(of: str, text: str, **parts: Any) -> Doc:
    return replace(Doc(of, "message", "cnv_1", MOMENT, fold(text)), **parts)


def test_the_obvious_comes_first() -> None:
    docs = [
        a_doc("inside", "your prefund", at=MOMENT + 9),
        a_doc("prefix", "all refunds", at=MOMENT + 8),
        a_doc("older", "a refund"),
        a_doc("newer", "my refund", at=MOMENT + 1),
        a_doc("same-b", "one refund"),
        a_doc("subject", "About a refund", kind="subject", at=MOMENT - 5),
        a_doc("contact", "Rita Refund", kind="contact", at=MOMENT - 9),
        a_doc("exact", "Refund!"[:6], at=MOMENT - 99),
        a_doc("none", "nothing", kind="contact"),
    ]
    first = [each.doc.of for each in ranked(parse("refund"), docs)]

    assert first == ["exact", "contact", "subject", "newer", "older", "same-b", "prefix", "inside"]
    assert [each.doc.of for each in ranked(parse("refund"), reversed(docs))] == first


def test_a_page_goes_on_where_the_last_one_ended() -> None:
    docs = [a_doc(f"{number:02}", "red" if number % 3 else "a red one", at=number % 4) for number in range(20)]
    query = parse("red")
    everything = [each.doc.of for each in ranked(query, docs)]

    pages: list[str] = []
    while page := ranked(query, docs, ranked(query, docs)[len(pages) - 1].rank if pages else None)[:6]:
        pages += [each.doc.of for each in page]

    assert pages == everything


# --- what is shown ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "text", "marked"),
    [
        ("istanbul", "Kargo İSTANBUL'a", ["İSTANBUL"]),
        ("שלום", "הי שָׁלוֹם רב", ["שָׁלוֹם"]),
        ("strasse", "Hauptstraße", ["straße"]),
        ("straß", "Hauptstraße", ["straß"]),
        ("stras", "Hauptstraße", ["straß"]),
        ("น้ำ", "ซื้อน้ำหอม", ["น้ำ"]),
        ("red blue", "blue, red and REDDISH", ["blue", "red", "RED"]),
        ("red reddi", "Reddish", ["Reddi"]),
        ("is", "this is his", ["is"]),
        ("a b", "a\n\n  b", ["a", "b"]),
        ('"a b"', "a\n\n  b", ["a\n\n  b"]),
        ("dana", "Dana\ndana@shop.example", ["Dana", "dana"]),
    ],
)
def test_what_was_found_is_marked_in_the_original(query: str, text: str, marked: list[str]) -> None:
    shown = excerpt(parse(query), text)

    assert shown is not None
    assert [text[start:end] for start, end in shown.highlights] == marked
    assert shown.text == text


def test_of_a_long_text_the_part_around_it_is_shown() -> None:
    text = "é" * 500 + " the needle here " + "z" * 500
    shown = excerpt(parse("needle"), text)

    assert shown is not None
    assert len(shown.text) == EXCERPT
    assert shown.text == text[shown.start : shown.start + EXCERPT]
    assert [text[start:end] for start, end in shown.highlights] == ["needle"]
    assert shown.text.startswith("é" * 30)


@given(TEXT, st.integers(0, 300), st.data())
def test_marks_lie_in_the_shown_part_and_are_what_was_looked_for(text: str, before: int, data: st.DataObject) -> None:
    text = "y " * before + "abc" + text + "\u0301" * data.draw(st.sampled_from([0, 400])) + " y" * 200
    folded = fold(text[before * 2 :])
    start = data.draw(st.integers(0, len(folded) - GRAM))
    part = folded[start : start + data.draw(st.integers(GRAM, 30))]

    shown = excerpt(Query((part,), part), text)

    assert shown is not None
    assert text[shown.start : shown.start + len(shown.text)] == shown.text
    assert all(shown.start <= first < end <= shown.start + len(shown.text) for first, end in shown.highlights)
    first, end = shown.highlights[0]
    assert part in fold(f"y{text[first:end]}y") or len(shown.text) >= EXCERPT


def test_what_does_not_match_any_more_is_not_shown() -> None:
    assert excerpt(parse("refund"), "nothing of the kind") is None
    assert excerpt(parse("refund"), "") is None


# --- what is indexed, and filters ---------------------------------------------------------------------------


def test_texts_of_people_are_indexed_and_nothing_else() -> None:
    message = a_message(text="שָׁלוֹם")

    assert of_entry("cnv_1", message) == Doc(message.id, "message", "cnv_1", MOMENT, "שלומ")
    note = of_entry("cnv_1", a_note(text="A secret"))
    assert note is not None
    assert (note.kind, note.text) == ("note", "a secret")
    for nothing in (an_activity("claimed"), replace(message, withdrawn=True), replace(message, text=" \n")):
        assert of_entry("cnv_1", nothing) is None


def test_subjects_and_contacts_are_indexed_where_they_say_something() -> None:
    subject = of_subject(a_conversation(subject="My Parcel"))
    contact = of_contact("con_dana", 7, contact_text("Dána", "D@x.example"))

    assert subject == Doc("cnv_parcel", "subject", "cnv_parcel", MOMENT, "my parcel")
    assert contact == Doc("con_dana", "contact", None, 7, "dana\nd@x.example")
    assert of_subject(a_conversation()) is None
    assert of_contact("con_dana", 7, contact_text("", None)) is None


@pytest.mark.parametrize(
    ("filters", "admits"),
    [
        (Filters(), True),
        (Filters(inbox="inb_door"), True),
        (Filters(inbox="inb_other"), False),
        (Filters(tag="vip"), True),
        (Filters(tag="vi"), False),
        (Filters(agent=NOA.id), True),
        (Filters(agent="agt_helped"), True),
        (Filters(agent="agt_else"), False),
        (Filters(inbox="inb_door", tag="vip", agent="agt_else"), False),
    ],
)
def test_conversations_are_filtered(filters: Filters, admits: bool) -> None:
    people = {DANA.id: Person("Dana"), "agt_helped": Person("Helped")}

    assert filters.admit(a_conversation(tags=("vip",), assignee=NOA.id, people=people)) is admits


@pytest.mark.parametrize(
    ("filters", "admits"),
    [
        (Filters(kind="note"), True),
        (Filters(kind="contact"), False),
        (Filters(since=10), True),
        (Filters(since=11), False),
        (Filters(until=11), True),
        (Filters(until=10), False),
    ],
)
def test_documents_are_filtered(filters: Filters, admits: bool) -> None:
    assert filters.admit_doc("note", 10) is admits
