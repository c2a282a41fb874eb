"""An ask on its way, and its answer."""

from __future__ import annotations

import pytest

from chat.catalog import CATALOG
from chat.rules.conversations import Resolve
from chat.ticket import Answer, Done, Ticket


def test_a_ticket_hands_back_whoever_waits() -> None:
    waiting = object()
    ask = Resolve(ref=1, id="0193e5a0-1234-7abc-8def-0123456789ab", conversation="cnv_1")
    ticket = Ticket("acc_1", "agt_1", CATALOG[Resolve], ask, waiting)

    assert Answer(ticket, Done("cnv_1", 2, 3)).ticket.peer is waiting


def test_an_answer_is_the_first_one_unless_it_says_so() -> None:
    done = Done("cnv_1", 2, 3)

    assert not done.again
    with pytest.raises(AttributeError):
        done.seq = 4  # type: ignore[misc]  # frozen
