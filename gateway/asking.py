"""Asks that no socket makes: HTTP's and the service's own. They take the same road, and whoever asked waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from chat.catalog import CATALOG
from chat.errors import Refused, StoreAway
from chat.model import Ask
from chat.ticket import Done, Ticket

ANSWER_SECONDS = 10.0  # beyond that nobody waits any more; what became of the ask, its resend tells


class Asking:
    """`submit` hands a ticket to the ledger and raises Busy."""

    def __init__(self, submit: Callable[[Ticket], None]) -> None:
        self._submit = submit

    async def ask(self, account: str, actor: str, ask: Ask) -> Done:
        """Carry out one ask as this actor, and return when it is committed. Raises Refused."""
        waiting = _Waiting()
        self._submit(Ticket(account, actor, CATALOG[type(ask)], ask, waiting))
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                result = await waiting.result
        except TimeoutError:
            raise StoreAway from None
        if isinstance(result, Refused):
            raise result
        return result


class _Waiting:
    """The ticket's peer."""

    def __init__(self) -> None:
        self.result: asyncio.Future[Done | Refused] = asyncio.get_running_loop().create_future()

    def answered(self, ref: int | None, result: Done | Refused) -> None:
        if not self.result.done():
            self.result.set_result(result)
