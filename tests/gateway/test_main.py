"""The command line: does it, says it plainly, and says everything that is wrong at once."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from chat.audit import NEWEST, Audit
from chat.clock import SystemClock
from chat.directory import Directory
from chat.store.migrate import revisions
from chat.store.sqlite import SqliteStore
from gateway.__main__ import FAILED, MISUSED, OK, main
from gateway.secret import kept_secrets
from tests.servers import postgres


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "var"
    for name in ("PORT", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SHOPBELL_DATA", str(folder))
    return folder


@pytest.fixture
def migrated(data: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    main(["migrate"])
    capsys.readouterr()
    return data


def test_migrate_makes_the_database_and_says_when_there_is_nothing_to_do(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["migrate"]) == OK
    assert "is now at this version's schema" in capsys.readouterr().out
    assert (data / "shopbell.db").exists()

    assert main(["migrate"]) == OK
    assert "is up to date" in capsys.readouterr().out


@pytest.mark.parametrize("command", [["seed"], ["token", "--bot", "Bell"], ["serve"]])
def test_without_a_database_it_says_to_migrate(
    data: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command) == FAILED
    assert "shopbell migrate" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["seed"], ["token", "--bot", "Bell"], ["serve"], ["migrate"]])
def test_a_database_that_is_too_new_is_left_alone(
    migrated: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    becomes(migrated, "9999", oldest="9998")

    assert main(command) == FAILED
    assert "Start the newer version" in capsys.readouterr().err


def test_a_newer_database_is_served_where_its_migration_says_so(
    migrated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    becomes(migrated, "9999", oldest=revisions()[0])

    assert main(["migrate"]) == OK
    assert "a newer version's, which this one can work with" in capsys.readouterr().out
    assert main(["seed"]) == OK


def becomes(data: Path, revision: str, *, oldest: str) -> None:
    """As a later version's migration leaves it."""
    with closing(sqlite3.connect(data / "shopbell.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
        connection.execute("UPDATE meta SET value = ? WHERE name = 'oldest'", (oldest,))


def test_seed_says_where_to_click_the_second_time_too(migrated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert main(["seed"]) == OK
        said = capsys.readouterr().out
        assert "http://127.0.0.1:8000/demo/" in said
        assert "http://127.0.0.1:8000/console/" in said
        assert "noa@demo.shop / shopbell-demo (admin)" in said


def test_token_prints_a_bots_token_and_nothing_else(migrated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["seed"])
    capsys.readouterr()

    assert main(["token", "--bot", "Parrot"]) == OK

    said = capsys.readouterr()
    assert "Parrot is a new bot of Demo shop" in said.err
    assert said.out.startswith("sbt_")
    assert len(said.out.split()) == 1
    assert asyncio.run(bot_of(migrated, said.out.strip())) == "Parrot"
    assert asyncio.run(acts(migrated)) == ["bot_token.create", "bot.create"]


def test_a_bot_that_is_there_is_not_made_again(migrated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["seed"])
    capsys.readouterr()

    assert main(["token", "--bot", "Bell"]) == OK
    assert "new bot" not in capsys.readouterr().err


def test_token_wants_an_account_to_be_there(migrated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["token", "--bot", "Bell"]) == FAILED
    assert "shopbell seed" in capsys.readouterr().err


def test_token_wants_to_know_which_account(migrated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["seed"])
    second = asyncio.run(a_second_account(migrated))
    capsys.readouterr()

    assert main(["token", "--bot", "Bell"]) == FAILED
    assert second in capsys.readouterr().err
    assert main(["token", "--bot", "Bell", "--account", second]) == OK


def test_restore_begins_a_new_epoch_and_says_what_is_left_to_do(
    migrated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = asyncio.run(epoch_of(migrated))

    assert main(["restore"]) == OK

    assert "erase again whoever was erased" in capsys.readouterr().out
    assert asyncio.run(epoch_of(migrated)) != before


async def epoch_of(data: Path) -> str:
    store = SqliteStore.open(data / "shopbell.db")
    await store.close()
    return store.epoch


@pytest.mark.parametrize("command", [["seed"], ["token", "--bot", "Bell"], ["serve"], ["restore"]])
def test_while_a_server_has_the_database_it_says_so(
    migrated: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    async def meanwhile() -> int:
        store = SqliteStore.open(migrated / "shopbell.db")
        try:
            return await asyncio.to_thread(main, command)
        finally:
            await store.close()

    assert asyncio.run(meanwhile()) == FAILED
    said = capsys.readouterr().err
    assert "If a server is running on the data folder" in said
    assert "Traceback" not in said


def test_bad_settings_are_told_all_at_once(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SHOPBELL_PORT", "x")
    monkeypatch.setenv("SHOPBELL_LOG", "y")

    assert main(["serve"]) == MISUSED
    assert [line.split()[0] for line in capsys.readouterr().err.splitlines()] == ["SHOPBELL_PORT", "SHOPBELL_LOG"]


def test_a_misspelled_setting_is_pointed_out_and_no_reason_to_stop(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SHOPBELL_PROT", "9000")

    assert main(["migrate"]) == OK
    assert "SHOPBELL_PROT is no setting; SHOPBELL_PORT is one." in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_said_plainly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("SHOPBELL_DATA", str(tmp_path / "file" / "var"))

    assert main(["migrate"]) == FAILED
    assert "can't be made" in capsys.readouterr().err


def test_the_module_is_a_command_with_help_and_version() -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "gateway", *arguments], capture_output=True, text=True, check=False
        )

    assert run("--version").stdout.startswith("shopbell 0.")
    assert {"serve", "migrate", "seed", "token"} <= set(run("--help").stdout.split())
    assert run().returncode == MISUSED


async def acts(data: Path) -> list[str]:
    """What the audit log of the demo's account says, the newest first."""
    store = SqliteStore.open(data / "shopbell.db")
    try:
        clock = SystemClock()
        (account,) = await Directory(store, clock).accounts()
        return [act.action for act in await Audit(store, clock).page(account.id, NEWEST, 10)]
    finally:
        await store.close()


async def bot_of(data: Path, token: str) -> str | None:
    store = SqliteStore.open(data / "shopbell.db")
    bot = await Directory(store, SystemClock()).bot_by_token(token)
    await store.close()
    return bot.name if bot else None


async def a_second_account(data: Path) -> str:
    store = SqliteStore.open(data / "shopbell.db")
    account = await Directory(store, SystemClock()).add_account("Second")
    await store.close()
    return account.id


def test_secret_rotate_makes_a_new_secret_and_says_so(migrated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = kept_secrets(migrated)

    assert main(["secret", "rotate"]) == OK

    after = kept_secrets(migrated)
    assert len(after) == 1
    assert after != before
    said = capsys.readouterr().out
    assert "has a new secret; 0 values are sealed with it" in said
    assert after[0].decode() not in said


def test_a_secret_of_the_environment_is_replaced_in_steps(
    migrated: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SHOPBELL_SECRET", "o" * 40)
    assert main(["secret", "rotate"]) == OK
    assert "Set SHOPBELL_SECRET_BEFORE to what it is" in capsys.readouterr().out

    monkeypatch.setenv("SHOPBELL_SECRET", "n" * 40)
    monkeypatch.setenv("SHOPBELL_SECRET_BEFORE", "o" * 40)
    assert main(["secret", "rotate"]) == OK
    said = capsys.readouterr().out
    assert "0 values are sealed with SHOPBELL_SECRET" in said
    assert "nnn" not in said
    assert not (migrated / "secret").exists()


def test_while_a_server_runs_the_secret_stays(migrated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = kept_secrets(migrated)
    store = SqliteStore.open(migrated / "shopbell.db")

    assert main(["secret", "rotate"]) == FAILED

    asyncio.run(store.close())
    assert kept_secrets(migrated) == before
    assert "stop it first" in capsys.readouterr().err


# --- on PostgreSQL ---------------------------------------------------------------------------------------------------


@pytest.fixture
def on_postgres(data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty database on the run's server, as hosts hand its URL out."""
    postgres().sql("CREATE DATABASE command_line")
    url = postgres().url("command_line").replace("postgresql+asyncpg:", "postgres:")
    monkeypatch.setenv("DATABASE_URL", url + "?sslmode=disable")
    yield data
    postgres().sql("DROP DATABASE command_line WITH (FORCE)")


def test_every_command_works_on_postgres_too(on_postgres: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["token", "--bot", "Parrot"]) == FAILED
    assert "shopbell migrate" in capsys.readouterr().err

    for said in ("is now at this version's schema", "is up to date"):
        assert main(["migrate"]) == OK
        assert said in capsys.readouterr().out
    for _ in range(2):
        assert main(["seed"]) == OK
    capsys.readouterr()
    assert main(["token", "--bot", "Parrot"]) == OK
    assert capsys.readouterr().out.startswith("sbt_")
    for said in ("Restart the server, then run this again", "0 values are sealed"):
        assert main(["secret", "rotate"]) == OK
        assert said in capsys.readouterr().out
    assert main(["restore"]) == OK
    assert not (on_postgres / "shopbell.db").exists()


@pytest.mark.parametrize("command", [["migrate"], ["seed"], ["serve"]])
def test_a_postgres_that_is_away_is_said_plainly_and_without_its_password(
    data: Path, command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SHOPBELL_STORE", "postgresql://bell:hunter2@127.0.0.1:1/bell")

    assert main(command) == FAILED

    said = capsys.readouterr().err
    assert said.startswith("shopbell: the database can't be used")
    assert "hunter2" not in said
    assert "Traceback" not in said
