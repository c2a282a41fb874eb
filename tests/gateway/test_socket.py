"""The socket shell against peers made of bytes: handshake, frames, the close, and peers that don't behave."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway import socket as shell
from gateway.protocol import FRAME_LIMIT
from gateway.socket import Socket
from tests.node import Node, on_a_node, says
from tests.peer import BINARY, CLOSE, CONT, PING, PONG, TEXT, Answer, Closed, Peer, compact, masked, new_id


@contextmanager
def store_locked(tmp_path: Path) -> Iterator[None]:
    """Somebody else writes, so that asks stay open."""
    with closing(sqlite3.connect(tmp_path / "data" / "shopbell.db", isolation_level=None)) as intruder:
        intruder.execute("BEGIN IMMEDIATE")
        yield


def a_typing(conversation: str = "cnv_none") -> bytes:
    """An ask that is understood, and refused with its ref, as there is no such conversation."""
    return compact({"type": "typing", "ref": 99, "conversation": conversation, "on": True})


async def is_answered(peer: Peer) -> bool:
    """Whether what was sent last, `a_typing`, was understood."""
    return bool((await peer.next("refused"))["ref"] == 99)


async def turned_away(node: Node, **how: Any) -> Answer:
    with pytest.raises(Answer) as answer:
        await node.peer(**how)
    await node.still_works()
    return answer.value


# --- handshake -------------------------------------------------------------------------------------------------------


@on_a_node()
async def test_no_extension_is_negotiated_even_if_offered(node: Node) -> None:
    peer = await node.peer(headers=["Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"])

    assert "sec-websocket-extensions" not in peer.response.lower()
    await peer.hello(node.token(await node.contact_session()))


@on_a_node()
async def test_a_subprotocol_is_not_chosen_and_no_obstacle(node: Node) -> None:
    peer = await node.peer(headers=["Sec-WebSocket-Protocol: chat, superchat"])

    assert "sec-websocket-protocol" not in peer.response.lower()


@on_a_node()
async def test_who_must_not_come_in_is_told_so_in_http(node: Node) -> None:
    assert (await turned_away(node, origin="https://evil.example")).status == 403
    assert (await turned_away(node, origin="null")).status == 403
    assert (await turned_away(node, origin=node.origin + ".evil.example")).status == 403
    assert (await turned_away(node, headers=["Origin: https://evil.example"])).status == 403
    assert (await turned_away(node, path="/v1/elsewhere")).status == 404
    assert (await turned_away(node, path="/")).status == 404


@on_a_node()
async def test_a_node_that_drains_takes_nobody_in(node: Node) -> None:
    node.shopbell.node.admission.is_draining = True

    with pytest.raises(Answer) as answer:
        await node.peer()

    assert answer.value.status == 503
    assert "retry-after: 1" in answer.value.head


@on_a_node(unauthenticated_sockets=3)
async def test_only_so_many_may_keep_silent_about_who_they_are(node: Node) -> None:
    silent = [await node.peer() for _ in range(3)]
    with pytest.raises(Answer) as answer:
        await node.peer()
    assert answer.value.status == 503

    silent[0].leave()
    await node.eventually(lambda: len(node.shopbell.node.sockets) == 2)
    await silent[1].hello(node.token(await node.contact_session()))
    await node.still_works()


@pytest.mark.parametrize(
    "spoiled",
    [
        "Sec-WebSocket-Version: 8",
        "Sec-WebSocket-Key: short",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",  # a second one
        "Upgrade: h2c",
    ],
)
@on_a_node()
async def test_a_handshake_that_is_none_gets_an_answer_and_no_socket(node: Node, spoiled: str) -> None:
    answer = await turned_away(node, headers=[spoiled])

    assert 400 <= answer.status < 500


@on_a_node()
async def test_a_plain_request_for_the_socket_is_answered_plainly(node: Node) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
    writer.write(b"GET /v1/socket HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    answer = await reader.read()

    assert answer.startswith(b"HTTP/1.1 4")
    writer.close()
    await writer.wait_closed()


# --- who is it -------------------------------------------------------------------------------------------------------


@on_a_node()
async def test_without_origin_only_a_bots_token_will_do(node: Node) -> None:
    for session in (await node.contact_session(), await node.agent_session()):
        peer = await node.peer(origin=None)
        await peer.say({"type": "hello", "protocol": 1, "token": node.token(session)})
        assert await peer.closed() == 4011

    bot = await node.peer(origin=None)
    assert says(await bot.hello(node.mine.bot_token)) == ["welcome", "synced"]


@on_a_node()
async def test_a_token_that_is_none_lets_nobody_in(node: Node) -> None:
    session, ended = await node.contact_session(), await node.contact_session()
    await node.end(ended)
    good = node.token(session)

    for token in (
        "",
        "nonsense",
        good[:-4] + "AAAA",
        node.token(session, life=-60),
        node.token(ended),
        "sbt_" + "x" * 43,
        "x" * 4_000,
        "é\u2028",
        "a.b.c",
    ):
        peer = await node.peer()
        await peer.say({"type": "hello", "protocol": 1, "token": token})
        assert await peer.closed() == 4005, token
    await node.still_works()


@on_a_node(hello_seconds=0.1, tick=0.02)
async def test_who_says_no_hello_in_time_is_closed_and_who_does_is_not(node: Node) -> None:
    contact, silent = await node.contact(), await node.peer()
    muttering = await node.peer()
    await muttering.send(masked(TEXT, b'{"type":"hello"', fin=False) + masked(PING, b"x"))

    assert await silent.closed() == 4004
    assert await muttering.closed() == 4004
    await node.started(contact)


@on_a_node(tick=0.02)
async def test_a_hello_that_the_server_is_slow_to_answer_is_nobodys_fault(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck = asyncio.Event()

    async def wait(token: str) -> Any:
        stuck.set()
        await asyncio.sleep(60)

    doorman: Any = node.shopbell.node.doorman
    monkeypatch.setattr(doorman, "_identify", wait)
    monkeypatch.setattr(node.shopbell.node, "hello_seconds", 0.1)
    peer = await node.peer()
    await peer.say({"type": "hello", "protocol": 1, "token": "x"})
    await stuck.wait()

    code = await peer.closed()

    assert code is not None
    assert 4100 <= code < 4200


# --- frames and fragments --------------------------------------------------------------------------------------------


@on_a_node()
async def test_a_message_may_come_in_pieces_with_control_frames_between(node: Node) -> None:
    peer, data = await node.contact(), a_typing()
    await peer.send(masked(TEXT, data[:1], fin=False))
    for at in range(1, len(data) - 1):
        await peer.send(masked(PING, b"%d" % at) + masked(CONT, data[at : at + 1], fin=False))
    await peer.send(masked(PONG, b"unasked") + masked(CONT, b"", fin=False) + masked(CONT, data[-1:]))

    assert await is_answered(peer)
    assert peer.pongs == [b"%d" % at for at in range(1, len(data) - 1)]


@on_a_node()
async def test_bytes_may_drip(node: Node) -> None:
    peer = await node.contact()
    for byte in masked(TEXT, a_typing()):
        await peer.send(bytes([byte]))
        await asyncio.sleep(0)

    assert await is_answered(peer)


@on_a_node()
async def test_many_frames_may_come_at_once(node: Node) -> None:
    peer = await node.contact()

    await peer.send(masked(TEXT, a_typing()) * 200)

    for _ in range(200):
        assert await is_answered(peer)


@on_a_node()
async def test_a_character_may_be_cut_in_two(node: Node) -> None:
    peer, data = await node.contact(), a_typing("cnv_שלום_🛍️")
    at = data.index(b"\xd7") + 1

    await peer.send(masked(TEXT, data[:at], fin=False) + masked(CONT, data[at:]))

    assert await is_answered(peer)


@on_a_node()
async def test_the_largest_frame_is_taken_and_one_byte_more_is_not(node: Node) -> None:
    peer, data = await node.contact(), a_typing()
    largest = data + b" " * (FRAME_LIMIT - len(data))
    await peer.say(largest)
    assert await is_answered(peer)
    await peer.send(masked(TEXT, largest[:1000], fin=False) + masked(CONT, largest[1000:]))
    assert await is_answered(peer)

    await peer.say(largest + b" ")

    assert await peer.closed() == 1009
    await node.still_works()


@on_a_node()
async def test_what_is_too_big_is_not_waited_for(node: Node) -> None:
    announced, piecemeal = await node.contact(), await node.contact()

    await announced.send(bytes([0x81, 0xFF]) + (1 << 40).to_bytes(8, "big") + b"\0\0\0\0")
    await piecemeal.send(masked(TEXT, b" " * 60_000, fin=False) + masked(CONT, b" " * 6_000, fin=False))

    assert await announced.closed() == 1009
    assert await piecemeal.closed() == 1009
    await node.still_works()


def held_for(node: Node) -> int:
    """The size of what is kept of an unfinished message."""
    (peer,) = node.shopbell.node.sockets
    return len(peer._fragments or ())


@on_a_node()
async def test_pieces_of_nothing_do_not_pile_up(node: Node) -> None:
    peer, data = await node.contact(), a_typing()
    await peer.send(masked(TEXT, data[:9], fin=False))

    await peer.send(masked(CONT, b"", fin=False) * 1_000)
    await peer.send(masked(PING, b"all of it"))
    await node.eventually(lambda: held_for(node) == 9)
    await peer.send(masked(CONT, data[9:]))

    assert await is_answered(peer)
    assert peer.pongs == [b"all of it"]


@pytest.mark.parametrize(
    "nothing",
    [masked(PING, b""), masked(PONG, b"x"), masked(TEXT, b'{"type":"pong","n":1}')],
    ids=["pings", "pongs", "pongs of ours"],
)
@on_a_node()
async def test_who_says_nothing_again_and_again_is_cut_off(node: Node, nothing: bytes) -> None:
    honest, chatty = await node.contact(), await node.contact()
    await honest.send(nothing * 900)

    for _ in range(10):
        try:
            await chatty.send(nothing * 1_000)
        except OSError:  # gone while we speak
            break

    assert await chatty.closed() in (4108, None)  # who goes on into the end may miss the word
    await node.started(honest)


@on_a_node()
async def test_a_stranger_has_one_frame_and_little_else(node: Node) -> None:
    await _is_thrown_out(node, masked(PING, b"") * 17, 4108)
    await _is_thrown_out(node, masked(TEXT, b"{", fin=False) + masked(CONT, b"", fin=False) * 16, 4108)
    await _is_thrown_out(node, masked(TEXT, b'{"type":"hello","token":"' + b"x" * 4_096 + b'"}'), 1009)
    known = await node.contact()
    await known.say(b" " * 5_000 + a_typing())
    assert await is_answered(known)


async def _is_thrown_out(node: Node, data: bytes, code: int) -> None:
    peer = await node.peer()
    await peer.send(data)
    assert await peer.closed() == code


@on_a_node(unauthenticated_per_address=2)
async def test_one_address_has_so_many_strangers(node: Node) -> None:
    strangers = [await node.peer() for _ in range(2)]
    with pytest.raises(Answer) as answer:
        await node.peer()
    assert answer.value.status == 429

    await strangers[0].hello(node.token(await node.contact_session()))
    await node.still_works()


@on_a_node(rate_address_connects="1/60s burst 2", trusted_proxies="127.0.0.1")
async def test_an_address_is_who_a_trusted_proxy_says(node: Node) -> None:
    for _ in range(2):
        await node.peer(headers=["X-Forwarded-For: 1.1.1.1, 203.0.113.9"])
    with pytest.raises(Answer) as answer:
        await node.peer(headers=["X-Forwarded-For: 2.2.2.2, 203.0.113.9"])

    assert answer.value.status == 429
    assert "retry-after: " in answer.value.head
    await node.peer(headers=["X-Forwarded-For: 203.0.113.10"])


@on_a_node(rate_address_connects="1/60s burst 2")
async def test_bots_that_are_none_use_up_their_address(node: Node) -> None:
    for _ in range(5):
        await node.bot()
    for _ in range(2):
        peer = await node.peer(origin=None)
        await peer.say({"type": "hello", "protocol": 1, "token": "sbt_" + "x" * 43})
        assert await peer.closed() == 4005
    await node.eventually(lambda: len(node.shopbell.node.sockets) == 5)

    with pytest.raises(Answer) as answer:
        await node.peer(origin=None)
    assert answer.value.status == 429


@on_a_node(rate_contact_messages="1/60s burst 2")
async def test_all_sockets_of_a_contact_share_its_rate_and_a_new_socket_does_not_renew_it(node: Node) -> None:
    session = await node.contact_session()
    first, second = await node.contact(session), await node.contact(session)
    conversation = await node.started(first)
    ask = {"conversation": conversation, "text": "x"}
    assert (await second.ask("message.send", id=new_id(), **ask))["type"] == "ok"

    third = await node.contact(session)
    assert (await third.ask("message.send", id=new_id(), **ask))["code"] == "rate_limited"


BROKEN: dict[str, tuple[bytes, int]] = {
    "no mask": (masked(TEXT, a_typing(), mask=False), 1002),
    "a reserved bit": (masked(TEXT, a_typing(), rsv=4), 1002),
    "another reserved bit": (masked(TEXT, a_typing(), rsv=1), 1002),
    "a reserved opcode": (masked(0x3, b""), 1002),
    "a reserved control opcode": (masked(0xB, b""), 1002),
    "a ping too long": (masked(PING, b"x" * 126), 1002),
    "a ping in pieces": (masked(PING, b"x", fin=False), 1002),
    "a close in pieces": (masked(CLOSE, b"\x03\xe8", fin=False), 1002),
    "a piece of nothing": (masked(CONT, b"x"), 1002),
    "a text within a text": (masked(TEXT, b"{", fin=False) + masked(TEXT, b"}"), 1002),
    "a close code of one byte": (masked(CLOSE, b"\x03"), 1002),
    "a close code that nobody may send": (masked(CLOSE, b"\x03\xed"), 1002),
    "a close code beyond all": (masked(CLOSE, b"\xff\xff"), 1002),
    "a close reason that is no text": (masked(CLOSE, b"\x03\xe8\xff"), 1007),
    "binary": (masked(BINARY, a_typing()), 4003),
    "binary in pieces": (masked(BINARY, b"{", fin=False) + masked(CONT, b"}"), 4003),
    "nothing": (masked(TEXT, b""), 4003),
    "no json": (masked(TEXT, b"{"), 4003),
    "no object": (masked(TEXT, b"[]"), 4003),
    "too deep": (masked(TEXT, b'{"a":' * 9 + b"1" + b"}" * 9), 4003),
    "far too deep": (masked(TEXT, b"[" * 60_000), 4003),
    "not a number": (masked(TEXT, b'{"type":"typing","conversation":"c","x":NaN}'), 4003),
    "half a character": (masked(TEXT, b'{"type":"typing","conversation":"\\ud83d"}'), 4003),
    "no utf-8": (masked(TEXT, b'{"type":"typing","conversation":"\xff"}'), 1007),
    "no utf-8 where nobody looks": (masked(TEXT, b'{"type":"typing","conversation":"c","x":"\xff"}'), 1007),
    "no utf-8 outside of strings": (masked(TEXT, b"\xff"), 1007),
    "no utf-8 over two pieces": (
        masked(TEXT, b'{"type":"typing","conversation":"\xf0\x9f', fin=False) + masked(CONT, b'"}'),
        1007,
    ),
    "a second hello": (masked(TEXT, b'{"type":"hello","protocol":1,"token":"x"}'), 4004),
}


@on_a_node()
async def test_each_kind_of_broken_frame_ends_its_own_connection_with_its_code(node: Node) -> None:
    witness = await node.contact()
    conversation = await node.started(witness)

    for name, (data, code) in BROKEN.items():
        peer = await node.contact()
        await peer.send(data)
        assert await peer.closed() == code, name

        await witness.say(a_typing(conversation))  # understood, and nobody to hear it
        answer = await witness.ask("message.send", id=new_id(), conversation=conversation, text=name)
        assert answer["type"] == "ok"
    await node.still_works()


@on_a_node()
async def test_each_kind_of_broken_frame_ends_a_connection_before_hello_too(node: Node) -> None:
    for name, (data, code) in BROKEN.items():
        peer = await node.peer()
        await peer.send(data)
        assert await peer.closed() == {"a second hello": 4005, "far too deep": 1009}.get(name, code), name
    for frame in ({"type": "pong"}, {"type": "nonsense"}, {"type": "hello"}, {"type": "watch", "conversations": []}):
        peer = await node.peer()
        await peer.say(frame)
        assert await peer.closed() == 4004, frame
    await node.still_works()


@on_a_node()
async def test_a_resume_from_beyond_all_positions_is_no_bug_of_ours(node: Node) -> None:
    first = await node.bot()
    epoch = first.welcome["epoch"]

    for cursor, code in ((2**53 - 1, None), (2**53, 4004), (10**23, 4004), (-1, 4004)):
        peer = await node.peer(origin=None)
        hello = {"type": "hello", "protocol": 1, "token": node.mine.bot_token}
        await peer.say(hello | {"resume": {"epoch": epoch, "cursor": cursor, "watch": ["cnv_none"]}})
        if code is None:
            assert says(await peer.until("synced"))[-1] == "synced"
        else:
            assert await peer.closed() == code


# --- the close -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [1000, 1001, 3000, 4999])
@on_a_node()
async def test_a_peer_that_closes_hears_its_own_code_and_then_the_end(node: Node, code: int) -> None:
    peer = await node.contact()

    assert await peer.closing(code) == code
    await node.eventually(lambda: not node.shopbell.node.sockets)


@on_a_node()
async def test_a_close_without_a_code_is_a_close(node: Node) -> None:
    peer = await node.contact()

    await peer.send(masked(CLOSE, b""))

    assert await peer.closed() is None
    await node.eventually(lambda: not node.shopbell.node.sockets)


@on_a_node()
async def test_what_was_answered_before_the_close_arrives_before_it(node: Node) -> None:
    peer = await node.contact()

    await peer.send(masked(TEXT, compact({"type": "nonsense", "ref": 1})) * 5 + masked(TEXT, b"nonsense"))

    heard: list[int] = []
    with pytest.raises(Closed) as closed:
        while True:
            heard.append((await peer.hear())["ref"])
    assert (heard, closed.value.code) == ([1] * 5, 4003)


@on_a_node()
async def test_nothing_behind_a_bad_frame_is_carried_out(node: Node) -> None:
    session = await node.contact_session()
    good = compact({"type": "conversation.start", "id": new_id(), "inbox": node.mine.door.id, "text": "Never"})
    hello = compact({"type": "hello", "protocol": 1, "token": node.token(session)})

    for before in (b"", masked(TEXT, hello)):  # at once, and while what follows has to wait for the welcome
        peer = await node.peer() if before else await node.contact(session)
        await peer.send(before + masked(TEXT, b"nonsense") + masked(TEXT, good))
        assert await peer.closed() == 4003

    again = await node.peer()
    assert says(await again.hello(node.token(session))) == ["welcome", "synced"]


@on_a_node()
async def test_nothing_behind_a_close_is_carried_out(node: Node) -> None:
    session = await node.contact_session()
    peer = await node.contact(session)
    good = compact({"type": "conversation.start", "id": new_id(), "inbox": node.mine.door.id, "text": "Never"})

    await peer.send(masked(CLOSE, b"\x03\xe8") + masked(TEXT, good))

    assert await peer.closed() == 1000
    again = await node.peer()
    assert says(await again.hello(node.token(session))) == ["welcome", "synced"]


@on_a_node(tick=0.02)
async def test_a_peer_that_does_not_answer_a_close_is_cut_off(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "CLOSING_SECONDS", 0.1)
    peer = await node.contact()
    await peer.send(masked(TEXT, b"nonsense"))

    while True:
        opcode, payload = await peer.frame()
        if opcode == CLOSE:
            break
    await peer.ends()  # which is more than a close frame: the connection itself

    assert payload[:2] == (4003).to_bytes(2, "big")
    await node.eventually(lambda: not node.shopbell.node.sockets)


@on_a_node()
async def test_peers_may_vanish_at_any_moment(node: Node) -> None:
    token = node.token(await node.contact_session())
    hello = compact({"type": "hello", "protocol": 1, "token": token})
    beginnings = [
        b"",
        masked(TEXT, b"x")[:3],
        masked(TEXT, hello),
        masked(TEXT, b"{", fin=False),
        masked(TEXT, hello) + masked(TEXT, a_typing()) * 50,
        masked(CLOSE, b"\x03\xe8"),
    ]

    for beginning in beginnings:
        for goes in (Peer.leave, Peer.vanish):
            peer = await node.peer()
            await peer.send(beginning)
            await asyncio.sleep(0)
            goes(peer)
    for goes in (Peer.leave, Peer.vanish):
        goes(await node.contact())

    await node.eventually(lambda: not node.shopbell.node.sockets)
    await node.still_works()


@on_a_node()
async def test_many_reconnects_leave_no_file_open(node: Node) -> None:
    session = await node.contact_session()

    async def come_and_go(times: int) -> int:
        for _ in range(times):
            peer = await node.contact(session)
            peer.leave()
        await node.eventually(lambda: not node.shopbell.node.sockets)
        return len(os.listdir("/proc/self/fd"))

    before = await come_and_go(5)

    assert await come_and_go(500) <= before


@on_a_node()
async def test_a_peer_that_goes_with_asks_open_hurts_nobody(node: Node, tmp_path: Path) -> None:
    for goes in (Peer.leave, Peer.vanish):
        witness, peer = await node.contact(), await node.contact()
        conversation = await node.started(peer)
        ids = [new_id() for _ in range(3)]
        with store_locked(tmp_path):
            for id in ids:
                await peer.begin("message.send", id=id, conversation=conversation, text="Did you get this?")
            await witness.begin("conversation.start", id=new_id(), inbox=node.mine.door.id, text="And me?")
            await peer.begin("nothing.at_all")
            await peer.next("refused")  # so that all of it has been read
            goes(peer)
            await node.eventually(lambda: len(node.shopbell.node.sockets) == 1)

        assert (await witness.next("ok"))["seq"] == 1
        witness.leave()
        await node.eventually(lambda: not node.shopbell.node.sockets)
    await node.still_works()


# --- pings -----------------------------------------------------------------------------------------------------------


@on_a_node(ping_seconds=20, pong_seconds=10, tick=0.02)
async def test_who_answers_pings_stays_and_who_does_not_goes(node: Node) -> None:
    alive, dead = await node.contact(), await node.contact()
    dead.answers_pings = False

    async def live() -> list[dict[str, Any]]:
        """Everything that the living one hears meanwhile; pings are answered by the way."""
        return await alive.until("change")

    living = asyncio.create_task(live())
    assert (await dead.hear())["type"] == "ping"
    assert await dead.closed() == 4104

    assert not living.done()
    other = await node.contact()
    living.cancel()
    await asyncio.wait([living])
    await node.started(alive)
    await node.started(other)


@on_a_node(ping_seconds=20, pong_seconds=10, tick=0.02)
async def test_any_frame_is_a_sign_of_life(node: Node) -> None:
    peer = await node.contact()
    peer.answers_pings = False
    pings = 0

    while pings < 4:
        await peer.send(masked(PONG, b""))
        frame = await peer.hear()
        pings += frame["type"] == "ping"

    await peer.say(a_typing())
    assert await is_answered(peer)


@on_a_node()
async def test_pings_of_a_peer_that_reads_are_answered_every_one(node: Node) -> None:
    peer = await node.contact()

    await peer.send(b"".join(masked(PING, b"%d" % n) for n in range(1000)) + masked(TEXT, a_typing()))

    assert await is_answered(peer)
    assert peer.pongs == [b"%d" % n for n in range(1000)]


# --- peers that don't read -------------------------------------------------------------------------------------------

BIG = "🛍" * 8000  # 32 KB in UTF-8, and a text of legal length


def weight(node: Node) -> int:
    """The bytes that this process holds for its slowest peer."""
    return max(peer._outbox._size + peer._transport.get_write_buffer_size() for peer in node.shopbell.node.sockets)


async def fill(node: Node, contact: Peer, conversation: str, until: Callable[[Socket], bool]) -> None:
    """Say so much that it is true of somebody's socket."""
    for _ in range(1000):
        if any(until(peer) for peer in node.shopbell.node.sockets):
            return
        await contact.ask("message.send", id=new_id(), conversation=conversation, text=BIG)
    raise AssertionError("nobody is slow")


@on_a_node(outbox_bytes=262144)
async def test_a_peer_that_stops_reading_is_closed_and_no_other_is_hurt(node: Node) -> None:
    contact, watcher = await node.contact(), await node.bot()
    conversation = await node.started(contact)
    slow = await node.peer(origin=None, receive_buffer=32768)
    await slow.hello(node.mine.bot_token)
    for bot in (watcher, slow):
        await bot.ask("watch", conversations=[conversation])
        await bot.next("snapshot")
    texts: list[str] = []
    heaviest = 0

    async def listen() -> None:
        while len(texts) < 400:
            texts.extend(entry["text"] for entry in (await watcher.next("change"))["entries"])

    listening = asyncio.create_task(listen())
    for n in range(400):
        answer = await contact.ask("message.send", id=new_id(), conversation=conversation, text=f"{n}{BIG}"[:8000])
        assert answer["type"] == "ok"
        heaviest = max(heaviest, weight(node))
    await listening

    assert len(texts) == 400
    assert heaviest < 2 * 262144
    assert await slow.closed() == 4106
    await node.eventually(lambda: len(node.shopbell.node.sockets) == 2)


@on_a_node(
    outbox_seconds=0.2, outbox_bytes=67_108_864, outbox_frames=65_536, ping_seconds=300, pong_seconds=250, tick=0.02
)
async def test_a_frame_that_waits_too_long_closes_its_peer(node: Node) -> None:
    contact = await node.contact()
    conversation = await node.started(contact)
    slow = await node.peer(origin=None, receive_buffer=32768)
    await slow.hello(node.mine.bot_token)
    await slow.ask("watch", conversations=[conversation])
    closes = node.shopbell.node.metrics.closes

    await fill(node, contact, conversation, until=lambda peer: not peer.is_open())

    assert await slow.closed() == 4106
    await node.eventually(lambda: closes.labels("4106")._value.get() == 1)
    await node.still_works()


@on_a_node()
async def test_signals_go_overboard_first(node: Node) -> None:
    contact = await node.contact()
    conversation = await node.started(contact)
    slow = await node.peer(origin=None, receive_buffer=32768)
    await slow.hello(node.mine.bot_token)
    await slow.ask("watch", conversations=[conversation])
    shed, limits = node.shopbell.node.metrics.signals_shed, node.shopbell.node.outbox

    await fill(node, contact, conversation, until=lambda peer: peer._outbox.is_half_full(limits))
    await contact.say({"type": "typing", "conversation": conversation, "on": True})
    await node.eventually(lambda: shed._value.get() == 1)
    ref = await contact.begin("message.send", id=new_id(), conversation=conversation, text="after the signal")
    await contact.until(lambda frame: frame.get("ref") == ref)

    heard = await slow.until(lambda frame: frame["type"] == "change" and frame["entries"][0]["text"][0] == "a")
    assert "signal" not in says(heard)
    changes = [frame["seq"] for frame in heard if frame["type"] == "change"]
    assert changes == list(range(changes[0], changes[0] + len(changes)))  # but nothing that lasts


@on_a_node()
async def test_a_flood_of_pings_from_a_peer_that_does_not_read_is_cut_off(node: Node) -> None:
    peer = await node.peer(receive_buffer=32768)
    await peer.hello(node.token(await node.contact_session()))
    flood = masked(PING, b"x" * 125) * 500

    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        for _ in range(2000):
            await peer.send(flood)
            assert weight(node) < 1_000_000

    await node.eventually(lambda: not node.shopbell.node.sockets)
    await node.still_works()


# --- limits ----------------------------------------------------------------------------------------------------------


@on_a_node(inflight_contact=4)
async def test_with_so_many_asks_open_nothing_more_is_read_and_then_all_is_answered_in_order(
    node: Node, tmp_path: Path
) -> None:
    peer = await node.contact()
    conversation = await node.started(peer)
    ask = {"type": "message.send", "conversation": conversation, "text": "small", "ignored": BIG}
    frames = [masked(TEXT, compact(ask | {"ref": 100 + n, "id": new_id()})) for n in range(300)]

    with store_locked(tmp_path):
        sending = asyncio.create_task(peer.send(b"".join(frames)))
        await asyncio.wait([sending], timeout=0.3)
        assert not sending.done(), "10 MB were read while 4 asks were open"

    answers = [frame async for frame in answered(peer, 300)]
    await sending
    assert [frame["ref"] for frame in answers] == [100 + n for n in range(300)]
    assert [frame["seq"] for frame in answers] == [2 + n for n in range(300)]


async def answered(peer: Peer, count: int) -> Any:
    while count:
        frame = await peer.hear()
        if frame["type"] == "ok":
            count -= 1
            yield frame


@on_a_node(inflight_contact=2)
async def test_many_small_asks_in_one_segment_are_answered_in_order(node: Node) -> None:
    peer = await node.contact()
    conversation = await node.started(peer)
    ask = {"type": "message.send", "conversation": conversation, "text": "x"}

    await peer.send(b"".join(masked(TEXT, compact(ask | {"ref": 100 + n, "id": new_id()})) for n in range(500)))

    assert [frame["ref"] async for frame in answered(peer, 500)] == [100 + n for n in range(500)]


@on_a_node()
async def test_who_pours_while_it_is_held_back_is_closed(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "PENDING_FRAMES", 100)
    peer = await node.peer()
    hello = masked(TEXT, compact({"type": "hello", "protocol": 1, "token": node.token(await node.contact_session())}))

    await peer.send(hello + masked(TEXT, b'{"type":"pong"}') * 1000)

    assert await peer.closed() == 4108
    await node.still_works()


@on_a_node(rate_contact_messages="1/s burst 2")
async def test_messages_beyond_the_rate_are_refused_with_the_time_to_wait(node: Node) -> None:
    peer = await node.contact()
    conversation = await node.started(peer)
    await peer.ask("message.send", id=new_id(), conversation=conversation, text="2")

    refused = await peer.ask("message.send", id=new_id(), conversation=conversation, text="3")

    assert (refused["code"], refused["retry"]) == ("rate_limited", True)
    assert 0 < refused["after_ms"] <= 1001


@on_a_node(rate_contact_frames="1/60s burst 3")
async def test_frames_far_beyond_the_rate_end_the_connection(node: Node) -> None:
    peer = await node.contact()

    await peer.send(masked(TEXT, a_typing()) * 10)

    heard: list[str] = []
    with pytest.raises(Closed) as closed:
        while True:
            heard.append((await peer.hear())["code"])
    assert closed.value.code == 4108
    assert set(heard) <= {"not_found", "rate_limited"}
    await node.still_works()


# --- joining ---------------------------------------------------------------------------------------------------------


@on_a_node()
async def test_frames_are_joined_for_who_asked_for_it_and_for_nobody_else(node: Node) -> None:
    session = await node.contact_session()
    joined, single = await node.contact(session), await node.contact(session, batch=False)
    conversation = await node.started(joined)
    ask = {"type": "message.send", "conversation": conversation, "text": BIG}

    await joined.send(b"".join(masked(TEXT, compact(ask | {"ref": 100 + n, "id": new_id()})) for n in range(10)))
    await single.until(lambda frame: frame.get("seq") == 11)
    await joined.until(lambda frame: frame.get("seq") == 11 and frame["type"] == "change")

    assert all(b"\n" not in message for message in single.messages)
    assert any(b"\n" in message for message in joined.messages)
    assert all(len(message) <= FRAME_LIMIT for message in joined.messages if b"\n" in message)
    assert all(json.loads(line)["type"] for message in joined.messages for line in message.split(b"\n"))


@on_a_node()
async def test_ok_comes_before_the_change_and_in_the_same_write(node: Node) -> None:
    peer = await node.contact()
    conversation = await node.started(peer)
    peer.messages.clear()

    await peer.begin("message.send", id=new_id(), conversation=conversation, text="x")
    await peer.next("change")

    (message,) = peer.messages
    assert [json.loads(line)["type"] for line in message.split(b"\n")] == ["ok", "change"]
