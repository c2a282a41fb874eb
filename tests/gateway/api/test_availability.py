"""What anybody may ask of an inbox, and staff of each other. On a whole node: tests/gateway/test_dispatch.py."""

from __future__ import annotations

from typing import Any

import httpx
from msgspec.structs import replace
from starlette.applications import Starlette

from chat.floors import Door
from chat.model import Routing
from gateway.api import availability
from gateway.api.asker import Askers
from gateway.api.problem import HANDLERS
from gateway.floor import Floor
from gateway.origins import Origins
from gateway.queues import Prospect, Shown
from tests.gateway.test_floor import CARE, Facts, a_look, at
from tests.shop import OWN, Shop, in_a_shop


class Desk:
    """The floor of the shop, as tests want it."""

    def __init__(self, shop: Shop) -> None:
        door = shop.mine.door
        self.floor = Floor(shop.mine.id, Facts().standing)
        doors = {door.id: Door(door.id, door.public_key, (CARE.id,))}
        waiting = [
            at(1, "cnv_1", inbox=door.id, priority=2, routing=Routing(queued_at=5, passed=("agt_noa",))),
            at(2, "cnv_2", inbox=door.id, routing=Routing(queued_at=6, left=True)),
        ]
        self.floor.begin(a_look(doors=doors, waiting=waiting, teams={CARE.id: replace(CARE, queue_limit=1)}))
        self.floor.look(shop.clock.now())
        self.asked: list[str] = []
        askers = Askers(shop.sessions, shop.directory, Origins([OWN]))
        routes = availability.routes(
            shop.directory, askers, shop.clock, self._floor_of, self._show, lambda floor, at: self._told
        )
        app = Starlette(routes=routes, exception_handlers=HANDLERS)
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop.test")
        self._told = {"cnv_1": Prospect(1, (60, 120))}

    async def _floor_of(self, account: str) -> Floor:
        self.asked.append(account)
        return self.floor

    def _show(self, floor: Floor, door: Any, at: int) -> Shown:
        return Shown("busy", None, 99, "away", 30)


@in_a_shop
async def test_an_inbox_shows_itself_to_any_page_and_may_be_kept_for_seconds(shop: Shop) -> None:
    desk = Desk(shop)

    answer = await desk.client.get("/v1/availability", params={"inbox": shop.mine.door.public_key})

    assert answer.json() == {
        "inbox": shop.mine.door.id,
        "status": "busy",
        "opens_at": None,
        "until": 99,
        "then": "away",
        "reply_seconds": 30,
    }
    assert answer.headers["cache-control"] == "public, max-age=5"
    assert answer.headers["access-control-allow-origin"] == "*"


@in_a_shop
async def test_an_inbox_that_is_not_there_has_nobody_followed(shop: Shop) -> None:
    desk = Desk(shop)

    answers = [
        await desk.client.get("/v1/availability", params=asked) for asked in ({"inbox": "nobodys"}, {"inbox": ""}, {})
    ]

    assert [answer.status_code for answer in answers] == [404, 400, 400]
    assert desk.asked == []


@in_a_shop
async def test_only_staff_hears_of_agents_and_of_the_queue(shop: Shop) -> None:
    desk = Desk(shop)
    as_contact, _ = await shop.contact()

    for path in ("/v1/agents/status", "/v1/queue"):
        assert (await desk.client.get(path)).status_code == 401
        assert (await desk.client.get(path, headers=as_contact)).status_code == 401
    assert desk.asked == []


@in_a_shop
async def test_staff_sees_each_agent_and_the_whole_queue(shop: Shop) -> None:
    desk = Desk(shop)
    bearer = {"authorization": f"Bearer {shop.mine.bot_token}"}

    statuses = (await desk.client.get("/v1/agents/status", headers=bearer)).json()
    queue = (await desk.client.get("/v1/queue", headers=bearer)).json()

    assert {(line["agent"], line["status"], line["reason"]) for line in statuses["statuses"]} == {
        ("agt_noa", "accepting_chats", "free"),
        ("agt_dara", "offline", "not_present"),
    }
    assert desk.asked == [shop.mine.id] * 2
    assert queue["waiting"][0] == {
        "conversation": "cnv_1",
        "contact": "con_dana",
        "inbox": shop.mine.door.id,
        "teams": [CARE.id],
        "position": 1,
        "queued_at": 5,
        "priority": 2,
        "passed": ["agt_noa"],
        "left": False,
        "eta": [60, 120],
    }
    assert [(each["conversation"], each["left"], each["position"]) for each in queue["waiting"][1:]] == [
        ("cnv_2", True, None)
    ]
    assert queue["teams"] == [{"team": CARE.id, "policy": "least_busy", "length": 1, "limit": 1, "full": True}]
