"""A connection that looks open but carries nothing: each side notices by itself, and nothing is lost."""

import asyncio
from collections.abc import Callable

import pytest

from bots import Client, Shopper
from bots.reconnect import LOST
from bots.sessions import origin
from tests.chaos.people import QUICK
from tests.chaos.server import Server
from tests.faults import Direction, proxy_to
from tests.history import Log, Verdict, check, read_sqlite

NO_PONG = 4104
PATIENCE = 15.0


@pytest.mark.parametrize(("direction", "code"), [("up", NO_PONG), ("down", LOST)])
def test_a_dead_direction_is_noticed(
    direction: Direction,
    code: int,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    tell: Callable[[object], None],
) -> None:
    monkeypatch.setattr("bots.connection.GRACE_SECONDS", 2.0)
    server.settings = {"SHOPBELL_PING_SECONDS": "2", "SHOPBELL_PONG_SECONDS": "1"}

    async def play() -> tuple[Log, Verdict]:
        await server.start()
        shopper = await Shopper.open(server.url, "demo")
        log = Log("shopper", shopper.contact, "contact")
        async with proxy_to("127.0.0.1", server.port) as proxy:
            own = origin(server.url)
            async with Client(proxy.url, shopper.token, origin=own, pace=QUICK, patience=PATIENCE, tap=log) as client:
                conversation = (await client.start(shopper.inbox, "Hello"))["conversation"]
                proxy.blackhole(direction)
                lost = [client.send(conversation, f"Are you there? {number}") for number in range(3)]
                await client.until(lambda _: log.events[-1].what == "disconnected", PATIENCE)
                proxy.heal()
                await asyncio.gather(*lost)
                await client.until(lambda mirror: len(mirror.threads[conversation].entries) == 4, PATIENCE)
                log.stop()
        return log, check([log], read_sqlite(server.database), faults=1)

    log, verdict = asyncio.run(play())

    tell(verdict)
    assert verdict.violations == []
    assert [event.seq for event in log.events if event.what == "disconnected"] == [code]
