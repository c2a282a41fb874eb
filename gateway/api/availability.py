"""/v1/availability: whether an inbox is open, for any page. /v1/agents/status and /v1/queue: what staff may know."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Literal

from msgspec import Struct
from msgspec.structs import asdict
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chat.clock import Clock
from chat.directory import Directory
from chat.errors import NotFound
from chat.floors import Door
from chat.model import Policy
from chat.waiting import queued_at
from gateway.api.asker import Askers
from gateway.api.payload import Line, answer, read_query
from gateway.api.route import operation
from gateway.floor import Floor
from gateway.floor import Line as StatusLine
from gateway.queues import NOTHING, Prospect, Shown

KEPT_SECONDS = 5  # for so long a page, or whoever stands in between, may take the answer for the present one


class WhichInbox(Struct):
    """An inbox by its public key."""

    inbox: Line


class InboxShown(Struct, frozen=True):
    """Moments are ms. At `until` the status becomes `then` by itself; `opens_at` is when somebody is planned to be here
    again. `reply_seconds` is how long an answer usually took in the last week."""

    inbox: str
    status: Literal["open", "busy", "away"]
    opens_at: int | None
    until: int | None
    then: Literal["open", "busy", "away"]
    reply_seconds: int | None


class StatusList(Struct):
    """All agents and bots. `until` is when it may change by itself, `since` when it began (ms)."""

    at: int
    statuses: list[StatusLine]


class WaitingShown(Struct):
    """`eta` are seconds from now, from and to; `queued_at` is ms. `passed` were given it and didn't answer."""

    conversation: str
    contact: str
    inbox: str
    teams: list[str]
    position: int | None
    queued_at: int
    priority: int
    passed: list[str]
    left: bool
    eta: tuple[int, int] | None


class TeamQueue(Struct):
    """How many wait for a team, and whether its queue takes nobody more."""

    team: str
    policy: Policy
    length: int
    limit: int | None
    full: bool


class QueueShown(Struct):
    """What waits, in the order in which it is served."""

    at: int
    waiting: list[WaitingShown]
    teams: list[TeamQueue]


def routes(
    directory: Directory,
    askers: Askers,
    clock: Clock,
    floor_of: Callable[[str], Awaitable[Floor]],
    show: Callable[[Floor, Door, int], Shown],
    prospects: Callable[[Floor, int], Mapping[str, Prospect]],
) -> list[Route]:
    """`floor_of` an account raises Unavailable; `show` and `prospects` are what its contacts are told at a moment."""

    async def availability(request: Request) -> Response:
        query = read_query(request, WhichInbox)
        found = await directory.door(query.inbox)
        floor = await floor_of(found.account) if found is not None else None
        door = floor.doors.get(found.id) if floor is not None and found is not None else None
        if floor is None or door is None:
            raise NotFound("There is no such inbox.", field="inbox")
        response = answer(InboxShown(door.id, **asdict(show(floor, door, clock.now()))))
        response.headers["cache-control"] = f"public, max-age={KEPT_SECONDS}"
        # Any page may ask: it says what the widget says to everybody, and nothing of whoever asks.
        response.headers["access-control-allow-origin"] = "*"
        response.headers["cross-origin-resource-policy"] = "cross-origin"
        return response

    async def agents_status(request: Request) -> Response:
        floor = await floor_of((await askers.staff(request)).account)
        return answer(StatusList(clock.now(), list(floor.lines.values())))

    async def queue(request: Request) -> Response:
        floor = await floor_of((await askers.staff(request)).account)
        at = clock.now()
        return answer(QueueShown(at, _waiting(floor, prospects(floor, at)), _teams(floor)))

    return [
        operation(
            "/v1/availability",
            "GET",
            availability,
            summary="Whether an inbox is open, busy or away, and when that changes, by its public key.",
            query=WhichInbox,
            answer=InboxShown,
            refusals=[NotFound],
        ),
        operation(
            "/v1/agents/status",
            "GET",
            agents_status,
            summary="Who can take a conversation, who can't and why, and until when.",
            answer=StatusList,
            who="staff",
        ),
        operation(
            "/v1/queue",
            "GET",
            queue,
            summary="The conversations that wait, in the order in which they are served.",
            answer=QueueShown,
            who="staff",
        ),
    ]


def _waiting(floor: Floor, told: Mapping[str, Prospect]) -> list[WaitingShown]:
    shown = []
    for each in floor.queue():
        conversation, routing = each.conversation, each.conversation.routing
        prospect = told.get(conversation.id, NOTHING)
        shown.append(
            WaitingShown(
                conversation.id,
                conversation.contact,
                conversation.inbox,
                list(each.teams),
                prospect.position,
                queued_at(conversation),
                conversation.priority,
                list(routing.passed) if routing else [],
                routing.left if routing else False,
                prospect.eta,
            )
        )
    return shown


def _teams(floor: Floor) -> list[TeamQueue]:
    return [
        TeamQueue(team.id, team.policy, floor.length(team.id), team.queue_limit, floor.is_full(team.id))
        for team in floor.teams.values()
    ]
