"""`shopbell doctor`: looks at everything that an installation stands on, and says in plain words what is wrong.

Each check is a thin probe and a pure judgement, in a file of its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator, Mapping
from contextlib import contextmanager

from gateway import settings as table
from gateway.doctor import clocks, places, probe
from gateway.doctor.clocks import Clock
from gateway.doctor.finding import Blotter, Finding, fail, note, well
from gateway.settings import BadSettings, Settings

PATIENCE_SECONDS = 90.0  # for one check; each has shorter ones for its own waits


async def examine(environment: Mapping[str, str]) -> AsyncIterator[Finding]:
    """Every check, each as soon as it is done. Nothing is raised, and nothing stays changed."""
    try:
        chosen = table.read(environment)
    except BadSettings as bad:
        for problem in bad.problems:
            yield fail("settings", problem)
        return
    with _silent("gateway.bus"):  # what it would say is said here in other words
        blotter = Blotter(chosen)
        for finding in judge_settings(chosen, table.unknown(environment)):
            yield finding
        read: list[Clock] = []
        for subject, check in _checks(chosen, read):
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    findings = await check
            except Exception as error:  # the boundary: a check that breaks is itself a finding, and the others go on
                why = f"this check failed by itself ({type(error).__name__}): that is a bug of ours."
                findings = [fail(subject, why)]
            for finding in findings:
                yield blotter.clean(finding)


@contextmanager
def _silent(name: str) -> Iterator[None]:
    """This logger says nothing while the block runs."""
    log = logging.getLogger(name)
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)


def judge_settings(settings: Settings, unknown: Iterable[str]) -> list[Finding]:
    """What is strange about them though each can be used."""
    found = [note("settings", sentence) for sentence in unknown]
    if settings.bus != "memory" and not settings.is_on_postgres:
        found.append(
            note("settings", "SHOPBELL_BUS is set and the store is a file, which one node alone can have: it is idle.")
        )
    if settings.bus != "memory" and settings.presence == "memory":
        found.append(
            fail("settings", "SHOPBELL_PRESENCE=memory: no node knows who is present at another. Leave it unset.")
        )
    return found or [well("settings", "all can be used.")]


def _checks(settings: Settings, read: list[Clock]) -> Iterable[tuple[str, Awaitable[list[Finding]]]]:
    """In the order in which a person would look. Each coroutine is made when its turn comes."""
    yield "data", _data(settings)
    yield "secret", _secret(settings)
    yield "files", _files(settings)
    yield "store", _store(settings, read)
    yield "bus", _bus(settings, read)
    yield "clocks", _clocks(read)
    yield "public URL", probe.look(settings)


async def _data(settings: Settings) -> list[Finding]:
    return [places.judge_data(places.look_at(settings.data))]


async def _secret(settings: Settings) -> list[Finding]:
    return [places.look_at_secret(settings)]


async def _files(settings: Settings) -> list[Finding]:
    return [await places.try_files(settings)]


async def _store(settings: Settings, read: list[Clock]) -> list[Finding]:
    from gateway.doctor import store  # a node on a file has no use for the driver

    findings, clock = await store.look(settings)
    read += [clock] if clock else []
    return findings


async def _bus(settings: Settings, read: list[Clock]) -> list[Finding]:
    from gateway.doctor import bus

    findings, clock = await bus.look(settings.bus)
    read += [clock] if clock else []
    return findings


async def _clocks(read: list[Clock]) -> list[Finding]:
    return clocks.judge(read)
