"""The socket cut between any two frames of an exchange: the exchange is finished all the same, each step once."""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Literal

import pytest

from bots import Client, Shopper, Staff
from bots.sessions import origin
from tests.chaos.people import QUICK
from tests.chaos.server import EMAILS, PASSWORD, Server
from tests.faults import Proxy, proxy_to
from tests.history import Log, check, read_sqlite

PATIENCE = 15.0
STEPS = [("message", "Hello"), ("message", "Anybody?"), ("activity", ""), ("message", "Here I am"), ("activity", "")]


async def exchange(shopper: Client, agent: Client, inbox: str) -> str:
    """start → message → claim → reply → resolve; returns the conversation."""
    conversation = (await shopper.start(inbox, "Hello"))["conversation"]
    await shopper.send(conversation, "Anybody?")
    await agent.claim(conversation)
    await agent.send(conversation, "Here I am")
    await agent.resolve(conversation)
    for client in (shopper, agent):
        await client.until(
            lambda mirror: (
                conversation in mirror.threads
                and len(mirror.threads[conversation].entries) == len(STEPS)
                and mirror.threads[conversation].state["status"] == "resolved"
            ),
            PATIENCE,
        )
    return conversation


@pytest.mark.parametrize("victim", ["shopper", "agent"])
def test_a_cut_between_any_two_frames_loses_and_doubles_nothing(
    victim: Literal["shopper", "agent"], server: Server, tell: Callable[[object], None]
) -> None:
    points: list[str] = []
    counts: Counter[str] = Counter()

    async def play() -> None:
        await server.start()
        staff = await Staff.login(server.url, EMAILS[0], PASSWORD)
        async with asyncio.timeout(300), proxy_to("127.0.0.1", server.port) as proxy:
            rounds = 0
            while proxy.cuts == rounds:  # until an exchange is over before its cut is due: all points had their turn
                await one_more(staff, proxy)
                rounds += 1

    async def one_more(staff: Staff, proxy: Proxy) -> None:
        proxy.frames.clear()
        proxy.cut_after = len(points) + 1
        shopper = await Shopper.open(server.url, "demo")
        sides = {
            "shopper": (Log("shopper", shopper.contact, "contact"), shopper.token),
            "agent": (Log("agent", staff.agent["id"], "agent"), staff.token),
        }
        async with AsyncExitStack() as stack:
            clients = {}
            for name, (log, token) in sides.items():
                url = proxy.url if name == victim else server.url
                client = Client(url, token, origin=origin(server.url), pace=QUICK, tap=log, batch=False)
                clients[name] = await stack.enter_async_context(client)
            await exchange(clients["shopper"], clients["agent"], shopper.inbox)
            for log, _ in sides.values():
                log.stop()
        verdict = check([log for log, _ in sides.values()], read_sqlite(server.database))
        counts.update(verdict.counts)
        cut = proxy.frames[len(points)] if proxy.cuts > len(points) else None
        assert verdict.violations == [], f"cut after {cut}"
        if cut is not None:
            points.append(f"{cut.direction} {','.join(cut.types)}")

    asyncio.run(play())

    tell(f"cut after each of {points}; {dict(counts)}")
    store = read_sqlite(server.database)
    for rows in store.by_conversation.values():
        assert [(row.kind, row.text) for row in rows] == STEPS
    assert len(points) >= 12
