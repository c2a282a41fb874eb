"""Which engine a URL means, and that an embedded node loads no other's driver."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from chat.errors import Unavailable
from chat.store.postgres import PostgresStore
from chat.store.sqlite import SqliteStore
from gateway import settings
from gateway.bus.memory import MemoryBus
from gateway.bus.redis import RedisBus
from gateway.engines import new_bus, new_debts, new_presence, new_redis, open_store
from gateway.metrics import new_metrics
from presence.memory import MemoryPresence
from presence.redis import RedisPresence
from tests.builders import StillClock
from tests.engines import PostgresEngine
from tests.node import a_data_folder


async def test_a_file_is_sqlite(tmp_path: Path) -> None:
    folder = a_data_folder(tmp_path)

    store = await open_store(settings.read({"SHOPBELL_DATA": str(folder)}))

    assert isinstance(store, SqliteStore)
    await store.close()


async def test_a_postgres_url_is_postgres_and_its_head_is_kept_in_the_data_folder(tmp_path: Path) -> None:
    url = PostgresEngine(tmp_path).url.replace("+asyncpg", "")
    data = tmp_path / "not there yet"

    store = await open_store(settings.read({"SHOPBELL_STORE": url, "SHOPBELL_DATA": str(data)}))

    assert isinstance(store, PostgresStore)
    await store.close()
    assert (data / "postgres.head").exists()


async def test_a_postgres_that_is_away_is_unavailable(tmp_path: Path) -> None:
    away = settings.read({"SHOPBELL_STORE": "postgres://bell@127.0.0.1:1/bell", "SHOPBELL_DATA": str(tmp_path)})

    with pytest.raises(Unavailable):
        await open_store(away)


async def test_bus_presence_and_limits_are_in_memory_or_in_redis() -> None:
    ticks, url = StillClock().ticks, "redis://127.0.0.1:1/0"

    assert isinstance(new_bus("memory", new_metrics()), MemoryBus)
    assert isinstance(new_bus(url, new_metrics()), RedisBus)
    assert isinstance(new_presence(new_redis("memory"), ticks), MemoryPresence)
    redis = new_redis(url)
    assert redis is not None
    assert isinstance(new_presence(redis, ticks), RedisPresence)
    assert new_debts(redis, ticks).is_shared
    assert not new_debts(None, ticks).is_shared
    await redis.aclose()


def test_an_embedded_node_loads_no_other_engines_driver() -> None:
    look = "import sys, gateway.app; print([name for name in ('asyncpg', 'redis') if name in sys.modules])"

    said = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)

    assert said.stdout.strip() == "[]"
