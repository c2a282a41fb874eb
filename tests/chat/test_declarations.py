"""Declared attributes: each account's own, with a type that stays."""

import pytest

from chat import declarations as module
from chat.audit import unheard
from chat.declarations import Declarations, checked
from chat.errors import BadRequest, InvalidState, NotFound
from chat.model import AttributeType
from tests.shop import Shop, in_a_shop

SIZE = AttributeType("contact", "size", "choice", ("s", "m"))


@in_a_shop
async def test_what_is_declared_is_the_accounts_own(shop: Shop) -> None:
    declarations = Declarations(shop.store)
    order = AttributeType("conversation", "order", "text")
    for each in (order, SIZE):
        await declarations.declare(shop.mine.id, each, unheard)

    assert await declarations.declared(shop.mine.id) == [SIZE, order]
    assert await declarations.declared(shop.other.id) == []
    with pytest.raises(NotFound):
        await declarations.delete(shop.other.id, "contact", "size", unheard)


@in_a_shop
async def test_choices_change_and_the_type_stays(shop: Shop) -> None:
    declarations = Declarations(shop.store)
    await declarations.declare(shop.mine.id, SIZE, unheard)
    more = AttributeType("contact", "size", "choice", ("s", "m", "l"))

    await declarations.declare(shop.mine.id, more, unheard)
    with pytest.raises(InvalidState):
        await declarations.declare(shop.mine.id, AttributeType("contact", "size", "number"), unheard)
    assert await declarations.declared(shop.mine.id) == [more]

    await declarations.delete(shop.mine.id, "contact", "size", unheard)
    await declarations.declare(shop.mine.id, AttributeType("contact", "size", "number"), unheard)


@in_a_shop
async def test_there_are_not_too_many(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ATTRIBUTES", 1)
    declarations = Declarations(shop.store)
    await declarations.declare(shop.mine.id, SIZE, unheard)

    await declarations.declare(shop.mine.id, SIZE, unheard)  # the same one again is no more
    with pytest.raises(InvalidState):
        await declarations.declare(shop.mine.id, AttributeType("contact", "second", "text"), unheard)


@pytest.mark.parametrize(
    "wrong",
    [
        AttributeType("contact", "size", "choice"),
        AttributeType("contact", "size", "text", ("s",)),
        AttributeType("contact", "size", "choice", ("s", "s")),
    ],
)
def test_choices_go_with_their_type_and_are_named_once(wrong: AttributeType) -> None:
    with pytest.raises(BadRequest):
        checked(wrong)


def test_what_is_right_is_given_back() -> None:
    assert checked(SIZE) is SIZE
