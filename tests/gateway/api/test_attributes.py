"""/v1/attributes: what may be said of contacts and conversations, and that it is checked."""

import pytest

from tests.shop import Shop, in_a_shop


@in_a_shop
async def test_a_declared_attribute_can_be_set_and_no_other(shop: Shop) -> None:
    _, contact = await shop.contact()
    declared = await shop.act("PUT", "/v1/attributes/contact/size", {"type": "choice", "choices": ["s", "m"]})

    good = await shop.act("PATCH", f"/v1/contacts/{contact.id}", {"attributes": {"size": "m"}})
    bad = await shop.act("PATCH", f"/v1/contacts/{contact.id}", {"attributes": {"size": "xl"}})
    unknown = await shop.act("PATCH", f"/v1/contacts/{contact.id}", {"attributes": {"colour": "red"}})

    assert declared.json() == {"of": "contact", "name": "size", "type": "choice", "choices": ["s", "m"]}
    assert good.json()["attributes"] == {"size": "m"}
    for answer in (bad, unknown):
        assert (answer.status_code, answer.json()["field"]) == (400, "attributes")
    assert (await shop.act("GET", "/v1/attributes")).json() == {"attributes": [declared.json()]}
    assert (await shop.act("DELETE", "/v1/attributes/contact/size")).status_code == 204
    assert (await shop.act("GET", "/v1/attributes")).json() == {"attributes": []}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("contact/Size", {"type": "text"}, 400),
        ("contact/" + "x" * 41, {"type": "text"}, 400),
        ("contact/size", {"type": "colour"}, 400),
        ("contact/size", {"type": "choice"}, 400),
        ("agent/size", {"type": "text"}, 404),
    ],
)
@in_a_shop
async def test_what_makes_no_sense_is_refused(shop: Shop, path: str, body: dict[str, str], status: int) -> None:
    assert (await shop.act("PUT", f"/v1/attributes/{path}", body)).status_code == status


@in_a_shop
async def test_a_type_stays(shop: Shop) -> None:
    await shop.act("PUT", "/v1/attributes/contact/size", {"type": "text"})

    answer = await shop.act("PUT", "/v1/attributes/contact/size", {"type": "number"})

    assert (answer.status_code, answer.json()["code"]) == (409, "invalid_state")
