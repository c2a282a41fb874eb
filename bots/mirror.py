"""What one peer knows of its conversations, kept by the law: old snapshot + changes = fresh snapshot. No I/O."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from bots.frames import Change, Entry, Frame, Heads, Me, Snapshot, State, Synced

NAMED = 50  # conversations in one hello: it has 4 KiB, and the service watches no more


@dataclass(slots=True)
class Thread:
    """One conversation held whole: its state and the entries that came, newest `seq` of each."""

    state: State
    entries: dict[str, Entry]
    more: bool = False
    position: int = 0  # everything up to this seq is here; moves only when the service has said so

    def timeline(self) -> list[Entry]:
        """The entries in the order people see them."""
        return sorted(self.entries.values(), key=lambda entry: entry["born"])

    def put(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            held = self.entries.get(entry["id"])
            if held is None or held["seq"] <= entry["seq"]:
                self.entries[entry["id"]] = entry


@dataclass(slots=True)
class Mirror:
    """Frames in, knowledge out; `resume()` says where to go on after the socket has broken."""

    me: Me | None = None
    epoch: str = ""
    cursor: int | None = None
    threads: dict[str, Thread] = field(default_factory=dict)
    heads: dict[str, State] = field(default_factory=dict)
    present: list[str] = field(default_factory=list)
    is_synced: bool = False
    watching: set[str] = field(default_factory=set)  # by name, as the service has confirmed it
    _ahead: int = -1  # the greatest cursor of this connection, ours only once `synced` has come

    def apply(self, frame: Frame) -> None:
        """Take one frame of the stream; frames that carry no knowledge are ignored."""
        if frame["type"] == "change":
            self._change(frame)
        elif frame["type"] == "snapshot":
            self._snapshot(frame)
        elif frame["type"] == "heads":
            self._heads(frame)
        elif frame["type"] == "synced":
            self._synced(frame)
        elif frame["type"] == "welcome":
            if self.me is not None and self.me["id"] != frame["me"]["id"]:
                self.forget()
            self.me, self.epoch = frame["me"], frame["epoch"]
            self.is_synced, self._ahead = False, -1
        elif frame["type"] == "gone":
            self.threads.pop(frame["conversation"], None)
            self.heads.pop(frame["conversation"], None)
        elif frame["type"] == "reset":
            self.forget()
        elif frame["type"] == "presence":
            self.present = frame["present"]

    def watched(self, conversations: Iterable[str]) -> None:
        """The service has taken this set: what isn't in it and isn't ours is heard no more."""
        self.watching = set(conversations)
        for conversation in list(self.threads):
            self._let_go_unless_heard(conversation)

    def forget(self) -> None:
        """What is held is of another epoch, or was another's: everything comes anew."""
        self.threads.clear()
        self.heads.clear()
        self.cursor, self._ahead = None, -1

    def disconnected(self) -> None:
        """The socket broke: nothing is live until the next `synced`."""
        self.is_synced = False

    def state(self, conversation: str) -> State | None:
        """The newest state known, from a thread that is held or from the heads."""
        thread, head = self.threads.get(conversation), self.heads.get(conversation)
        if thread is None:
            return head
        return thread.state if head is None or thread.state["seq"] >= head["seq"] else head

    def last_own_entry(self, conversation: str) -> str | None:
        """The id of my newest message or note there, which the next one names as `after`."""
        thread = self.threads.get(conversation)
        if thread is None or self.me is None:
            return None
        for entry in reversed(thread.timeline()):
            if entry["author"].get("id") == self.me["id"] and entry["kind"] in ("message", "note"):
                return str(entry["id"])
        return None

    def resume(self) -> dict[str, Any] | None:
        """The `resume` of the next hello, or None when there is nothing to go on from."""
        if self.me is None or not self.epoch:
            return None
        if self.me["kind"] == "contact":
            seqs = {id: thread.position for id, thread in list(self.threads.items())[-NAMED:]}
            return {"epoch": self.epoch, "conversations": seqs} if seqs else None
        if self.cursor is None:
            return None
        # What finds no room in a hello is in our hands, so it comes as a snapshot.
        named = sorted(self.threads, key=lambda conversation: conversation not in self.watching)[:NAMED]
        return {"epoch": self.epoch, "cursor": self.cursor, "watch": named}

    def resumed(self, resume: dict[str, Any] | None) -> None:
        """From now on the service speaks to whoever said this: what staff names in it, it takes for watched."""
        if resume is not None and "watch" in resume:
            self.watching = set(resume["watch"])

    def _let_go_unless_heard(self, conversation: str) -> None:
        # From now on nothing of it is sent to us, so a copy would silently grow old, and a later resume name it whole.
        thread = self.threads[conversation]
        if self.me is None or self.me["kind"] == "contact" or conversation in self.watching:
            return
        if self.me["id"] not in (thread.state.get("assignee"), *thread.state.get("followers", ())):
            self.heads[conversation] = self.state(conversation) or thread.state
            del self.threads[conversation]

    def _change(self, frame: Change) -> None:
        thread = self.threads.get(frame["conversation"])
        state = frame.get("state")
        if thread is None:
            # A contact's new conversation may begin with its first change; staff always get a snapshot first.
            if state is None or self.me is None or self.me["kind"] != "contact":
                return
            thread = self.threads[frame["conversation"]] = Thread(state, {})
        elif state is not None and frame["seq"] >= thread.state["seq"]:
            thread.state = state
        if frame["seq"] > thread.state["seq"]:
            thread.state = thread.state | {"seq": frame["seq"]}
        if "cursor" in frame and frame["cursor"] > thread.state.get("cursor", 0):
            thread.state = thread.state | {"cursor": frame["cursor"]}
        thread.put(frame.get("entries", ()))
        if self.is_synced:
            thread.position = max(thread.position, frame["seq"])
            self._let_go_unless_heard(frame["conversation"])

    def _snapshot(self, frame: Snapshot) -> None:
        held = self.threads.get(frame["conversation"])
        seq = frame["state"]["seq"]
        if held is None or held.state["seq"] <= seq:
            entries = {entry["id"]: entry for entry in frame["entries"]}
            self.threads[frame["conversation"]] = Thread(frame["state"], entries, frame.get("more", False), seq)
            if self.is_synced:
                self._let_go_unless_heard(frame["conversation"])
        self._reach(frame.get("cursor"))

    def _heads(self, frame: Heads) -> None:
        for state in frame["heads"]:
            held = self.heads.get(state["id"])
            if held is None or held["seq"] <= state["seq"]:
                self.heads[state["id"]] = state
        self._reach(frame.get("cursor"))

    def _synced(self, frame: Synced) -> None:
        self.is_synced = True
        for conversation in list(self.threads):
            self._let_go_unless_heard(conversation)
        self._reach(frame.get("cursor"))
        for thread in self.threads.values():
            thread.position = max(thread.position, thread.state["seq"])

    def _reach(self, cursor: int | None) -> None:
        # Before `synced` a cursor may stand on the first of several frames that together reach it.
        if cursor is not None:
            self._ahead = max(self._ahead, cursor)
        if self.is_synced and self._ahead >= 0:
            self.cursor = max(self.cursor or 0, self._ahead)
