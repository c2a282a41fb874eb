"""What contacts hear of the queue they stand in and of the door they came to: changes, once a second at most."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct

from chat.floors import Door
from gateway import protocol
from gateway.floor import Floor
from gateway.hub import Listener

PACE_SECONDS = 1.0  # between two tellings of one account
WAITING_SECONDS = 10.0  # between two looks at how long it may still take, if nothing happens
NEVER = float("inf")


class Shown(Struct, frozen=True):
    """What a door shows. Moments are ms."""

    status: str
    opens_at: int | None
    until: int | None
    then: str
    reply_seconds: int | None
    """How long an answer usually takes; None: nobody can say."""


class Prospect(Struct, frozen=True):
    """What somebody who waits is told. `eta` are seconds; `opens_at` is ms, where the wait goes on beyond closing."""

    position: int | None
    eta: tuple[int, int] | None
    opens_at: int | None = None


class Desk:
    """What the contacts of one account on this node were told."""

    __slots__ = ("due", "fresh", "is_changed", "listeners", "look_at", "places", "shown")

    def __init__(self) -> None:
        self.listeners: dict[str, set[Listener]] = {}
        """By inbox."""
        self.fresh: set[Listener] = set()
        """Those who know nothing yet."""
        self.is_changed = False
        self.due = 0.0
        self.look_at = NEVER
        """When something may be otherwise by itself."""
        self.shown: dict[str, bytes] = {}
        self.places: dict[str, bytes] = {}


class Queues:
    """`show` says what a door shows, `prospects` what each that waits is told, both at a moment (ms); `contacts` are
    the sockets of one contact."""

    def __init__(
        self,
        show: Callable[[Floor, Door, int], Shown],
        prospects: Callable[[Floor, int], Mapping[str, Prospect]],
        contacts: Callable[[str, str], Iterable[Listener]],
    ) -> None:
        self._show = show
        self._prospects = prospects
        self._contacts = contacts
        self._desks: dict[str, Desk] = {}

    def enter(self, listener: Listener, inbox: str | None) -> None:
        """A contact's socket has come to this door."""
        desk = self._desks.setdefault(listener.actor.account, Desk())
        desk.listeners.setdefault(inbox or "", set()).add(listener)
        desk.fresh.add(listener)
        desk.due = 0.0

    def leave(self, listener: Listener) -> None:
        """Harmless when it never came."""
        account = listener.actor.account
        desk = self._desks.get(account)
        if desk is None:
            return
        desk.fresh.discard(listener)
        for inbox, listeners in list(desk.listeners.items()):
            listeners.discard(listener)
            if not listeners:
                del desk.listeners[inbox]
        if not desk.listeners:
            del self._desks[account]

    def change(self, account: str) -> None:
        """Something that they are told may be otherwise."""
        desk = self._desks.get(account)
        if desk is not None:
            desk.is_changed = True

    def due(self, account: str) -> float:
        """When something is to be told, or looked at again."""
        desk = self._desks.get(account)
        if desk is None:
            return NEVER
        return desk.due if desk.is_changed or desk.fresh else max(desk.due, desk.look_at)

    def tell(self, floor: Floor, at: int, now: float) -> None:
        """Tell what is to be told. Whoever can't take it now is told the next time."""
        desk = self._desks.get(floor.account)
        if desk is None:
            return
        fresh, desk.fresh = desk.fresh, set()
        desk.is_changed, desk.due, desk.look_at = False, now + PACE_SECONDS, NEVER
        self._tell_doors(desk, floor, fresh, at, now)
        self._tell_places(desk, floor, fresh, at, now)

    def _tell_doors(self, desk: Desk, floor: Floor, fresh: set[Listener], at: int, now: float) -> None:
        for inbox, listeners in desk.listeners.items():
            door = floor.doors.get(inbox)
            if door is None:
                continue
            shown = self._show(floor, door, at)
            if shown.until is not None:
                desk.look_at = min(desk.look_at, now + max(PACE_SECONDS, (shown.until - at) / 1000))
            payload = protocol.inbox_status(inbox, shown)
            is_other = desk.shown.get(inbox) != payload
            desk.shown[inbox] = payload
            for listener in listeners if is_other else listeners & fresh:
                if not listener.overhear(payload):
                    desk.fresh.add(listener)

    def _tell_places(self, desk: Desk, floor: Floor, fresh: set[Listener], at: int, now: float) -> None:
        places, desk.places = desk.places, {}
        if not floor.waiting:
            return
        prospects = self._prospects(floor, at)
        for conversation in floor.waiting.values():
            listeners = list(self._contacts(floor.account, conversation.contact))
            if not listeners:
                continue
            desk.look_at = min(desk.look_at, now + WAITING_SECONDS)
            told = prospects.get(conversation.id, NOTHING)
            payload = protocol.queue(conversation.id, told.position, told.eta, told.opens_at)
            desk.places[conversation.id] = payload
            is_other = places.get(conversation.id) != payload
            for listener in listeners:
                if (is_other or listener in fresh) and not listener.overhear(payload):
                    desk.fresh.add(listener)


NOTHING = Prospect(None, None)
