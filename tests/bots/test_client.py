"""The client against a fake service: resumes, resends, stops and backs off as the protocol says."""

import asyncio
from typing import Any

import pytest

from bots import Client, Closed, Pace, Refused
from bots.client import socket_url
from bots.errors import OutboxFull
from tests.bots.fake import Fake, fake_shopbell

FAST = Pace(first=0.02, base=0.02, cap=0.1, floor=0.01)
UNSTORED = "00000000-0000-7000-8000-000000000000"


def a_client(fake: Fake, token: Any = "shopper", **options: Any) -> Client:
    defaults: dict[str, Any] = {"pace": FAST, "patience": 5.0}
    return Client(fake.url, token, **defaults | options)


async def a_conversation(client: Client) -> str:
    return (await client.start("inb_1", "Hello"))["conversation"]


def texts(client: Client, conversation: str) -> list[str]:
    return [entry.get("text", "") for entry in client.mirror.threads[conversation].timeline()]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8000", "ws://127.0.0.1:8000/v1/socket"),
        ("https://chat.example/", "wss://chat.example/v1/socket"),
        ("ws://localhost:1/elsewhere", "ws://localhost:1/elsewhere"),
    ],
)
def test_the_socket_is_at_its_usual_place(url: str, expected: str) -> None:
    assert socket_url(url) == expected


def test_a_client_says_hello_and_is_brought_up_to_date() -> None:
    async def play() -> None:
        async with fake_shopbell() as fake:
            conversation = await fake.says("shopper", type="conversation.start", id="m1", text="Hello")
            async with a_client(fake) as client:
                await client.synced()

                assert texts(client, conversation) == ["Hello"]
                assert client.mirror.me is not None
                assert client.mirror.me["id"] == "con_1"
            hello = {"type": "hello", "protocol": 1, "token": "shopper", "client": "bots/1.0", "batch": True}
            assert fake.hellos == [hello]

    asyncio.run(play())


def test_messages_go_out_in_order_each_naming_the_one_before() -> None:
    async def play() -> None:
        async with fake_shopbell() as fake, a_client(fake) as client:
            conversation = await a_conversation(client)
            await asyncio.gather(*[client.send(conversation, str(number)) for number in range(40)])

            assert texts(client, conversation) == ["Hello", *map(str, range(40))]
            ids = [ask["id"] for ask in fake.asked]
            assert [ask.get("after") for ask in fake.asked] == [None, *ids[:-1]]

    asyncio.run(play())


def test_an_ask_whose_ok_was_lost_is_sent_again_and_happens_once() -> None:
    async def play() -> None:
        async with fake_shopbell() as fake, a_client(fake) as client:
            conversation = await a_conversation(client)
            fake.cut_before_ok = 3
            results = await asyncio.gather(*[client.send(conversation, text) for text in "abc"])
            await client.until(lambda mirror: len(mirror.threads[conversation].entries) == 4)

            assert texts(client, conversation) == ["Hello", "a", "b", "c"]
            assert [entry["text"] for entry in fake.entries[conversation]] == ["Hello", "a", "b", "c"]
            assert any(result.get("again") for result in results)
            assert len(fake.hellos) > 1

    asyncio.run(play())


def test_a_contact_resumes_from_the_seq_it_has_seen() -> None:
    async def play() -> None:
        async with fake_shopbell() as fake, a_client(fake) as client:
            conversation = await a_conversation(client)
            await client.until(lambda mirror: conversation in mirror.threads)
            fake.peers[0].socket.transport.abort()
            await fake.says("agent", type="message.send", id="m2", conversation=conversation, text="Missed")
            await client.until(lambda mirror: len(mirror.threads[conversation].entries) == 2)

            assert fake.hellos[1]["resume"] == {"epoch": "epoch-1", "conversations": {conversation: 1}}

    asyncio.run(play())


def test_staff_resumes_from_its_cursor_and_says_what_it_watches_again() -> None:
    async def play() -> None:
        async with fake_shopbell() as fake:
            conversation = await fake.says("shopper", type="conversation.start", id="m1", text="Hello")
            async with a_client(fake, "agent") as client:
                await client.watch([conversation])
                await client.until(lambda mirror: conversation in mirror.threads)
                fake.peers[0].socket.transport.abort()
                await fake.until(lambda: [ask["type"] for ask in fake.asked] == ["watch", "watch"])

                assert fake.hellos[1]["resume"] == {"epoch": "epoch-1", "cursor": 1, "watch": [conversation]}
                assert fake.asked[1]["conversations"] == [conversation]

    asyncio.run(play())


def test_what_was_only_assigned_does_not_stay_watched_after_a_resume() -> None:
    async def play() -> None:
        async with fake_shopbell() as fake:
            conversation = await fake.says("shopper", type="conversation.start", id="m1", text="Hello")
            async with a_client(fake, "agent") as client:
                await client.claim(conversation)
                await client.synced()
                fake.peers[0].socket.transport.abort()
                await client.until(lambda mirror: conversation in mirror.threads)
                fake.peers[0].socket.transport.abort()
                await fake.until(lambda: fake.asked[-1]["type"] == "watch")

                assert fake.hellos[-1]["resume"]["watch"] == [conversation]
                assert fake.asked[-1]["conversations"] == []

    asyncio.run(play())


def test_another_epoch_resets_what_is_held() -> None:
    async def play() -> None:
        async with fake_shopbell() as fake, a_client(fake) as client:
            conversation = await a_conversation(client)
            fake.epoch = "epoch-2"
            fake.entries[conversation] = []
            fake.peers[0].socket.transport.abort()
            await client.until(lambda mirror: mirror.epoch == "epoch-2" and mirror.is_synced)

            assert texts(client, conversation) == []

    asyncio.run(play())


def test_a_refusal_is_raised_where_the_ask_is_awaited() -> None:
    async def play() -> None:
        async with fake_shopbell() as fake, a_client(fake) as client:
            fake.refusals = [{"code": "bad_request", "retry": False, "field": "text"}]
            with pytest.raises(Refused) as caught:
                await client.start("inb_1", " ")

            assert (caught.value.code, caught.value.field, caught.value.message) == ("bad_request", "text", "no")

    asyncio.run(play())


@pytest.mark.parametrize("code", ["unavailable", "busy", "rate_limited", "internal"])
def test_what_may_be_retried_is_retried_with_the_same_id_and_in_order(code: str) -> None:
    async def play() -> None:
        async with fake_shopbell() as fake, a_client(fake) as client:
            conversation = await a_conversation(client)
            fake.refusals = [{"code": code, "retry": True, "after_ms": 30}]
            await asyncio.gather(client.send(conversation, "a"), client.send(conversation, "b"))
            await client.until(lambda mirror: len(mirror.threads[conversation].entries) == 3)

            assert texts(client, conversation) == ["Hello", "a", "b"]
            assert len({ask["id"] for ask in fake.asked if ask["text"] == "a"}) == 1
            assert len({ask["ref"] for ask in fake.asked}) == len(fake.asked)

    asyncio.run(play())


def test_a_ping_is_answered() -> None:
    async def play() -> None:
        async with fake_shopbell() as fake, a_client(fake) as client:
            await client.synced()
            await fake.peers[0].write({"type": "ping", "n": 7})
            async with asyncio.timeout(5):
                await fake.pong.wait()

            assert fake.asked == [{"type": "pong", "n": 7}]

    asyncio.run(play())


def asks_to_reconnect(fake: Fake) -> Any:
    return fake.peers[0].write({"type": "reconnect", "after": [0, 20], "reason": "deploy"})


def test_asked_to_reconnect_the_client_has_a_new_socket_before_the_old_one_goes() -> None:
    async def play() -> None:
        async with fake_shopbell() as fake, a_client(fake) as client:
            conversation = await a_conversation(client)
            old = fake.peers[0]
            interrupted = asyncio.create_task(client.until(lambda mirror: not mirror.is_synced))
            fake.gate.clear()  # nobody is brought up to date
            await asks_to_reconnect(fake)
            await fake.until(lambda: len(fake.hellos) == 2)
            await client.send(conversation, "by the old one")
            await fake.says(
                "agent", type="message.send", id="m2", conversation=conversation, text="missed by the new one"
            )
            await client.until(lambda mirror: len(mirror.threads[conversation].entries) == 3)
            fake.gate.set()
            await fake.until(lambda: fake.peers != [old] and old not in fake.peers)
            await client.send(conversation, "by the new one")

            assert texts(client, conversation)[1:] == ["by the old one", "missed by the new one", "by the new one"]
            assert fake.hellos[1]["resume"] == {"epoch": "epoch-1", "conversations": {conversation: 1}}
            assert old.socket.close_code == 1000
            assert interrupted.cancel()

    asyncio.run(play())


@pytest.mark.parametrize("code", [4103, 4005, 4010])
def test_where_no_new_socket_can_be_had_the_old_one_goes_on_until_it_is_closed(code: int) -> None:
    async def play() -> None:
        async with fake_shopbell() as fake, a_client(fake) as client:
            conversation = await a_conversation(client)
            fake.close_hello_with = [code] * 3
            await asks_to_reconnect(fake)
            await fake.until(lambda: len(fake.hellos) == 3)
            await client.send(conversation, "still here")
            assert len(fake.peers) == 1

            fake.close_hello_with = []
            await fake.peers[0].socket.close(4200)
            await fake.until(lambda: fake.peers and fake.peers[0].hello is fake.hellos[-1])
            await client.send(conversation, "and here")

            assert texts(client, conversation) == ["Hello", "still here", "and here"]

    asyncio.run(play())


def test_what_was_in_flight_on_the_old_socket_is_said_again_on_the_new_one() -> None:
    async def play() -> None:
        async with fake_shopbell() as fake, a_client(fake) as client:
            conversation = await a_conversation(client)
            fake.is_mute = True  # it takes asks and says nothing
            waiting = client.send(conversation, "no answer")
            await fake.until(lambda: fake.asked[-1]["type"] == "message.send")
            fake.is_mute = False
            await asks_to_reconnect(fake)

            assert (await waiting).get("again")
            assert len([ask for ask in fake.asked if ask.get("text") == "no answer"]) == 2

    asyncio.run(play())


def test_a_token_that_is_refused_to_a_new_socket_is_fetched_anew_beside_the_old_one() -> None:
    async def play() -> None:
        fetched: list[str] = []

        async def token() -> str:
            fetched.append("shopper")
            return fetched[-1]

        async with fake_shopbell() as fake, a_client(fake, token) as client:
            await client.synced()
            fake.close_hello_with = [4005]
            await asks_to_reconnect(fake)
            await fake.until(lambda: len(fake.hellos) == 3)

            assert len(fetched) == 2

    asyncio.run(play())


def test_a_fetched_token_that_is_old_is_not_said_in_a_hello(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> None:
        fetched: list[str] = []

        async def token() -> str:
            fetched.append("shopper")
            return fetched[-1]

        async with fake_shopbell() as fake, a_client(fake, token) as client:
            await client.synced()
            await asks_to_reconnect(fake)
            await fake.until(lambda: len(fake.hellos) == 2)
            assert len(fetched) == 1

            monkeypatch.setattr("bots.client.TOKEN_SECONDS", 0.0)
            await fake.until(lambda: len(fake.peers) == 1)
            await asks_to_reconnect(fake)
            await fake.until(lambda: len(fake.hellos) == 3)
            assert len(fetched) == 2

    asyncio.run(play())


@pytest.mark.parametrize("code", [4001, 4003, 4010, 4011, 4012])
def test_a_code_that_says_do_not_come_back_ends_the_client(code: int) -> None:
    async def play() -> None:
        async with fake_shopbell() as fake:
            fake.close_hello_with = [code]
            async with a_client(fake) as client:
                with client.events() as frames, pytest.raises(Closed) as caught:
                    async for _ in frames:
                        pass
                assert caught.value.code == code
                with pytest.raises(Closed):
                    await client.start("inb_1", "Hello")
            assert len(fake.hellos) == 1

    asyncio.run(play())


@pytest.mark.parametrize("code", [4100, 4101, 4103, 4105, 4106, 4200, 1012])
def test_other_codes_let_the_client_come_back(code: int) -> None:
    async def play() -> None:
        async with fake_shopbell() as fake:
            fake.close_hello_with = [code, code]
            async with a_client(fake) as client:
                await client.synced()
            assert len(fake.hellos) == 3

    asyncio.run(play())


def test_a_refused_token_is_fetched_anew_once() -> None:
    async def play() -> None:
        fetched: list[str] = []

        async def token() -> str:
            fetched.append("stale" if not fetched else "shopper")
            return fetched[-1]

        async with fake_shopbell() as fake:
            async with a_client(fake, token) as client:
                await client.synced()
            assert fetched == ["stale", "shopper"]

    asyncio.run(play())


def test_who_has_become_another_comes_back_with_a_new_token_and_sends_again_what_was_unanswered() -> None:
    async def play() -> None:
        fetched: list[str] = []

        async def token() -> str:
            fetched.append("another" if fetched else "shopper")
            return fetched[-1]

        async with fake_shopbell() as fake, a_client(fake, token) as client:
            conversation = await a_conversation(client)
            fake.refusals = [{"code": "busy", "retry": True, "after_ms": 500}]
            waiting = client.send(conversation, "On its way")
            await fake.until(lambda: not fake.refusals)
            fake.states[conversation]["contact"] = "con_2"
            await fake.peers[0].socket.close(4202)
            await client.until(lambda mirror: mirror.is_synced and mirror.me and mirror.me["id"] == "con_2")

            assert fetched == ["shopper", "another"]
            assert (await waiting)["conversation"] == conversation

    asyncio.run(play())


def test_a_token_that_stays_refused_ends_the_client() -> None:
    async def play() -> None:
        async def token() -> str:
            return "stale"

        async with fake_shopbell() as fake, a_client(fake, token) as client:
            with pytest.raises(Closed, match="4005"):
                await client.synced()
            assert len(fake.hellos) == 2

    asyncio.run(play())


def test_a_service_that_is_away_is_waited_for() -> None:
    async def play() -> None:
        async with fake_shopbell() as fake:
            attempts: list[int] = []

            async def token() -> str:
                attempts.append(1)
                if len(attempts) < 3:
                    raise ConnectionRefusedError
                return "shopper"

            async with a_client(fake, token) as client:
                await client.synced()
            assert len(attempts) == 3

    asyncio.run(play())


def test_silence_makes_the_client_look_for_another_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bots.connection.GRACE_SECONDS", 0.05)

    async def play() -> None:
        async with fake_shopbell() as fake:
            fake.ping_ms = 50
            async with a_client(fake):
                await fake.until(lambda: len(fake.hellos) >= 2)

    asyncio.run(play())


def test_a_slow_consumer_stops_the_reading_but_not_its_own_answers() -> None:
    async def play() -> None:
        async with fake_shopbell() as fake, a_client(fake, room=4) as client:
            conversation = await a_conversation(client)
            await client.until(lambda mirror: conversation in mirror.threads)
            seqs = list(range(2, 22))
            with client.events() as frames:
                for seq in seqs:
                    await fake.peers[0].write({"type": "change", "conversation": conversation, "seq": seq})
                await client.until(lambda mirror: mirror.threads[conversation].state["seq"] == 5)
                await asyncio.sleep(0)
                assert client.mirror.threads[conversation].state["seq"] == 5

                await client.send(conversation, "answer")
                heard = [frame async for frame in _first(frames, len(seqs))]

            assert [frame.get("seq") for frame in heard] == seqs

    asyncio.run(play())


async def _first(frames: Any, count: int) -> Any:
    async for frame in frames:
        yield frame
        count -= 1
        if not count:
            return


def test_a_frame_that_is_too_large_is_refused_at_once() -> None:
    async def play() -> None:
        async with fake_shopbell() as fake, a_client(fake) as client:
            conversation = await a_conversation(client)
            with pytest.raises(Refused, match="too_large"):
                await client.send(conversation, "x" * 70_000)
            await client.send(conversation, "short")

            assert fake.asked[-1]["after"] == fake.asked[0]["id"]

    asyncio.run(play())


def test_leaving_settles_what_waits_and_says_goodbye() -> None:
    async def play() -> None:
        async with fake_shopbell() as fake:
            async with a_client(fake) as client:
                await client.synced()
                fake.refusals = [{"code": "busy", "retry": True, "after_ms": 60_000}]
                waiting = client.start("inb_1", "Hello")
                await fake.until(lambda: fake.asked)
                client.outbox.bound = 1
                with pytest.raises(OutboxFull):
                    await client.start("inb_1", "Hello")
                peer = fake.peers[0]
            with pytest.raises(Closed):
                await waiting
            await peer.socket.wait_closed()

            assert peer.socket.close_code == 1000

    asyncio.run(play())


def test_an_error_in_the_body_comes_out_as_it_is() -> None:
    async def play() -> None:
        async with fake_shopbell() as fake, a_client(fake) as client:
            await client.synced()
            raise KeyError("mine")

    with pytest.raises(KeyError):
        asyncio.run(play())


def test_nothing_is_left_running_after_leaving() -> None:
    async def play() -> None:
        async with fake_shopbell() as fake:
            before = asyncio.all_tasks()
            async with a_client(fake) as client:
                await client.synced()
            await asyncio.sleep(0)

            assert {task for task in asyncio.all_tasks() if task.get_name().startswith("Client")} <= before
            assert client.ended is not None

    asyncio.run(play())
