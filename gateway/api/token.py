"""/v1/token: a console that is logged in gets a token for its socket."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.api.asker import Askers, from_own_page
from gateway.api.payload import answer
from gateway.auth import Tokens
from gateway.origins import Origins


def routes(askers: Askers, tokens: Tokens, origins: Origins) -> list[Route]:
    async def token(request: Request) -> Response:
        from_own_page(request, origins, required=True)
        return answer({"token": tokens.mint(await askers.agent(request)), "expires_in": tokens.life})

    return [Route("/v1/token", token, methods=["POST"])]
