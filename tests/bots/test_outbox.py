"""Asks keep their order, their ids and their chain through refusals, retries and broken sockets."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, cast

import pytest

from bots.errors import Closed, OutboxFull, Refused, Unsettled
from bots.frames import Ok, Refusal
from bots.outbox import Ask, Outbox


def in_a_loop(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    """Futures want a loop; nothing in here waits for anything outside."""

    @wraps(test)
    def run() -> None:
        async def body() -> None:
            await test()

        asyncio.run(body())

    return run


def an_outbox(**options: Any) -> Outbox:
    return Outbox(dice=random.Random(1), **options)


def asks(outbox: Outbox, id: str, type: str = "message.send", conversation: str = "cnv_1") -> Ask:
    frame = {"type": type, "id": id, "conversation": conversation}
    ask = Ask(frame, conversation, 1.0, asyncio.get_running_loop().create_future())
    outbox.add(ask)
    if type in ("message.send", "note.add"):
        outbox.chain(frame, None)
    return ask


def sent(outbox: Outbox, now: float = 0.0) -> list[tuple[str, str | None]]:
    """Ids that go out now, with what they follow."""
    return [(ask.id, ask.frame.get("after")) for ask in outbox.due(now)]


def ok(outbox: Outbox, ask: Ask, **more: Any) -> None:
    outbox.ok(cast("Ok", {"type": "ok", "ref": ask.ref, "seq": 1} | more))


def refuse(outbox: Outbox, ask: Ask, code: str, *, retry: bool, now: float = 0.0, **more: Any) -> None:
    outbox.refused(cast("Refusal", {"type": "refused", "ref": ask.ref, "code": code, "retry": retry} | more), now)


@in_a_loop
async def test_asks_go_out_once_in_order_each_naming_the_one_before() -> None:
    outbox = an_outbox()
    for id in ("a", "b", "c"):
        _ = asks(outbox, id)

    assert sent(outbox) == [("a", None), ("b", "a"), ("c", "b")]
    assert sent(outbox) == []


@in_a_loop
async def test_only_so_many_are_unanswered_at_once() -> None:
    outbox = an_outbox(window=2)
    first, _, _ = [asks(outbox, id) for id in ("a", "b", "c")]

    assert [id for id, _ in sent(outbox)] == ["a", "b"]
    ok(outbox, first)
    assert [id for id, _ in sent(outbox)] == ["c"]


@in_a_loop
async def test_ok_settles_the_ask_with_its_result() -> None:
    outbox = an_outbox()
    ask = asks(outbox, "a")
    sent(outbox)
    ok(outbox, ask, seq=7)

    assert (await ask)["seq"] == 7
    assert len(outbox) == 0


@in_a_loop
async def test_after_a_broken_socket_all_that_is_unsettled_goes_again_with_the_same_ids() -> None:
    outbox = an_outbox()
    first, second, _ = [asks(outbox, id) for id in ("a", "b", "c")]
    sent(outbox)
    ok(outbox, second)
    old_ref = first.ref
    outbox.disconnected()

    assert sent(outbox) == [("a", None), ("c", "b")]
    assert first.ref != old_ref


@in_a_loop
async def test_an_answer_to_a_ref_of_an_earlier_connection_is_ignored() -> None:
    outbox = an_outbox()
    ask = asks(outbox, "a")
    sent(outbox)
    old = cast("Ok", {"type": "ok", "ref": ask.ref})
    outbox.disconnected()
    sent(outbox)
    outbox.ok(old)

    assert not ask.settled.done()


@in_a_loop
async def test_a_final_refusal_raises_and_mends_the_chain() -> None:
    outbox = an_outbox()
    first, second, third = [asks(outbox, id) for id in ("a", "b", "c")]
    sent(outbox)
    ok(outbox, first)
    refuse(outbox, second, "bad_request", retry=False, field="text")
    refuse(outbox, third, "behind", retry=True)

    with pytest.raises(Refused, match="bad_request"):
        await second
    assert sent(outbox, now=60) == [("c", "a")]


@in_a_loop
async def test_the_next_after_a_final_refusal_follows_the_one_before_it() -> None:
    outbox = an_outbox()
    first, second = asks(outbox, "a"), asks(outbox, "b")
    sent(outbox)
    ok(outbox, first)
    refuse(outbox, second, "forbidden", retry=False)
    _ = asks(outbox, "c")

    assert sent(outbox) == [("c", "a")]
    second.settled.exception()


@in_a_loop
async def test_a_retry_waits_and_those_behind_it_go_after_it() -> None:
    outbox = an_outbox()
    first, second = asks(outbox, "a"), asks(outbox, "b")
    sent(outbox)
    refuse(outbox, first, "internal", retry=True)
    refuse(outbox, second, "behind", retry=True)

    assert sent(outbox) == []
    assert outbox.next_due(0.0) == pytest.approx(first.not_before)
    assert sent(outbox, now=1.0) == [("a", None), ("b", "a")]


@in_a_loop
async def test_another_conversation_does_not_wait_for_a_retry() -> None:
    outbox = an_outbox()
    first = asks(outbox, "a")
    sent(outbox)
    refuse(outbox, first, "internal", retry=True)
    _ = asks(outbox, "x", conversation="cnv_2")

    assert sent(outbox) == [("x", None)]


@in_a_loop
async def test_a_refusal_of_the_whole_node_holds_everything_back() -> None:
    outbox = an_outbox()
    first = asks(outbox, "a")
    sent(outbox)
    refuse(outbox, first, "rate_limited", retry=True, after_ms=1200)
    _ = asks(outbox, "x", conversation="cnv_2")

    assert sent(outbox, now=1.19) == []
    assert outbox.next_due(1.0) == pytest.approx(0.2)
    assert [id for id, _ in sent(outbox, now=1.2)] == ["a", "x"]


@in_a_loop
async def test_behind_without_anything_to_catch_up_drops_the_chain() -> None:
    outbox = an_outbox()
    first, second = asks(outbox, "a"), asks(outbox, "b")
    sent(outbox)
    ok(outbox, first)
    refuse(outbox, second, "behind", retry=True)

    assert sent(outbox, now=60) == [("b", None)]


@in_a_loop
async def test_the_first_message_after_a_start_names_it() -> None:
    outbox = an_outbox()
    start = Ask({"type": "conversation.start", "id": "s"}, "s", 1.0, asyncio.get_running_loop().create_future())
    outbox.add(start)
    sent(outbox)
    ok(outbox, start, conversation="cnv_1")
    _ = asks(outbox, "a")

    assert sent(outbox) == [("a", "s")]


@in_a_loop
async def test_a_position_that_waits_is_raised_instead_of_doubled() -> None:
    outbox = an_outbox()
    frame = {"type": "read", "conversation": "cnv_1", "seq": 4}
    outbox.add(Ask(frame, "read:cnv_1", 1.0, asyncio.get_running_loop().create_future()))

    assert outbox.position("read:cnv_1", 9)
    assert outbox.position("read:cnv_1", 7)
    assert not outbox.position("read:cnv_2", 1)
    assert [ask.frame["seq"] for ask in outbox.due(5.0)] == [9]
    assert outbox.position_time("read:cnv_1") == 6.0


@in_a_loop
async def test_a_full_outbox_says_so() -> None:
    outbox = an_outbox(bound=1)
    _ = asks(outbox, "a")

    with pytest.raises(OutboxFull):
        _ = asks(outbox, "b")


@in_a_loop
async def test_waiting_ends_but_the_ask_goes_on() -> None:
    outbox = an_outbox()
    ask = asks(outbox, "a")
    with pytest.raises(Unsettled):
        await ask.ok(timeout=0)
    sent(outbox)
    ok(outbox, ask)

    assert (await ask)["type"] == "ok"


@in_a_loop
async def test_closing_settles_everything_that_waits() -> None:
    outbox = an_outbox()
    ask = asks(outbox, "a")
    outbox.close(Closed(4010, "revoked"))

    with pytest.raises(Closed, match="4010"):
        await ask
