"""/v1/inboxes: an account's doors, what may embed them and which teams answer."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType, to_builtins
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chat.administration import Administration, InboxSetUp
from chat.audit import Audit
from chat.directory import Directory
from chat.errors import BadRequest
from chat.preferences import InboxSettings
from gateway.api.asker import Askers
from gateway.api.duties import Changed
from gateway.api.payload import BODY_LIMIT, Id, Line, Name, answer, given, named, read
from gateway.api.route import operation
from gateway.api.schedules import SCHEDULE_BYTES, senseless
from gateway.origins import parse_origin
from presence.shifts import Senseless, parse

SETTINGS_BYTES = BODY_LIMIT + SCHEDULE_BYTES
OriginList = Annotated[list[Line], Meta(max_length=50)]
TeamList = Annotated[list[Id], Meta(max_length=100)]


class NewInbox(Struct):
    """`origins` are those of the storefronts that may embed it."""

    name: Name
    origins: OriginList = []
    settings: InboxSettings = InboxSettings()


class InboxPatch(Struct):
    """What is given replaces what was; `teams` are those that answer for the inbox."""

    name: Name | UnsetType = UNSET
    origins: OriginList | UnsetType = UNSET
    settings: InboxSettings | UnsetType = UNSET
    teams: TeamList | UnsetType = UNSET


class InboxList(Struct):
    inboxes: list[InboxSetUp]


def routes(
    administration: Administration, directory: Directory, audit: Audit, askers: Askers, changed: Changed
) -> list[Route]:
    async def inboxes(request: Request) -> Response:
        actor = await askers.staff(request)
        return answer(InboxList(await administration.inboxes(actor.account)))

    async def create_inbox(request: Request) -> Response:
        actor = await askers.admin(request)
        body = await read(request, NewInbox, SETTINGS_BYTES)
        _check_hours(body.settings)
        made = await directory.add_inbox(
            actor.account,
            body.name,
            origins=_origins(body.origins),
            settings=to_builtins(body.settings),
            audit=audit.by(actor),
        )
        changed(actor.account)
        return answer(await administration.inbox((actor.account, made.id)), 201)

    async def inbox(request: Request) -> Response:
        actor = await askers.staff(request)
        return answer(await administration.inbox((actor.account, named(request, "inbox"))))

    async def change_inbox(request: Request) -> Response:
        actor = await askers.admin(request)
        body = await read(request, InboxPatch, SETTINGS_BYTES)
        if body.settings is not UNSET:
            _check_hours(body.settings)
        values = given(body)
        serving = values.pop("teams", None)
        if body.origins is not UNSET:
            values["origins"] = _origins(body.origins)
        what = (actor.account, named(request, "inbox"))
        shown = await administration.change_inbox(what, values, serving, audit.by(actor))
        changed(actor.account)
        return answer(shown)

    return [
        operation("/v1/inboxes", "GET", inboxes, summary="All inboxes.", answer=InboxList, who="staff"),
        operation(
            "/v1/inboxes",
            "POST",
            create_inbox,
            summary="A new inbox.",
            body=NewInbox,
            answer=InboxSetUp,
            status=201,
            who="admin",
        ),
        operation("/v1/inboxes/{id}", "GET", inbox, summary="One inbox.", answer=InboxSetUp, who="staff"),
        operation(
            "/v1/inboxes/{id}",
            "PATCH",
            change_inbox,
            summary="Change an inbox.",
            body=InboxPatch,
            answer=InboxSetUp,
            who="admin",
        ),
    ]


def _check_hours(settings: InboxSettings) -> None:
    """BadRequest for hours that can't be meant."""
    try:
        parse(settings.schedule)
    except Senseless as error:
        raise senseless(error, "settings.hours") from error


def _origins(given: list[str]) -> list[str]:
    """As they are compared with what browsers send. BadRequest for what is no origin."""
    parsed = [parse_origin(each) for each in given]
    if None in parsed:
        raise BadRequest("An origin is scheme, host and port: https://shop.example.", field="origins")
    return list(dict.fromkeys(str(each) for each in parsed))
