"""Forgetting a contact: its content in the ledger, its files, what finds it, its sessions. Only figures stay."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from chat.audit import Audit
from chat.contacts import Contacts
from chat.model import Actor, Ask
from chat.rules.contacts import Erase
from chat.store import Scoped, Store
from gateway.api.agents import Close


class AskIt(Protocol):
    def __call__(self, account: str, actor: str, ask: Ask) -> Awaitable[object]: ...


class Erasure:
    """`forget_files` gets (account, contact).

    Each step can be done again: whoever was interrupted asks again, and what was left is finished.
    """

    def __init__(
        self,
        ask: AskIt,
        store: Store,
        contacts: Contacts,
        audit: Audit,
        close: Close,
        forget_files: Callable[[str, str], Awaitable[object]],
    ) -> None:
        self._ask = ask
        self._store = store
        self._contacts = contacts
        self._audit = audit
        self._close = close
        self._forget_files = forget_files

    async def erase(self, actor: Actor, contact: str, ask_id: str) -> None:
        """NotFound if the contact isn't there or was merged, Forbidden if the actor may not. Unavailable leaves the
        rest for the next time."""
        who: Scoped = (actor.account, contact)
        await self._contacts.find(who)
        # The ledger first: from here on the contact can write nothing more, and nobody reads what was.
        await self._ask(actor.account, actor.id, Erase(id=ask_id, contact=contact))
        self._close(actor.account, actor=contact)
        conversations = [each.id for each in await self._contacts.conversations(who)]
        await self._store.search.forget(actor.account, conversations=conversations, contacts=[contact])
        await self._forget_files(actor.account, contact)
        # Last, with the line that says it is done.
        await self._contacts.forget(who, self._audit.by(actor))
        await self._store.scrub()
