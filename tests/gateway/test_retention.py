"""The round in which old lines go: it waits for a store that is away."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from sqlalchemy import Connection, func, insert, select

from chat.errors import Unavailable
from chat.preferences import AccountSettings
from chat.retention import DAY_MS, Retention
from chat.store.tables import accounts, status_log
from gateway.retention import Forgetting
from tests.shop import Shop, in_a_shop


async def count(shop: Shop) -> int:
    statement = select(func.count()).select_from(status_log)
    return int(await shop.store.inspect(lambda found: found.execute(statement).scalar_one()))


@in_a_shop
async def test_old_lines_go_when_their_time_has_come(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    def work(connection: Connection) -> None:
        key = connection.execute(select(accounts.c.key).where(accounts.c.id == shop.mine.id)).scalar_one()
        line = {"member": shop.mine.agent.id, "status": "offline", "reason": "", "cause": "shift"}
        connection.execute(insert(status_log).values(account=key, at=shop.clock.now(), **line))

    await shop.store.administer(work)
    forgetting = Forgetting(Retention(shop.store), shop.clock)

    await forgetting.run()
    assert await count(shop) == 1

    shop.clock.move(AccountSettings().log_days * DAY_MS / 1000 + 1)
    with caplog.at_level(logging.INFO):
        await forgetting.run()
    assert await count(shop) == 0
    assert "1 old lines" in caplog.text


@in_a_shop
async def test_a_store_that_is_away_is_no_end(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def away(work: Any) -> None:
        raise Unavailable("the database can't be read")

    monkeypatch.setattr(shop.store, "inspect", away)

    await Forgetting(Retention(shop.store), shop.clock).run()

    assert "can't be swept" in caplog.text
