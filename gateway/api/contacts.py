"""/v1/contacts: who is served here, what staff does about them, what is known of them, and how they are forgotten."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from chat.contacts import Contacts, ContactShown, Identity
from chat.errors import BadRequest
from chat.export import Export, Exported
from chat.model import Conversation, Seq
from chat.rules.contacts import Block, Email, Merge, Name, Unblock, Update
from gateway.api.asked import Asked
from gateway.api.asker import Askers
from gateway.api.payload import Id, Limit, Line, answer, named, read, read_query
from gateway.api.route import operation
from gateway.erasure import Erasure


class ContactQuery(Struct):
    """`email` and `name` are what they begin with; `after` is the `next` of the page before."""

    email: Line | None = None
    name: Line | None = None
    limit: Limit = 50
    after: Id | None = None


class ContactPage(Struct):
    """The latest first. `next` is null on the last page."""

    contacts: list[ContactShown]
    next: str | None


class ContactWhole(Struct):
    contact: ContactShown
    identities: list[Identity]


class ContactPatch(Struct):
    """What is left out stays; null takes an address or an attribute away."""

    name: Name | UnsetType = UNSET
    email: Email | UnsetType | None = UNSET
    attributes: dict[str, Any] | UnsetType = UNSET


class BlockUntil(Struct):
    """A moment (ms), or null for ever."""

    until: Seq | None = None


class MergeInto(Struct):
    """The contact that has both from now on."""

    into: Id


class PageQuery(Struct):
    limit: Limit = 50
    after: Id | None = None


class ConversationPage(Struct):
    """The latest change first. `next` is null on the last page."""

    conversations: list[Conversation]
    next: str | None


class ExportQuery(Struct):
    """With `notes` the export has what only staff sees, too."""

    notes: bool = False


def routes(contacts: Contacts, export: Export, asked: Asked, erasure: Erasure, askers: Askers) -> list[Route]:
    async def list_contacts(request: Request) -> Response:
        actor = await askers.staff(request)
        query = read_query(request, ContactQuery)
        found, further = await contacts.page(
            actor.account, after=query.after, limit=query.limit, email=query.email or "", name=query.name or ""
        )
        return answer(ContactPage(found, further))

    async def contact(request: Request) -> Response:
        actor = await askers.staff(request)
        who = (actor.account, named(request, "contact"))
        return answer(ContactWhole(await contacts.find(who), await contacts.identities(who)))

    async def change_contact(request: Request) -> Response:
        actor = await askers.staff(request)
        body = await read(request, ContactPatch)
        who = (actor.account, named(request, "contact"))
        told = {"fields": [name for name in body.__struct_fields__ if getattr(body, name) is not UNSET]}

        def update(id_: str) -> Update:
            return Update(id=id_, contact=who[1], name=body.name, email=body.email, attributes=body.attributes)

        await asked.ask(request, actor, update, who[1], told)
        return answer(await contacts.find(who))

    async def block_contact(request: Request) -> Response:
        actor = (await askers.agent(request)).actor
        body = await read(request, BlockUntil)
        who = (actor.account, named(request, "contact"))
        block = {"until": body.until}
        await asked.ask(request, actor, lambda id_: Block(id=id_, contact=who[1], until=body.until), who[1], block)
        return answer(await contacts.find(who))

    async def unblock_contact(request: Request) -> Response:
        actor = (await askers.agent(request)).actor
        who = (actor.account, named(request, "contact"))
        await asked.ask(request, actor, lambda id_: Unblock(id=id_, contact=who[1]), who[1], {})
        return answer(await contacts.find(who))

    async def merge_contact(request: Request) -> Response:
        actor = await askers.staff(request)
        body = await read(request, MergeInto)
        who = (actor.account, named(request, "contact"))
        into = {"into": body.into}
        await asked.ask(request, actor, lambda id_: Merge(id=id_, contact=who[1], into=body.into), who[1], into)
        return answer(await contacts.find((actor.account, body.into)))

    async def contact_conversations(request: Request) -> Response:
        actor = await askers.staff(request)
        query = read_query(request, PageQuery)
        found = await contacts.conversations((actor.account, named(request, "contact")))
        if query.after is not None:
            places = [number for number, each in enumerate(found, 1) if each.id == query.after]
            if not places:
                raise BadRequest("There is no such place.", field="after")
            found = found[places[0] :]
        page = found[: query.limit]
        return answer(ConversationPage(page, page[-1].id if len(found) > len(page) else None))

    async def export_contact(request: Request) -> Response:
        actor = await askers.supervisor(request)
        query = read_query(request, ExportQuery)
        who = (actor.account, named(request, "contact"))
        pieces = await export.begin(who, notes=query.notes)
        headers = {
            "cache-control": "no-store",
            "content-disposition": f'attachment; filename="{who[1]}.json"',
        }
        return StreamingResponse(pieces, headers=headers, media_type="application/json")

    async def erase_contact(request: Request) -> Response:
        actor = await askers.supervisor(request)
        contact = named(request, "contact")
        await erasure.erase(actor, contact, asked.id(request, actor))
        return Response(status_code=204)

    return [
        operation(
            "/v1/contacts",
            "GET",
            list_contacts,
            summary="Contacts, but for those that were merged or erased.",
            query=ContactQuery,
            answer=ContactPage,
            who="staff",
        ),
        operation("/v1/contacts/{id}", "GET", contact, summary="One contact.", answer=ContactWhole, who="staff"),
        operation(
            "/v1/contacts/{id}",
            "PATCH",
            change_contact,
            summary="Say who a contact is.",
            body=ContactPatch,
            answer=ContactShown,
            who="staff",
            is_ask=True,
        ),
        operation(
            "/v1/contacts/{id}/block",
            "POST",
            block_contact,
            summary="Let a contact write nothing for a time.",
            body=BlockUntil,
            answer=ContactShown,
            who="agent",
            is_ask=True,
        ),
        operation(
            "/v1/contacts/{id}/unblock",
            "POST",
            unblock_contact,
            summary="Let a contact write again.",
            answer=ContactShown,
            who="agent",
            is_ask=True,
        ),
        operation(
            "/v1/contacts/{id}/merge",
            "POST",
            merge_contact,
            summary="Two contacts are one: all that this one had is the other's.",
            body=MergeInto,
            answer=ContactShown,
            who="staff",
            is_ask=True,
        ),
        operation(
            "/v1/contacts/{id}/conversations",
            "GET",
            contact_conversations,
            summary="A contact's conversations.",
            query=PageQuery,
            answer=ConversationPage,
            who="staff",
        ),
        operation(
            "/v1/contacts/{id}/export",
            "GET",
            export_contact,
            summary="All that is known of a contact, for the contact.",
            query=ExportQuery,
            answer=Exported,
            who="supervisor",
        ),
        operation(
            "/v1/contacts/{id}",
            "DELETE",
            erase_contact,
            summary="Forget a contact with all that was written; figures stay. Can't be undone.",
            status=204,
            who="supervisor",
            is_ask=True,
        ),
    ]
