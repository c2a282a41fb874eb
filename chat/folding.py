"""Text as search compares it, so that what people take for the same is the same; and the grams that index it.

Every character is folded by itself, whatever stands beside it: so a part of a text folds to a part of the folded
text, and what was found can be shown in the original. docs/search.md tells what is folded, and what isn't.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from unicodedata import category, combining, decimal, is_normalized, normalize

GRAM = 3

# Marks that people leave out. Not among them: Thai vowels and tones, Japanese voicing, Indian vowels. They make words.
_LEFT_OUT = re.compile(
    "[\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670"
    "\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe00-\ufe0f"
    "\ufe20-\ufe2f\U000e0100-\U000e01ef]"
)
_SAME = {
    **dict.fromkeys("‘’‚‛ʹʻʼʽˈ׳`´′", "'"),
    **dict.fromkeys("“”„‟«»״″", '"'),
    **dict.fromkeys("‐‑‒–—―−־", "-"),
    **dict(zip("ךםןףץ", "כמנפצ", strict=True)),
    "ı": "i",
    "ø": "o",
    "ł": "l",
    "đ": "d",
    "ħ": "h",
    "ŧ": "t",
    "æ": "ae",
    "œ": "oe",
}
# Scripts that set no spaces between words: a word may begin and end anywhere.
_UNSPACED = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\ua9e0-\ua9ff"
    "\uaa60-\uaa7f\uf900-\ufaff\U0001b000-\U0001b16f\U00020000-\U0003ffff]"
)
_WORDS = re.compile("w+|[up]")


class _Characters(dict[int, str]):
    """What `str.translate` puts in place of each character, found out when it comes for the first time."""

    def __init__(self, find_out: Callable[[str], str]) -> None:
        super().__init__()
        self._find_out = find_out

    def __missing__(self, code: int) -> str:
        found = self[code] = self._find_out(chr(code))
        return found


def _folded(character: str) -> str:
    """Until folding it once more changes nothing."""
    folded = character
    while True:
        further = "".join(_simpler(each) for each in normalize("NFKD", folded.casefold()))
        if further == folded:
            return folded
        folded = further


def _simpler(character: str) -> str:
    if character in _SAME:
        return _SAME[character]
    kind = category(character)
    if kind == "Cf" or _LEFT_OUT.match(character):
        return ""
    if kind in ("Cc", "Zs", "Zl", "Zp"):
        return " "
    digit = decimal(character, None)
    return character if digit is None else str(digit)


def _class(character: str) -> str:
    if character == " ":
        return " "
    if _UNSPACED.match(character):
        return "u"
    return "w" if character.isalnum() or category(character).startswith("M") else "p"


_FOLDED = _Characters(_folded)
_CLASSES = _Characters(_class)


def fold(text: str) -> str:
    """The text as it is compared. Folding it again changes nothing."""
    return normalize("NFKD", " ".join(_decomposed(text).translate(_FOLDED).split()))


def aligned(text: str) -> tuple[str, list[tuple[int, int]]]:
    """The folded text, and for each of its characters where in the text it comes from."""
    characters: list[str] = []
    places: list[tuple[int, int]] = []
    start = 0
    while start < len(text):
        end = start + 1
        while end < len(text) and _leans(text[end]):
            end += 1
        for character in normalize("NFKD", _decomposed(text[start:end]).translate(_FOLDED)):
            if character != " " or (characters and characters[-1] != " "):
                characters.append(character)
                places.append((start, end))
        start = end
    if characters and characters[-1] == " ":
        del characters[-1], places[-1]
    return "".join(characters), places


def begins(text: str, place: int) -> bool:
    """Whether a word may begin there, or end before it, in a folded text."""
    if not 0 < place < len(text):
        return True
    return not _CLASSES[ord(text[place - 1])] == _CLASSES[ord(text[place])] == "w"


def places(text: str, piece: str) -> list[int]:
    """Where a piece is in a folded text. Shorter ones than a gram only where a word may begin."""
    found: list[int] = []
    place = text.find(piece)
    while place >= 0:
        if len(piece) >= GRAM or begins(text, place):
            found.append(place)
        place = text.find(piece, place + 1)
    return found


def contains(text: str, piece: str) -> bool:
    """Whether `places` finds it anywhere."""
    return piece in text if len(piece) >= GRAM else bool(places(text, piece))


def grams(text: str) -> set[str]:
    """All that a folded text is indexed by: each three characters, and the first one and two where a word may begin."""
    found = {text[place : place + GRAM] for place in range(len(text) - GRAM + 1)}
    starts = [word.start() for word in _WORDS.finditer(text.translate(_CLASSES))]
    found.update([text[start] for start in starts])
    found.update([text[start : start + 2] for start in starts])
    return found


def needed(piece: str) -> set[str]:
    """The grams that every text has which contains this piece."""
    if len(piece) < GRAM:
        return {piece}
    return {piece[place : place + GRAM] for place in range(len(piece) - GRAM + 1)}


def _decomposed(text: str) -> str:
    return text if is_normalized("NFKD", text) else normalize("NFKD", text)


def _leans(character: str) -> bool:
    """Whether it may change places with what stands before it, or leaves nothing behind."""
    return not _FOLDED[ord(character)] or combining(normalize("NFKD", character)[0]) != 0
