"""/v1/token: a console that is logged in gets a token for its socket."""

from __future__ import annotations

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.api.asker import Askers, from_own_page
from gateway.api.payload import answer
from gateway.api.route import operation
from gateway.auth import Tokens
from gateway.origins import Origins


class SocketToken(Struct):
    token: str
    expires_in: int


def routes(askers: Askers, tokens: Tokens, origins: Origins) -> list[Route]:
    async def token(request: Request) -> Response:
        from_own_page(request, origins, required=True)
        return answer(SocketToken(tokens.mint(await askers.agent(request)), tokens.life))

    return [
        operation(
            "/v1/token", "POST", token, summary="A token for the agent's socket.", answer=SocketToken, who="agent"
        )
    ]
