"""What folds to the same, what doesn't, and that parts of a text fold to parts of the folded text."""

from __future__ import annotations

from unicodedata import combining, normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.folding import GRAM, aligned, begins, contains, fold, grams, needed, places

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
# Much of what is folded is rare among all characters, and stands beside its like.
TELLING = st.text(st.sampled_from("aIıİiéßשׁלוםךกน้ำุ่าき゛がé\u0301\u0323\u200d\u00ad \n“”-—١๓ﬁ한ΐ̈́'\","))


@pytest.mark.parametrize(
    "alike",
    [
        ("istanbul", "İstanbul", "ISTANBUL", "Istanbul", "ıstanbul"),
        ("שלום", "שָׁלוֹם", "שלומ"),
        ("כ מ נ פ צ", "ך ם ן ף ץ"),
        ("lodz dakovo", "Łódź Đakovo"),
        ("oeuvre aegir", "Œuvre Ægir"),
        ("احمد", "أَحْمَد", "أحـمد"),
        ("' \" -", "’ „ ‑", "׳ ״ ־"),
        ("strasse", "Straße", "STRASSE", "STRAẞE"),
        ("cafe", "Café", "CAFE\u0301"),
        ("smorrebrod", "Smørrebrød"),
        ("order 123", "order ๑๒๓", "Order １２３", "order\u00a0 \n١٢٣", " order 123 "),
        ("don't", "don’t", "DONʼT"),
        ('"yes" - no', "“yes” — no", "«yes» – no"),
        ('צה"ל', "צה״ל"),
        ("zero", "ze\u200bro", "ze\u00adro", "\ufeffzero"),
        ("한국", "\u1112\u1161\u11ab\u1100\u116e\u11a8"),
        ("น้ำ", normalize("NFKD", "น้ำ")),
        ("ση", "ΣΗ", "ςη"),
        ("ёлка", "елка", "ЕЛКА"),
    ],
)
def test_what_people_take_for_the_same_folds_to_the_same(alike: tuple[str, ...]) -> None:
    assert {fold(each) for each in alike} == {fold(alike[0])}


@pytest.mark.parametrize(
    "different", [("มา", "ม้า", "หมา"), ("น้ำ", "นำ"), ("がき", "かき"), ("कि", "की"), ("o", "0"), ("שלום", "שלומי")]
)
def test_what_makes_another_word_stays(different: tuple[str, ...]) -> None:
    assert len({fold(each) for each in different}) == len(different)


@given(TEXT | TELLING)
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(TEXT | TELLING)
def test_however_a_text_is_composed_it_folds_to_the_same(text: str) -> None:
    assert fold(normalize("NFC", text)) == fold(normalize("NFD", text)) == fold(text)


@given(TEXT | TELLING)
def test_every_folded_character_knows_where_it_comes_from(text: str) -> None:
    folded, came_from = aligned(text)

    assert folded == fold(text)
    assert len(came_from) == len(folded)
    for character, (start, end) in zip(folded, came_from, strict=True):
        assert character in fold(f"x{text[start:end]}x")


@given(TEXT | TELLING, st.data())
def test_a_part_of_a_text_folds_to_a_part_of_the_folded_text(text: str, data: st.DataObject) -> None:
    whole = [place for place in range(len(text) + 1) if place == len(text) or not _leans(text[place])]
    start = data.draw(st.sampled_from(whole))
    end = data.draw(st.sampled_from([place for place in whole if place >= start]))

    assert fold(text[start:end]) in fold(text)


def _leans(character: str) -> bool:
    return not fold(character).strip() or combining(normalize("NFKD", character)[0]) != 0


@given(TEXT | TELLING, st.data())
def test_every_piece_that_a_text_contains_has_its_grams_there(text: str, data: st.DataObject) -> None:
    folded = fold(text)
    start = data.draw(st.integers(0, len(folded)))
    piece = folded[start : data.draw(st.integers(start, len(folded)))].strip()

    if piece and (len(piece) >= GRAM or begins(folded, folded.find(piece))):
        assert contains(folded, piece)
    if piece and contains(folded, piece):
        assert needed(piece) <= grams(folded)


@pytest.mark.parametrize(
    ("text", "piece", "found"),
    [
        ("red or red", "red", [0, 7]),
        ("order", "or", [0]),
        ("for", "or", []),
        ("for", "for", [0]),
        ("re-order", "or", [3]),
        ("ฉันชอบน้ำ", "น้", [6]),
        ("ซื้อtv", "tv", [4]),
        ("退款", "款", [1]),
        ("aaaa", "aaa", [0, 1]),
    ],
)
def test_short_pieces_are_found_where_a_word_may_begin(text: str, piece: str, found: list[int]) -> None:
    folded = fold(text)

    assert places(folded, fold(piece)) == found
    assert contains(folded, fold(piece)) == bool(found)
    assert needed(fold(piece)) <= grams(folded) or not found
