"""Asks that no socket makes take the same road."""

from __future__ import annotations

import asyncio

import pytest

from chat.clock import Clock
from chat.errors import Forbidden, StoreAway
from chat.ledger import Ledger
from chat.rules.messages import Send, Start
from chat.store import Store
from chat.ticket import Answer, Ticket
from gateway import asking
from gateway.asking import Asking
from tests.builders import DANA, DOOR, MINE, NOA, an_id


def settle(answers: list[Answer], commits: object) -> None:
    for answer in answers:
        answer.ticket.peer.answered(None, answer.result)


async def test_an_ask_is_carried_out_and_answered(store: Store, clock: Clock) -> None:
    ledger = Ledger(store, clock, settle)
    running = asyncio.create_task(ledger.run())
    done = await Asking(ledger.submit).ask(MINE, DANA.id, Start(id=an_id(1), inbox=DOOR, text="Hello?"))

    assert (done.seq, done.again) == (1, False)
    with pytest.raises(Forbidden):
        await Asking(ledger.submit).ask(MINE, NOA.id, Start(id=an_id(2), inbox=DOOR, text="Hello?"))
    ledger.stop()
    await running


async def test_nobody_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "ANSWER_SECONDS", 0.01)
    lost: list[Ticket] = []

    with pytest.raises(StoreAway):
        await Asking(lost.append).ask(MINE, NOA.id, Send(id=an_id(1), conversation="cnv_parcel", text="Hello"))
    assert len(lost) == 1
