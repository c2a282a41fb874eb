"""Positions are written at most once a second per conversation and actor, and every asker gets its answer."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from chat.errors import Busy, Refused
from chat.model import Actor
from chat.rules.receipts import Delivered, Read
from chat.ticket import Done, Ticket
from gateway.positions import Positions
from tests.builders import DANA, NOA, a_ticket

C = "cnv_parcel"


@dataclass
class Asker:
    """A peer that keeps its answers."""

    answers: list[tuple[int | None, Done | Refused]] = field(default_factory=list)

    def answered(self, ref: int | None, result: Done | Refused) -> None:
        self.answers.append((ref, result))


@dataclass
class Ledger:
    """Takes what it is given, unless it is busy."""

    tickets: list[Ticket] = field(default_factory=list)
    is_busy: bool = False

    def submit(self, ticket: Ticket) -> None:
        if self.is_busy:
            raise Busy
        self.tickets.append(ticket)

    @property
    def seqs(self) -> list[int]:
        asks: list[Any] = [ticket.ask for ticket in self.tickets]
        return [ask.seq for ask in asks]


def read(seq: int, ref: int = 0, peer: Asker | None = None, *, by: Actor = DANA, conversation: str = C) -> Ticket:
    return a_ticket(by, Read(ref=ref, conversation=conversation, seq=seq), peer or Asker())


def test_the_first_goes_on_at_once_and_the_others_wait_for_the_end_of_the_second() -> None:
    ledger = Ledger()
    positions = Positions(ledger.submit)

    for seq in (1, 2, 3):
        positions.submit(read(seq))
    assert ledger.seqs == [1]

    positions.tick()
    assert ledger.seqs == [1, 3]


def test_the_farthest_goes_whatever_the_order() -> None:
    ledger = Ledger()
    positions = Positions(ledger.submit)

    for seq in (1, 9, 4):
        positions.submit(read(seq))
    positions.tick()

    assert ledger.seqs == [1, 9]


def test_everybody_who_waited_hears_the_answer_under_its_own_ref() -> None:
    ledger, one, two = Ledger(), Asker(), Asker()
    positions = Positions(ledger.submit)
    positions.submit(read(1))
    positions.submit(read(2, 11, one))
    positions.submit(read(3, 12, one))
    positions.submit(read(3, 5, two))
    positions.tick()

    done = Done(C, 4, 0)
    together = ledger.tickets[-1]
    together.peer.answered(together.ask.ref, done)

    assert one.answers == [(11, done), (12, done)]
    assert two.answers == [(5, done)]


def test_at_most_one_goes_in_a_second_however_long_it_lasts() -> None:
    ledger = Ledger()
    positions = Positions(ledger.submit)

    for second in range(1, 6):
        for n in range(10):
            positions.submit(read(second * 10 + n))
        positions.tick()

    assert ledger.seqs == [10, 19, 29, 39, 49, 59]


def test_after_a_quiet_second_one_goes_at_once_again() -> None:
    ledger = Ledger()
    positions = Positions(ledger.submit)
    positions.submit(read(1))

    positions.tick()
    positions.submit(read(2))

    assert ledger.seqs == [1, 2]


def test_other_actors_conversations_and_kinds_are_not_held_up() -> None:
    ledger = Ledger()
    positions = Positions(ledger.submit)

    positions.submit(read(1))
    positions.submit(read(2, by=NOA))
    positions.submit(read(3, conversation="cnv_other"))
    positions.submit(a_ticket(DANA, Delivered(conversation=C, seq=4), Asker()))

    assert ledger.seqs == [1, 2, 3, 4]


def test_a_busy_ledger_takes_nothing_at_first() -> None:
    ledger = Ledger(is_busy=True)
    positions = Positions(ledger.submit)

    with pytest.raises(Busy):
        positions.submit(read(1))

    ledger.is_busy = False
    positions.submit(read(1))
    assert ledger.seqs == [1]


def test_a_ledger_that_is_busy_at_the_end_of_the_second_is_told_to_each_who_waited() -> None:
    ledger, asker = Ledger(), Asker()
    positions = Positions(ledger.submit)
    positions.submit(read(1))
    positions.submit(read(2, 7, asker))
    positions.submit(read(3, 8, asker))
    ledger.is_busy = True

    positions.tick()

    assert [(ref, getattr(result, "code", None)) for ref, result in asker.answers] == [(7, "busy"), (8, "busy")]
