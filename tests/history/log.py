"""What one client said and heard, written down as it passes; a tap for bots.Client."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from bots.frames import Entry, Frame, State

PUBLIC = frozenset(("id", "inbox", "status", "handler", "subject", "seq", "people", "positions", "created_at"))
What = Literal[
    "connected",
    "disconnected",
    "said",
    "ok",
    "refused",
    "change",
    "snapshot",
    "gone",
    "reset",
    "synced",
    "reconnect",
    "presence",
]


class Line(NamedTuple):
    """An entry as it arrived."""

    id: str
    seq: int
    born: int
    author: str | None
    audience: str
    text: str


class Event(NamedTuple):
    """One thing that happened at a client."""

    at: float
    what: What
    conversation: str = ""
    seq: int = 0
    id: str = ""
    detail: str = ""  # the ask's type, the refusal's code, names of state fields that a contact must not see
    flag: bool = False  # an ok `again`, a refusal that may be retried, a snapshot with `more`, a hello with `resume`
    lines: tuple[Line, ...] = ()
    names: tuple[str, ...] = ()  # the conversations that a hello resumes or a watch names, the actors who are present

    def told(self, conversation: str) -> str:
        """In a line, for people."""
        named = "naming it" if conversation in self.names else ""
        entries = ["entries", *(str(line.seq) for line in self.lines[-12:])] if self.lines else []
        parts = [self.what, self.detail, named, str(self.seq or ""), self.id[-8:], *entries]
        return " ".join(part for part in parts if part)


@dataclass(slots=True)
class Log:
    """One client's history. It is a tap: give it to a Client, then to `check`."""

    name: str
    actor: str
    kind: Literal["contact", "agent", "bot"]
    door: str = ""  # the URL by which it came in, where that tells nodes apart
    events: list[Event] = field(default_factory=list)
    watching: set[str] = field(default_factory=set)
    shut_out_at: float | None = None  # from then on nothing may arrive (time.monotonic)
    ended_at: float = float("inf")
    _asks: dict[int, dict[str, Any]] = field(default_factory=dict)
    _is_stopped: bool = False

    def stop(self) -> None:
        """Write nothing down any more: what follows is only the tidying up."""
        if not self._is_stopped:
            self.ended_at = time.monotonic()
        self._is_stopped = True

    def connected(self) -> None:
        self._asks.clear()
        self._add("connected")

    def disconnected(self, code: int) -> None:
        self._add("disconnected", seq=code)

    def said(self, frame: dict[str, Any]) -> None:
        if frame["type"] == "hello":
            resume = frame.get("resume", {})
            names = (*resume.get("watch", ()), *resume.get("conversations", ()))
            self._add("said", detail="hello", flag=bool(resume), names=names)
        elif "ref" in frame:
            self._asks[frame["ref"]] = frame
            names = tuple(frame.get("conversations", ()))
            self._add("said", frame.get("conversation", ""), id=frame.get("id", ""), detail=frame["type"], names=names)

    def heard(self, frame: Frame) -> None:
        if frame["type"] == "ok":
            ask = self._asks.pop(frame["ref"])
            self.watching = set(ask["conversations"]) if ask["type"] == "watch" else self.watching
            about = {"id": ask.get("id", ""), "detail": ask["type"]}
            self._add("ok", frame.get("conversation", ""), frame.get("seq", 0), flag=frame.get("again", False), **about)
        elif frame["type"] == "refused":
            ask = self._asks.pop(frame.get("ref", 0), {})
            self._add("refused", id=ask.get("id", ""), detail=frame["code"], flag=frame["retry"])
        elif frame["type"] == "change":
            about = {"detail": self._secrets(frame.get("state"))}
            self._add("change", frame["conversation"], frame["seq"], lines=_lines(frame.get("entries", ())), **about)
        elif frame["type"] == "snapshot":
            state, more = frame["state"], frame.get("more", False)
            about = {"detail": self._secrets(state)}
            self._add("snapshot", state["id"], state["seq"], flag=more, lines=_lines(frame["entries"]), **about)
        elif frame["type"] == "gone":
            self._add("gone", frame["conversation"])
        elif frame["type"] == "presence":
            self._add("presence", names=tuple(frame["present"]))
        elif frame["type"] in ("reset", "synced", "reconnect"):
            self._add(frame["type"])

    def story(self, conversation: str) -> str:
        """What this client lived through around one conversation, for whoever has to find out why."""
        about = [event for event in self.events if event.conversation in ("", conversation)]
        lines = [
            f"    {event.at:10.3f} {event.told(conversation)}"
            for event in about
            if event.what not in ("refused", "presence")
        ]
        return "\n".join([f"  {self.name} and {conversation}:", *lines])

    def _secrets(self, state: State | None) -> str:
        return "" if state is None or self.kind != "contact" else ", ".join(sorted(set(state) - PUBLIC))

    def _add(
        self,
        what: What,
        conversation: str = "",
        seq: int = 0,
        id: str = "",
        detail: str = "",
        flag: bool = False,
        lines: tuple[Line, ...] = (),
        names: tuple[str, ...] = (),
    ) -> None:
        if self._is_stopped:
            return
        self.events.append(Event(time.monotonic(), what, conversation, seq, id, detail, flag, lines, names))


def _lines(entries: Sequence[Entry]) -> tuple[Line, ...]:
    return tuple(
        Line(
            entry["id"],
            entry["seq"],
            entry["born"],
            entry["author"].get("id"),
            entry.get("audience", "everyone"),
            entry.get("text", ""),
        )
        for entry in entries
    )
