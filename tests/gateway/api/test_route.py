"""What a route says of itself follows from who may ask and what it takes."""

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chat.errors import BadRequest, Forbidden, InvalidState, NotFound, TooLarge
from gateway.api.problem import LoginNeeded, OriginRefused
from gateway.api.route import operation, operations


class Thing(Struct):
    name: str


async def change_thing(request: Request) -> Response:
    return Response()


async def plain(request: Request) -> Response:
    return Response()


def test_a_route_is_described_and_still_a_route() -> None:
    route = operation("/v1/things/{id}", "PATCH", change_thing, summary="Change it.", body=Thing, who="admin")

    (described,) = operations([Route("/page", plain), route])

    assert (described.name, described.method, described.is_changing) == ("change_thing", "PATCH", True)
    assert route.methods == {"PATCH"}


def test_what_can_be_refused_follows_from_what_is_taken() -> None:
    route = operation("/v1/things/{id}", "PATCH", change_thing, summary="Change it.", body=Thing, who="admin")

    assert {BadRequest, TooLarge, LoginNeeded, Forbidden, OriginRefused, NotFound} <= set(
        operations([route])[0].refusals
    )


def test_reading_without_a_name_is_refused_for_little() -> None:
    route = operation("/v1/things", "GET", plain, summary="All.", refusals=[InvalidState])

    assert {BadRequest, LoginNeeded, NotFound, OriginRefused}.isdisjoint(operations([route])[0].refusals)
    assert InvalidState in operations([route])[0].refusals
