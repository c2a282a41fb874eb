"""Whoever doesn't work here any more has no conversations: they are somebody's to take up."""

from __future__ import annotations

from chat.clock import Clock
from chat.errors import InvalidState, NotFound
from chat.model import Actor, Conversation
from chat.rules.assignment import Assign
from chat.store import Store
from gateway.api.asked import ask_id
from gateway.asking import Asking

AT_ONCE = 100  # conversations looked up in one go


class Release:
    """Call it after the deactivation is committed: then nothing new is assigned meanwhile."""

    def __init__(self, asking: Asking, store: Store, clock: Clock) -> None:
        self._asking = asking
        self._store = store
        self._clock = clock

    async def __call__(self, actor: Actor, left: str) -> None:
        """Unassign all that isn't resolved, as this actor's doing. Asked again it goes on where it stopped."""
        gone: set[str] = set()
        while waiting := [each for each in await self._assigned(actor.account, left) if each.id not in gone]:
            for conversation in waiting:
                gone.add(conversation.id)
                ask = Assign(id=ask_id(None, actor, self._clock.now()), conversation=conversation.id, assignee=None)
                try:
                    await self._asking.ask(actor.account, actor.id, ask)
                except (InvalidState, NotFound):  # resolved or erased by somebody at this very moment
                    continue

    async def _assigned(self, account: str, left: str) -> list[Conversation]:
        async with self._store.view() as view:
            return await view.assigned(account, left, AT_ONCE)
