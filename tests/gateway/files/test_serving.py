"""Headers and parts of files, as a browser asks for them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.model import Upload
from gateway.files.content import SHOWN
from gateway.files.serving import BadRange, Part, file, headers_of, part_of, thumbnail


def an_upload(type: str, name: str = "name") -> Upload:
    return Upload("acc_mine", "upl_1", "con_dana", name, type, 100)


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("", None),
        ("bytes=0-", Part(0, 100)),
        ("bytes=0-0", Part(0, 1)),
        ("bytes=10-19", Part(10, 20)),
        ("bytes=90-1000", Part(90, 100)),
        ("bytes=-1", Part(99, 100)),
        ("bytes=-1000", Part(0, 100)),
        (" bytes=5-6 ", Part(5, 7)),
        ("bytes=0-1,5-6", None),
        ("bytes=6-5", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("bytes=0x0-1", None),
        ("bytes=٣-٤", None),
        ("bytes=--5", None),
        ("chars=0-1", None),
        ("bytes=0-" + "9" * 30, None),
        ("bytes=" + "0-1," * 5000, None),
    ],
)
def test_one_part_is_understood_and_all_else_is_the_whole(header: str, part: Part | None) -> None:
    assert part_of(header, 100) == part


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=999999999999999-"])
def test_a_part_that_is_not_there_is_refused(header: str) -> None:
    with pytest.raises(BadRange) as refused:
        part_of(header, 100)
    assert refused.value.size == 100


@given(st.text(), st.integers(1, 1000))
def test_whatever_is_asked_for_is_within_the_file(header: str, size: int) -> None:
    try:
        part = part_of(f"bytes={header}", size)
    except BadRange:
        return
    assert part is None or 0 <= part.start < part.end <= size


@pytest.mark.parametrize(
    "type",
    ["text/plain", "text/html", "image/svg+xml", "application/pdf", "application/octet-stream", "image/heic", "x"],
)
def test_what_might_run_is_never_shown(type: str) -> None:
    headers = headers_of(file(an_upload(type)))

    assert headers["content-disposition"].startswith("attachment; ")
    assert headers["content-type"] in ("text/plain; charset=utf-8", "application/pdf", "application/octet-stream")


@pytest.mark.parametrize("type", sorted(SHOWN))
def test_pictures_and_sounds_are_shown_where_nothing_can_run(type: str) -> None:
    headers = headers_of(file(an_upload(type)))

    assert headers["content-disposition"].startswith("inline; ")
    assert headers["content-type"] == type
    assert headers["content-security-policy"].startswith("sandbox; default-src 'none'; ")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"].startswith("private")


def test_file_and_thumbnail_are_two_things() -> None:
    whole, small = file(an_upload("image/png", "a.png")), thumbnail(an_upload("image/png", "a.png"))

    assert (whole.key, small.key) == ("acc_mine/upl_1", "acc_mine/upl_1.webp")
    assert whole.tag != small.tag
    assert (small.name, small.type) == ("a.png.webp", "image/webp")
