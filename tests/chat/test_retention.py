"""Old lines of the logs go, each account's after its own days, some at a time."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, func, insert, select, update

from chat import retention
from chat.preferences import AccountSettings
from chat.retention import DAY_MS, Retention
from chat.store import Store
from chat.store.tables import accounts, handles, routing_log, status_log, waits
from tests.builders import MINE, MOMENT, NOA, OTHER

KEPT_DAYS = AccountSettings().log_days
TABLES: list[Any] = [status_log, routing_log, waits, handles]


async def fill(store: Store, account: str, days: list[float]) -> None:
    """A row of so many days ago in each table."""

    def work(connection: Connection) -> None:
        key = connection.execute(select(accounts.c.key).where(accounts.c.id == account)).scalar_one()
        for number, day in enumerate(days):
            at = MOMENT - round(day * DAY_MS)
            own = {"account": key, "conversation": f"cnv_{account}_{number}"}
            status = {"account": key, "member": NOA.id, "at": at, "status": "offline", "reason": "", "cause": "shift"}
            connection.execute(insert(status_log).values(**status))
            connection.execute(insert(routing_log).values(**own, at=at, kind="routed", by="", candidates="[]"))
            connection.execute(insert(waits).values(**own, queued_at=at, place=1, estimate=0, low=0, high=0))
            connection.execute(insert(handles).values(**own, member=NOA.id, began_at=at - 9, ended_at=at, worked=1))

    await store.administer(work)


async def left(store: Store, account: str) -> list[int]:
    """How many rows each table has."""

    def work(connection: Connection) -> list[int]:
        key = connection.execute(select(accounts.c.key).where(accounts.c.id == account)).scalar_one()
        counts = (select(func.count()).select_from(table).where(table.c.account == key) for table in TABLES)
        return [connection.execute(count).scalar_one() for count in counts]

    return await store.inspect(work)


async def keep(store: Store, account: str, days: object) -> None:
    statement = update(accounts).where(accounts.c.id == account).values(settings={"log_days": days})

    def work(connection: Connection) -> None:
        connection.execute(statement)

    await store.administer(work)


async def test_each_account_keeps_its_own_days(store: Store) -> None:
    await fill(store, MINE, [0, 7, 7.1, KEPT_DAYS + 1])
    await fill(store, OTHER, [0, 7.1, KEPT_DAYS - 0.1, KEPT_DAYS + 0.1])
    await keep(store, MINE, 7)

    assert await Retention(store).sweep(MOMENT) == 4 * (2 + 1)

    assert await left(store, MINE) == [2, 2, 2, 2]
    assert await left(store, OTHER) == [3, 3, 3, 3]
    assert await Retention(store).sweep(MOMENT) == 0


async def test_many_go_in_several_transactions(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(store, MINE, [KEPT_DAYS + 1.0] * (retention.AT_ONCE + 1))
    batches = 0
    administer = store.administer

    async def counted(work: Any) -> Any:
        nonlocal batches
        batches += 1
        return await administer(work)

    monkeypatch.setattr(store, "administer", counted)

    await Retention(store).sweep(MOMENT)

    assert (await left(store, MINE), batches) == ([0, 0, 0, 0], 2)
