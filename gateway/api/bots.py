"""/v1/bots: automated parties and the API tokens by which they are known."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chat.audit import Audit
from chat.directory import Directory
from chat.staffing import BotShown, Staffing, TokenShown
from gateway.api.agents import Close, Release
from gateway.api.asker import Askers
from gateway.api.duties import Changed
from gateway.api.payload import Name, Picture, answer, given, named, read
from gateway.api.route import operation


class NewBot(Struct):
    name: Name
    picture: Picture | None = None


class BotPatch(Struct):
    name: Name | UnsetType = UNSET
    picture: Picture | UnsetType | None = UNSET


class BotList(Struct):
    bots: list[BotShown]


class TokenList(Struct):
    tokens: list[TokenShown]


class NewToken(Struct):
    """`token` is shown this once."""

    id: str
    token: str


def routes(
    staffing: Staffing,
    directory: Directory,
    audit: Audit,
    askers: Askers,
    close: Close,
    release: Release,
    changed: Changed,
) -> list[Route]:
    async def bots(request: Request) -> Response:
        actor = await askers.admin(request)
        return answer(BotList(await staffing.bots(actor.account)))

    async def create_bot(request: Request) -> Response:
        actor = await askers.admin(request)
        body = await read(request, NewBot)
        made = await directory.add_bot(actor.account, body.name, body.picture, audit.by(actor))
        changed(actor.account)
        return answer(await staffing.bot((actor.account, made.id)), 201)

    async def change_bot(request: Request) -> Response:
        actor = await askers.admin(request)
        body = await read(request, BotPatch)
        shown = await staffing.change_bot((actor.account, named(request, "bot")), given(body), audit.by(actor))
        changed(actor.account)
        return answer(shown)

    async def deactivate_bot(request: Request) -> Response:
        actor = await askers.admin(request)
        who = (actor.account, named(request, "bot"))
        await staffing.bot(who)  # no agent by this way
        await staffing.set_active(who, False, audit.by(actor))
        changed(who[0])
        close(who[0], actor=who[1])
        await release(actor, who[1])
        return answer(await staffing.bot(who))

    async def activate_bot(request: Request) -> Response:
        actor = await askers.admin(request)
        who = (actor.account, named(request, "bot"))
        await staffing.bot(who)
        await staffing.set_active(who, True, audit.by(actor))
        changed(who[0])
        return answer(await staffing.bot(who))

    async def bot_tokens(request: Request) -> Response:
        actor = await askers.admin(request)
        return answer(TokenList(await staffing.tokens((actor.account, named(request, "bot")))))

    async def create_bot_token(request: Request) -> Response:
        actor = await askers.admin(request)
        made = await directory.add_token((actor.account, named(request, "bot")), audit.by(actor))
        return answer(NewToken(*made), 201)

    async def revoke_bot_token(request: Request) -> Response:
        actor = await askers.admin(request)
        token = named(request, "token", "token")
        await staffing.revoke_token((actor.account, named(request, "bot")), token, audit.by(actor))
        close(actor.account, session=token)
        return Response(status_code=204)

    return [
        operation("/v1/bots", "GET", bots, summary="All bots, also inactive ones.", answer=BotList, who="admin"),
        operation(
            "/v1/bots", "POST", create_bot, summary="A new bot.", body=NewBot, answer=BotShown, status=201, who="admin"
        ),
        operation(
            "/v1/bots/{id}",
            "PATCH",
            change_bot,
            summary="Change a bot's name or picture.",
            body=BotPatch,
            answer=BotShown,
            who="admin",
        ),
        operation(
            "/v1/bots/{id}/deactivate",
            "POST",
            deactivate_bot,
            summary="End a bot's sockets and assignments; its tokens open nothing.",
            answer=BotShown,
            who="admin",
        ),
        operation(
            "/v1/bots/{id}/activate",
            "POST",
            activate_bot,
            summary="Let a bot work again, by the tokens that it has.",
            answer=BotShown,
            who="admin",
        ),
        operation(
            "/v1/bots/{id}/tokens",
            "GET",
            bot_tokens,
            summary="A bot's API tokens, without what opens anything.",
            answer=TokenList,
            who="admin",
        ),
        operation(
            "/v1/bots/{id}/tokens",
            "POST",
            create_bot_token,
            summary="A new API token of a bot, shown this once.",
            answer=NewToken,
            status=201,
            who="admin",
        ),
        operation(
            "/v1/bots/{id}/tokens/{token}",
            "DELETE",
            revoke_bot_token,
            summary="Revoke an API token; sockets that were opened with it close.",
            status=204,
            who="admin",
        ),
    ]
