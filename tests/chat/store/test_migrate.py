"""Migrations bring a database to the schema that the tables describe, and say whether it is there."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, inspect

from chat.store.migrate import is_current, migrate
from chat.store.tables import metadata


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'a 100% new.db'}"


def test_a_new_database_is_not_current_until_it_is_migrated(url: str) -> None:
    assert not is_current(url)

    migrate(url)

    assert is_current(url)


def test_migrating_twice_does_no_harm(url: str) -> None:
    migrate(url)
    migrate(url)

    assert is_current(url)


def test_what_migrations_make_is_what_the_tables_say(url: str) -> None:
    migrate(url)

    engine = create_engine(url)
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
        found = set(inspect(connection).get_table_names())
    engine.dispose()

    assert differences == []
    assert found == set(metadata.tables) | {"alembic_version"}
