"""Which of an account's staff is here: kept in the presence engine, told to its agents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from chat.model import Actor
from chat.store import Scoped
from gateway import protocol
from gateway.hub import Hub, Listener
from presence import Presence


class Roll:
    """`refresh` is called every few seconds, so that the leases don't run out."""

    def __init__(self, presence: Presence, hub: Hub, flush: Callable[[], None]) -> None:
        self._presence = presence
        self._hub = hub
        self._flush = flush
        self._here: Counter[Scoped] = Counter()
        self._told: dict[str, frozenset[str]] = {}

    async def enter(self, listener: Listener) -> None:
        """A socket of this staff member has come: everybody hears it if it is the first, this socket in any case."""
        actor = listener.actor
        self._here[actor.account, actor.id] += 1
        await self._presence.touch(actor.account, [actor.id])
        if not await self._tell(actor.account) and actor.kind == "agent":
            listener.overhear(protocol.presence(self._told[actor.account]))

    async def leave(self, actor: Actor) -> None:
        scoped = (actor.account, actor.id)
        if not self._here[scoped]:
            return  # it went before it had entered
        self._here[scoped] -= 1
        if not self._here[scoped]:
            del self._here[scoped]
            await self._presence.leave(*scoped)
            await self._tell(actor.account)
            self._flush()

    async def refresh(self) -> None:
        """Hold on to the leases of all who are here, and notice who has gone elsewhere."""
        accounts: dict[str, list[str]] = {}
        for account, actor in self._here:
            accounts.setdefault(account, []).append(actor)
        for account, actors in accounts.items():
            await self._presence.touch(account, actors)
            await self._tell(account)
        self._flush()

    async def _tell(self, account: str) -> bool:
        """Tell the account's agents if it has changed, and whether it has."""
        present = await self._presence.present(account)
        if present == self._told.get(account):
            return False
        self._told[account] = present
        payload = protocol.presence(present)
        for listener in self._hub.agents(account):
            listener.overhear(payload)
        return True
