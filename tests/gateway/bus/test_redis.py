"""What the Redis bus adds to a bus's promises: every loss is known, and it comes back by itself."""

from __future__ import annotations

import asyncio
import os
import random
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from gateway.bus import line, pulse
from gateway.bus.parcel import join, stamp
from gateway.bus.redis import RedisBus
from gateway.redis_client import new_client
from tests.certificates import a_certificate
from tests.ears import HEALED_SECONDS, Ear, assert_they_talk, eventually, make_quick, running, two_ears
from tests.servers import RedisServer, a_free_port

SEED = int(os.environ.get("SHOPBELL_SEED", "0")) or random.randrange(2**32)


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One that a test may hurt."""
    server = RedisServer(tmp_path_factory.mktemp("redis"), a_free_port())
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    make_quick(monkeypatch)


async def test_a_redis_that_is_killed_and_comes_back_empty_is_a_gap(server: RedisServer) -> None:
    async with two_ears(server.url) as (speaker, listener):
        await assert_they_talk(speaker, listener, b"before")
        server.kill()
        await eventually(lambda: not listener.bus.is_healthy and not speaker.bus.is_healthy)
        speaker.bus.publish("acc_1", b"lost")
        assert speaker.bus.dropped == 1
        before = listener.gaps

        server.start()
        back_at = time.monotonic()
        await eventually(lambda: listener.bus.is_healthy and speaker.bus.is_healthy)
        assert time.monotonic() - back_at < HEALED_SECONDS
        assert listener.gaps > before
        await assert_they_talk(speaker, listener, b"after")
    assert listener.heard == [b"before", b"after"]


async def test_a_connection_that_is_cut_is_a_gap_and_made_again(server: RedisServer) -> None:
    async with two_ears(server.url) as (speaker, listener):
        await asyncio.to_thread(server.ask, "CLIENT", "KILL", "TYPE", "pubsub")
        await eventually(lambda: listener.gaps == 1)  # it begins
        await eventually(lambda: listener.gaps > 1)  # and ends

        await eventually(lambda: listener.bus.is_healthy and speaker.bus.is_healthy)
        await assert_they_talk(speaker, listener, b"after")


async def test_what_is_forgotten_by_redis_matters_to_nobody(server: RedisServer) -> None:
    async with two_ears(server.url) as (speaker, listener):
        await asyncio.to_thread(server.ask, "FLUSHALL")

        await assert_they_talk(speaker, listener, b"after")


async def test_a_redis_that_stands_still_is_suspected_long_before_its_connection_is_given_up(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "SILENCE_SECONDS", 60)
    monkeypatch.setattr(pulse, "DEAF_SECONDS", 60)
    async with two_ears(server.url) as (speaker, listener):
        clients = await asyncio.to_thread(server.clients)
        await asyncio.to_thread(server.ask, "CLIENT", "PAUSE", "1000", "ALL")
        await eventually(lambda: not listener.bus.is_healthy and not speaker.bus.is_healthy, 0.9)
        await eventually(lambda: listener.gaps, 0.2)  # so that the store is looked at at once
        speaker.bus.publish("acc_1", b"meanwhile")

        await eventually(lambda: listener.bus.is_healthy and speaker.bus.is_healthy)

        await eventually(lambda: listener.heard == [b"meanwhile"])
        assert await asyncio.to_thread(server.clients) == clients


async def test_a_redis_that_stands_still_for_long_is_given_up(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse, "DEAF_SECONDS", 60)
    async with two_ears(server.url) as (speaker, listener):
        server.freeze()
        speaker.bus.publish("acc_1", b"lost")
        await eventually(lambda: speaker.bus.dropped == 1)

        before = listener.gaps
        server.thaw()

        await eventually(lambda: listener.bus.is_healthy and speaker.bus.is_healthy and listener.gaps > before)
        await assert_they_talk(speaker, listener, b"after")


async def test_who_does_not_hear_itself_is_deaf_and_begins_anew(server: RedisServer) -> None:
    async with two_ears(server.url) as (speaker, listener):
        (own,) = listener.bus._lines.values()
        listener.bus._take = lambda name, data: None  # type: ignore[method-assign]
        deaf, own._ear = own._connection, own._ear._replace(take=listener.bus._take)
        await eventually(lambda: own._connection not in (deaf, None))
        assert not listener.bus.is_healthy
        own._ear = own._ear._replace(take=RedisBus._take.__get__(listener.bus))

        await eventually(lambda: listener.bus.is_healthy)
        await assert_they_talk(speaker, listener, b"after")


async def test_a_node_that_another_one_does_not_hear_any_more_makes_that_one_look_at_the_store(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse, "REMEMBER_SECONDS", 1.0)
    async with two_ears(server.url) as (speaker, listener):
        (of_speaker,) = speaker.bus._lines.values()
        await eventually(lambda: all(line.pulse.others for line in listener.bus._lines.values()))
        of_speaker._say = lambda says: None  # type: ignore[method-assign]  # cut off, and writing to the store

        await eventually(lambda: not listener.bus.is_healthy and listener.gaps)
        assert listener.bus.is_here

        await eventually(lambda: listener.bus.is_healthy)  # it is gone, as far as anybody knows


async def test_a_node_that_ends_says_so_and_nobody_waits_for_it(server: RedisServer) -> None:
    async with two_ears(server.url) as (speaker, listener):
        leaver = Ear(server.url)
        async with running(leaver):
            await eventually(lambda: leaver.bus.is_healthy and speaker.bus.is_healthy)
            (of_listener,) = listener.bus._lines.values()
            await eventually(lambda: of_listener.pulse.others == 2)

        await eventually(lambda: of_listener.pulse.others == 1, pulse.SUSPECT_SECONDS / 2)


async def test_whoever_lost_what_it_published_has_others_look_at_the_store(server: RedisServer) -> None:
    async with two_ears(server.url) as (speaker, listener):
        (of_speaker,) = speaker.bus._lines.values()
        before = listener.gaps
        for _ in range(3):
            speaker.bus._drop(1)

        await eventually(lambda: listener.gaps > before)
        assert speaker.count("bus_dropped_total") == 3
        assert not of_speaker._owes


async def test_a_wrong_password_is_known_and_tried_again(server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    await asyncio.to_thread(server.ask, "CONFIG", "SET", "requirepass", "right")
    ear = Ear(server.url.replace("redis://", "redis://:hunter2@"))
    async with running(ear):
        await ear.bus.subscribe("acc_1")
        ear.bus.publish("acc_1", b"nobody hears this")
        await eventually(lambda: caplog.messages)
        assert ear.bus.dropped == 1
        assert not ear.bus.is_healthy

        await asyncio.to_thread(server.ask, "-a", "right", "CONFIG", "SET", "requirepass", "hunter2")

        await eventually(lambda: ear.bus.is_healthy)
        assert ear.gaps  # what was published before it could listen is lost
    assert "AuthenticationError" in caplog.messages[0]
    assert "hunter2" not in caplog.text


async def test_a_password_that_is_set_while_it_runs_is_wrong_for_new_connections_alone(server: RedisServer) -> None:
    async with two_ears(server.url.replace("redis://", "redis://:later@")) as _:
        pass  # without a password any is right
    async with two_ears(server.url) as (speaker, listener):
        await asyncio.to_thread(server.ask, "CONFIG", "SET", "requirepass", "later")
        await assert_they_talk(speaker, listener, b"still")

        await asyncio.to_thread(server.ask, "-a", "later", "CLIENT", "KILL", "TYPE", "pubsub")
        await eventually(lambda: not listener.bus.is_healthy)
        await asyncio.sleep(0.3)
        assert not listener.bus.is_healthy

        await asyncio.to_thread(server.ask, "-a", "later", "CONFIG", "SET", "requirepass", "")
        await eventually(lambda: listener.bus.is_healthy and speaker.bus.is_healthy)
        await assert_they_talk(speaker, listener, b"again")


async def test_a_user_who_may_nothing_but_what_is_ours_is_enough(server: RedisServer) -> None:
    """What docs/operations.md says that Redis must allow."""
    rights = re.search(r"ACL SETUSER (shopbell .*)", Path("docs/operations.md").read_text())
    assert rights
    words = rights[1].replace("<password>", "secret").replace("shopbell:*", "test:*").split()
    assert await asyncio.to_thread(server.ask, "ACL", "SETUSER", *words) == "OK"
    url = server.url.replace("redis://", "redis://shopbell:secret@")

    async with two_ears(url) as (speaker, listener):
        await assert_they_talk(speaker, listener, b"allowed")
    client = Redis.from_url(url)
    for forbidden in (("KEYS", "*"), ("PUBLISH", "others", "x"), ("FLUSHALL",), ("CONFIG", "GET", "*")):
        with pytest.raises(Exception, match=r"(?i)no permission"):
            await client.execute_command(*forbidden)  # type: ignore[no-untyped-call]
    await client.aclose()


async def test_a_right_that_is_missing_is_said(server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    await asyncio.to_thread(
        server.ask, "ACL", "SETUSER", "bell", "on", ">x", "resetchannels", "&test:*", "+@all", "-publish"
    )
    ear = Ear(server.url.replace("redis://", "redis://bell:x@"))
    async with running(ear):
        await eventually(lambda: caplog.messages)
        assert not ear.bus.is_healthy

    assert "NoPermissionError" in caplog.messages[0]
    assert "publish" in caplog.messages[0]


async def test_a_redis_with_tls_is_believed_by_whoever_trusts_its_certificate(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    certificate, key = a_certificate(tmp_path / "trusted")
    port = a_free_port()
    options = {"tls-port": port, "tls-cert-file": certificate, "tls-key-file": key, "tls-auth-clients": "no"}
    given = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
    server = RedisServer(tmp_path, a_free_port(), *given)
    url = f"rediss://127.0.0.1:{port}?ssl_ca_certs={certificate}"
    async with two_ears(url) as (speaker, listener):
        await assert_they_talk(speaker, listener, b"secretly")
    client = new_client(url)
    assert await client.get("test") is None
    await client.aclose()

    other, _ = a_certificate(tmp_path / "other")
    stranger = Ear(f"rediss://127.0.0.1:{port}?ssl_ca_certs={other}")
    async with running(stranger):
        await eventually(lambda: caplog.messages)
        assert not stranger.bus.is_here
    assert "CERTIFICATE_VERIFY_FAILED" in caplog.messages[0]
    server.stop()


async def test_when_redis_takes_no_more_clients_it_is_away_and_tried_again(server: RedisServer) -> None:
    async with two_ears(server.url) as (speaker, listener):
        client = Redis.from_url(server.url)
        await client.config_set("maxclients", 1)
        await client.client_kill_filter(_type="pubsub")
        await eventually(lambda: not (listener.bus.is_healthy or speaker.bus.is_healthy))
        await asyncio.sleep(0.3)
        assert not listener.bus.is_healthy
        assert not speaker.bus.is_healthy

        await client.config_set("maxclients", 100)
        await client.aclose()

        await eventually(lambda: listener.bus.is_healthy and speaker.bus.is_healthy)
        await assert_they_talk(speaker, listener, b"after")


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x01",
        b"{}",
        b"\x02newer nodes write this",
        stamp(b"somebody") + b"\0\0\0\5cut",
        stamp(b"somebody") + b"\0",
    ],
)
async def test_what_makes_no_sense_is_a_gap_but_never_the_end(server: RedisServer, payload: bytes) -> None:
    async with two_ears(server.url) as (speaker, listener):
        client = Redis.from_url(server.url)
        await client.publish("test:{acc_1}:ledger", payload)
        await client.publish("test:pulse:{0}", payload)
        await client.aclose()

        await assert_they_talk(speaker, listener, b"after")
        assert listener.gaps
        assert listener.heard == [b"after"]
        assert listener.count("bus_senseless_total") == (0 if payload[:1] == b"\x02" else 2)


async def test_a_listener_that_fails_on_a_payload_hears_the_next_one(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with two_ears(server.url) as (speaker, listener):

        def hear(channel: str, payload: bytes) -> None:
            if payload == b"poison":
                raise LookupError("as a listener has a fault")
            listener.heard.append(payload)

        listener.bus.listen(hear, listener._gap)
        for _ in range(3):
            speaker.bus.publish("acc_1", b"poison")

        await assert_they_talk(speaker, listener, b"after")
        assert listener.gaps
    assert len([line for line in caplog.messages if "makes no sense" in line]) == 1  # however many there are
    assert "as a listener has a fault" in caplog.text


async def test_what_was_published_last_still_goes_out_when_a_node_ends(server: RedisServer) -> None:
    async with two_ears(server.url) as (_, listener):
        leaver = Ear(server.url)
        task = asyncio.create_task(leaver.bus.run())
        await eventually(lambda: leaver.bus.is_healthy)
        words = []
        for turns in range(4):  # before it is taken, while it is sent, while its answer is due
            words.append(b"word %d" % turns)
            leaver.bus.publish("acc_1", words[-1])
            for _ in range(turns):
                await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

        await eventually(lambda: listener.heard == words)
        assert leaver.bus.dropped == 0


async def test_the_last_words_of_a_node_are_not_waited_for_for_ever(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "LAST_SECONDS", 0.1)
    leaver = Ear(server.url)
    task = asyncio.create_task(leaver.bus.run())
    await eventually(lambda: leaver.bus.is_healthy)
    server.freeze()
    leaver.bus.publish("acc_1", b"nobody hears this")
    began = time.monotonic()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert time.monotonic() - began < 1
    assert leaver.bus.dropped == 1  # and known to be


async def test_a_redis_that_is_away_is_told_once_however_often_it_is_tried(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.kill()
    ear = Ear(server.url)
    with caplog.at_level("INFO"):
        async with running(ear):
            await eventually(lambda: caplog.messages)
            for _ in range(3):
                ear.bus.publish("acc_1", b"nobody hears this")
                await asyncio.sleep(0.15)
            assert len(caplog.messages) == 1

            server.start()
            await eventually(lambda: ear.bus.is_healthy)

    assert "away" in caplog.messages[0]
    assert caplog.messages[1:] == ["the bus is here again"]


async def test_a_subscription_while_redis_is_away_returns_at_once_and_counts_later(server: RedisServer) -> None:
    """centrifuge #491 crashed on it."""
    server.kill()
    speaker, listener = Ear(server.url), Ear(server.url)
    async with running(speaker, listener):
        began = time.monotonic()
        await listener.bus.subscribe("acc_1")
        await listener.bus.subscribe("acc_gone")
        await listener.bus.unsubscribe("acc_gone")
        assert time.monotonic() - began < 0.1

        server.start()
        await eventually(lambda: listener.bus.is_healthy and speaker.bus.is_healthy)
        assert listener.gaps
        await assert_they_talk(speaker, listener, b"after")
        assert "acc_gone" not in await asyncio.to_thread(server.ask, "PUBSUB", "CHANNELS")


async def test_what_waits_for_redis_is_bounded_and_what_is_beyond_is_known_to_be_lost(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "UNANSWERED", 3)
    async with two_ears(server.url) as (speaker, listener):
        for number in range(5):
            speaker.bus.publish("acc_1", b"%d" % number)
        assert speaker.bus.dropped == 2

        await eventually(lambda: listener.heard == [b"0", b"1", b"2"])
        await eventually(lambda: listener.gaps)  # the others are told
        await assert_they_talk(speaker, listener, b"after")


async def test_bytes_that_wait_for_redis_are_bounded_too(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "UNANSWERED_BYTES", 1_000_000)
    async with two_ears(server.url) as (speaker, _):
        server.freeze()
        for _ in range(100):
            speaker.bus.publish("acc_1", bytes(100_000))
            await asyncio.sleep(0)
        assert speaker.bus.dropped == 90
        server.thaw()


async def test_everything_of_one_turn_of_the_loop_is_one_publish_per_account(server: RedisServer) -> None:
    async with two_ears(server.url) as (speaker, listener):
        await listener.bus.subscribe("acc_2")
        await asyncio.to_thread(server.ask, "CONFIG", "RESETSTAT")
        seen: list[str] = []
        listener.bus._hear = lambda channel, payload: seen.append(f"{channel} {payload.decode()}")

        for number in range(100):
            for account in ("acc_1", "acc_2"):
                speaker.bus.publish(account, b"%d" % number)
        await eventually(lambda: len(seen) == 200)

        stats = await asyncio.to_thread(server.ask, "INFO", "commandstats")
        found = re.search(r"cmdstat_publish:calls=(\d+)", stats)
        assert found
        beats = 40
        assert int(found[1]) <= 2 + beats
        for account in ("acc_1", "acc_2"):
            assert [line for line in seen if line.startswith(account)] == [f"{account} {n}" for n in range(100)]
        assert speaker.count("bus_published_total") == 200
        assert listener.count("bus_heard_total") == 200


async def test_a_flood_leaves_others_their_turn_on_the_loop(server: RedisServer) -> None:
    async with two_ears(server.url) as (_, listener):
        client = Redis.from_url(server.url)
        at: list[int] = []
        pipeline = client.pipeline(transaction=False)
        for _ in range(2000):
            _ = pipeline.publish("test:{acc_1}:ledger", join(stamp(b"somebody"), [b"x"]))
        flood = asyncio.create_task(pipeline.execute())
        while len(listener.heard) < 2000:
            at.append(len(listener.heard))
            await asyncio.sleep(0)
        await flood
        await client.aclose()

        assert max(later - earlier for earlier, later in zip(at, [*at[1:], 2000], strict=True)) <= 2 * line.TURN


async def test_a_connection_ends_when_its_bytes_are_not_acknowledged(server: RedisServer) -> None:
    """What a blackhole does: keepalive says nothing while bytes of ours are on their way."""
    async with two_ears(server.url) as (speaker, _):
        (own,) = speaker.bus._lines.values()
        assert own._transport is not None
        connection = own._transport.get_extra_info("socket")

        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 10_000
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


async def test_reconnecting_for_ever_leaves_nothing_behind(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """python-socketio #1569 left a socket behind each time."""
    monkeypatch.setattr(line, "BACKOFF_SECONDS", (0.0, 0.0))
    async with two_ears(server.url) as (speaker, listener):
        (own,) = listener.bus._lines.values()
        files = len(os.listdir("/proc/self/fd"))
        tasks = len(asyncio.all_tasks())
        for turn in range(100):
            gaps = listener.gaps
            assert own._transport is not None
            own._transport.abort()
            await eventually(lambda: listener.gaps > gaps and listener.bus.is_healthy)  # noqa: B023
            if turn % 20 == 0:
                await assert_they_talk(speaker, listener, b"%d" % turn)

        await eventually(lambda: len(os.listdir("/proc/self/fd")) <= files and len(asyncio.all_tasks()) == tasks)
        assert await asyncio.to_thread(server.clients) == 2


async def test_a_storm_of_cancellations_gives_nothing_to_whom_it_is_not_for(server: RedisServer) -> None:
    """CVE-2023-28858, redis-py #4123 and #3941: answers that somebody else reads, connections that leak, locks that
    are never let go."""
    seed = random.Random(SEED)
    heard: list[tuple[str, bytes]] = []
    async with two_ears(server.url) as (speaker, listener):
        listener.bus.listen(lambda channel, payload: heard.append((channel, payload)), listener._gap)
        for turn in range(40):
            accounts = [f"acc_{turn}_{n}" for n in range(6)]
            joining = [asyncio.create_task(listener.bus.subscribe(account)) for account in accounts]
            leaver = Ear(server.url)
            leaving = asyncio.create_task(leaver.bus.run())
            for task in joining:
                for _ in range(seed.randrange(4)):
                    await asyncio.sleep(0)
                if seed.random() < 0.5:
                    task.cancel()
            await asyncio.gather(*joining, return_exceptions=True)
            leaver.bus.publish(accounts[0], accounts[0].encode())
            for account in accounts:
                speaker.bus.publish(account, account.encode())
            for _ in range(seed.randrange(20)):
                await asyncio.sleep(0)
            leaving.cancel()
            await asyncio.gather(leaving, return_exceptions=True)
            for account in accounts:
                await listener.bus.unsubscribe(account)
        await listener.bus.subscribe("acc_1")
        speaker.bus.publish("acc_1", b"acc_1")
        await eventually(lambda: heard[-1] == ("acc_1", b"acc_1"))

        assert [each for each in heard if each[0].encode() != each[1]] == [], f"SHOPBELL_SEED={SEED}"
        assert len({channel for channel, _ in heard}) > 100
        assert speaker.bus.is_healthy
        assert listener.bus.is_healthy
        assert await asyncio.to_thread(server.clients) == 2


async def test_a_bus_that_could_only_be_deaf_ends_its_node(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """python-socketio #1581: a task that had ended was missed by nobody."""
    ear = Ear(server.url)

    async def fail(line: line.Line) -> None:
        raise LookupError("as a line has a fault")

    monkeypatch.setattr(line.Line, "run", fail)

    with pytest.raises(ExceptionGroup):
        async with asyncio.timeout(5):
            await ear.bus.run()
    assert not ear.bus.is_healthy
