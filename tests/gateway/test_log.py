"""The log: one line each, in the form that was asked for, without a secret in it."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from chat.keys import API_TOKEN_PREFIX, SESSION_PREFIX, fresh_secret
from gateway import log


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


def logged(form: str, *lines: tuple[object, ...], level: str = "info") -> str:
    stream = io.StringIO()
    log.configure(form, level, stream)
    for line, *arguments in lines:
        logging.getLogger("gateway.test").info(line, *arguments)
    return stream.getvalue()


def test_a_plain_line_is_for_people() -> None:
    token = log.context.set({"account": "acc_1"})
    line = logged("plain", ("%s left after %d s", "agt_1", 7))
    log.context.reset(token)

    assert line.endswith("INFO    gateway.test: agt_1 left after 7 s  account=acc_1\n")


def test_a_json_line_is_for_programs_and_carries_its_context() -> None:
    token = log.context.set({"account": "acc_1", "connection": "7"})
    line = json.loads(logged("json", ("two\nlines ไทย",)))
    log.context.reset(token)

    assert line["message"] == "two\nlines ไทย"
    assert (line["level"], line["logger"]) == ("info", "gateway.test")
    assert (line["account"], line["connection"]) == ("acc_1", "7")
    assert line["at"].endswith("+00:00")


def test_without_a_terminal_the_lines_are_json() -> None:
    assert logged("auto", ("hello",)).startswith("{")


def test_below_its_level_nothing_is_logged() -> None:
    assert logged("plain", ("hello",), level="warning") == ""


def test_a_bug_is_one_json_line_with_its_traceback() -> None:
    stream = io.StringIO()
    log.configure("json", "info", stream)
    try:
        raise ZeroDivisionError("of course")
    except ZeroDivisionError:
        logging.getLogger("gateway.test").exception("this went wrong")

    (line,) = stream.getvalue().splitlines()
    assert "ZeroDivisionError: of course" in json.loads(line)["traceback"]


@pytest.mark.parametrize("form", ["plain", "json"])
@pytest.mark.parametrize(
    "secret",
    [
        fresh_secret(SESSION_PREFIX),
        fresh_secret(API_TOKEN_PREFIX),
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjb25fMSJ9.c2lnbmF0dXJl",
    ],
    ids=["session", "api token", "socket token"],
)
def test_a_secret_that_slips_in_is_blotted_out(form: str, secret: str) -> None:
    line = logged(form, ("cookie shopbell=%s; token=%s", secret, secret))

    assert secret not in line
    assert secret[10:30] not in line
    assert "cookie shopbell=…; token=…" in line


def test_a_pool_that_tries_again_and_again_says_nothing_of_it() -> None:
    stream = io.StringIO()
    log.configure("plain", "info", stream)

    logging.getLogger("asyncpg.pool").warning("Failed to restore the pool connection floor; retrying")

    assert stream.getvalue() == ""


def test_uvicorn_says_things_once_and_nothing_of_each_request() -> None:
    stream = io.StringIO()
    log.configure("plain", "info", stream)

    logging.getLogger("uvicorn.error").info("started")
    logging.getLogger("uvicorn.access").info("GET /")

    assert len(stream.getvalue().splitlines()) == 1
