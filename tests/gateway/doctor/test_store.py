"""The database is asked without changing anything, and every way in which it can be unfit has a sentence of its own."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from msgspec.structs import replace

from chat.store.migrate import migrate, revisions
from gateway import settings
from gateway.doctor.clocks import HERE
from gateway.doctor.finding import Finding
from gateway.doctor.store import Stored, connections, explain, judge_postgres, judge_schema, look, look_at_file
from tests.engines import PostgresEngine
from tests.node import a_data_folder
from tests.servers import a_free_port, postgres

WELL = Stored(ms=0.4, version=15, revision=revisions()[0], oldest=None, refuses="", loses="", free=100, clock=HERE)


def looked(url: str) -> list[Finding]:
    return asyncio.run(look(settings.read({"SHOPBELL_STORE": url})))[0]


def levels(findings: list[Finding]) -> list[str]:
    return [finding.level for finding in findings]


# --- PostgreSQL, for real ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> PostgresEngine:
    return PostgresEngine(tmp_path_factory.mktemp("postgres"))


@pytest.fixture
def as_nobody(engine: PostgresEngine) -> Iterator[str]:
    """The URL for a user who may only read."""
    postgres().sql("DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN; GRANT pg_read_all_data TO reader")
    yield engine.url.replace("shopbell@", "reader@")
    postgres().sql("DROP ROLE reader")


def test_a_migrated_database_is_well_and_its_clock_is_read(engine: PostgresEngine) -> None:
    findings, clock = asyncio.run(look(settings.read({"SHOPBELL_STORE": engine.url})))

    assert findings[0].level == "ok"
    assert "fail" not in levels(findings)
    assert "fsync=off" in findings[1].text, "the tests' own server, which may forget"
    assert clock is not None
    assert abs(clock.ahead) < 1


def test_an_empty_database_is_to_be_migrated() -> None:
    postgres().sql("CREATE DATABASE empty")
    try:
        assert "shopbell migrate" in looked(postgres().url("empty"))[0].text
    finally:
        postgres().sql("DROP DATABASE empty")


def test_a_user_who_may_not_write_is_told(as_nobody: str) -> None:
    finding = looked(as_nobody)[0]

    assert finding.level == "fail"
    assert "a write is refused: permission denied" in finding.text


def test_a_replica_is_told(engine: PostgresEngine) -> None:
    name = engine.url.rpartition("/")[2]
    postgres().sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    try:
        assert "it is a replica" in looked(engine.url)[0].text
    finally:
        postgres().sql(f"ALTER DATABASE {name} RESET default_transaction_read_only")


def test_a_database_that_isnt_there_is_told() -> None:
    assert "there is no such database" in looked(postgres().url("nowhere"))[0].text


def test_a_user_that_isnt_there_is_told(engine: PostgresEngine) -> None:
    assert "doesn't let this user in" in looked(engine.url.replace("shopbell@", "stranger@"))[0].text


def test_a_server_that_is_away_is_told() -> None:
    assert "nothing listens there" in looked(f"postgresql://bell@127.0.0.1:{a_free_port()}/bell")[0].text


# --- judged -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stored", "level", "said"),
    [
        (replace(WELL, version=12), "fail", "too old"),
        (replace(WELL, revision=None), "fail", "shopbell migrate"),
        (replace(WELL, revision=revisions()[-1]), "fail", "an older version's"),
        (replace(WELL, revision="9999", oldest="9999"), "fail", "can't serve"),
        (replace(WELL, revision="9999", oldest=revisions()[0]), "note", "which this one can serve"),
        (replace(WELL, refuses="cannot execute UPDATE in a read-only transaction"), "fail", "the primary"),
        (replace(WELL, loses="synchronous_commit=off"), "note", "a power cut may lose"),
        (replace(WELL, free=3), "note", "3 connections are free, and one node opens up to 19"),
        (replace(WELL, ms=80.0), "note", "80 ms away"),
    ],
)
def test_each_fault_is_said(stored: Stored, level: str, said: str) -> None:
    finding = next(finding for finding in judge_postgres(stored, lanes=4) if finding.level != "ok")

    assert finding.level == level
    assert said in finding.text


def test_without_a_fault_it_is_one_line() -> None:
    assert levels(judge_postgres(WELL, lanes=4)) == ["ok"]
    assert connections(4) == 19


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (asyncpg.InvalidPasswordError("no"), "the password isn't right"),
        (asyncpg.TooManyConnectionsError("no"), "no connection left"),
        (asyncpg.CannotConnectNowError("no"), "starting or stopping"),
        (asyncpg.ProtocolViolationError("unsupported startup parameter: statement_timeout"), "PgBouncer"),
        (TimeoutError(), "no answer in time"),
        (asyncpg.InterfaceError("odd"), "InterfaceError odd"),
    ],
)
def test_why_it_cant_be_asked_is_said(error: Exception, said: str) -> None:
    assert said in explain(error).text


# --- a file -----------------------------------------------------------------------------------------------------------


def test_a_file_is_judged_while_a_server_has_it(tmp_path: Path) -> None:
    path = a_data_folder(tmp_path) / "shopbell.db"
    with sqlite3.connect(path) as server:
        server.execute("BEGIN IMMEDIATE")

        assert look_at_file(path).level == "ok"


def test_a_file_that_isnt_there_is_to_be_migrated_and_not_made(tmp_path: Path) -> None:
    assert "shopbell migrate" in look_at_file(tmp_path / "shopbell.db").text
    assert not (tmp_path / "shopbell.db").exists()


def test_a_file_of_another_kind_is_told(tmp_path: Path) -> None:
    (tmp_path / "shopbell.db").write_text("no database at all" * 100)
    assert "can't be read" in look_at_file(tmp_path / "shopbell.db").text

    sqlite3.connect(tmp_path / "other.db").execute("CREATE TABLE something (x)").connection.close()
    assert "isn't there" in look_at_file(tmp_path / "other.db").text


def test_this_versions_schema_is_right(tmp_path: Path) -> None:
    migrate(f"sqlite:///{tmp_path}/fresh.db")

    assert judge_schema(revisions()[0], None) is None
    assert look_at_file(tmp_path / "fresh.db").level == "ok"
