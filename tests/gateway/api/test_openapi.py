"""The OpenAPI document: valid, complete, and what the service really answers."""

import re
from typing import Any

from openapi_spec_validator import OpenAPIV31SpecValidator

from gateway.api.openapi import WHO
from gateway.api.problem import STATUS
from gateway.api.route import Operation, operations
from tests.shop import OWN, Shop, in_a_shop


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


def filled(each: Operation) -> str:
    """A path at things that aren't there."""
    return re.sub(r"\{(\w+)\}", "nowhere", each.path)


@in_a_shop
async def test_who_is_named_may_ask_and_nobody_else(shop: Shop) -> None:
    contact, _ = await shop.contact()
    agent = await shop.colleague("agent")
    cookie = {"cookie": f"shopbell={(await shop.sessions.open_for_agent(agent))[0]}"}
    bot = {"authorization": f"Bearer {shop.mine.bot_token}"}

    for each in operations(shop.routes()):
        if each.who == "nobody":
            continue
        for who, headers in {"nobody": {}, "contact": contact, "agent": cookie, "bot": bot}.items():
            answer = await shop.client.request(each.method, filled(each), headers={"origin": str(OWN), **headers})
            code = answer.status_code
            told = (each.who, each.method, each.path, who, code)
            if who == "nobody":
                assert code == 401, told
            elif who == "contact":
                assert (code == 401) == (each.who != "anyone"), told
            elif each.who in ("supervisor", "admin"):
                assert code == 403, told
            elif who == "bot" and each.who == "agent":
                assert code == 401, told
            else:
                assert code not in (401, 403), told


@in_a_shop
async def test_every_refusal_is_a_problem_with_its_codes(shop: Shop) -> None:
    document = await served(shop)

    for path in document["paths"].values():
        for each in path.values():
            for status, answer in each["responses"].items():
                if "application/problem+json" not in answer.get("content", {}):
                    assert status.startswith(("2", "3")) or each["operationId"] == "readyz"
                    continue
                schema = answer["content"]["application/problem+json"]["schema"]["allOf"]
                assert {STATUS[code] for code in schema[1]["properties"]["code"]["enum"]} == {int(status)}
            assert each["x-who"] in WHO
            assert {"429", "503"} <= set(each["responses"])


@in_a_shop
async def test_no_pattern_is_pythons_alone(shop: Shop) -> None:
    assert "\\\\Z" not in (await shop.client.get("/v1/openapi.json")).text


@in_a_shop
async def test_nothing_in_the_document_is_named_twice(shop: Shop) -> None:
    """Two shapes of one name are told apart by their modules, which nobody outside should see."""
    names = set((await served(shop))["components"]["schemas"])

    assert [name for name in names if not name.isidentifier()] == []
