"""What a file is, by its bytes alone: what the sender says about it isn't heard."""

from __future__ import annotations

import codecs
import re
from typing import Final

import puremagic
from msgspec import Struct

HEAD = 8192  # bytes; signatures and the first names in an archive
TAIL = 22 + 65_535  # bytes; where a ZIP archive's end must be
UNKNOWN: Final = "application/octet-stream"
TEXT: Final = "text/plain"
ZIP: Final = "application/zip"
OLE: Final = "application/x-ole-storage"

# Browsers show these without running anything in them.
SHOWN = frozenset(
    {
        "image/png",
        "image/jpeg",
        "image/gif",
        "image/webp",
        "image/avif",
        "audio/aac",
        "audio/flac",
        "audio/mp4",
        "audio/mpeg",
        "audio/ogg",
        "audio/wav",
        "audio/webm",
        "video/mp4",
        "video/ogg",
        "video/webm",
    }
)
PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"})

_WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_SLIDES = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
_OPEN = "application/vnd.oasis.opendocument."
OFFICE = frozenset(
    {
        "application/msword",
        "application/vnd.ms-excel",
        "application/vnd.ms-powerpoint",
        "application/rtf",
        _WORD,
        _SHEET,
        _SLIDES,
        f"{_OPEN}text",
        f"{_OPEN}spreadsheet",
        f"{_OPEN}presentation",
    }
)
ARCHIVES = frozenset({ZIP, "application/gzip", "application/x-7z-compressed", "application/vnd.rar"})

_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"{\\rtf", "application/rtf"),
    (b"PK\x03\x04", ZIP),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", OLE),
    (b"\x1f\x8b\x08", "application/gzip"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"fLaC", "audio/flac"),
    (b"ID3", "audio/mpeg"),
    (b"\xff\xfb", "audio/mpeg"),
    (b"\xff\xf3", "audio/mpeg"),
    (b"\xff\xf2", "audio/mpeg"),
    (b"\xff\xf1", "audio/aac"),
    (b"\xff\xf9", "audio/aac"),
)
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}
# The brand of an ISO file. What isn't here is only kept: `video/…` that browsers can't show is of no use inline.
_BRANDS = {
    **dict.fromkeys((b"avif", b"avis"), "image/avif"),
    **dict.fromkeys((b"heic", b"heix", b"mif1", b"msf1"), "image/heic"),
    **dict.fromkeys((b"M4A ", b"M4B "), "audio/mp4"),
    **dict.fromkeys(
        (b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"M4V ", b"dash"), "video/mp4"
    ),
    b"qt  ": "video/quicktime",
}
_IN_ZIP = ((b"word/document.xml", _WORD), (b"xl/workbook.xml", _SHEET), (b"ppt/presentation.xml", _SLIDES))
_IN_OLE = (
    ("WordDocument".encode("utf-16-le"), "application/msword"),
    ("Workbook".encode("utf-16-le"), "application/vnd.ms-excel"),
    ("PowerPoint Document".encode("utf-16-le"), "application/vnd.ms-powerpoint"),
)
_MACROS = b"vbaProject.bin"
# A picture that has one of these in it wants to be a page or a script as well.
_FOREIGN = (b"<script", b"<html", b"<svg ", b"<iframe", b"<!doctype", b"<?php", b"javascript:")
_LONGEST = max(len(mark) for mark in (*_FOREIGN, *(name for name, _ in _IN_OLE)))
_CONTROLS = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]")
_GIF_WIDEST = 8192  # pixels; wider ones spell the start of a script: `GIF89a/*` and `GIF89a=1` are wider than this


class Kind(Struct, frozen=True):
    """What a file is. `claimed` is what it begins as, by which it is let in; `type` is what it is served as."""

    claimed: str
    type: str


class Sniffer:
    """Fed with all of a file, chunk by chunk, it says what that is. It keeps the head and the tail, 72 KiB in all."""

    def __init__(self) -> None:
        self.size = 0
        self._head = bytearray()
        self._tail = b""
        self._decoder: codecs.IncrementalDecoder | None = codecs.getincrementaldecoder("utf-8")("strict")
        self._marks: tuple[bytes, ...] | None = None
        self._met: set[bytes] = set()
        self._before = b""

    def feed(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if len(self._head) < HEAD:
            self._head += chunk[: HEAD - len(self._head)]
        self._tail = chunk[-TAIL:] if len(chunk) >= TAIL else (self._tail + chunk)[-TAIL:]
        self._read_as_text(chunk)
        self._look_for_marks(chunk)

    @property
    def early(self) -> str | None:
        """What it is for all that the first bytes can tell; None as long as it may still be text, or too little is
        there."""
        if len(self._head) < HEAD:
            return None
        return _by_start(bytes(self._head)) or (None if self._decoder else _by_guess(bytes(self._head)))

    def conclude(self) -> Kind:
        """What it is, once all of it was fed."""
        head = bytes(self._head)
        claimed = _by_start(head)
        if claimed == ZIP:
            claimed = self._in_zip(head)
        elif claimed == OLE:
            claimed = next((type for name, type in _IN_OLE if name in self._met), UNKNOWN)
        if claimed is None:
            claimed = TEXT if self._is_text() else _by_guess(head)
        return Kind(claimed, UNKNOWN if self._is_more_than(claimed, head) else claimed)

    def _read_as_text(self, chunk: bytes) -> None:
        if self._decoder is not None:
            try:
                if _CONTROLS.search(self._decoder.decode(chunk)):
                    self._decoder = None
            except UnicodeDecodeError:
                self._decoder = None

    def _is_text(self) -> bool:
        try:
            return self._decoder is not None and not self._decoder.decode(b"", True)
        except UnicodeDecodeError:  # cut within a character
            return False

    def _look_for_marks(self, chunk: bytes) -> None:
        if self._marks is None:
            if len(self._head) < _LONGEST:  # too little to tell; it is looked through with what comes next
                self._before = bytes(self._head)
                return
            begins = _by_start(bytes(self._head))
            self._marks = _FOREIGN if begins in PICTURES else tuple(n for n, _ in _IN_OLE) if begins == OLE else ()
        if self._marks:
            looked_at = self._before + chunk
            if self._marks is _FOREIGN:
                looked_at = looked_at.lower()
            self._met.update(mark for mark in self._marks if mark in looked_at)
            self._before = looked_at[-_LONGEST:]

    def _in_zip(self, head: bytes) -> str:
        if head[30:38] == b"mimetype":
            named = head[38 : 38 + len(_OPEN) + 12].decode("ascii", "replace")
            return next((type for type in OFFICE if type.startswith(_OPEN) and named.startswith(type)), ZIP)
        if _MACROS in self._tail or _MACROS in head:
            return ZIP  # an office file that runs something isn't taken for a harmless one
        return next((type for name, type in _IN_ZIP if name in self._tail), ZIP)

    def _is_more_than(self, claimed: str, head: bytes) -> bool:
        """Whether it is something else too, for whoever reads it differently."""
        if claimed == "image/gif" and int.from_bytes(head[6:8], "little") > _GIF_WIDEST:
            return True
        return bool(claimed in PICTURES and self._met) or (
            (claimed in SHOWN or claimed in ("application/pdf", "application/rtf")) and _ends_as_zip(self._tail)
        )


def admits(types: tuple[str, ...], claimed: str) -> bool:
    """Whether a list of families (`image`, `office` …) and types (`application/pdf`) has this type in it."""
    return claimed in types or family(claimed) in types


def family(type: str) -> str:
    """One word for what a type is, of `chat.uploads.FAMILIES`."""
    if type == "application/pdf":
        return "pdf"
    if type in OFFICE:
        return "office"
    if type in ARCHIVES:
        return "archive"
    first = type.partition("/")[0]
    return first if first in ("image", "audio", "video", "text") else "other"


def _by_start(head: bytes) -> str | None:
    for start, type in _STARTS:
        if head.startswith(start):
            return type
    if head.startswith(b"RIFF"):
        return _RIFF.get(head[8:12])
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12])
    if head.startswith(b"OggS"):
        return "video/ogg" if b"theora" in head else "audio/ogg"
    if head.startswith(b"\x1a\x45\xdf\xa3") and b"webm" in head[:64]:
        return "video/webm" if any(codec in head for codec in (b"V_VP8", b"V_VP9", b"V_AV1")) else "audio/webm"
    return None


def _by_guess(head: bytes) -> str:
    """For what is neither shown nor text: enough to know a family by. It is served as what nobody opens by itself."""
    try:
        guessed = puremagic.from_string(head, mime=True)
    except (puremagic.PureError, ValueError):
        return UNKNOWN
    is_known = guessed.partition("/")[0] in ("image", "audio", "video") and guessed not in SHOWN
    return guessed if is_known and "xml" not in guessed and re.fullmatch(r"[a-z0-9.+/-]{3,80}", guessed) else UNKNOWN


def _ends_as_zip(tail: bytes) -> bool:
    """Whether a reader of ZIP archives, who starts at the end, finds one."""
    at = tail.rfind(b"PK\x05\x06")
    while at >= 0:
        if int.from_bytes(tail[at + 20 : at + 22], "little") + at + 22 == len(tail):
            return True
        at = tail.rfind(b"PK\x05\x06", 0, at)
    return False
