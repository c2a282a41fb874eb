"""One reader's side of a history: what it held at every moment, and the laws L1, L3, L4 and L6 as it saw them."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from bots.connection import MOVED
from tests.history.log import Event, Line, Log
from tests.history.stored import Kept, Row, Stored


@dataclass(slots=True)
class View:
    """One conversation as the reader holds it."""

    lines: dict[str, Line]
    base: int  # older entries than this are left to history pages
    last: int  # the greatest seq heard

    def has(self, row: Row) -> bool:
        line = self.lines.get(row.id)
        return line is not None and line.seq >= row.seq


@dataclass(slots=True)
class Stretch:
    """What one socket brought of one conversation after `synced`, or after a snapshot in the midst."""

    since: int
    upto: int
    arrived: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Reading:
    """A log folded up, event by event."""

    log: Log
    store: Stored
    violations: list[str] = field(default_factory=list)
    is_live: bool = False
    has_moved: bool = False  # the socket before was left for this one when this one was up to date
    views: dict[str, View] = field(default_factory=dict)
    stretches: dict[str, Stretch] = field(default_factory=dict)
    known: set[Line] = field(default_factory=set)
    suspects: list[str] = field(default_factory=list)  # the conversations that something was wrong with

    def take(self, event: Event) -> None:
        """Fold in one event."""
        if event.what in ("change", "snapshot"):
            self._watch_over(event)
        if event.what == "change":
            self._change(event)
        elif event.what == "snapshot":
            self._drop(event.conversation)
            base = min((line.born for line in event.lines), default=1) - 1 if event.flag else 0
            self.views[event.conversation] = View({line.id: line for line in event.lines}, base, event.seq)
        elif event.what == "gone":
            self._drop(event.conversation)
        elif event.what == "said" and event.detail == "hello":
            for conversation in self.views.keys() - set(event.names):
                self._drop(conversation)  # it isn't named, so nothing of it is promised
        elif event.what == "reset":
            for conversation in list(self.views):
                self._drop(conversation)
        elif event.what == "synced":
            self.is_live = True
        elif event.what in ("connected", "disconnected"):
            self._interrupted()
            if event.what == "disconnected":
                self.has_moved = event.seq == MOVED

    def finish(self) -> None:
        """The log has ended: is everything there?"""
        for conversation in list(self.stretches):
            self._close_stretch(conversation)
        if self.is_live:
            for conversation, view in self.views.items():
                self._whole(conversation, view)
            self._final()

    def _change(self, event: Event) -> None:
        view = self.views.get(event.conversation)
        if view is None:
            if self.log.kind != "contact":
                self._says(
                    event.conversation,
                    f"L3 {self.log.name} heard seq {event.seq} of {event.conversation} without a snapshot before",
                )
            view = self.views[event.conversation] = View({}, 0, 0)
        if self.is_live:
            self._live(event, view)
        for line in event.lines:
            held = view.lines.get(line.id)
            if held is None or held.seq <= line.seq:
                view.lines[line.id] = line
        view.last = max(view.last, event.seq)

    def _live(self, event: Event, view: View) -> None:
        stretch = self.stretches.get(event.conversation)
        if stretch is None:
            # A socket that was left may have been ahead of the new one: what it brought last may come once more.
            since = min(view.last, event.seq - 1) if self.has_moved else view.last
            stretch = self.stretches[event.conversation] = Stretch(since, since)
        if event.seq <= stretch.upto:
            self._says(
                event.conversation,
                f"L3 {self.log.name}'s socket went back in {event.conversation}: seq {event.seq} after {stretch.upto}",
            )
        stretch.upto = max(stretch.upto, event.seq)
        for line in event.lines:
            stretch.arrived[line.id] = max(line.seq, stretch.arrived.get(line.id, 0))

    def _interrupted(self) -> None:
        for conversation in list(self.stretches):
            self._close_stretch(conversation)
        self.is_live = False

    def _close_stretch(self, conversation: str) -> None:
        stretch = self.stretches.pop(conversation)
        for row in self._visible(conversation):
            if stretch.since < row.seq <= stretch.upto and stretch.arrived.get(row.id, 0) < row.seq:
                self._says(
                    conversation,
                    f"L3 {self.log.name}'s socket brought {conversation} from {stretch.since} to {stretch.upto}"
                    f" without seq {row.seq} ({row.id})",
                )

    def _drop(self, conversation: str) -> None:
        if conversation in self.stretches:
            self._close_stretch(conversation)
        view = self.views.pop(conversation, None)
        if view is not None and self.is_live:
            self._whole(conversation, view)

    def _whole(self, conversation: str, view: View) -> None:
        for row in self._visible(conversation):
            if row.born > view.base and row.seq <= view.last and not view.has(row):
                self._says(
                    conversation,
                    f"L3 {self.log.name} holds {conversation} up to {view.last} without seq {row.seq} ({row.id})",
                )

    def _final(self) -> None:
        """L1: whoever takes part, or watches, has everything in the end."""
        log = self.log
        for kept in self.store.conversations.values():
            if not self._takes_part(kept):
                continue
            view = self.views.get(kept.id, View({}, 0, 0))
            for row in self._visible(kept.id):
                if row.born > view.base and row.seq > view.last:
                    self._says(
                        kept.id, f"L1 {log.name} never saw seq {row.seq} of {kept.id} ({row.id}, by {row.author})"
                    )

    def _takes_part(self, kept: Kept) -> bool:
        if self.log.kind == "contact":
            return kept.contact == self.log.actor
        # What was resolved before a socket came isn't brought to it.
        is_mine = kept.assignee == self.log.actor and (kept.status != "resolved" or kept.id in self.views)
        return is_mine or kept.id in self.log.watching

    def _watch_over(self, event: Event) -> None:
        """L4 and L6 for everything that arrives."""
        log, kept = self.log, self.store.conversations.get(event.conversation)
        if log.shut_out_at is not None and event.at > log.shut_out_at:
            self._says(
                event.conversation, f"L6 {log.name} is shut out, but heard seq {event.seq} of {event.conversation}"
            )
        if kept is None:
            return self._says(
                event.conversation, f"L4 {log.name} heard of {event.conversation}, which the store doesn't have"
            )
        if log.kind == "contact" and kept.contact != log.actor:
            self._says(
                event.conversation,
                f"L6 {log.name} heard seq {event.seq} of {event.conversation}, which is {kept.contact}'s",
            )
        if event.detail:
            self._says(event.conversation, f"L6 {log.name} was shown {event.detail} of {event.conversation}")
        for line in event.lines:
            if line not in self.known:
                self.known.add(line)
                self._compare(line, event.conversation)

    def _compare(self, line: Line, conversation: str) -> None:
        log = self.log
        if log.kind == "contact" and line.audience != "everyone":
            self._says(conversation, f"L6 {log.name} is a contact, but heard {line.id}, which is for {line.audience}")
        row = next((row for row in self.store.by_id.get(line.id, ()) if row.seq == line.seq), None)
        if row is None:
            return self._says(
                conversation,
                f"L4 {log.name} heard {line.id} as seq {line.seq} of {conversation}; the store has no such",
            )
        author = row.author if line.author or log.kind != "contact" else line.author  # contacts may not know who
        stored = (row.conversation, row.born, author, row.audience, row.text)
        heard = (conversation, line.born, line.author, line.audience, line.text)
        if stored != heard:
            self._says(conversation, f"L4 {log.name} heard {line.id} as {heard}, the store has {stored}")

    def _visible(self, conversation: str) -> Iterator[Row]:
        """The rows that this reader may see; of an entry that has changed, the newest will do."""
        rows = self.store.by_conversation.get(conversation, ())
        return (row for row in rows if self.log.kind != "contact" or row.audience == "everyone")

    def _says(self, conversation: str, violation: str) -> None:
        self.violations.append(violation)
        self.suspects.append(conversation)


def read(log: Log, store: Stored) -> Reading:
    """Fold a whole log."""
    reading = Reading(log, store)
    for event in log.events:
        reading.take(event)
    reading.finish()
    return reading
