"""Names: harmless when they come, the same in every script when they leave."""

import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.files.names import LONGEST, NAMELESS, clean, disposition


@pytest.mark.parametrize(
    "name",
    [
        "ใบเสร็จ ๑.pdf",
        "חשבונית.pdf",
        "şirket İADE.docx",
        "發票.png",
        "👩‍👩‍👧.jpg",
        "می‌خواهم.txt",
        "a b (1).tar.gz",
        "no ending",
    ],
)
def test_a_name_in_any_script_stays_as_it_is(name: str) -> None:
    assert clean(name) == name


@pytest.mark.parametrize(
    ("name", "becomes"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\windows\\win.ini", "win.ini"),
        ("/", NAMELESS),
        ("..", NAMELESS),
        ("...", NAMELESS),
        ("", NAMELESS),
        (".htaccess", "htaccess"),
        ("C:\\x\\y.exe", "y.exe"),
        ("C:y.exe", "C_y.exe"),
        ("a\x00.png", "a.png"),
        ("a\r\nSet-Cookie: x=y.txt", "aSet-Cookie_ x=y.txt"),
        ("bill\u202egnp.exe", "billgnp.exe"),
        ("bill\u2066\u2069\u200f.pdf", "bill.pdf"),
        ("a\u2028b.txt", "ab.txt"),
        ("\ud800.png", "png"),
        ("e\u0301.txt", "\u00e9.txt"),
        ('say "hi"?.txt', "say _hi__.txt"),
        ("trailing. . .", "trailing"),
        ("  much   space .txt ", "much space.txt"),
    ],
)
def test_what_is_more_than_a_name_is_taken_out(name: str, becomes: str) -> None:
    assert clean(name) == becomes


def test_a_name_of_ten_thousand_characters_keeps_its_ending() -> None:
    assert clean("x" * 4000 + ".png") == "x" * (LONGEST - 4) + ".png"
    assert len(clean("ก" * 10_000).encode()) <= LONGEST


@given(st.text())
def test_a_clean_name_is_short_and_stays_clean(name: str) -> None:
    cleaned = clean(name)

    assert 0 < len(cleaned.encode()) <= LONGEST
    assert clean(cleaned) == cleaned
    assert not re.search(r'[\x00-\x1f\x7f/\\"<>|:*?\u202a-\u202e\u2066-\u2069]', cleaned)
    assert not cleaned.startswith(".")


@given(st.text(), st.booleans())
def test_a_header_says_the_name_in_full_and_in_ascii(name: str, inline: bool) -> None:
    cleaned = clean(name)
    said = disposition(cleaned, inline=inline)

    match = re.fullmatch(
        r"(inline|attachment); filename=\"([A-Za-z0-9!#$&+^_`|~. -]*)\"; filename\*=UTF-8''(\S+)", said
    )
    assert match, said
    assert (match[1] == "inline", unquote(match[3])) == (inline, cleaned)
