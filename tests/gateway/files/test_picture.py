"""What a picture is: its size as it is seen, a small copy without its secrets, and no answer to bombs."""

import io
import subprocess
import sys

import pytest
from PIL import Image

from gateway.files import picture
from gateway.files.picture import EDGE, look
from tests.filing import GIF_SCRIPT, a_picture, a_png_bomb

ORIENTATION, GPS = 0x0112, 0x8825


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    exif[GPS] = {1: "N", 2: (13.0, 45.0, 0.0)}
    return exif


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "WEBP", "AVIF"])
def test_a_picture_of_every_shown_kind_has_a_size_and_a_small_copy(format: str) -> None:
    said, small = look(a_picture(format, (1000, 500)), f"image/{format.lower()}")

    assert said == {"says": "fine", "width": 1000, "height": 500}
    with Image.open(io.BytesIO(small)) as thumbnail:
        assert (thumbnail.format, thumbnail.size) == ("WEBP", (EDGE, EDGE // 2))


def test_a_small_picture_is_not_made_larger() -> None:
    _, small = look(a_picture(size=(20, 10)), "image/png")

    with Image.open(io.BytesIO(small)) as thumbnail:
        assert thumbnail.size == (20, 10)


def test_what_is_seen_through_stays_so() -> None:
    _, small = look(a_picture(mode="RGBA"), "image/png")

    with Image.open(io.BytesIO(small)) as thumbnail:
        assert thumbnail.convert("RGBA").getpixel((5, 5)) == (0, 0, 0, 0)


def test_a_picture_taken_sideways_is_turned_and_where_it_was_taken_is_left_out() -> None:
    data = a_picture("JPEG", (1000, 500), exif=turned(6))
    assert b"Exif" in data

    said, small = look(data, "image/jpeg")

    assert (said["width"], said["height"]) == (500, 1000)
    with Image.open(io.BytesIO(small)) as thumbnail:
        assert thumbnail.size == (EDGE // 2, EDGE)
        assert dict(thumbnail.getexif()) == {}
    assert b"EXIF" not in small


@pytest.mark.parametrize(
    "data",
    [a_png_bomb(), a_png_bomb(6400, 6300), a_picture("GIF", (8000, 6000))],
    ids=["thousands of millions", "a little too many", "gif"],
)
def test_a_bomb_is_not_decoded(data: bytes) -> None:
    type = "image/gif" if data.startswith(b"GIF") else "image/png"

    assert look(data, type) == ({"says": "bomb"}, b"")


@pytest.mark.parametrize(
    ("data", "type"),
    [
        (a_picture()[:-30], "image/png"),
        (a_picture("JPEG", (800, 800))[:-2000], "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (GIF_SCRIPT, "image/gif"),
        (a_picture("PNG"), "image/jpeg"),
        (b"", "image/png"),
    ],
    ids=["cut png", "cut jpeg", "signature only", "script", "another kind", "nothing"],
)
def test_what_can_not_be_read_is_no_picture(data: bytes, type: str) -> None:
    assert look(data, type) == ({"says": "unreadable"}, b"")


def test_the_kernel_ends_a_process_that_wants_more() -> None:
    greedy = (
        f"import runpy; bound = runpy.run_path({picture.__file__!r})['bound']; bound(256, 5); x = bytearray(300 << 20)"
    )

    done = subprocess.run([sys.executable, "-c", greedy], capture_output=True, text=True, timeout=30)

    assert "MemoryError" in done.stderr
