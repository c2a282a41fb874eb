"""Who on this node listens to what. Delivery is a plain loop over listeners: no await, no task, bytes encoded once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from chat.model import Actor
from chat.store import Scoped
from gateway import protocol
from gateway.bulletin import Bulletin, Item

Key = TypeVar("Key")

HEADS_SECONDS = 0.25  # at most so late an account's staff hears what moved elsewhere
RIPE = 0.8  # of that time; from then on the next change takes the heads along, in one write per socket
SLOWEST = 4  # times that, where so much moves that one telling takes several frames of 64 KiB


class Listener(Protocol):
    """A socket, as the hub sees it. None of these waits."""

    @property
    def actor(self) -> Actor: ...

    @property
    def watching(self) -> set[str]:
        """The conversations that this staff listener hears whole. Kept by the hub."""
        ...

    def hear(self, conversation: str, seq: int, payload: bytes) -> None:
        """Something lasting of this conversation, at this seq."""
        ...

    def overhear(self, payload: bytes) -> bool:
        """Something that isn't kept. Whether it was taken: it is dropped when the peer is slow."""
        ...

    def notice(self, payload: bytes) -> None:
        """Something about the account that must not overtake what is being held back."""
        ...

    def grow(self, conversations: list[str]) -> None:
        """These fell to the listener: it is to get a snapshot of each that it doesn't hear yet."""
        ...

    def shrink(self, conversation: str) -> None:
        """This is no longer in the actor's hands: it is heard on only if the peer asked for it by name."""
        ...

    def renew(self, conversation: str) -> None:
        """What the listener holds of this is worthless: it is to get a snapshot."""
        ...

    def come_back(self) -> None:
        """What the listener is has changed: it is to say hello again."""
        ...


Later = Callable[[float, Callable[[], None]], object]


class Hub:
    """`later` calls a function after some seconds; `flush` writes out what was delivered outside a batch."""

    def __init__(self, later: Later, flush: Callable[[], None]) -> None:
        self._later = later
        self._flush = flush
        self._contacts: dict[Scoped, list[Listener]] = {}
        self._watchers: dict[Scoped, list[Listener]] = {}
        self._staff: dict[Scoped, list[Listener]] = {}
        self._agents: dict[str, list[Listener]] = {}
        self._everybody: dict[str, list[Listener]] = {}
        self._heads: dict[str, dict[str, bytes]] = {}
        self._cursors: dict[str, int] = {}
        self._ripe: set[str] = set()
        self._paces: dict[str, int] = {}
        self.gone: Callable[[Actor], None] = lambda actor: None
        """Called when the last socket of a member of staff has left."""

    def join(self, listener: Listener) -> None:
        """From now on the listener hears what concerns its actor."""
        actor = listener.actor
        self._everybody.setdefault(actor.account, []).append(listener)
        if not actor.is_staff:
            self._contacts.setdefault((actor.account, actor.id), []).append(listener)
            return
        self._staff.setdefault((actor.account, actor.id), []).append(listener)
        if actor.kind == "agent":
            self._agents.setdefault(actor.account, []).append(listener)

    def leave(self, listener: Listener) -> None:
        """The listener hears nothing more. Harmless when it never joined."""
        actor = listener.actor
        _drop(self._everybody, actor.account, listener)
        if actor.account not in self._everybody:
            self._paces.pop(actor.account, None)
        if not actor.is_staff:
            _drop(self._contacts, (actor.account, actor.id), listener)
            return
        _drop(self._staff, (actor.account, actor.id), listener)
        _drop(self._agents, actor.account, listener)
        self.unwatch(listener, list(listener.watching))
        if not self.is_here(actor):
            self.gone(actor)

    def watch(self, listener: Listener, conversations: Iterable[str]) -> list[str]:
        """The listener hears these whole as well; returns those that are new to it."""
        # Named and assigned overlap, and peers name one twice: heard twice, it would be forgotten only once.
        new = [conversation for conversation in dict.fromkeys(conversations) if conversation not in listener.watching]
        for conversation in new:
            listener.watching.add(conversation)
            self._watchers.setdefault((listener.actor.account, conversation), []).append(listener)
        return new

    def unwatch(self, listener: Listener, conversations: Iterable[str]) -> None:
        for conversation in conversations:
            listener.watching.discard(conversation)
            _drop(self._watchers, (listener.actor.account, conversation), listener)

    def is_here(self, actor: Actor) -> bool:
        """Whether this member of staff has a socket on this node."""
        return (actor.account, actor.id) in self._staff

    def is_listened_to(self, account: str) -> bool:
        """Whether anybody here hears of the account."""
        return account in self._everybody

    def agents(self, account: str) -> list[Listener]:
        """The sockets of the account's agents."""
        return self._agents.get(account, [])

    def contacts(self, account: str, contact: str) -> list[Listener]:
        """The sockets of one contact."""
        return self._contacts.get((account, contact), [])

    def deliver(self, bulletin: Bulletin) -> None:
        """To everybody whom it concerns, in its order."""
        account = bulletin.account
        for item in bulletin.items:
            conversation, seq, payload = item.conversation, item.seq, item.for_staff
            for contact in (*item.left, *((item.contact,) if item.rewritten else ())):
                self._come_back(account, contact)
            if item.rewritten:
                self._renew(account, item)
                continue
            for listener in self._watchers.get((account, conversation), ()):
                listener.hear(conversation, seq, payload)
            if (for_contact := item.for_contact) is not None:
                for listener in self._contacts.get((account, item.contact), ()):
                    listener.hear(conversation, seq, for_contact)
            if item.regrouped:
                self._regroup(account, item)
        if account in self._agents:
            self._remember_heads(bulletin)

    def signal(
        self, account: str, conversation: str, contact: str, by: str, staff: bytes, for_contact: bytes | None
    ) -> None:
        """To all who listen to the conversation but the one who makes the signal; None: it isn't for the contact."""
        for listener in self._watchers.get((account, conversation), ()):
            if listener.actor.id != by:
                listener.overhear(staff)
        if contact != by and for_contact is not None:
            for listener in self._contacts.get((account, contact), ()):
                listener.overhear(for_contact)

    def _regroup(self, account: str, item: Item) -> None:
        """Whoever got the conversation hears it from now on; whoever lost it doesn't, unless by name."""
        conversation = item.conversation
        for listener in list(self._watchers.get((account, conversation), ())):
            if listener.actor.id not in item.hands:
                listener.shrink(conversation)
        for actor in item.hands:
            for listener in self._staff.get((account, actor), ()):
                listener.grow([conversation])

    def _renew(self, account: str, item: Item) -> None:
        self._regroup(account, item)
        for listener in list(self._watchers.get((account, item.conversation), ())):
            listener.renew(item.conversation)

    def _come_back(self, account: str, contact: str) -> None:
        for listener in list(self._contacts.get((account, contact), ())):
            listener.come_back()

    def _remember_heads(self, bulletin: Bulletin) -> None:
        account = bulletin.account
        self._cursors[account] = bulletin.cursor
        waiting = self._heads.get(account)
        if waiting is None:
            waiting = self._heads[account] = {}
            seconds = HEADS_SECONDS * self._paces.get(account, 1)
            self._later(seconds * RIPE, lambda: self._ripen(account, seconds * (1 - RIPE)))
        for item in bulletin.items:
            waiting[item.conversation] = item.document
        if account in self._ripe:
            self._tell_heads(account)

    def tell_heads(self) -> None:
        """At once, what waits to be told together."""
        for account in list(self._heads):
            self._tell_heads(account)

    def _ripen(self, account: str, seconds: float) -> None:
        if account in self._heads:
            self._ripe.add(account)
        self._later(seconds, lambda: self._tell_ripe(account))

    def _tell_ripe(self, account: str) -> None:
        """No change has come meanwhile."""
        if account in self._ripe:
            self._tell_heads(account)
            self._flush()

    def _tell_heads(self, account: str) -> None:
        self._ripe.discard(account)
        documents = self._heads.pop(account)
        payloads = protocol.heads(documents.values(), self._cursors.pop(account))
        for payload in payloads:
            for listener in self.agents(account):
                listener.notice(payload)
        self._paces[account] = min(len(payloads), SLOWEST)


def _drop(lists: dict[Key, list[Listener]], key: Key, listener: Listener) -> None:
    listeners = lists.get(key)
    if listeners is not None and listener in listeners:
        listeners.remove(listener)
        if not listeners:
            del lists[key]
