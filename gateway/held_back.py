"""What comes while a peer is brought up to date waits here, and is compared with what was read. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

CHANGES = 2_000  # of one conversation that may wait; reading a snapshot takes milliseconds
NOTICES = 256


class TooMuch(Exception):
    """More came than may wait: the peer must begin anew."""


class HeldBack:
    """Everything waits from `hold_all`, single conversations from `hold`; both until they are released.

    Conversations on hold are `unread` until somebody takes them to read them. One that is put on hold again while it
    is being read waits for the second reading: what was read first may be older than what was heard before.
    Notices (heads) move the peer's position, so they wait until nothing else does.
    """

    __slots__ = ("_all", "_changes", "_notices", "_unread")

    def __init__(self) -> None:
        self._changes: dict[str, list[tuple[int, bytes]]] = {}
        self._unread: dict[str, None] = {}
        self._notices: list[bytes] = []
        self._all = False

    @property
    def is_over(self) -> bool:
        """Nothing waits any more, nor will."""
        return not self._all and not self._changes

    def hold_all(self) -> None:
        self._all = True

    def hold(self, conversations: Iterable[str]) -> None:
        for conversation in conversations:
            self._unread[conversation] = None
            self._changes.setdefault(conversation, [])

    def take_unread(self) -> list[str]:
        """What is on hold and nobody reads yet; the caller does."""
        unread, self._unread = list(self._unread), {}
        return unread

    def takes(self, conversation: str, seq: int, payload: bytes) -> bool:
        """Whether this change waits now. Raises TooMuch."""
        if not self._all and conversation not in self._changes:
            return False
        waiting = self._changes.setdefault(conversation, [])
        if len(waiting) >= CHANGES:
            raise TooMuch
        waiting.append((seq, payload))
        return True

    def take_notice(self, payload: bytes) -> None:
        """Raises TooMuch."""
        if len(self._notices) >= NOTICES:
            raise TooMuch
        self._notices.append(payload)

    def release(self, seqs: Mapping[str, int]) -> list[bytes]:
        """The peer has these conversations up to these seqs: what came later, in order."""
        return self._later(seqs, list(seqs))

    def release_all(self, seqs: Mapping[str, int]) -> list[bytes]:
        """The same, and all of the conversations that aren't named: of those the peer has all that came before."""
        self._all = False
        return self._later(seqs, list(self._changes))

    def _later(self, seqs: Mapping[str, int], conversations: Iterable[str]) -> list[bytes]:
        later = [
            payload
            for conversation in conversations
            if conversation not in self._unread
            for seq, payload in self._changes.pop(conversation, ())
            if seq > seqs.get(conversation, 0)
        ]
        if self.is_over:
            later += self._notices
            self._notices = []
        return later
