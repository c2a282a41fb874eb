"""Run after the seed: conversations of the demo wait until somebody claims them, as tests of faults want to say who."""

from __future__ import annotations

import asyncio

from sqlalchemy import update

from chat.store.tables import teams
from gateway import settings
from gateway.engines import open_store


async def take_by_hand() -> None:
    """Nothing is routed to any team."""
    store = await open_store(settings.read())
    try:
        manual = update(teams).values(settings={"policy": "manual"})
        await store.administer(lambda connection: connection.execute(manual))
    finally:
        await store.close()


if __name__ == "__main__":
    asyncio.run(take_by_hand())
