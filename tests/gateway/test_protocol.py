"""Wire version 1: what is understood, what is refused and why, and the bytes that go out."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.catalog import COMMANDS, SIGNALS
from chat.errors import REFUSALS, NotFound, RateLimited, TooLarge
from chat.model import Author, Signal
from chat.ticket import Done
from gateway import protocol
from gateway.protocol import (
    CLOSE_MEANINGS,
    DEPTH_LIMIT,
    FRAME_LIMIT,
    INVALID_UTF8,
    BadFrame,
    CloseCode,
    Hello,
    Limits,
    Malformed,
    Pong,
    Resume,
    Watch,
)
from tests.builders import DANA, NOA, a_conversation, a_message, an_id

C = "cnv_parcel"
TYPING = b'{"type":"typing","conversation":"c"'


def decoded(frame: dict[str, Any]) -> Any:
    return protocol.decode(json.dumps(frame).encode())


def code_of(data: bytes) -> int:
    with pytest.raises(Malformed) as malformed:
        protocol.decode(data)
    return malformed.value.code


def refusal_of(data: bytes) -> BadFrame:
    with pytest.raises(BadFrame) as bad:
        protocol.decode(data)
    return bad.value


# --- from the client -------------------------------------------------------------------------------------------------


def test_a_hello_with_all_its_parts() -> None:
    resume = {"epoch": "e", "cursor": 812, "watch": [C], "conversations": {C: 41}}

    hello = decoded({"type": "hello", "protocol": 1, "token": "t", "client": "x/1", "batch": True, "resume": resume})

    assert hello == Hello(protocol=1, token="t", client="x/1", batch=True, resume=Resume("e", 812, [C], {C: 41}))


def test_a_hello_with_as_little_as_it_needs() -> None:
    hello = decoded({"type": "hello", "protocol": 1, "token": "t"})

    assert (hello.client, hello.batch, hello.resume) == ("", False, None)


def test_what_a_connection_says_about_itself() -> None:
    assert decoded({"type": "watch", "ref": 7, "conversations": [C]}) == Watch(ref=7, conversations=[C])
    assert decoded({"type": "pong", "n": 7}) == Pong(n=7)
    assert decoded({"type": "pong"}) == Pong(n=0)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_ask_of_the_catalog_is_understood(command: Any) -> None:
    frame = {"type": command.name, "ref": 1, "id": an_id(1), "conversation": C, "inbox": "inb_1", "text": "x", "seq": 1}
    frame |= {"entry": an_id(2), "emoji": "👍", "button": "yes", "values": {}, "on": True, "attributes": {}}
    frame |= {"contact": "con_1", "into": "con_2", "until": None, "priority": 1, "subject": "x"}
    frame |= {"to": "agt_1", "availability": "busy", "members": ["agt_1"], "cause": "shift"}

    ask = decoded(frame)

    assert type(ask) is command.shape
    assert ask.ref == 1


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: signal.name)
def test_every_signal_of_the_catalog_is_understood(signal: Any) -> None:
    assert type(decoded({"type": signal.name, "conversation": C, "text": "x"})) is signal.shape


@pytest.mark.parametrize(
    "behind",
    [b'"text":"a\x17b"}', b'"x":NaN}', b'"x":-Infinity}', b'"text":"a"', b'"x":1} {}', b'"x":01}'],
    ids=["control character", "NaN", "Infinity", "cut off", "two values", "leading zero"],
)
@pytest.mark.parametrize("number", [b"1e400", b"9" * 5000], ids=["float", "integer"])
def test_what_is_no_json_behind_a_number_out_of_range_is_still_malformed(number: bytes, behind: bytes) -> None:
    with pytest.raises(Malformed):
        protocol.decode(b'{"type":"watch","ref":' + number + b"," + behind)


def test_unknown_fields_are_ignored_whatever_is_in_them() -> None:
    assert decoded({"type": "pong", "n": 1, "colour": {"a": [None, 1e300, "x"]}}) == Pong(n=1)
    for number in (b"9" * 4000, b"1e400"):
        assert protocol.decode(b'{"type":"pong","n":1,"x":' + number + b"}") == Pong(n=1)


def test_of_a_field_named_twice_the_last_wins() -> None:
    ask: Any = protocol.decode(TYPING + b',"conversation":"d"}')

    assert ask.conversation == "d"


def test_a_type_named_twice_is_none() -> None:
    assert refusal_of(b'{"type":"pong","type":"typing","conversation":"c","ref":3}').refused.code == "unknown_type"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"{",
        b"{'type':'pong'}",
        b'{"type":"pong",}',
        b'{"type":"pong"} {"type":"pong"}',
        b'{"type":"pong"}\n{"type":"pong"}',
        b'\xef\xbb\xbf{"type":"pong"}',
        TYPING + b',"x":NaN}',
        TYPING + b',"ref":NaN}',
        TYPING + b',"ref":Infinity}',
        TYPING + b',"x":"\\ud800"}',
        b'{"type":"typing","conversation":"\\ud800"}',
        b'{"type":"typing","conversation":"\\udc00\\ud800"}',
        b'{"type":"typing","conversation":"a\0b"}',
        b'{"type":"typing","conversation":"a\nb"}',
        b"[]",
        b"null",
        b"true",
        b"7",
        b"-1.5",
        b'"hello"',
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
    ids=lambda data: repr(data[:40]),
)
def test_what_is_no_json_object_is_malformed(data: bytes) -> None:
    assert code_of(data) == CloseCode.MALFORMED


@pytest.mark.parametrize(
    "data",
    [
        b'{"type":"typing","conversation":"\xff"}',
        TYPING + b',"x":"\xff"}',
        TYPING + b',"\xff":1}',
        TYPING + b"\xff}",
        b"\xff",
        TYPING + b',"x":"\xed\xa0\x80"}',  # a surrogate, encoded as if it were a character
        TYPING + b',"x":"\xc0\xaf"}',  # a slash, longer than needed
        TYPING + b',"x":"\xe2\x82"}',  # cut short
        TYPING + b',"x":"\xf4\x90\x80\x80"}',  # beyond Unicode
    ],
    ids=repr,
)
def test_what_is_no_utf8_has_a_code_of_its_own_wherever_it_stands(data: bytes) -> None:
    assert code_of(data) == INVALID_UTF8


@pytest.mark.parametrize("text", ["שלום, איפה החבילה שלי?", "พัสดุของฉันอยู่ที่ไหน", "🛍️👩🏽‍💻", "\u2028\ufeff\x7f"])
def test_every_language_passes_unharmed(text: str) -> None:
    frame = {"type": "message.send", "id": an_id(1), "conversation": C, "text": text}

    assert decoded(frame).text == text
    assert protocol.decode(json.dumps(frame, ensure_ascii=False).encode()).text == text  # type: ignore[attr-defined]


def nested(depth: int, opening: bytes, closing: bytes) -> bytes:
    """A pong with something nested in it; the pong itself is the first level."""
    return b'{"type":"pong","x":' + opening * (depth - 1) + b"1" + closing * (depth - 1) + b"}"


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_json_is_nested_only_so_deep(opening: bytes, closing: bytes) -> None:
    assert protocol.decode(nested(DEPTH_LIMIT, opening, closing)) == Pong()
    assert code_of(nested(DEPTH_LIMIT + 1, opening, closing)) == CloseCode.MALFORMED


def test_many_brackets_beside_each_other_or_in_a_text_are_not_deep() -> None:
    assert protocol.decode(b'{"type":"pong","x":[' + b",".join([b"[]"] * 1000) + b"]}") == Pong()
    assert protocol.decode(b'{"type":"pong","x":"' + b'[{\\"' * 1000 + b'"}') == Pong()


def test_brackets_hidden_behind_an_escaped_backslash_are_deep() -> None:
    assert code_of(b'{"type":"pong","x":["\\\\",' + b"[" * 9 + b"]" * 9 + b"]}") == CloseCode.MALFORMED


@pytest.mark.parametrize("field", ["token", "client"])
def test_nul_is_refused_in_every_string(field: str) -> None:
    bad = refusal_of(json.dumps({"type": "hello", "protocol": 1, "token": "t", field: "a\0b"}).encode())

    assert bad.refused.code == "bad_request"


def test_nul_is_refused_in_the_depth_of_a_resume_too() -> None:
    for resume in ({"watch": ["\0"]}, {"conversations": {"\0": 1}}, {"epoch": "\0"}):
        frame = {"type": "hello", "protocol": 1, "token": "t", "resume": resume}
        assert refusal_of(json.dumps(frame).encode()).refused.code == "bad_request"


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    frame = {"type": "message.send", "id": an_id(1), "conversation": C, "text": "\\u0000"}

    assert decoded(frame).text == "\\u0000"


@pytest.mark.parametrize("cursor", [-1, 2**53, 2**63, 10**23, "1", 1.5, True])
def test_positions_that_cant_be_are_refused(cursor: Any) -> None:
    for resume in ({"cursor": cursor}, {"conversations": {C: cursor}}):
        frame = {"type": "hello", "protocol": 1, "token": "t", "resume": resume}
        assert refusal_of(json.dumps(frame).encode()).refused.field == "resume"


def test_the_ref_comes_back_with_the_refusal_if_it_is_one() -> None:
    assert refusal_of(b'{"type":"nope","ref":3}').ref == 3
    assert refusal_of(b'{"type":"nope"}').ref is None
    for ref in ("-1", "1.5", '"3"', "true", "[]", "1e400", "9007199254740992"):
        assert refusal_of(f'{{"type":"nope","ref":{ref}}}'.encode()).ref is None


def test_a_refusal_shows_nothing_of_our_insides() -> None:
    for data in (b'{"type":"typing","conversation":7}', b'{"type":"watch","conversations":["a",1]}', b'{"type":{}}'):
        said = str(refusal_of(data).refused)
        assert not any(part in said for part in ("`", "$", "msgspec", "Struct"))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
known_types = st.sampled_from(
    ["hello", "watch", "pong", *(each.name for each in COMMANDS), *(each.name for each in SIGNALS)]
)
FIELDS = """
    ref id after protocol token client batch resume conversation conversations n text inbox seq on assignee
"""
known_fields = st.sampled_from(FIELDS.split())
frames = st.builds(
    lambda type, fields: {"type": type, **fields}, known_types, st.dictionaries(known_fields, json_values)
)


@given(st.binary() | st.builds(lambda frame: json.dumps(frame).encode(), frames | json_values))
def test_whatever_comes_is_understood_refused_or_malformed(data: bytes) -> None:
    with suppress(BadFrame, Malformed):
        protocol.decode(data)


@given(st.text(alphabet='{}[]",:\\ntrue0-é"', max_size=200))
def test_depth_is_measured_as_a_json_parser_would(text: str) -> None:
    data = b'{"type":"pong","x":' + text.encode() + b"}"
    try:
        value = json.loads(data)
    except ValueError:
        return

    def depth(value: Any) -> int:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
        return 0 if inner is None else 1 + max(map(depth, inner), default=0)

    try:
        protocol.decode(data)
    except Malformed:
        assert depth(value) > DEPTH_LIMIT
    except BadFrame:
        pass
    else:
        assert depth(value) <= DEPTH_LIMIT


# --- to the client ---------------------------------------------------------------------------------------------------


def test_welcome_says_who_you_are_and_what_the_limits_are() -> None:
    limits = Limits(65536, 8000, 50, 64)

    assert json.loads(protocol.welcome("e", NOA, 1000, 25000, limits)) == {
        "type": "welcome",
        "epoch": "e",
        "me": {"kind": "agent", "id": NOA.id, "name": "Noa", "role": "agent"},
        "account": NOA.account,
        "now": 1000,
        "ping": 25000,
        "limits": {"frame": 65536, "text": 8000, "watch": 50, "inflight": 64},
        "protocol": 1,
    }
    assert "role" not in json.loads(protocol.welcome("e", DANA, 1000, 25000, limits))["me"]


def test_ok_for_who_asked_with_a_ref() -> None:
    assert json.loads(protocol.ok(2, Done(C, 42, 1000))) == {
        "type": "ok",
        "ref": 2,
        "conversation": C,
        "seq": 42,
        "at": 1000,
    }
    again = json.loads(protocol.ok(2, Done(C, 42, 1000, again=True, outcome="queued")))
    assert (again["again"], again["outcome"]) == (True, "queued")
    assert protocol.ok(None, Done(C, 42, 1000)) == b""
    assert json.loads(protocol.taken_note(2)) == {"type": "ok", "ref": 2}
    assert protocol.taken_note(None) == b""


def test_refused_says_only_what_there_is_to_say() -> None:
    assert json.loads(protocol.refused(None, NotFound())) == {
        "type": "refused",
        "code": "not_found",
        "retry": False,
        "message": "There is no such thing.",
    }
    assert json.loads(protocol.refused(0, TooLarge(field="text"))).items() >= {"ref": 0, "field": "text"}.items()
    assert json.loads(protocol.refused(1, RateLimited(after_ms=1200)))["after_ms"] == 1200


def test_a_change_is_built_from_encoded_parts() -> None:
    entries, state = b'[{"id":"x"}]', b'{"id":"y"}'

    whole = json.loads(protocol.change(C, 42, entries, state, 841))
    bare = json.loads(protocol.change(C, 42, entries, None, None))

    assert whole == {
        "type": "change",
        "cursor": 841,
        "conversation": C,
        "seq": 42,
        "entries": [{"id": "x"}],
        "state": {"id": "y"},
    }
    assert bare == {"type": "change", "conversation": C, "seq": 42, "entries": [{"id": "x"}]}


def test_a_snapshot_of_staff_has_a_cursor_and_one_of_a_contact_none() -> None:
    conversation, entry = a_conversation(), a_message()

    staff = json.loads(protocol.snapshot(conversation, [entry], True, 841))
    contact = json.loads(protocol.snapshot(conversation, [], False, None))

    assert (staff["cursor"], staff["more"], staff["entries"][0]["text"]) == (841, True, entry.text)
    assert "cursor" not in contact
    assert contact["more"] is False


@given(st.lists(st.integers(2, 70_000), max_size=40), st.integers(0, 2**53))
def test_heads_are_split_into_frames_that_fit(sizes: list[int], cursor: int) -> None:
    documents = [b'"%b"' % (b"x" * (size - 2)) for size in sizes]

    frames = protocol.heads(documents, cursor)

    assert [head for frame in frames for head in json.loads(frame)["heads"]] == [json.loads(each) for each in documents]
    assert all(len(frame) <= FRAME_LIMIT for frame in frames if len(json.loads(frame)["heads"]) > 1)
    assert [json.loads(frame).get("cursor") for frame in frames] == [None] * (len(frames) - 1) + [cursor]


def test_the_small_frames() -> None:
    by = Author("contact", DANA.id)
    said = [
        protocol.synced(841),
        protocol.synced(None),
        protocol.gone(C),
        protocol.reset("too_far"),
        protocol.signal(Signal("typing", C, by, True)),
        protocol.presence({"bot_b", "agt_a"}),
        protocol.ping(7),
        protocol.reconnect(5000, "deploy"),
    ]

    assert [json.loads(frame) for frame in said] == [
        {"type": "synced", "cursor": 841},
        {"type": "synced"},
        {"type": "gone", "conversation": C},
        {"type": "reset", "reason": "too_far"},
        {"type": "signal", "name": "typing", "conversation": C, "by": {"kind": "contact", "id": DANA.id}, "on": True},
        {"type": "presence", "present": ["agt_a", "bot_b"]},
        {"type": "ping", "n": 7},
        {"type": "reconnect", "after": [0, 5000], "reason": "deploy"},
    ]
    assert not any(b"\n" in frame for frame in said)


@given(st.text())
def test_no_frame_has_a_line_feed_in_it_whatever_was_written(text: str) -> None:
    frames = [
        protocol.snapshot(a_conversation(preview=text), [a_message(text=text)], False, 1),
        protocol.refused(1, NotFound(text or None, field=text)),
    ]

    assert not any(b"\n" in frame for frame in frames)


# --- codes -----------------------------------------------------------------------------------------------------------


def test_every_close_code_has_a_meaning_and_a_range_that_says_what_to_do() -> None:
    assert set(CLOSE_MEANINGS) == set(CloseCode)
    assert all(4000 <= code < 4300 for code in CloseCode)


def test_every_refusal_has_its_own_code() -> None:
    assert len({refusal.code for refusal in REFUSALS}) == len(REFUSALS)


CARD = {"kind": "card", "title": "Cat"}
BAD_BLOCKS: list[tuple[Any, str]] = [
    ({}, "bad_request"),
    ("card", "bad_request"),
    ([{"title": "Cat"}], "bad_request"),
    ([{"kind": "carousel"}], "bad_request"),
    ([{"kind": "card"}], "bad_request"),
    ([{"kind": "card", "title": "Cat", "image": "javascript:alert(1)"}], "bad_request"),
    ([{"kind": "buttons", "buttons": [{"label": "x", "value": "y", "url": "https://a.example"}]}], "bad_request"),
    ([{"kind": "form", "fields": [{"name": "a", "label": "b"}]}], "bad_request"),
    ([CARD] * 11, "too_large"),
    ([CARD | {"title": "x" * 201}], "too_large"),
]


@pytest.mark.parametrize(("blocks", "code"), BAD_BLOCKS, ids=lambda part: str(part)[:40])
def test_bad_blocks_are_the_field_at_fault(blocks: Any, code: str) -> None:
    with pytest.raises(BadFrame) as bad:
        decoded({"type": "message.send", "ref": 7, "id": an_id(1), "conversation": C, "text": "x", "blocks": blocks})

    assert (bad.value.refused.code, bad.value.refused.field, bad.value.ref) == (code, "blocks", 7)
    assert len(str(bad.value.refused)) < 120


def test_the_largest_form_of_blocks_is_not_too_deep() -> None:
    product = {"title": "x", "price": 1, "currency": "EUR", "buttons": [{"label": "x", "value": "y"}]}
    blocks = [{"kind": "products", "products": [product]}]

    ask = decoded({"type": "message.send", "id": an_id(1), "conversation": C, "text": "x", "blocks": blocks})

    assert ask.blocks[0].products[0].buttons[0].value == "y"


def test_nul_is_refused_inside_of_blocks_and_values() -> None:
    fields = {"id": an_id(1), "conversation": C, "entry": an_id(2)}
    for more in (
        {"type": "message.edit", "text": "x", "blocks": [CARD | {"text": "a\0b"}]},
        {"type": "form.submit", "values": {"mail": "a\0b"}},
        {"type": "form.submit", "values": {"a\0b": "x"}},
        {"type": "postback", "button": "\0"},
    ):
        with pytest.raises(BadFrame) as bad:
            decoded(fields | more)
        assert bad.value.refused.code == "bad_request"
