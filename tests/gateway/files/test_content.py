"""What a file is, by its bytes: the same however they are cut, and the safe answer when they are two things at once."""

import random
import struct
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.uploads import FAMILIES
from gateway.files.content import HEAD, SHOWN, TEXT, UNKNOWN, ZIP, Kind, Sniffer, admits, family
from tests.filing import GIF_SCRIPT, HTML, PDF, SVG, a_picture, an_archive

WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
WORDS = an_archive(**{"[Content_Types]_x_xml": b"<x/>", "word__document_x_xml": b"<w/>"})
MACROS = an_archive(word__document_x_xml=b"<w/>", word__vbaProject_x_bin=b"\0")
ODT = an_archive(mimetype=b"application/vnd.oasis.opendocument.text", content_x_xml=b"<x/>")
PLAIN_ZIP = an_archive(a_x_txt=b"hello")
OLD_WORD = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(9000) + "WordDocument".encode("utf-16-le") + bytes(100)
MP4 = struct.pack(">I", 24) + b"ftypisom" + bytes(12) + b"\0\0\0\x08mdat"
WEBM = b"\x1a\x45\xdf\xa3\x9f\x42\x82\x84webm" + bytes(40)

FILES = {
    "png": (a_picture("PNG"), "image/png"),
    "jpeg": (a_picture("JPEG"), "image/jpeg"),
    "gif": (a_picture("GIF"), "image/gif"),
    "webp": (a_picture("WEBP"), "image/webp"),
    "avif": (a_picture("AVIF"), "image/avif"),
    "pdf": (PDF, "application/pdf"),
    "docx": (WORDS, WORD),
    "odt": (ODT, "application/vnd.oasis.opendocument.text"),
    "doc": (OLD_WORD, "application/msword"),
    "rtf": (b"{\\rtf1 hello}", "application/rtf"),
    "zip": (PLAIN_ZIP, ZIP),
    "mp4": (MP4, "video/mp4"),
    "mov": (MP4.replace(b"isom", b"qt  "), "video/quicktime"),
    "heic": (MP4.replace(b"isom", b"heic"), "image/heic"),
    "voice": (WEBM + b"A_OPUS", "audio/webm"),
    "webm": (WEBM + b"V_VP9", "video/webm"),
    "mp3": (b"ID3\x04" + bytes(100), "audio/mpeg"),
    "ogg": (b"OggS" + bytes(24) + b"OpusHead", "audio/ogg"),
    "wav": (b"RIFF\x24\0\0\0WAVEfmt " + bytes(100), "audio/wav"),
    "text": ("שלום สวัสดี 👋\r\n\tend".encode(), TEXT),
    "csv": (b"a;b\n1;2\n", TEXT),
    "html": (HTML, TEXT),
    "svg": (SVG, TEXT),
    "xml": (b'<?xml version="1.0"?><x/>', TEXT),
    "script": (b"#!/bin/sh\nrm -rf /\n", TEXT),
    "program": (b"MZ\x90\0" + bytes(200), UNKNOWN),
    "elf": (b"\x7fELF\x02\x01" + bytes(200), UNKNOWN),
    "latin-1": ("déjà vu".encode("latin-1"), UNKNOWN),
    "utf-16": ("hello".encode("utf-16"), UNKNOWN),
    "controls": (b"hello\x1b[2J", UNKNOWN),
    "cut text": ("สวัสดี".encode()[:-1], UNKNOWN),
    "nothing known": (bytes(range(256)) * 50, UNKNOWN),
}

# Two things at once, and what they are let in as.
BOTH = {
    "gif and script": (GIF_SCRIPT, "image/gif"),
    "gif with an equals sign": (b"GIF89a=1;" + bytes(60) + b"alert(1)", "image/gif"),
    "png and page": (a_picture("PNG") + HTML, "image/png"),
    "jpeg and php": (a_picture("JPEG") + b"<?php system('id'); ?>", "image/jpeg"),
    "png and archive": (a_picture("PNG") + PLAIN_ZIP, "image/png"),
    "pdf and archive": (PDF + PLAIN_ZIP, "application/pdf"),
    "rtf and archive": (b"{\\rtf1 hello}" + PLAIN_ZIP, "application/rtf"),
    "mp4 and archive": (MP4 + PLAIN_ZIP, "video/mp4"),
    "gif and applet": (a_picture("GIF") + an_archive(a_x_class=b"\xca\xfe\xba\xbe"), "image/gif"),
}


def sniffed(chunks: Iterable[bytes]) -> Kind:
    sniffer = Sniffer()
    for chunk in chunks:
        sniffer.feed(chunk)
    return sniffer.conclude()


@pytest.mark.parametrize(("data", "type"), FILES.values(), ids=FILES)
def test_a_file_is_what_its_bytes_say(data: bytes, type: str) -> None:
    assert sniffed([data]) == Kind(type, type)


@pytest.mark.parametrize(("data", "claimed"), BOTH.values(), ids=BOTH)
def test_what_is_two_things_at_once_is_served_as_neither(data: bytes, claimed: str) -> None:
    assert sniffed([data]) == Kind(claimed, UNKNOWN)


@pytest.mark.parametrize("data", [file for file, _ in (*FILES.values(), *BOTH.values())], ids=[*FILES, *BOTH])
@given(seed=st.integers(0, 2**32))
def test_it_does_not_matter_how_the_bytes_come(data: bytes, seed: int) -> None:
    dice = random.Random(seed)
    chunks, at = [], 0
    while at < len(data):
        step = dice.choice((1, 2, 7, 100, 5000))
        chunks.append(data[at : at + step])
        at += step

    assert sniffed(chunks) == sniffed([data])


def test_an_office_file_that_runs_something_is_an_archive() -> None:
    assert sniffed([MACROS]) == Kind(ZIP, ZIP)


def test_a_page_is_never_shown() -> None:
    assert not SHOWN & {TEXT, UNKNOWN, ZIP, "image/svg+xml", "text/html", "application/pdf"}


def test_a_kind_is_known_early_where_the_first_bytes_tell_it() -> None:
    for data, expected in [
        (b"%PDF-1.7" + bytes(HEAD), "application/pdf"),
        (b"MZ" + bytes(HEAD), UNKNOWN),
        (b"plain text " * HEAD, None),
        (b"%PDF-1.7", None),  # too little yet
    ]:
        sniffer = Sniffer()
        sniffer.feed(data)
        assert sniffer.early == expected, data[:10]


def test_little_is_kept_of_a_large_file() -> None:
    sniffer = Sniffer()
    for _ in range(300):
        sniffer.feed(b"\x89PNG\r\n\x1a\n" + bytes(65_528))

    assert len(sniffer._head) + len(sniffer._tail) + len(sniffer._before) < 80_000


@pytest.mark.parametrize(
    ("type", "word"),
    [
        ("image/png", "image"),
        ("application/pdf", "pdf"),
        (TEXT, "text"),
        (WORD, "office"),
        (ZIP, "archive"),
        (UNKNOWN, "other"),
    ],
)
def test_a_list_admits_families_and_single_types(type: str, word: str) -> None:
    assert family(type) == word
    assert word in FAMILIES
    assert admits((word,), type)
    assert admits((type,), type)
    assert not admits(("audio",), type)
