"""File names: made harmless when they come, and written so that every browser understands them when they leave."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote

LONGEST = 200  # bytes of UTF-8; file systems take 255, and a download may get a number in addition
LONGEST_ENDING = 20  # bytes; a longer one is no ending
NAMELESS = "file"
LOOKED_AT = 4096  # characters; nobody's file has a longer name

# Written in the plain form of a header: RFC 9110's token characters, and spaces.
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9!#$&+^_`|~. -]")
_ATTR_CHARS = "!#$&+-.^_`|~"  # RFC 8187: what needs no escape in `filename*`
_UNFIT = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
# Where a file system sees more than a name, and what shells and Windows take for something else.
_NOT_IN_NAMES = re.compile(r'[<>:"|?*\\/]')


def clean(name: str) -> str:
    """A name that is only a name: no path, no controls, nothing that turns the direction of text around.

    A name in any script stays as it is. There is always one, and it isn't long.
    """
    name = re.split(r"[/\\]", name[:LOOKED_AT].rstrip("/\\"))[-1]
    name = unicodedata.normalize("NFC", "".join(each for each in name if _is_fit(each)))
    name = _NOT_IN_NAMES.sub("_", name)
    name = " ".join(name.split()).strip(" .")  # dots and spaces: hidden files, `..`, and what Windows drops
    stem, dot, ending = name.rpartition(".")
    if dot and len(ending.encode()) <= LONGEST_ENDING:
        return (_cut(stem, LONGEST - len(ending.encode()) - 1).strip(" .") or NAMELESS) + dot + ending
    return _cut(name, LONGEST).strip(" .") or NAMELESS


def disposition(name: str, *, inline: bool) -> str:
    """The value of Content-Disposition (RFC 6266): in every script for who understands it, in ASCII for the others."""
    plain = _NOT_PLAIN.sub("_", name)
    kind = "inline" if inline else "attachment"
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe=_ATTR_CHARS)}"


def _is_fit(character: str) -> bool:
    """Whether it belongs in a name. Not: controls, direction overrides and marks, lone surrogates, private ones.

    The joiners stay, as Persian words and families of emoji are written with them.
    """
    return (
        unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") or character in "\u200c\u200d"
    )


def _cut(text: str, size: int) -> str:
    """As much of it as fits, by whole characters."""
    return text.encode()[:size].decode("utf-8", "ignore")
