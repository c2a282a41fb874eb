"""The OpenAPI document: valid, complete, and what the service really answers."""

from typing import Any

from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.shop import Shop, in_a_shop


async def served(shop: Shop) -> dict[str, Any]:
    answer = await shop.client.get("/v1/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


@in_a_shop
async def test_the_document_is_valid_openapi_31(shop: Shop) -> None:
    document = await served(shop)

    assert document["openapi"].startswith("3.1")
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


@in_a_shop
async def test_every_operation_has_a_name_of_its_own(shop: Shop) -> None:
    document = await served(shop)

    names = [each["operationId"] for path in document["paths"].values() for each in path.values()]
    assert len(names) == len(set(names))
    assert "/v1/openapi.json" in document["paths"]
