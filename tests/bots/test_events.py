"""Subscriptions: bounded, in order, with an end."""

import asyncio
from typing import cast

import pytest

from bots.errors import Closed
from bots.events import HARD_FACTOR, Subscription
from bots.frames import Frame

SYNCED = cast("Frame", {"type": "synced"})


def a_subscription(room: int = 2) -> tuple[Subscription, list[str]]:
    calls: list[str] = []
    return Subscription(room, lambda: calls.append("took"), lambda _: calls.append("left")), calls


async def _all(subscription: Subscription) -> list[Frame]:
    return [frame async for frame in subscription]


def test_frames_come_in_order_and_then_the_end() -> None:
    subscription, calls = a_subscription()
    frames = [cast("Frame", {"type": "ping", "n": n}) for n in range(3)]
    for frame in frames:
        subscription.put(frame)
    subscription.end(Closed(reason="the client was closed"))

    assert asyncio.run(_all(subscription)) == frames
    assert calls == ["took"] * 3


def test_an_end_that_the_service_ordered_is_raised() -> None:
    subscription, _ = a_subscription()
    subscription.end(Closed(4010, "revoked"))

    with pytest.raises(Closed, match="revoked"):
        asyncio.run(_all(subscription))


def test_a_subscription_is_full_at_its_room_and_much_later_while_answers_are_due() -> None:
    subscription, _ = a_subscription(room=2)
    subscription.put(SYNCED)
    assert not subscription.is_full(hard=False)

    subscription.put(SYNCED)
    assert subscription.is_full(hard=False)
    assert not subscription.is_full(hard=True)

    for _ in range(2 * HARD_FACTOR - 2):
        subscription.put(SYNCED)
    assert subscription.is_full(hard=True)


def test_leaving_the_block_ends_the_subscription() -> None:
    subscription, calls = a_subscription()
    with subscription:
        pass

    assert calls == ["left", "took"]
