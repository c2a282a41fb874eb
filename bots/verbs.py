"""What a peer can ask, as methods. They queue at once and return an Ask to await; the order of calls is kept."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bots.errors import Refused
from bots.frames import encode
from bots.ids import new_id
from bots.mirror import Mirror
from bots.outbox import Ask, Outbox

UNCHANGED: Any = object()  # a field left out of `assign` or `edit`
Block = Mapping[str, Any]  # docs/rich-entries.md says what there is


class Verbs:
    """The verbs of wire version 1 over an outbox and a mirror; a Client adds the socket."""

    def __init__(self, outbox: Outbox, mirror: Mirror, patience: float) -> None:
        self.outbox = outbox
        self.mirror = mirror
        self.patience = patience
        self.watched: list[str] = []
        self.frame_limit = 65536

    def start(self, inbox: str, text: str, *, attachments: Sequence[str] = (), id: str | None = None) -> Ask:
        """Open a conversation (contacts only). The Ok carries its id; the first message has the id of the ask."""
        frame = {"type": "conversation.start", "id": id or new_id(), "inbox": inbox, "text": text}
        return self._ask(frame | _if_any(attachments=attachments), lane=frame["id"])

    def send(
        self,
        conversation: str,
        text: str,
        *,
        blocks: Sequence[Block] = (),
        attachments: Sequence[str] = (),
        id: str | None = None,
    ) -> Ask:
        """Write a message that everyone in the conversation sees. `attachments` are ids of uploads."""
        more = _if_any(blocks=blocks, attachments=attachments)
        return self._entry("message.send", conversation, id, text=text, **more)

    def note(self, conversation: str, text: str, *, attachments: Sequence[str] = (), id: str | None = None) -> Ask:
        """Write a note that only staff and bots see."""
        return self._entry("note.add", conversation, id, text=text, **_if_any(attachments=attachments))

    def edit(
        self, conversation: str, entry: str, text: str, *, blocks: Sequence[Block] = UNCHANGED, id: str | None = None
    ) -> Ask:
        """Change an own message or note. Blocks stay unless others are given, or none (`[]`)."""
        more = {} if blocks is UNCHANGED else {"blocks": list(blocks)}
        return self._verb("message.edit", conversation, id, entry=entry, text=text, **more)

    def withdraw(self, conversation: str, entry: str, *, id: str | None = None) -> Ask:
        """Take back an own message or note; only its place is left."""
        return self._verb("message.withdraw", conversation, id, entry=entry)

    def react(self, conversation: str, entry: str, emoji: str, *, on: bool = True, id: str | None = None) -> Ask:
        """Answer an entry with an emoji, or take that back."""
        return self._verb("message.react", conversation, id, entry=entry, emoji=emoji, on=on)

    def press(self, conversation: str, entry: str, button: str, *, id: str | None = None) -> Ask:
        """Press a button or quick reply of an entry, named by its value (contacts only). It is a message."""
        return self._entry("postback", conversation, id, entry=entry, button=button)

    def submit(self, conversation: str, entry: str, values: Mapping[str, Any], *, id: str | None = None) -> Ask:
        """Fill in the form of an entry (contacts only). It is a message; refused with the field at fault."""
        return self._entry("form.submit", conversation, id, entry=entry, values=dict(values))

    def claim(self, conversation: str, *, id: str | None = None) -> Ask:
        """Take a conversation for oneself; refused `taken` when somebody else holds it."""
        return self._verb("conversation.claim", conversation, id)

    def assign(
        self,
        conversation: str,
        *,
        assignee: str | None = UNCHANGED,
        team: str | None = UNCHANGED,
        id: str | None = None,
    ) -> Ask:
        """Give a conversation to an agent, a bot, a team or (None) nobody; what is left out stays."""
        fields = {"assignee": assignee, "team": team}
        return self._verb(
            "conversation.assign", conversation, id, **{k: v for k, v in fields.items() if v is not UNCHANGED}
        )

    def resolve(self, conversation: str, *, id: str | None = None) -> Ask:
        return self._verb("conversation.resolve", conversation, id)

    def reopen(self, conversation: str, *, id: str | None = None) -> Ask:
        return self._verb("conversation.reopen", conversation, id)

    def read(self, conversation: str, seq: int) -> None:
        """Everything up to `seq` has been read. Sent at most once a second per conversation, the newest value."""
        self._position("read", conversation, seq)

    def delivered(self, conversation: str, seq: int) -> None:
        """Everything up to `seq` has arrived; sent like `read`."""
        self._position("delivered", conversation, seq)

    def watch(self, conversations: Iterable[str]) -> Ask:
        """Hear these conversations besides those assigned to me: the whole set each time, at most 50."""
        self.watched = list(conversations)
        return self._ask({"type": "watch", "conversations": self.watched}, lane="watch")

    def typing(self, conversation: str, on: bool = True) -> None:
        """Show that I'm typing. Not kept and not resent; at most once in three seconds, please."""
        self._wake({"type": "typing", "conversation": conversation, "on": on})

    def renew_watch(self) -> None:
        """After a reconnect: say the watched set again, unless such an ask waits already."""
        if not self.outbox.has_lane("watch"):
            ask = self.watch(self.watched)
            ask.settled.add_done_callback(_look_away)

    def _entry(self, type: str, conversation: str, id: str | None, **fields: Any) -> Ask:
        frame = {"type": type, "id": id or new_id(), "conversation": conversation, **fields}
        ask = self._ask(frame, lane=conversation)
        self.outbox.chain(frame, self.mirror.last_own_entry(conversation))
        return ask

    def _verb(self, type: str, conversation: str, id: str | None, **fields: Any) -> Ask:
        return self._ask(
            {"type": type, "id": id or new_id(), "conversation": conversation, **fields}, lane=conversation
        )

    def _position(self, type: str, conversation: str, seq: int) -> None:
        lane = f"{type}:{conversation}"
        if not self.outbox.position(lane, seq):
            ask = self._ask({"type": type, "conversation": conversation, "seq": seq}, lane)
            ask.not_before = self.outbox.position_time(lane)
            ask.settled.add_done_callback(_look_away)

    def _ask(self, frame: dict[str, Any], lane: str) -> Ask:
        self._check_open()
        self._check_size(frame)
        ask = Ask(frame, lane, self.patience, asyncio.get_running_loop().create_future())
        self.outbox.add(ask)
        self._wake()
        return ask

    def _check_size(self, frame: dict[str, Any]) -> None:
        if len(encode(frame).encode()) + 64 > self.frame_limit:  # room for ref and after
            raise Refused("too_large", f"a frame has at most {self.frame_limit} bytes")

    def _check_open(self) -> None:
        """Raise Closed once nothing will be sent any more."""

    def _wake(self, frame: dict[str, Any] | None = None) -> None:
        """Tell the socket that something is due; `frame` is one that goes out at once, unrepeated."""


def _if_any(**fields: Sequence[Any]) -> dict[str, Any]:
    """What is left out where there is nothing."""
    return {name: list(values) for name, values in fields.items() if values}


def _look_away(settled: asyncio.Future[Any]) -> None:
    """Nobody awaits this ask, so its refusal isn't news for the loop's log."""
    if not settled.cancelled():
        settled.exception()
