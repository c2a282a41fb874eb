"""What an entry may show beside its text: quick replies, buttons, cards, products, a form. docs/rich-entries.md."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, convert, to_builtins
from msgspec.json import encode

from chat.errors import BadRequest, Forbidden, TooLarge
from chat.model import Actor, Entry

BLOCKS_LIMIT = 10  # blocks of one entry
BLOCKS_BYTES = 32 * 1024  # of their JSON: anchors/realtime.md 3.15
BUTTONS_LIMIT = 10  # of one block, card or product; quick replies too
PRODUCTS_LIMIT = 20
FIELDS_LIMIT = 20
CHOICES_LIMIT = 50
ANSWER_LIMIT = 2000  # characters of one text in a form

# No userinfo ("https://shop.example@elsewhere"), no backslash, which browsers read as a slash, and nothing unseen:
# blanks, control characters, marks that turn the direction of what follows.
_UNSEEN = r"\s\\\x00-\x20\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff"
_PATH = rf"(?:[/?#][^{_UNSEEN}]*)?"
_LOCAL = r"http://(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?"
_WEB = rf"(?:https://[^{_UNSEEN}/?#@]+|{_LOCAL}){_PATH}"
_is_web = re.compile(_WEB).fullmatch
_is_for_buttons = re.compile(rf"{_WEB}|mailto:[^{_UNSEEN}]+|tel:[+0-9().*#;=-]+").fullmatch

Label = Annotated[str, Meta(min_length=1, max_length=80, pattern=r"\S")]
Value = Annotated[str, Meta(min_length=1, max_length=256)]
Title = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\S")]
Words = Annotated[str, Meta(max_length=2000)]
Url = Annotated[str, Meta(max_length=2048)]
Amount = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Number = Annotated[int, Meta(ge=-(2**53 - 1), le=2**53 - 1)] | float


def _check(*urls: str | None) -> None:
    if any(url is not None and not _is_web(url) for url in urls):
        raise ValueError("An address begins with https:")


class Reply(Struct, frozen=True, gc=False):
    """What the contact may say by one press; `value` is for the program that asked."""

    label: Label
    value: Value


class Button(Struct, frozen=True, gc=False, omit_defaults=True):
    """Either tells its `value` to the sender of the entry, or opens its `url`."""

    label: Label
    value: Value | None = None
    url: Url | None = None

    def __post_init__(self) -> None:
        if (self.value is None) == (self.url is None):
            raise ValueError("A button has either a value or a url")
        if self.url is not None and not _is_for_buttons(self.url):
            raise ValueError("A button opens https:, mailto: or tel:")


Row = Annotated[list[Button], Meta(max_length=BUTTONS_LIMIT)]


class QuickReplies(Struct, frozen=True, gc=False, tag_field="kind", tag="quick_replies"):
    """Shown until the contact next writes."""

    replies: Annotated[list[Reply], Meta(min_length=1, max_length=BUTTONS_LIMIT)]


class Buttons(Struct, frozen=True, gc=False, tag_field="kind", tag="buttons"):
    """A row of buttons."""

    buttons: Annotated[list[Button], Meta(min_length=1, max_length=BUTTONS_LIMIT)]


class Card(Struct, frozen=True, gc=False, tag_field="kind", tag="card", omit_defaults=True):
    """A picture, a title, some words, some buttons."""

    title: Title
    text: Words = ""
    image: Url | None = None
    url: Url | None = None
    buttons: Row = []

    def __post_init__(self) -> None:
        _check(self.image, self.url)


class Product(Struct, frozen=True, gc=False, omit_defaults=True):
    """Something that the shop sells. `price` is in the currency's smallest unit (ISO 4217): 1990 EUR is 19.90 €."""

    title: Title
    price: Amount
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z")]
    image: Url | None = None
    url: Url | None = None
    in_stock: bool = True
    buttons: Row = []

    def __post_init__(self) -> None:
        _check(self.image, self.url)


class Products(Struct, frozen=True, gc=False, tag_field="kind", tag="products"):
    """Products beside each other."""

    products: Annotated[list[Product], Meta(min_length=1, max_length=PRODUCTS_LIMIT)]


class Choice(Struct, frozen=True, gc=False):
    label: Label
    value: Value


class Field(Struct, frozen=True, gc=False, omit_defaults=True):
    """One thing to fill in. `least` and `most` are characters of a text, or the number itself."""

    name: Annotated[str, Meta(pattern=r"^[a-zA-Z][a-zA-Z0-9_-]{0,63}\Z")]
    label: Label
    kind: Literal["text", "email", "phone", "number", "choice", "date"]
    required: bool = False
    least: Number | None = None
    most: Number | None = None
    choices: Annotated[list[Choice], Meta(max_length=CHOICES_LIMIT)] = []

    def __post_init__(self) -> None:
        if (self.kind == "choice") != bool(self.choices):
            raise ValueError("A field of kind choice has choices, and no other has")
        if self.kind not in ("text", "number") and (self.least is not None or self.most is not None):
            raise ValueError("Only texts and numbers have least and most")
        if self.least is not None and self.most is not None and self.least > self.most:
            raise ValueError("Nothing is between least and most")


class Form(Struct, frozen=True, gc=False, tag_field="kind", tag="form", omit_defaults=True):
    """Is filled in and submitted once. `submit` is what its button says, in the client's words if left out."""

    fields: Annotated[list[Field], Meta(min_length=1, max_length=FIELDS_LIMIT)]
    title: Annotated[str, Meta(max_length=200)] = ""
    submit: Annotated[str, Meta(max_length=80)] = ""

    def __post_init__(self) -> None:
        if len({field.name for field in self.fields}) < len(self.fields):
            raise ValueError("Two fields of a form have one name")


Block = QuickReplies | Buttons | Card | Products | Form
Blocks = Annotated[list[Block], Meta(max_length=BLOCKS_LIMIT)]


def stored(blocks: Sequence[Block], actor: Actor) -> tuple[dict[str, Any], ...]:
    """The blocks as an entry has them. Forbidden to contacts; TooLarge beyond 32 KiB; one form at most."""
    if not blocks:
        return ()
    if actor.kind == "contact":
        raise Forbidden("Contacts send text and files.", field="blocks")
    if sum(isinstance(block, Form) for block in blocks) > 1:
        raise BadRequest("A message has one form at most.", field="blocks")
    if len(encode(blocks)) > BLOCKS_BYTES:
        raise TooLarge(field="blocks")
    return tuple(to_builtins(block) for block in blocks)


def pressable(entry: Entry) -> Iterator[dict[str, Any]]:
    """Everything with a label and a value that can be pressed in this version of the entry."""
    for block in entry.blocks:
        for place in (block, *block.get("products", ())):
            yield from place.get("replies", ())
            yield from (button for button in place.get("buttons", ()) if "value" in button)


def form_of(entry: Entry) -> Form | None:
    """The form in this version of the entry."""
    found = next((block for block in entry.blocks if block["kind"] == "form"), None)
    return convert(found, Form) if found is not None else None
