"""A whole node in this process: the real server on a real port, with a shop in its store."""

from __future__ import annotations

import asyncio
import gc
import inspect
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache, wraps
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import uvloop
from argon2 import PasswordHasher

from chat.clock import Clock, SystemClock
from chat.directory import Agent, Directory
from chat.passwords import Passwords
from chat.sessions import Session, Sessions
from chat.store.migrate import migrate
from gateway import app, hub, settings
from gateway.app import Shopbell
from gateway.auth import Tokens
from gateway.engines import open_store
from tests.peer import Frame, Peer, new_id
from tests.shop import Account, an_account

END_SECONDS = 30  # at most the drain, then the requests under way
SECRET = "a secret that only tests may know, of some length"
# Generous, so that only tests of the limits meet them.
WIDE = {
    "rate_contact_messages": "1000/s",
    "rate_contact_frames": "10000/s",
    "rate_staff_frames": "10000/s",
    "rate_agent_messages": "1000/s",
    "rate_bot_messages": "1000/s",
    "rate_bot_frames": "10000/s",
    "rate_anonymous_messages": "1000/s",
    "rate_hellos": "1000/s",
    "rate_address_connects": "1000/s",
    "rate_address_requests": "1000/s",
    "rate_address_sessions": "1000/s",
    "unauthenticated_per_address": "500",
    "drain_spread_seconds": "0",
    "drain_wait_seconds": "0",
    "drain_flush_seconds": "1",
}


class ShiftedClock(SystemClock):
    """The machine's own, but for wall time that a test moves ahead."""

    def __init__(self) -> None:
        self.ahead = 0

    def now(self) -> int:
        return super().now() + self.ahead

    def move(self, seconds: float) -> None:
        self.ahead += round(seconds * 1000)


class Complaints(logging.Handler):
    """Whatever a server that does well doesn't log: errors and tracebacks."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.ERROR or record.exc_info:
            self.lines.append(logging.Formatter().format(record))


@dataclass
class Node:
    """The node, and short ways to its peers. `mine` is the account that tests are about."""

    port: int
    shopbell: Shopbell
    directory: Directory
    mine: Account
    other: Account
    _sessions: Sessions
    _tokens: Tokens
    complaints: Complaints
    _running: asyncio.Task[None]
    _peers: list[Peer] = field(default_factory=list)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def peer(self, *, origin: str | None = "own", **more: Any) -> Peer:
        """Somebody who has shaken hands and said nothing."""
        peer = await Peer.connect(self.port, origin=self.origin if origin == "own" else origin, **more)
        self._peers.append(peer)
        return peer

    async def contact_session(self, account: Account | None = None) -> Session:
        return (await self._sessions.open_for_contact((account or self.mine).door))[1]

    async def agent_session(self, agent: Agent | None = None) -> Session:
        return (await self._sessions.open_for_agent(agent or self.mine.agent))[1]

    async def renewed(self, session: Session) -> Session:
        """The session as it is now: it may be another contact's."""
        return (await self._sessions.by_ids([session.id]))[session.id]

    async def end(self, session: Session) -> None:
        await self._sessions.end(session)

    def token(self, session: Session, *, life: int | None = None) -> str:
        """A token for this session; `life` in seconds, negative for one that is over."""
        if life is None:
            return self._tokens.mint(session)
        return Tokens(SECRET.encode(), SystemClock(), life).mint(session)

    async def contact(self, session: Session | None = None, **hello: Any) -> Peer:
        """A contact who is synced."""
        peer = await self.peer()
        await peer.hello(self.token(session or await self.contact_session()), **hello)
        return peer

    async def agent(self, agent: Agent | None = None, **hello: Any) -> Peer:
        """An agent who is synced and has heard who is present."""
        peer = await self.peer()
        await peer.hello(self.token(await self.agent_session(agent)), **hello)
        await peer.next("presence")
        return peer

    async def bot(self, account: Account | None = None, **hello: Any) -> Peer:
        """A bot that is synced."""
        peer = await self.peer(origin=None)
        await peer.hello((account or self.mine).bot_token, **hello)
        return peer

    async def second_agent(self) -> Agent:
        return await self.directory.add_agent(
            self.mine.id, email="second@mine.example", name="Dara", role="agent", password="none"
        )

    async def started(self, contact: Peer, text: str = "Hello?") -> str:
        """A new conversation of this contact, older than any that follows: of one millisecond any is served first."""
        answer = await contact.ask("conversation.start", id=new_id(), inbox=self.mine.door.id, text=text)
        assert answer["type"] == "ok", answer
        await contact.next("change")
        await self.eventually(lambda: self.shopbell._clock.now() > answer["at"])
        return str(answer["conversation"])

    def sigterm(self) -> None:
        """What whoever deploys sends."""
        if not self._running.done():
            signal.raise_signal(signal.SIGTERM)

    async def stop(self) -> None:
        """End it as a deploy does, and wait until it has ended. Raises AssertionError with what each task of this
        loop waits for, when it doesn't end."""
        await self.eventually(self._takes_signals)
        self.sigterm()
        await asyncio.wait([self._running], timeout=END_SECONDS)
        assert self._running.done(), "".join(_where_each_task_is())
        await self._running

    def _takes_signals(self) -> bool:
        """Before that, a signal would end the tests instead."""
        return self._running.done() or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL

    async def still_works(self) -> None:
        """Whatever somebody did, others are served."""
        contact = await self.contact()
        await self.started(contact)
        contact.leave()

    async def eventually(self, holds: Callable[[], Any]) -> None:
        """Wait for something inside the node that nobody is told of."""
        async with asyncio.timeout(10):
            while not holds():  # noqa: ASYNC110  # the node has no event for a test's wishes
                await asyncio.sleep(0.005)

    async def rests(self) -> None:
        """Wait until it reads nothing by itself: who then holds up its loop and its store holds up nobody else."""
        cases = self.shopbell._dispatch._cases
        await self.eventually(lambda: all(case.is_known.is_set() and not case.is_busy for case in cases.values()))

    def leave(self) -> None:
        for peer in self._peers:
            peer.leave()


def _where_each_task_is() -> Iterator[str]:
    for task in asyncio.all_tasks():
        told = StringIO()
        task.print_stack(file=told)
        yield told.getvalue()


def says(frames: list[Frame]) -> list[str]:
    """What these frames are, by type."""
    return [frame["type"] for frame in frames]


@cache
def _empty_store() -> bytes:
    """A migrated database without anything in it: made once, as migrating takes longer than most tests."""
    with TemporaryDirectory() as folder:
        migrate(f"sqlite:///{folder}/empty.db")
        return Path(folder, "empty.db").read_bytes()


def a_data_folder(folder: Path) -> Path:
    """A folder with an empty database of this version."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "shopbell.db").write_bytes(_empty_store())
    return folder


@asynccontextmanager
async def a_node(
    folder: Path, *, beside: Node | None = None, clock: Clock | None = None, **chosen: Any
) -> AsyncIterator[Node]:
    """A node that serves until the block ends; it must not have complained. Settings by their names.

    `beside` another one, it has the same database, by the settings. Two of them end in the opposite order.
    """
    listener = app.listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    values = {"data": a_data_folder(folder), "port": port, "secret": SECRET, **WIDE, **chosen}
    read = settings.read({f"SHOPBELL_{name.upper()}": str(value) for name, value in values.items()})
    store, clock = await open_store(read), clock or SystemClock()
    directory = Directory(store, clock)
    if beside is None:
        passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        mine = await an_account(directory, passwords, "mine")
        other = await an_account(directory, passwords, "other")
    else:
        mine, other = beside.mine, beside.other
    sessions = Sessions(store, clock, contact_life=1000, agent_life=1000)
    complaints = Complaints()
    logging.getLogger().addHandler(complaints)
    shopbell = Shopbell(read, store, clock)
    running = asyncio.get_running_loop().create_task(shopbell.run(listener))
    tokens = Tokens(SECRET.encode(), clock, 600)
    node = Node(port, shopbell, directory, mine, other, sessions, tokens, complaints, running)
    try:
        yield node
    finally:
        node.leave()
        await node.stop()
        gc.unfreeze()
        listener.close()
        logging.getLogger().removeHandler(complaints)
    assert complaints.lines == []


def on_a_node(**chosen: Any) -> Callable[[Callable[..., Awaitable[None]]], Callable[..., None]]:
    """Run an async test with a fresh node as its first argument; further ones come from pytest.

    `tick` shortens the node's second (its wheel and its windows), `heads` the time that heads are gathered;
    `presence_times` are other times for who is here.
    """
    presence = chosen.pop("presence_times", app.PRESENCE)
    tick, heads = chosen.pop("tick", app.TICK_SECONDS), chosen.pop("heads", 0.02)

    def wrap(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
        own = list(inspect.signature(test).parameters)[1:]
        given = [*own, *(name for name in ("tmp_path", "monkeypatch") if name not in own)]

        @wraps(test)
        def run(**fixtures: Any) -> None:
            async def play() -> None:
                async with a_node(fixtures["tmp_path"] / "data", **chosen) as node:
                    await test(node, **{name: fixtures[name] for name in own})

            fixtures["monkeypatch"].setattr(app, "TICK_SECONDS", tick)
            fixtures["monkeypatch"].setattr(app, "PRESENCE", presence)
            fixtures["monkeypatch"].setattr(hub, "HEADS_SECONDS", heads)
            uvloop.run(play())

        parameters = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in given]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # pytest reads it
        return run

    return wrap
