"""Blocks: their shapes, limits and addresses, as a decoder of the wire sees them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest
from msgspec import ValidationError, to_builtins
from msgspec.json import Decoder, encode
from msgspec.structs import replace

from chat.errors import BadRequest, Forbidden, TooLarge
from chat.model import TEXT_LIMIT, Actor
from chat.rules.attachments import FILES_LIMIT
from chat.rules.blocks import (
    ANSWER_LIMIT,
    BLOCKS_BYTES,
    BLOCKS_LIMIT,
    BUTTONS_LIMIT,
    CHOICES_LIMIT,
    FIELDS_LIMIT,
    PRODUCTS_LIMIT,
    Block,
    Blocks,
    Card,
    Field,
    Form,
    form_of,
    pressable,
    stored,
)
from chat.rules.reactions import REACTIONS_LIMIT
from tests.builders import DANA, ECHO, NOA, a_message

decode = Decoder(Blocks).decode

BUTTON = {"label": "Yes", "value": "yes"}
FIELD = {"name": "mail", "label": "Email", "kind": "email"}
CHOICE = {"name": "c", "label": "Colour", "kind": "choice", "choices": [{"label": "Red", "value": "r"}]}
PRODUCT = {"title": "Boots", "price": 8990, "currency": "THB"}
EACH: list[dict[str, Any]] = [
    {"kind": "quick_replies", "replies": [BUTTON]},
    {"kind": "buttons", "buttons": [BUTTON, {"label": "Shop", "url": "https://shop.example/ร้าน?a=1#b"}]},
    {"kind": "card", "title": "Cat"},
    {"kind": "card", "title": "Cat", "text": "A cat", "image": "https://i.example/c.png", "buttons": [BUTTON]},
    {"kind": "products", "products": [PRODUCT, PRODUCT | {"in_stock": False, "url": "https://shop.example"}]},
    {"kind": "form", "fields": [FIELD, CHOICE], "title": "You", "submit": "Go"},
]


def taken(*blocks: dict[str, Any], actor: Actor = NOA) -> tuple[dict[str, Any], ...]:
    return stored(decode(encode(blocks)), actor)


@pytest.mark.parametrize("block", EACH, ids=lambda block: block["kind"])
@pytest.mark.parametrize("actor", [NOA, ECHO])
def test_a_block_is_stored_as_it_was_sent(block: dict[str, Any], actor: Actor) -> None:
    assert taken(block, actor=actor) == (block,)


def test_contacts_send_no_blocks() -> None:
    assert taken(actor=DANA) == ()
    with pytest.raises(Forbidden) as refused:
        taken(EACH[0], actor=DANA)

    assert refused.value.field == "blocks"


BAD: dict[str, dict[str, Any]] = {
    "an unknown kind": {"kind": "carousel", "cards": []},
    "no kind": {"title": "Cat"},
    "no replies": {"kind": "quick_replies", "replies": []},
    "a reply without a value": {"kind": "quick_replies", "replies": [{"label": "Yes"}]},
    "a blank label": {"kind": "buttons", "buttons": [{"label": " ", "value": "x"}]},
    "a long label": {"kind": "buttons", "buttons": [{"label": "x" * 81, "value": "x"}]},
    "a button that does nothing": {"kind": "buttons", "buttons": [{"label": "x"}]},
    "a button that does two things": {"kind": "buttons", "buttons": [BUTTON | {"url": "https://shop.example"}]},
    "eleven buttons": {"kind": "buttons", "buttons": [BUTTON] * 11},
    "a price of half a unit": {"kind": "products", "products": [PRODUCT | {"price": 9.5}]},
    "a price below nothing": {"kind": "products", "products": [PRODUCT | {"price": -1}]},
    "a currency that is none": {"kind": "products", "products": [PRODUCT | {"currency": "baht"}]},
    "21 products": {"kind": "products", "products": [PRODUCT] * 21},
    "21 fields": {"kind": "form", "fields": [FIELD | {"name": f"f{n}"} for n in range(21)]},
    "two fields of one name": {"kind": "form", "fields": [FIELD, FIELD]},
    "a field without a name": {"kind": "form", "fields": [FIELD | {"name": ""}]},
    "a field of no kind": {"kind": "form", "fields": [FIELD | {"kind": "password"}]},
    "a choice of nothing": {"kind": "form", "fields": [CHOICE | {"choices": []}]},
    "choices of an address": {"kind": "form", "fields": [CHOICE | {"kind": "email"}]},
    "limits of a date": {"kind": "form", "fields": [FIELD | {"kind": "date", "most": 3}]},
    "limits the wrong way round": {"kind": "form", "fields": [FIELD | {"kind": "text", "least": 3, "most": 2}]},
}


@pytest.mark.parametrize("block", BAD.values(), ids=BAD.keys())
def test_what_is_not_well_formed_is_refused(block: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        taken(block)


SAFE = [
    "https://shop.example",
    "https://shop.example:8443/a/b?c=d&e=%20#f",
    "https://חנות.example/נעליים",
    "http://localhost:8000/x",
    "http://127.0.0.1",
    "http://[::1]:3000/",
]
UNSAFE = [
    "javascript:alert(1)",
    "JAVASCRIPT:alert(1)",
    " https://shop.example",
    "java\tscript:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "file:///etc/passwd",
    "http://shop.example",
    "http://localhost.evil.example",
    "http://localhost@evil.example",
    "https://shop.example@evil.example/",
    "https://shop.example\\@evil.example",
    "https:/shop.example",
    "https://",
    "//shop.example",
    "/path",
    "https://shop.example/\u202egnp.exe",
    "https://shop.example/a b",
    "https://shop.example/\n",
    "https://shop.example\n",
    "",
]


@pytest.mark.parametrize("url", SAFE)
def test_addresses_of_the_web_are_taken_everywhere(url: str) -> None:
    assert taken({"kind": "card", "title": "x", "image": url, "url": url})
    assert taken({"kind": "products", "products": [PRODUCT | {"image": url, "url": url}]})
    assert taken({"kind": "buttons", "buttons": [{"label": "x", "url": url}]})


@pytest.mark.parametrize("url", ["mailto:care@shop.example", "tel:+66812345678"])
def test_buttons_also_write_and_call(url: str) -> None:
    assert taken({"kind": "buttons", "buttons": [{"label": "x", "url": url}]})
    with pytest.raises(ValidationError):
        taken({"kind": "card", "title": "x", "image": url})


@pytest.mark.parametrize("url", UNSAFE)
def test_no_other_address_is_taken_anywhere(url: str) -> None:
    for block in (
        {"kind": "buttons", "buttons": [{"label": "x", "url": url}]},
        {"kind": "card", "title": "x", "image": url},
        {"kind": "card", "title": "x", "url": url},
        {"kind": "products", "products": [PRODUCT | {"image": url}]},
        {"kind": "products", "products": [PRODUCT | {"url": url}]},
    ):
        with pytest.raises(ValidationError):
            taken(block)


def test_ten_blocks_of_32_kib_together_at_most() -> None:
    long = {"kind": "card", "title": "x", "text": "ก" * 2000}  # 6 KB of UTF-8

    assert taken(*[long] * 5)
    with pytest.raises(TooLarge):
        taken(*[long] * 6)
    with pytest.raises(ValidationError):
        taken(*[EACH[2]] * 11)


def test_a_message_has_one_form_at_most() -> None:
    with pytest.raises(BadRequest):
        taken(EACH[-1], EACH[-1])


def test_what_can_be_pressed_has_a_value() -> None:
    entry = replace(a_message(by=NOA), blocks=tuple(EACH))

    assert list(pressable(entry)) == [BUTTON, BUTTON, BUTTON]


def test_the_form_of_an_entry_is_found() -> None:
    form = Form([Field("mail", "Email", "email")])

    assert form_of(replace(a_message(), blocks=(EACH[2], to_builtins(form)))) == form
    assert form_of(replace(a_message(), blocks=(to_builtins(Card("x")),))) is None


# --- docs/rich-entries.md -----------------------------------------------------------------------------------

PAGE = (Path(__file__).parents[3] / "docs" / "rich-entries.md").read_text()


def test_the_page_shows_every_kind_as_it_is_stored() -> None:
    examples = [json.loads(text) for text in re.findall(r"^```json\n(.*?)^```$", PAGE, re.M | re.S)]

    assert {example["kind"] for example in examples} == {kind.__struct_config__.tag for kind in get_args(Block)}
    assert taken(*examples) == tuple(examples)


def test_the_page_says_the_limits() -> None:
    limits = dict(re.findall(r"^\| (.+?) \| (.+?) \|$", PAGE.split("## Limits")[1], re.M))

    assert limits["text"] == f"{TEXT_LIMIT:,} characters"
    assert limits["blocks of a message"] == f"{BLOCKS_LIMIT}, and {BLOCKS_BYTES // 1024} KiB of JSON"
    assert limits["quick replies, or buttons of one block, card or product"] == f"{BUTTONS_LIMIT}"
    assert limits["products of a block"] == f"{PRODUCTS_LIMIT}"
    assert limits["fields of a form"] == f"{FIELDS_LIMIT}; {CHOICES_LIMIT} choices each"
    assert limits["a text in a form"] == f"{ANSWER_LIMIT:,} characters; all answers together {TEXT_LIMIT:,}"
    assert limits["files of a message"] == f"{FILES_LIMIT}"
    assert limits["reactions"] == f"{REACTIONS_LIMIT} different ones of an entry"
