"""Redis is asked as nodes ask it: by their user, with their commands and their channels."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.exceptions import BusyLoadingError, OutOfMemoryError, ReadOnlyError

from gateway.doctor import bus
from gateway.doctor.bus import RULE, Told, explain, judge, look
from gateway.doctor.clocks import HERE
from gateway.doctor.finding import Finding
from tests.servers import RedisServer, a_free_port

OPERATIONS = Path(__file__).parents[3] / "docs" / "operations.md"
PASSWORD = "a-password-of-redis"


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One of our own, as it gets users and is stopped."""
    server = RedisServer(tmp_path_factory.mktemp("redis"), a_free_port())
    yield server
    server.stop()


def user(redis: RedisServer, *rules: str) -> str:
    """The URL for a user with these rules."""
    assert redis.ask("ACL", "SETUSER", "bell", "reset", *rules) == "OK"
    return redis.url.replace("//", f"//bell:{PASSWORD}@")


def looked(url: str) -> list[Finding]:
    return asyncio.run(look(url))[0]


def test_what_one_node_says_another_hears(redis: RedisServer) -> None:
    findings, clock = asyncio.run(look(redis.url))

    assert findings[0].level == "ok"
    assert "is heard in" in findings[0].text
    assert "as the user `default`" in findings[1].text
    assert clock is not None
    assert abs(clock.ahead) < 1
    assert redis.ask("DBSIZE") == "0", "nothing is left there"


def test_the_rule_that_it_advises_is_enough_and_the_documents(redis: RedisServer) -> None:
    assert f"ACL SETUSER shopbell {RULE}\n" in OPERATIONS.read_text()
    url = user(redis, *RULE.replace("<password>", PASSWORD).split())

    assert [finding.level for finding in looked(url)] == ["ok"]


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (("on", f">{PASSWORD}", "~other:*", "&shopbell:*", "+@all"), "may not do what nodes do"),
        (("on", f">{PASSWORD}", "~shopbell:*", "&shopbell:*", "+@all", "-@scripting"), "may not do what nodes do"),
        (("on", f">{PASSWORD}", "~shopbell:*", "resetchannels", "+@all"), "doesn't reach another"),
        (("on", ">something else", "allkeys", "allchannels", "+@all"), "the password isn't right"),
    ],
)
def test_what_a_user_lacks_is_said(
    redis: RedisServer, rules: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus, "HEALTHY_SECONDS", 0.5)

    finding = looked(user(redis, *rules))[0]

    assert finding.level == "fail"
    assert said in finding.text
    assert PASSWORD not in finding.text


def test_a_redis_that_is_away_is_told() -> None:
    assert "nothing listens there" in looked(f"redis://127.0.0.1:{a_free_port()}")[0].text


def test_tls_where_there_is_none_is_told(redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus, "SECONDS", 0.2)  # Redis waits for the end of what makes no sense to it

    assert "where there is no TLS" in looked(redis.url.replace("redis:", "rediss:"))[0].text


@pytest.mark.parametrize(
    ("scheme", "options", "said"),
    [
        ("redis+cluster", "", "it isn't a Cluster"),
        ("redis+sentinel", "?service=bell", "a Redis and no Sentinel"),
    ],
)
def test_a_redis_of_another_kind_is_told(redis: RedisServer, scheme: str, options: str, said: str) -> None:
    assert said in looked(f"{scheme}://127.0.0.1:{redis.port}{options}")[0].text


def test_a_redis_that_hangs_is_told(redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus, "SECONDS", 0.2)
    assert redis._process is not None
    os.kill(redis._process.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        finding = looked(redis.url)[0]
    finally:
        os.kill(redis._process.pid, signal.SIGCONT)

    assert "no answer in time" in finding.text
    assert time.monotonic() - began < 5


def test_in_memory_there_is_nothing_to_ask() -> None:
    findings, clock = asyncio.run(look("memory"))

    assert ([finding.level for finding in findings], clock) == (["ok"], None)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ReadOnlyError("You can't write against a read only replica."), "the primary"),
        (BusyLoadingError("loading"), "loading a file"),
        (OutOfMemoryError("OOM"), "its memory is full"),
        (ssl.SSLCertVerificationError("certificate verify failed"), "its certificate isn't trusted"),
        (ValueError("odd"), "ValueError odd"),
    ],
)
def test_why_it_cant_be_used_is_said(error: Exception, said: str) -> None:
    assert said in explain(error).text


def test_a_redis_far_away_is_noted() -> None:
    findings = judge(Told(ms=70.0, user="bell", clock=HERE), 0.08)

    assert [finding.level for finding in findings] == ["ok", "note"]
    assert "70 ms away" in findings[1].text
