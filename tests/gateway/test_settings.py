"""Settings: one table, defaults that hold together, every problem at once, secrets that never print."""

from dataclasses import fields
from pathlib import Path

import pytest

from gateway import settings
from gateway.limits import Rate
from gateway.origins import Origin
from gateway.settings import TABLE, BadSettings, Settings, read


def problems(**environment: str) -> list[str]:
    with pytest.raises(BadSettings) as bad:
        read(environment)
    return bad.value.problems


def test_the_defaults_are_the_embedded_server_on_this_machine() -> None:
    found = read({})

    assert found.store == "sqlite:///./var/shopbell.db"
    assert found.store_path == Path("./var/shopbell.db")
    assert (found.host, found.port) == ("127.0.0.1", 8000)
    assert found.public_url == (Origin("http", "127.0.0.1", 8000), Origin("http", "localhost", 8000))
    assert found.secret is None
    assert not found.is_https


def test_every_field_is_a_line_of_the_table() -> None:
    assert [line.name for line in TABLE] == [each.name for each in fields(Settings)]
    assert all(line.help.endswith((".", ")")) for line in TABLE)


@pytest.mark.parametrize("line", TABLE, ids=lambda line: line.name)
def test_every_setting_can_be_given_as_its_default_is_written(line: settings.Setting) -> None:
    given = {} if not line.default else {line.variable: line.default}

    assert read(given) == read({})


def test_defaults_follow_the_settings_that_they_are_made_of() -> None:
    found = read({"SHOPBELL_DATA": "/srv/bell", "SHOPBELL_PORT": "9000"})

    assert found.store_path == Path("/srv/bell/shopbell.db")
    assert [str(origin) for origin in found.public_url] == ["http://127.0.0.1:9000", "http://localhost:9000"]


def test_a_procfile_host_sets_port_and_database_and_is_listened_to_from_outside() -> None:
    found = read({"PORT": "5000", "DATABASE_URL": "sqlite:////data/bell.db"})

    assert (found.host, found.port, found.store_path) == ("0.0.0.0", 5000, Path("/data/bell.db"))


def test_our_own_names_go_before_the_platforms() -> None:
    found = read({"PORT": "5000", "SHOPBELL_PORT": "6000", "SHOPBELL_HOST": "127.0.0.1"})

    assert (found.host, found.port) == ("127.0.0.1", 6000)


def test_an_empty_variable_counts_as_not_set() -> None:
    assert read({"SHOPBELL_PORT": " ", "SHOPBELL_SECRET": ""}) == read({})


def test_all_problems_are_told_at_once_one_line_each() -> None:
    told = problems(
        SHOPBELL_PORT="eighty",
        SHOPBELL_LOG="xml",
        SHOPBELL_RATE_BOT_MESSAGES="fast",
        SHOPBELL_PUBLIC_URL="shop.example",
        SHOPBELL_TRUSTED_PROXIES="10.0.0.0/99",
        DATABASE_URL="mysql://somewhere",
        SHOPBELL_PING_SECONDS="5",
    )

    assert [line.split()[0] for line in told] == [
        "DATABASE_URL",
        "SHOPBELL_PORT",
        "SHOPBELL_PUBLIC_URL",
        "SHOPBELL_TRUSTED_PROXIES",
        "SHOPBELL_LOG",
        "SHOPBELL_RATE_BOT_MESSAGES",
        "SHOPBELL_PONG_SECONDS",
    ]
    assert all("\n" not in line and line.endswith(".") for line in told)


def test_a_bad_port_is_one_problem_and_not_also_a_bad_address() -> None:
    assert len(problems(SHOPBELL_PORT="x")) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1/s burst 10", Rate(1, 10)),
        ("50/s", Rate(50, 50)),
        ("120/60s", Rate(2, 120)),
        ("1200/60s burst 5", Rate(20, 5)),
    ],
)
def test_a_rate_is_read(text: str, expected: Rate) -> None:
    assert read({"SHOPBELL_RATE_BOT_MESSAGES": text}).rate_bot_messages == expected


@pytest.mark.parametrize(
    "text", ["0/s", "1/0s", "1/s burst 0", "1", "1/m", "-1/s", "1/s burst", "1/s burst 5 "[:-1] + "x"]
)
def test_what_is_no_rate_is_refused(text: str) -> None:
    assert len(problems(SHOPBELL_RATE_BOT_MESSAGES=text)) == 1


@pytest.mark.parametrize("text", ["-1", "65536", "1e3", "8000.0", "٣", "9" * 30])
def test_what_is_no_port_is_refused(text: str) -> None:
    assert len(problems(SHOPBELL_PORT=text)) == 1


def test_a_secret_never_prints() -> None:
    found = read({"SHOPBELL_SECRET": "x" * 40})

    assert found.secret is not None
    assert found.secret.reveal() == b"x" * 40
    assert "xxx" not in f"{found} {found.secret}"


def test_what_may_be_secret_is_not_in_its_problem() -> None:
    told = problems(SHOPBELL_SECRET="too-short", DATABASE_URL="postgres://bell:hunter2@db")

    assert len(told) == 2
    assert "too-short" not in "".join(told)
    assert "hunter2" not in "".join(told)


def test_https_everywhere_makes_secure_cookies() -> None:
    assert read({"SHOPBELL_PUBLIC_URL": "https://chat.example"}).is_https
    assert not read({"SHOPBELL_PUBLIC_URL": "https://chat.example, http://localhost:8000"}).is_https


def test_a_slip_of_the_pen_is_pointed_out() -> None:
    told = list(settings.unknown({"SHOPBELL_PROT": "1", "SHOPBELL_SEED": "4", "PATH": "", "SHOPBELL_PORT": "8000"}))

    assert told == ["SHOPBELL_PROT is no setting; SHOPBELL_PORT is one."]


def test_a_secret_that_is_being_replaced_stands_behind_the_new_one() -> None:
    found = read({"SHOPBELL_SECRET": "n" * 40, "SHOPBELL_SECRET_BEFORE": "o" * 40})

    assert found.secrets == (b"n" * 40, b"o" * 40)
    assert "nnn" not in f"{found}"
    assert "ooo" not in f"{found}"
    assert read({"SHOPBELL_SECRET": "n" * 40}).secrets == (b"n" * 40,)
    assert read({}).secrets == ()


@pytest.mark.parametrize(
    "given",
    [{"SHOPBELL_SECRET_BEFORE": "o" * 40}, {"SHOPBELL_SECRET": "n" * 40, "SHOPBELL_SECRET_BEFORE": "o" * 20}],
    ids=["alone", "too short"],
)
def test_one_that_replaces_nothing_is_a_mistake(given: dict[str, str]) -> None:
    with pytest.raises(BadSettings) as refused:
        read(given)

    assert "SHOPBELL_SECRET_BEFORE" in refused.value.problems[0]
    assert "ooo" not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["file:///srv/files", "file://./var/files", "s3://bucket/prefix", "gs://bucket", "az://container/prefix"]
)
def test_files_are_in_a_folder_or_a_bucket(url: str) -> None:
    assert read({"SHOPBELL_FILES": url}).files == url


def test_files_are_in_the_data_folder_unless_told_otherwise() -> None:
    assert read({"SHOPBELL_DATA": "/srv/bell"}).files == "file:///srv/bell/files"


@pytest.mark.parametrize("url", ["/srv/files", "https://user:secret@host/files", "ftp://host", "file://", "s3://a b"])
def test_what_is_no_place_for_files_is_refused_and_not_shown(url: str) -> None:
    (problem,) = problems(SHOPBELL_FILES=url)
    assert problem.startswith("SHOPBELL_FILES must be file://")
    assert "secret" not in problem


def test_types_of_files_are_families_and_single_types() -> None:
    assert read({"SHOPBELL_UPLOAD_TYPES": " Image,application/pdf "}).upload_types == ("image", "application/pdf")
    for bad in ("images", "image/*", ","):
        assert problems(SHOPBELL_UPLOAD_TYPES=bad)


@pytest.mark.parametrize(
    "url",
    [
        "postgres://bell:hunter2@db.example:5432/bell?sslmode=require",
        "postgresql://bell@db/bell",
        "postgresql+asyncpg://db/bell",
        "postgresql:///bell?host=/run/postgresql",
    ],
)
def test_the_store_may_be_postgres(url: str) -> None:
    found = read({"SHOPBELL_STORE": url})

    assert found.is_on_postgres
    assert found.store == url
    assert found.lanes == 4


@pytest.mark.parametrize("text", ["/srv/bell.db", "sqlite:////srv/bell.db"])
def test_the_store_may_be_a_file(text: str) -> None:
    found = read({"SHOPBELL_STORE": text})

    assert not found.is_on_postgres
    assert found.store_path == Path("/srv/bell.db")


@pytest.mark.parametrize("text", ["mysql://db/bell", "postgres://bell@db", "postgres://db/a b", "sqlite://", "x:y"])
def test_what_is_no_store_is_refused(text: str) -> None:
    (problem,) = problems(SHOPBELL_STORE=text)
    assert problem.startswith("SHOPBELL_STORE must be a file")


def test_presence_is_where_the_bus_is_unless_told_otherwise() -> None:
    url = "redis://:hunter2@cache:6379/1"

    assert (read({}).bus, read({}).presence) == ("memory", "memory")
    assert read({"SHOPBELL_BUS": "memory:"}).bus == "memory"
    assert (read({"SHOPBELL_BUS": url}).bus, read({"SHOPBELL_BUS": url}).presence) == (url, url)
    assert read({"SHOPBELL_BUS": url, "SHOPBELL_PRESENCE": "memory"}).presence == "memory"


@pytest.mark.parametrize(
    "url",
    [
        "redis://cache",
        "rediss://bell:x@[::1]:6380/2?ssl_check_hostname=false",
        "redis://10.0.0.7/",
        "redis+sentinel://one,two:26380/1?service=bell",
        "rediss+cluster://:x@one:7001,two",
    ],
)
def test_the_bus_may_be_redis(url: str) -> None:
    assert read({"SHOPBELL_BUS": url}).bus == url


@pytest.mark.parametrize("url", ["redis://:hunter2@cache:port/0", "redis:hunter2", "amqp://hunter2@rabbit", "redis://"])
def test_what_is_no_bus_is_one_problem_and_not_shown(url: str) -> None:
    (problem,) = problems(SHOPBELL_BUS=url)

    assert problem.startswith("SHOPBELL_BUS must be memory or redis://")
    assert "hunter2" not in problem


@pytest.mark.parametrize(
    ("text", "expected"), [("auto", None), ("Auto", None), ("0", 0.0), ("7.5", 7.5)], ids=lambda value: str(value)
)
def test_what_may_be_found_out_is_a_value_or_auto(text: str, expected: float | None) -> None:
    assert read({"SHOPBELL_DRAIN_WAIT_SECONDS": text}).drain_wait_seconds == expected


def test_neither_a_value_nor_auto_is_told_so() -> None:
    assert problems(SHOPBELL_DRAIN_WAIT_SECONDS="soon") == [
        "SHOPBELL_DRAIN_WAIT_SECONDS must be auto or a number from 0 to 300, not 'soon'."
    ]


def test_a_node_is_alone_unless_there_is_a_bus_to_others() -> None:
    assert read({}).is_alone
    assert not read({"SHOPBELL_BUS": "redis://127.0.0.1"}).is_alone
