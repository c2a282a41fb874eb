"""Positions are written at most once a second per conversation and actor: the rest waits and goes together."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from chat.errors import Refused
from chat.model import Ask
from chat.rules.receipts import Delivered, Read
from chat.ticket import Done, Ticket

Held = tuple[str, str, str, type[Ask]]
Submit = Callable[[Ticket], None]


class Together:
    """The peers of several asks that are carried out as one: each hears its own answer."""

    def __init__(self, tickets: list[Ticket]) -> None:
        self._tickets = tickets

    def answered(self, ref: int | None, result: Done | Refused) -> None:
        for ticket in self._tickets:
            ticket.peer.answered(ticket.ask.ref, result)


class Positions:
    """Time is cut into windows by `tick`; in a window the first ask of a kind goes on, the others wait for its end."""

    def __init__(self, submit: Submit) -> None:
        self._submit = submit
        self._gone_on: set[Held] = set()
        self._waiting: dict[Held, list[Ticket]] = {}

    def submit(self, ticket: Ticket) -> None:
        """Raises Busy, when nothing was taken."""
        ask = ticket.ask
        assert isinstance(ask, Read | Delivered)
        held = (ticket.account, ticket.actor, ask.conversation, type(ask))
        if held in self._gone_on:
            self._waiting.setdefault(held, []).append(ticket)  # bounded by the peers' own limit of open asks
            return
        self._submit(ticket)
        self._gone_on.add(held)

    def tick(self) -> None:
        """Once a second: what waited goes on, the farthest position for all of its kind."""
        waiting, self._waiting = self._waiting, {}
        self._gone_on = set(waiting)
        for tickets in waiting.values():
            self._submit_together(tickets)

    def _submit_together(self, tickets: list[Ticket]) -> None:
        farthest = max(tickets, key=_seq)
        together = Together(tickets)
        try:
            self._submit(replace(farthest, peer=together))
        except Refused as refused:
            together.answered(None, refused)


def _seq(ticket: Ticket) -> int:
    assert isinstance(ticket.ask, Read | Delivered)
    return ticket.ask.seq
