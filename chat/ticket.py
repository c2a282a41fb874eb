"""An ask on its way to the ledger, and its answer."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from chat.catalog import Command
from chat.errors import Refused
from chat.model import Ask, Needs

NOTHING = Needs()


class Ticket(Struct, gc=False):
    """An ask on its way. `peer` is whoever waits for the answer; the ledger only hands it back."""

    account: str
    actor: str
    command: Command
    ask: Ask
    peer: Any
    size: int = 200
    needs: Needs = NOTHING
    """Filled in by the ledger."""


class Done(Struct, frozen=True, gc=False):
    """The ask is committed (or was, when `again`); `seq` and `at` are those of its change."""

    conversation: str
    seq: int
    at: int
    again: bool = False
    outcome: str = ""
    """What came of it, where that isn't clear: of a transfer, `assigned` or `queued`."""


class Answer(Struct, frozen=True, gc=False):
    ticket: Ticket
    result: Done | Refused
