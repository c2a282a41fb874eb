"""A bot in ten lines: hear what shoppers write in the conversations one holds, and answer."""

import asyncio
import contextlib
import logging
import signal
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bots.client import Client
from bots.errors import Closed
from bots.frames import Entry, Frame, State
from bots.mirror import Thread
from bots.outbox import Ask
from bots.verbs import Block

log = logging.getLogger("shopbell.bot")

BACKLOG = 256  # messages taken and not yet answered; beyond it the bot stops reading its socket


@dataclass(frozen=True, slots=True)
class Message:
    """What somebody wrote, and where."""

    client: Client
    conversation: str
    entry: Entry
    state: State

    @property
    def id(self) -> str:
        return self.entry["id"]

    @property
    def text(self) -> str:
        return self.entry.get("text", "")

    @property
    def pressed(self) -> str | None:
        """The value of the button that the contact pressed, if this is a press."""
        return (self.entry.get("data") or {}).get("postback")

    @property
    def filled_in(self) -> dict[str, Any] | None:
        """The values of the form that the contact submitted, if this is one."""
        return (self.entry.get("data") or {}).get("values")

    def reply(self, text: str, *, blocks: Sequence[Block] = ()) -> Ask:
        """Write into the same conversation."""
        return self.client.send(self.conversation, text, blocks=blocks)

    def react(self, emoji: str) -> Ask:
        """Answer it with an emoji."""
        return self.client.react(self.conversation, self.id, emoji)

    def note(self, text: str) -> Ask:
        """Leave a note for staff in the same conversation."""
        return self.client.note(self.conversation, text)


Handler = Callable[[Message], Awaitable[Any]]


class Bot:
    """Calls a handler for every message of a contact in the conversations this bot is assigned to or watches.

    One conversation's messages are handled one after the other, different conversations side by side. After a restart
    the bot goes on with what it hasn't read and nobody has answered.
    """

    def __init__(self, url: str, token: str, **options: Any) -> None:
        self._url = url
        self._token = token
        self._options = options
        self.client: Client | None = None  # while it runs
        self._handler: Handler | None = None
        self._handled: dict[str, int] = {}  # conversation -> born of the last message that went to the handler
        self._lanes: dict[str, deque[Message]] = {}
        self._slots = asyncio.Semaphore(BACKLOG)

    def on_message(self, handler: Handler) -> Handler:
        """Decorate the function that gets the messages."""
        self._handler = handler
        return handler

    def run(self) -> None:
        """Run until SIGINT or SIGTERM, or until the service shuts the bot out (raises Closed)."""
        asyncio.run(self._until_signal())

    async def serve(self) -> None:
        """Run inside a loop of yours, until cancelled; raises Closed when the service shuts the bot out."""
        async with Client(self._url, self._token, **self._options) as client:
            self.client = client
            try:
                async with asyncio.TaskGroup() as tasks:
                    await self._take(client, tasks)
            except* Closed as shut_out:
                raise shut_out.exceptions[0] from None

    async def _take(self, client: Client, tasks: asyncio.TaskGroup) -> None:
        with client.events() as frames:
            async for frame in frames:
                for message in self._messages(client, frame):
                    await self._slots.acquire()
                    self._queue(message, tasks)

    async def _until_signal(self) -> None:
        task = asyncio.ensure_future(self.serve())
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, task.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await task

    def _messages(self, client: Client, frame: Frame) -> list[Message]:
        if frame["type"] not in ("change", "snapshot"):
            return []
        thread = client.mirror.threads.get(frame["conversation"])
        if thread is None:
            return []
        entries = sorted(frame.get("entries", ()), key=lambda entry: entry["born"])
        if frame["conversation"] not in self._handled:
            self._handled[frame["conversation"]] = _answered(thread, client.mirror.me["id"] if client.mirror.me else "")
        fresh = [entry for entry in entries if self._is_fresh(frame["conversation"], entry)]
        return [Message(client, frame["conversation"], entry, thread.state) for entry in fresh]

    def _is_fresh(self, conversation: str, entry: Entry) -> bool:
        if entry["kind"] != "message" or entry["born"] <= self._handled[conversation]:
            return False
        self._handled[conversation] = entry["born"]
        return entry["author"]["kind"] == "contact" and not entry.get("withdrawn")

    def _queue(self, message: Message, tasks: asyncio.TaskGroup) -> None:
        lane = self._lanes.get(message.conversation)
        if lane is not None:
            lane.append(message)
            return
        self._lanes[message.conversation] = deque([message])
        tasks.create_task(self._work(message.conversation))

    async def _work(self, conversation: str) -> None:
        lane = self._lanes[conversation]
        while lane:
            await self._handle(lane.popleft())
            self._slots.release()
        del self._lanes[conversation]

    async def _handle(self, message: Message) -> None:
        try:
            if self._handler is not None:
                await self._handler(message)
            message.client.read(message.conversation, message.entry["seq"])
        except Closed:
            log.info("closed before message %s was answered", message.id)
        except Exception:  # a boundary: one bad message must not end the bot
            log.exception("the handler failed on message %s", message.id)


def _answered(thread: Thread, me: str) -> int:
    """Up to where a conversation needs no answer from a bot that has just come to it."""
    read = thread.state["positions"].get(me, {}).get("read", 0)
    by_staff = [
        entry["born"]
        for entry in thread.entries.values()
        if entry["kind"] == "message" and entry["author"]["kind"] in ("agent", "bot")
    ]
    return max([read, *by_staff])
