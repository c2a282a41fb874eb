"""/v1/account: what an account says of itself."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chat.administration import AccountSetUp, Administration
from chat.audit import Audit
from chat.errors import BadRequest
from chat.preferences import AccountSettings
from gateway.api.asker import Askers
from gateway.api.duties import Changed
from gateway.api.payload import Name, answer, given, read
from gateway.api.route import operation
from presence.zones import names


class AccountPatch(Struct):
    """`settings` replace those that were."""

    name: Name | UnsetType = UNSET
    settings: AccountSettings | UnsetType = UNSET


def routes(administration: Administration, audit: Audit, askers: Askers, changed: Changed) -> list[Route]:
    async def account(request: Request) -> Response:
        actor = await askers.staff(request)
        return answer(await administration.account(actor.account))

    async def change_account(request: Request) -> Response:
        actor = await askers.admin(request)
        body = await read(request, AccountPatch)
        if body.settings is not UNSET and body.settings.zone not in names():
            raise BadRequest("There is no such time zone.", field="settings.zone")
        shown = await administration.change_account(actor.account, given(body), audit.by(actor))
        changed(actor.account)
        return answer(shown)

    return [
        operation("/v1/account", "GET", account, summary="The account.", answer=AccountSetUp, who="staff"),
        operation(
            "/v1/account",
            "PATCH",
            change_account,
            summary="Change the account's name or settings.",
            body=AccountPatch,
            answer=AccountSetUp,
            who="admin",
        ),
    ]
