"""Stopping kindly: reconnect first, what was accepted is finished, sockets close with 4200, and all that in time."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from gateway import drain
from gateway.drain import DrainTimes, Plan
from tests.chaos.server import Server, prepare
from tests.engines import PostgresEngine
from tests.node import Node, a_node, on_a_node, says
from tests.peer import Answer, Closed, Frame, Peer, masked, new_id


async def last_words(peer: Peer) -> tuple[list[Frame], int | None]:
    """Everything up to the close, and its code."""
    heard: list[Frame] = []
    try:
        while True:
            heard.append(await peer.hear())
    except Closed as closed:
        return heard, closed.code


@contextmanager
def store_locked(tmp_path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(tmp_path / "data" / "shopbell.db", isolation_level=None)) as intruder:
        intruder.execute("BEGIN IMMEDIATE")
        yield


@pytest.mark.parametrize(
    ("sockets", "plan"),
    [
        (0, Plan(5, 10, 5)),
        (1_250, Plan(5, 10, 5)),
        (3_000, Plan(12, 17, 5)),
        (100_000, Plan(35, 40, 5)),  # in a minute it must be over, with all that follows
    ],
)
def test_more_sockets_get_more_time_so_that_other_nodes_get_few_a_second(sockets: int, plan: Plan) -> None:
    assert DrainTimes(is_alone=False).plan(sockets) == plan


def test_a_node_that_is_alone_closes_at_once_as_there_is_nowhere_to_go() -> None:
    assert DrainTimes(is_alone=True).plan(3_000) == Plan(5, 0, 0)


@pytest.mark.parametrize("is_alone", [True, False])
def test_whoever_runs_it_may_know_better(is_alone: bool) -> None:
    plan = DrainTimes(spread=60, wait=70, is_alone=is_alone).plan(3_000)

    assert (plan.spread, plan.wait) == (60, 70)


@on_a_node(drain_spread_seconds=3)
async def test_everybody_is_told_to_come_back_and_then_closed_with_the_code_for_it(node: Node) -> None:
    peers = [await node.contact(), await node.agent(), await node.bot()]

    node.sigterm()

    for peer in peers:
        heard, code = await last_words(peer)
        told = [frame for frame in heard if frame["type"] != "presence"]
        assert told == [{"type": "reconnect", "after": [0, 3000], "reason": "deploy"}]
        assert code == 4200
    await node.stop()


@on_a_node()
async def test_who_hasnt_said_hello_is_closed_too(node: Node) -> None:
    silent, muttering = await node.peer(), await node.peer()
    await muttering.send(masked(0x1, b"{", fin=False))

    node.sigterm()

    assert (await last_words(silent))[1] == 4200
    assert (await last_words(muttering))[1] == 4200
    await node.stop()


@on_a_node()
async def test_what_was_accepted_is_finished_and_answered_before_the_close(node: Node, tmp_path: Path) -> None:
    contact, bot = await node.contact(), await node.bot()
    conversation = await node.started(contact)
    await bot.ask("watch", conversations=[conversation])
    await bot.next("snapshot")

    with store_locked(tmp_path):
        refs = [
            await contact.begin("message.send", id=new_id(), conversation=conversation, text="Wait for me")
            for _ in range(5)
        ]
        await contact.begin("nothing.at_all")
        await contact.next("refused")  # so that all of it has been read
        node.sigterm()
        assert (await contact.hear())["type"] == "reconnect"

    heard, code = await last_words(contact)
    assert [frame["ref"] for frame in heard if frame["type"] == "ok"] == refs
    assert code == 4200
    heard, code = await last_words(bot)
    assert sum(len(frame["entries"]) for frame in heard if frame["type"] == "change") == 5
    await node.stop()


@on_a_node()
async def test_what_comes_too_late_is_refused_and_may_be_asked_elsewhere(node: Node, tmp_path: Path) -> None:
    contact = await node.contact()
    conversation = await node.started(contact)

    with store_locked(tmp_path):
        await contact.begin("message.send", id=new_id(), conversation=conversation, text="in time")
        await contact.begin("nothing.at_all")
        await contact.next("refused")
        node.sigterm()
        await contact.next("reconnect")
        late = await contact.ask("message.send", id=new_id(), conversation=conversation, text="late")

    assert (late["type"], late["code"], late["retry"]) == ("refused", "busy", True)
    assert (await last_words(contact))[1] == 4200
    await node.stop()


@on_a_node(drain_wait_seconds=0.5)
async def test_while_it_drains_nobody_new_is_let_in_and_who_is_in_is_served(node: Node) -> None:
    contact = await node.contact()
    conversation = await node.started(contact)

    node.sigterm()
    await contact.next("reconnect")
    with pytest.raises(Answer) as answer:
        await node.peer()
    served = await contact.ask("message.send", id=new_id(), conversation=conversation, text="still here")

    assert answer.value.status == 503
    assert served["type"] == "ok"
    await node.stop()


@on_a_node(drain_spread_seconds=10, drain_wait_seconds=30)
async def test_when_all_have_left_it_ends(node: Node) -> None:
    silent, peers = await node.peer(), [await node.contact(), await node.agent(), await node.bot()]

    began = time.monotonic()
    node.sigterm()
    for peer in peers:
        await peer.next("reconnect")
        peer.leave()
    await node.stop()

    assert await silent.closed() == 4200
    assert time.monotonic() - began < 5


@on_a_node(drain_wait_seconds=30)
async def test_a_crowd_is_told_a_few_at_a_time_and_others_have_their_turns(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain, "AT_ONCE", 2)
    peers = [await node.contact() for _ in range(7)]
    flushes: list[int] = []
    flush = node.shopbell.node.dirty.flush

    def counted() -> None:
        flushes.append(len(node.shopbell.node.dirty.sockets))
        flush()

    monkeypatch.setattr(node.shopbell.node.dirty, "flush", counted)
    node.sigterm()
    for peer in peers:
        await peer.next("reconnect")
        peer.leave()

    assert [told for told in flushes if told] == [2, 2, 2, 1]


@on_a_node()
async def test_those_who_did_not_leave_are_closed_over_some_time(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain, "AT_ONCE", 2)
    monkeypatch.setattr(DrainTimes, "plan", lambda *_: Plan(spread=0, wait=0, closing=0.6))
    monkeypatch.setattr(drain, "PER_SECOND", 1)  # nobody would wait so long for six of them
    peers = [await node.contact() for _ in range(6)]
    began = time.monotonic()

    async def closed_after(peer: Peer) -> float:
        assert (await last_words(peer))[1] == 4200
        return time.monotonic() - began

    node.sigterm()
    times = sorted(await asyncio.gather(*map(closed_after, peers)))

    assert times[2] - times[0] > 0.15
    assert times[4] - times[2] > 0.15
    assert times[5] - times[0] < 2


async def test_who_is_still_being_brought_up_to_date_is_told_after_that(tmp_path: Path) -> None:
    engine = PostgresEngine(tmp_path)
    async with a_node(tmp_path / "node", store=engine.url, drain_wait_seconds=30, drain_spread_seconds=30) as node:
        session, settled = await node.contact_session(), await node.contact()
        late = await node.peer()
        await node.rests()
        with engine._intruder("BEGIN; LOCK TABLE conversations IN ACCESS EXCLUSIVE MODE"):
            await late.say({"type": "hello", "protocol": 1, "token": node.token(session)})
            await late.next("welcome")
            node.sigterm()
            assert (await settled.next("reconnect"))["after"] == [0, 30_000]
            settled.leave()

        heard = await late.until("reconnect")
        late.leave()

        assert says(heard) == ["synced", "reconnect"]
        assert 0 < heard[-1]["after"][1] < 30_000


@on_a_node(drain_wait_seconds=30)
async def test_a_handshake_that_was_under_way_is_told_to_go_elsewhere(node: Node) -> None:
    contact = await node.contact()
    reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
    head = f"GET /v1/socket HTTP/1.1\r\nHost: x\r\nOrigin: {node.origin}\r\nUpgrade: websocket\r\n"
    writer.write(head.encode())
    await writer.drain()

    node.sigterm()
    await contact.next("reconnect")
    writer.write(
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\n\r\n"
    )
    answer = (await reader.read()).decode().lower()
    contact.leave()
    writer.close()

    assert answer.startswith("http/1.1 503 ")
    assert "\r\nretry-after: 1\r\n" in answer


@on_a_node(drain_flush_seconds=0.2)
async def test_a_peer_that_does_not_read_holds_nobody_up(node: Node) -> None:
    contact = await node.contact()
    conversation = await node.started(contact)
    slow = await node.peer(origin=None, receive_buffer=32768)
    await slow.hello(node.mine.bot_token)
    await slow.ask("watch", conversations=[conversation])
    for _ in range(1000):
        await contact.ask("message.send", id=new_id(), conversation=conversation, text="x" * 8000)
        if any(peer._outbox.is_held and peer._outbox.payloads for peer in node.shopbell.node.sockets):
            break

    began = time.monotonic()
    node.sigterm()
    heard, code = await last_words(contact)
    await node.stop()

    assert (says(heard)[-1], code) == ("reconnect", 4200)
    assert time.monotonic() - began < 5


@on_a_node(drain_flush_seconds=0.2)
async def test_a_peer_that_does_not_answer_the_close_is_cut_off(node: Node) -> None:
    await node.contact()  # which isn't read again

    began = time.monotonic()
    await node.stop()

    assert time.monotonic() - began < 5


@on_a_node()
async def test_asks_of_before_the_stop_are_there_after_the_next_start(node: Node, tmp_path: Path) -> None:
    contact = await node.contact()
    conversation = await node.started(contact)
    answer = await contact.ask("message.send", id=new_id(), conversation=conversation, text="Remember me")
    assert answer["type"] == "ok"

    await node.stop()

    with closing(sqlite3.connect(tmp_path / "data" / "shopbell.db")) as database:
        (found,) = database.execute("SELECT count(*) FROM entries").fetchone()
    assert found == 2


# --- as a process ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Server:
    """A server that hasn't been started yet."""
    folder = tmp_path_factory.mktemp("drained")
    return Server.copy(prepare(folder / "prepared"), folder / "data", folder / "log")


@pytest.fixture
def server(prepared: Server) -> Iterator[Server]:
    asyncio.run(prepared.start())
    yield prepared
    prepared.close()
    assert prepared.complaints() == []


def ended(server: Server, *, within: float) -> int:
    assert server.process is not None
    return server.process.wait(within)


def tell(server: Server, number: signal.Signals = signal.SIGTERM) -> None:
    assert server.process is not None
    server.process.send_signal(number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_process_ends_with_success_and_in_time(server: Server, number: signal.Signals) -> None:
    async def play() -> int | None:
        peer = await Peer.connect(server.port)
        await peer.hello(server.bot_token)
        idle_http = await asyncio.open_connection("127.0.0.1", server.port)
        idle_http[1].write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 200 " in await idle_http[0].readline()
        half_a_request = await asyncio.open_connection("127.0.0.1", server.port)
        half_a_request[1].write(b"GET /healthz HT")
        tell(server, number)
        code = (await last_words(peer))[1]
        for _, writer in (idle_http, half_a_request):
            writer.transport.abort()
        return code

    assert asyncio.run(play()) == 4200
    assert ended(server, within=10) == 0


def test_idle_and_half_open_http_connections_do_not_hold_it_up(server: Server) -> None:
    async def play() -> tuple[int, float]:
        idle = await asyncio.open_connection("127.0.0.1", server.port)
        idle[1].write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 200 " in await idle[0].readline()
        half = await asyncio.open_connection("127.0.0.1", server.port)
        half[1].write(b"GET /healthz HT")
        silent = await asyncio.open_connection("127.0.0.1", server.port)
        await asyncio.sleep(0.1)  # so that it has seen them
        tell(server)
        began = time.monotonic()
        status = await asyncio.to_thread(ended, server, within=15)
        for _, writer in (idle, half, silent):
            writer.transport.abort()
        return status, time.monotonic() - began

    status, seconds = asyncio.run(play())

    assert status == 0
    assert seconds < 10


def test_a_second_signal_ends_it_at_once(server: Server) -> None:
    async def play() -> tuple[int, float]:
        peer = await Peer.connect(server.port)  # which won't answer the close
        await peer.hello(server.bot_token)
        tell(server)
        await peer.next("reconnect")
        began = time.monotonic()
        tell(server)
        status = await asyncio.to_thread(ended, server, within=15)
        peer.leave()
        return status, time.monotonic() - began

    status, seconds = asyncio.run(play())

    assert status == 0
    assert seconds < 2
