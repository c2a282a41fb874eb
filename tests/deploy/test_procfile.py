"""`honcho start` with the Procfile: several nodes on ports of their own, which are one chat service."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from bots import Client, Shopper
from bots.mirror import Mirror
from chat.clock import SystemClock
from chat.directory import Directory
from chat.passwords import Passwords
from tests.engines import PostgresEngine
from tests.servers import a_free_port, redis
from tests.shop import Account, an_account

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0
SAID = ["Is anybody there?", "Somebody is"]


def two_free_ports() -> int:
    """The first of two in a row, as honcho counts up."""
    while True:
        port = a_free_port()
        try:
            socket.create_server(("127.0.0.1", port + 1)).close()
        except OSError:
            continue
        return port


@pytest.fixture
def store(tmp_path: Path) -> PostgresEngine:
    return PostgresEngine(tmp_path)


@pytest.fixture
def port(tmp_path: Path, store: PostgresEngine) -> Iterator[int]:
    """That of the first of two nodes, which serve."""
    port, log = two_free_ports(), tmp_path / "log"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SHOPBELL_")}
    environment |= {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]]),
        "SHOPBELL_DATA": str(tmp_path / "data"),
        "SHOPBELL_STORE": store.url,
        "SHOPBELL_BUS": redis().url,
        "SHOPBELL_SECRET": "s" * 40,
        "SHOPBELL_HOST": "127.0.0.1",
        "SHOPBELL_DRAIN_WAIT_SECONDS": "0",
    }
    command = [sys.executable, "-m", "honcho", "start", "--concurrency", "web=2", "--port", str(port)]
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
    try:
        asyncio.run(_until_served(process, log))
        yield port
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)
        assert log.read_text().count("Finished server process") == 2, log.read_text()
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(PATIENCE)


async def _until_served(process: subprocess.Popen[bytes], log: Path) -> None:
    async with asyncio.timeout(PATIENCE):
        while log.read_text().count("serving on") < 2:
            assert process.poll() is None, log.read_text()
            await asyncio.sleep(0.05)


async def an_account_in(store: PostgresEngine) -> Account:
    opened = await store.open()
    passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    account = await an_account(Directory(opened, SystemClock()), passwords, "mine")
    await opened.close()
    return account


async def test_two_nodes_are_one_service(port: int, store: PostgresEngine) -> None:
    account = await an_account_in(store)
    shopper = await Shopper.open(f"http://127.0.0.1:{port}", "mine")

    async with shopper.client() as contact, Client(f"http://127.0.0.1:{port + 1}", account.bot_token) as bot:
        await bot.synced()
        conversation = (await contact.start(shopper.inbox, SAID[0]))["conversation"]
        await bot.watch([conversation])
        await bot.send(conversation, SAID[1])

        await contact.until(lambda mirror: texts(mirror, conversation) == SAID, PATIENCE)


def texts(mirror: Mirror, conversation: str) -> list[str]:
    return [entry["text"] for entry in mirror.threads[conversation].timeline() if entry.get("text")]
