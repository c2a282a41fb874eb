"""The schema's own promises: everything is an account's, and nothing can be there twice."""

from __future__ import annotations

import pytest
from sqlalchemy import Table, UniqueConstraint

from chat.store.tables import metadata

# Of these a row belongs to an account through what it names: an account's own row, a bot's token, two of a team.
THROUGH_ANOTHER = {
    "accounts",
    "meta",
    "bot_tokens",
    "team_members",
    "inbox_teams",
    "inbox_keys",
    "identities",
    "followers",
    "search_threads",
    "search_contacts",
}
TABLES = list(metadata.tables.values())


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_row_belongs_to_an_account(table: Table) -> None:
    if table.name in THROUGH_ANOTHER:
        assert "account" not in table.columns
        return
    (reference,) = table.columns["account"].foreign_keys

    assert not table.columns["account"].nullable
    assert reference.column.table.name == "accounts"


@pytest.mark.parametrize("table", [table for table in TABLES if "id" in table.columns], ids=lambda table: table.name)
def test_an_id_is_there_once(table: Table) -> None:
    unique = [
        set(constraint.columns.keys()) for constraint in table.constraints if isinstance(constraint, UniqueConstraint)
    ]
    unique += [set(index.columns.keys()) for index in table.indexes if index.unique]

    unique.append(set(table.primary_key.columns.keys()))

    wanted = {"entries": {"id", "account"}, "inbox_keys": {"inbox", "id"}}.get(table.name, {"id"})
    assert wanted in unique


def test_no_secret_is_stored_as_it_is() -> None:
    assert str(metadata.tables["sessions"].columns["secret"].type) == "BLOB"  # a hash
    assert str(metadata.tables["bot_tokens"].columns["hash"].type) == "BLOB"
