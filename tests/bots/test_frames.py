"""Frames as bytes."""

import pytest

from bots.frames import decode, encode


def test_one_message_may_hold_several_frames() -> None:
    assert [frame["type"] for frame in decode(b'{"type":"ok","ref":1}\n{"type":"synced"}')] == ["ok", "synced"]


def test_a_frame_goes_out_as_one_line_of_text() -> None:
    assert encode({"type": "message.send", "text": "a\nb"}) == '{"type":"message.send","text":"a\\nb"}'


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"type":1}', b"nonsense", b'{"type":"ok"}\n'])
def test_anything_but_objects_with_a_type_is_an_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode(data)
