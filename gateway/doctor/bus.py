"""Redis: whether it can be reached, takes what nodes keep there, and passes on what one node tells another."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from msgspec import Struct
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    RedisError,
)
from redis.exceptions import TimeoutError as RedisTimeoutError

from gateway.bus import Bus
from gateway.bus.redis import RedisBus
from gateway.doctor.clocks import Clock, read
from gateway.doctor.finding import Finding, fail, note, well
from gateway.metrics import new_metrics
from gateway.redis_client import Client, new_client

SECONDS = 3.0  # for each answer
HEALTHY_SECONDS = 6.0  # for a connection that hears itself
FAR_MS = 20.0
PREFIX = "shopbell:doctor"  # nodes hear nothing of us, and don't miss us afterwards
WAYS = 3  # the shortest of so many counts
RULE = (
    "on ><password> ~shopbell:* &shopbell:* +@read +@write +@pubsub +@scripting +@connection +time +command "
    "+cluster|slots -@dangerous"
)
"""Of a Redis user who may do what nodes do, and little else. docs/operations.md has it too."""

# What presence and limits do there, in one script. The key is gone a moment later.
_KEEPS = """
    local time = redis.call('TIME')
    redis.call('ZADD', KEYS[1], time[1], 'doctor')
    redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '+inf')
    redis.call('ZREM', KEYS[1], 'doctor')
    redis.call('SET', KEYS[1], '1', 'PX', 1000)
    redis.call('GET', KEYS[1])
    redis.call('PEXPIRE', KEYS[1], 1000)
    redis.call('DEL', KEYS[1])
    return time"""


class Told(Struct, frozen=True, kw_only=True):
    """What Redis says of itself."""

    ms: float
    user: str
    clock: Clock


async def ask(client: Client) -> Told:
    """Ask it. Raises RedisError and OSError."""
    key = f"{PREFIX}:{{{secrets.token_hex(4)}}}"
    ways = []
    for _ in range(WAYS):
        before = time.time()
        seconds, micros = await _awaited(client.eval(_KEEPS, 1, key))
        after = time.time()
        ways.append((after - before, read("Redis", before, int(seconds) + int(micros) / 1_000_000, after)))
    shortest, clock = min(ways, key=lambda way: way[0])
    user = ""
    with suppress(RedisError):  # not everybody may ask
        user = _text(await _awaited(client.execute_command("ACL WHOAMI")))
    return Told(ms=shortest * 1000, user=user, clock=clock)


async def _close(client: Client) -> None:
    """It, and the connections to Sentinels by which it found its server."""
    manager = getattr(getattr(client, "connection_pool", None), "sentinel_manager", None)
    for each in (client, *(manager.sentinels if manager else ())):
        with suppress(RedisError, OSError):
            await each.aclose()


async def _awaited(answer: Any) -> Any:
    """redis-py's types say that it may be one or the other."""
    return await answer


def _text(answer: Any) -> str:
    return answer.decode(errors="replace") if isinstance(answer, bytes) else str(answer)


async def echo(url: str) -> float:
    """Publish as one node and hear it as another: how many seconds it took. TimeoutError when it doesn't arrive."""
    channel, heard = f"doctor-{secrets.token_hex(4)}", asyncio.Event()
    async with _running(url) as speaker, _running(url) as listener:
        listener.listen(lambda _, payload: heard.set(), lambda: None)
        await _healthy(speaker)
        await _healthy(listener)
        await listener.subscribe(channel)
        began = time.monotonic()
        speaker.publish(channel, b"")
        async with asyncio.timeout(SECONDS):
            await heard.wait()
        return time.monotonic() - began


@asynccontextmanager
async def _running(url: str) -> AsyncIterator[Bus]:
    bus = RedisBus(url, PREFIX, metrics=new_metrics())
    task = asyncio.get_running_loop().create_task(bus.run())
    try:
        yield bus
    finally:
        task.cancel()
        await asyncio.wait([task], timeout=SECONDS)
        await bus.close()


async def _healthy(bus: Bus) -> None:
    async with asyncio.timeout(HEALTHY_SECONDS):
        while not bus.is_healthy:  # noqa: ASYNC110  # a bus tells nobody
            await asyncio.sleep(0.01)


def judge(told: Told, seconds: float) -> list[Finding]:
    """`seconds` is how long it took from node to node."""
    found = [well("bus", f"Redis answers in {told.ms:.1f} ms; what a node says is heard in {seconds * 1000:.1f} ms.")]
    if told.user == "default":
        found.append(
            note(
                "bus",
                "nodes come as the user `default`, who may do everything. Whoever can write there can put words into "
                f"the mouth of others: ACL SETUSER shopbell {RULE}.",
            )
        )
    if told.ms > FAR_MS:
        found.append(note("bus", f"it is {told.ms:.0f} ms away, and so is every other node. Put it near the nodes."))
    return found


SILENT = "no answer in time: a firewall may drop the packets, the host is wrong, or rediss:// where there is no TLS."
_MESSAGES: tuple[tuple[type[BaseException], str], ...] = (
    (AuthenticationError, "the user or the password isn't right: look at SHOPBELL_BUS."),
    (NoPermissionError, f"its user may not do what nodes do: ACL SETUSER <user> {RULE}."),
    (ReadOnlyError, "it is a replica: SHOPBELL_BUS must lead to the primary, or to the Sentinels that know it."),
    (BusyLoadingError, 'it is loading a file. Nothing there has to be kept: `save ""` and `appendonly no` are right.'),
    (OutOfMemoryError, "its memory is full: it is shared with something else, or maxmemory is far too low."),
    (RedisTimeoutError, SILENT),
    (TimeoutError, SILENT),
)
_WORDS = (
    ("certificate", "its certificate isn't trusted: name the right authority with ?ssl_ca_certs=<file>."),
    ("ssl", "TLS fails: does this port speak it (rediss://) or not (redis://)?"),
    ("no master found", "no Sentinel answers, or none knows a primary of that name: look at ?service=<name>."),
    ("'sentinel'", "that is a Redis and no Sentinel: redis:// instead of redis+sentinel://, or another port."),
    ("cluster mode is not enabled", "it isn't a Cluster: redis:// instead of redis+cluster://."),
    ("connect call failed", "nothing listens there: is Redis running, and are host and port right?"),
    ("name or service", "its name can't be resolved: look at the host in SHOPBELL_BUS."),
    ("nodename", "its name can't be resolved: look at the host in SHOPBELL_BUS."),
    ("name resolution", "its name can't be resolved: look at the host in SHOPBELL_BUS."),
    ("noauth", "it wants a password: redis://<user>:<password>@<host>."),
    ("no permissions", f"its user may not do what nodes do: ACL SETUSER <user> {RULE}."),
    ("noperm", f"its user may not do what nodes do: ACL SETUSER <user> {RULE}."),
    ("moved", "it is a Cluster: redis+cluster:// instead of redis://."),
)


def explain(error: BaseException) -> Finding:
    """Why it can't be used."""
    for word, text in _WORDS:
        if word in str(error).lower():
            return fail("bus", f"Redis can't be used: {text}")
    for kind, text in _MESSAGES:
        if isinstance(error, kind):
            return fail("bus", f"Redis can't be used: {text}")
    return fail("bus", f"Redis can't be used: {type(error).__name__} {error}")


DEAF = fail(
    "bus",
    "Redis answers, but what one node publishes doesn't reach another: the user may lack the channels "
    f"(ACL SETUSER <user> {RULE}), or what stands between doesn't pass pub/sub on.",
)


async def look(url: str) -> tuple[list[Finding], Clock | None]:
    """Everything about the bus, and Redis's clock."""
    if url == "memory":
        return [well("bus", "in memory, which is right for one node. Several need SHOPBELL_BUS=redis://….")], None
    client = new_client(url, SECONDS)
    try:
        told = await ask(client)
    except (RedisError, RedisClusterException, OSError) as error:
        return [explain(error)], None
    finally:
        await _close(client)
    try:
        return judge(told, await echo(url)), told.clock
    except TimeoutError:
        return [DEAF], told.clock
