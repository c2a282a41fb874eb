"""A shop under the law: old snapshot + changes = fresh snapshot. Everything is real but the sockets.

What the ledger commits is encoded as the gateway encodes it, and the bytes go to observers, each of whom keeps a
mirror as a client would, written from the protocol alone.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, insert, select

import chat.model
from bots.frames import Entry, Snapshot, State, decode
from bots.mirror import Mirror, Thread
from chat.batch import Commit
from chat.gather import BatchLimits
from chat.model import Actor, Ask
from chat.reading import CatchUp, Reading
from chat.store import Move, Written
from chat.store.tables import accounts, uploads
from gateway import protocol
from gateway.arrivals import frames_of, snapshot_of
from gateway.bulletin import Bulletin, of_commit, of_missed
from tests.builders import DANA, ELI, NOA, PEOPLE, RIVAL, SOMCHAI, STRANGER, TEAM, StillClock, populate
from tests.engines import SqliteEngine
from tests.office import Office, Result

T = TypeVar("T")

FILES_EACH = 3
WATCHERS = (NOA, RIVAL)
SECRET = "for-staff-alone"  # in the text of every note
STAFF_IDS = re.compile(rb"(?:agt|bot)_\w+")
MARK = re.compile(r"[0-9a-f]{12}$")
CONTACT_IDS = re.compile(rb"con_\w+")


@dataclass
class Past:
    """How an observer stood at some time: what it knew, and where its account's stream was."""

    mirror: Mirror
    cursor: int


@dataclass
class Observer:
    """One connected client, and how it stood after every batch."""

    actor: Actor
    mirror: Mirror = field(default_factory=Mirror)
    heard: list[bytes] = field(default_factory=list)
    past: list[Past] = field(default_factory=list)

    def hear(self, payload: bytes) -> None:
        self.heard.append(payload)
        apply(self.mirror, payload)


class Shop:
    """The law's world. Every method leaves it at rest."""

    def __init__(self, folder: Path) -> None:
        self.engine = SqliteEngine(folder)
        self.clock = StillClock()
        self.conversations: dict[str, list[str]] = defaultdict(list)
        self.cursors: dict[str, int] = defaultdict(int)
        self.stored: set[tuple[str, str]] = set()
        self.entries: dict[str, dict[str, chat.model.Entry]] = defaultdict(dict)
        self.superseded: set[bytes] = set()
        self.files: dict[str, str] = {}
        self.answering: dict[str, set[str]] = defaultdict(set)
        self.observers = [Observer(actor) for actor in (NOA, SOMCHAI, DANA, ELI, RIVAL, STRANGER)]
        self._runner = asyncio.Runner()
        self._store = self.engine.open()
        self.epoch = self._store.epoch
        self.run(populate(self._store, PEOPLE))
        self.run(self._store.administer(_upload))
        self.run(self._begin())
        for observer in self.observers:
            self.connect(observer.actor, observer.mirror)

    def run(self, work: Awaitable[T]) -> T:
        async def wait() -> T:
            return await work

        return self._runner.run(wait())

    def close(self) -> None:
        self.run(self._end())
        self._runner.close()

    def reopen(self) -> None:
        """As after a stop and a start of the server."""
        self.run(self._end())
        self._store = self.engine.open()
        self.run(self._begin())
        assert self._store.epoch == self.epoch

    async def _begin(self) -> None:
        self._reading = Reading(self._store)
        self._office = Office(self._store, self.clock, BatchLimits(asks=5))
        self._working = asyncio.create_task(self._office.ledger.run())

    async def _end(self) -> None:
        self._office.ledger.stop()
        await self._working
        await self._store.close()

    # --- asking ---------------------------------------------------------------------------------------------

    def carry_out(self, asks: Sequence[tuple[Actor, Ask]], *, tell_heads: bool) -> list[Result]:
        """All at once, in batches of a few; everybody hears what comes of it."""
        return self.run(self._carry_out(asks, tell_heads))

    async def _carry_out(self, asks: Sequence[tuple[Actor, Ask]], tell_heads: bool) -> list[Result]:
        office = self._office
        results = await office.settled(*[office.hand_in(actor, ask) for actor, ask in asks])
        commits, office.commits = office.commits, []
        for commit in commits:
            self._note(commit)
            await self._tell(of_commit(commit), tell_heads)
        return results

    def failing_commits(self) -> Any:
        return self.engine.failing_commits(self._store)

    def _note(self, commit: Commit) -> None:
        """The ledger's own promises: no hole, nothing twice, time and numbers only grow."""
        assert commit.since == self.cursors[commit.account]
        steps = sum(move.after.seq - (move.before.seq if move.before else 0) for move in commit.moves)
        assert commit.cursor - commit.since == steps
        self.cursors[commit.account] = commit.cursor
        for move in commit.moves:
            self._note_move(move)

    def _note_move(self, move: Move) -> None:
        conversation = move.after.id
        if move.before is None:
            self.conversations[move.account].append(conversation)
        for written in move.entries:
            entry = written.entry
            self._note_version(move.account, conversation, written)
            if entry.author.kind != "contact" and (entry.kind == "message" or entry.activity == "claimed"):
                self.answering[conversation].add(str(entry.author.id))
            if entry.data and entry.data.get("assignee"):
                self.answering[conversation].add(entry.data["assignee"])

    def _note_version(self, account: str, conversation: str, written: Written) -> None:
        """An entry is born once; its later versions stay in its place, and what they no longer say is gone."""
        entry, before = written.entry, self.entries[conversation].get(written.entry.id)
        if before is None:
            assert entry.seq == entry.born
            new = [entry.id]
        else:
            assert entry.seq > before.seq
            assert (entry.born, entry.at, entry.author, entry.kind) == (
                before.born,
                before.at,
                before.author,
                before.kind,
            )
            assert before.audience == "everyone" or not (written.asker or "").startswith("con_")
            assert entry.withdrawn or not (before.data or {}).get("answer") or entry.data == before.data
            self.superseded |= unique(before) - unique(entry)
            new = [written.ask] if written.ask else []
        if entry.withdrawn:
            assert not (entry.text or entry.data or entry.blocks or entry.attachments or entry.reactions)
        assert {self.files.setdefault(file.id, entry.id) for file in entry.attachments} <= {entry.id}
        assert not {(account, id) for id in new} & self.stored
        self.stored |= {(account, id) for id in new}
        self.entries[conversation][entry.id] = entry

    # --- telling --------------------------------------------------------------------------------------------

    async def _tell(self, bulletin: Bulletin, tell_heads: bool) -> None:
        for observer in self.observers:
            if observer.actor.account != bulletin.account:
                continue
            for payload in heard_by(observer.actor, observer.mirror, bulletin):
                observer.hear(payload)
                self._inspect(observer.actor, payload)
            if observer.actor.is_staff and tell_heads:
                for payload in protocol.heads((item.document for item in bulletin.items), bulletin.cursor):
                    observer.hear(payload)
            if observer.actor.is_staff:
                await self._grow(observer.actor, observer.mirror, bulletin)
            observer.past.append(Past(copied(observer.mirror), bulletin.cursor))

    async def _grow(self, actor: Actor, mirror: Mirror, bulletin: Bulletin) -> None:
        """Staff gets a snapshot of what falls to it. Noa and Rival watch everything as soon as it is there."""
        for item in bulletin.items:
            if actor in WATCHERS:
                mirror.watching.add(item.conversation)
            if item.conversation not in mirror.threads and (actor in WATCHERS or actor.id in item.hands):
                apply(mirror, await self._snapshot(actor, item.conversation))

    def watch(self, observer: Observer, conversation: str) -> None:
        """This one hears the conversation from now on, whoever has it."""
        observer.mirror.watching.add(conversation)
        observer.hear(self.run(self._snapshot(observer.actor, conversation)))

    def connect(self, actor: Actor, mirror: Mirror) -> None:
        """A socket with or without a past: welcome, what was missed, synced."""
        resume = mirror.resume()
        limits = protocol.Limits(65536, 8000, 50, 16)
        apply(mirror, protocol.welcome(self.epoch, actor, self.clock.now(), 25_000, limits))
        caught = self.run(self._caught_up(actor, resume))
        synced = protocol.synced(caught.cursor if actor.is_staff else None)
        for payload in [*frames_of(actor, caught), synced]:
            self._inspect(actor, payload)
            apply(mirror, payload)

    async def _caught_up(self, actor: Actor, resume: dict[str, Any] | None) -> CatchUp:
        if not actor.is_staff:
            return await self._reading.catch_up_contact(actor, resume["conversations"] if resume else {})
        cursor, held = (resume["cursor"], resume["watch"]) if resume else (None, [])
        return await self._reading.catch_up_staff(actor, cursor, held, await self._reading.in_hands(actor, held))

    def heal(self, actor: Actor, mirror: Mirror, since: int) -> None:
        """The node's stream had a hole after `since`: what is missing is read from the store and told."""
        cursor, missed = self.run(self._reading.missed(actor.account, since))
        assert cursor == self.cursors[actor.account]
        bulletin = of_missed(actor.account, since, cursor, missed)
        for payload in heard_by(actor, mirror, bulletin):
            self._inspect(actor, payload)
            apply(mirror, payload)
        if actor.is_staff:
            self.run(self._grow(actor, mirror, bulletin))

    # --- the law --------------------------------------------------------------------------------------------

    def check(self, actor: Actor, mirror: Mirror) -> None:
        """Everything that is held is as a fresh snapshot has it; a contact holds all that is its own."""
        for conversation, thread in mirror.threads.items():
            payload = self.run(self._snapshot(actor, conversation))
            self._inspect(actor, payload)
            (fresh,) = decode(payload)
            assert fresh["type"] == "snapshot"
            compare(thread, fresh, is_staff=actor.is_staff)
            if actor.is_staff:
                self._check_preview(conversation, fresh["state"])
        if actor.is_staff:
            mine = self.run(self._in_hands(actor))
            assert set(self.run(self._reading.in_hands(actor))) == mine
            assert mine <= set(mirror.threads)
        else:
            _, own, _ = self.run(self._reading.snapshots(actor, self.conversations[actor.account]))
            assert {snapshot.conversation.id for snapshot in own} == set(mirror.threads)

    def _check_preview(self, conversation: str, state: State) -> None:
        """The list shows the newest message as it is now, and nothing that is withdrawn."""
        messages = [entry for entry in self.entries[conversation].values() if entry.kind == "message"]
        newest = max(messages, key=lambda entry: entry.born)
        words = newest.text or (f"📎 {newest.attachments[0].name}" if newest.attachments else "")
        assert (state["preview"], state["preview_of"]) == (words[:100], newest.born)

    async def _in_hands(self, actor: Actor) -> set[str]:
        """By the states themselves; the views go by the columns beside them."""
        found = [await self._reading.conversation(actor.account, id) for id in self.conversations[actor.account]]
        return {each.id for each in found if each and actor.id in each.hands and each.status != "resolved"}

    async def _snapshot(self, actor: Actor, conversation: str) -> bytes:
        return snapshot_of(await self._reading.snapshot(actor, conversation), None)

    def _inspect(self, actor: Actor, payload: bytes) -> None:
        """Nothing for staff alone is in what a contact is sent, and nobody but itself and those who answer."""
        if actor.is_staff:
            return
        for secret in (SECRET.encode(), TEAM.encode(), b'"note"', b'"audience"', b'"assigned"', b'"cursor"'):
            assert secret not in payload, payload
        assert [old for old in self.superseded if old in payload] == []
        assert {id.decode() for id in CONTACT_IDS.findall(payload)} <= {actor.id}
        for frame in decode(payload):
            if frame["type"] == "change" or frame["type"] == "snapshot":
                named = {id.decode() for id in STAFF_IDS.findall(payload)}
                assert named <= self.answering[frame["conversation"]], payload


def _upload(connection: Connection) -> None:
    """Some files of everybody's, whole and in no entry yet."""
    keys = {row.id: row.key for row in connection.execute(select(accounts.c.id, accounts.c.key))}
    for number, person in enumerate(PEOPLE * FILES_EACH):
        row = {"id": f"upl_{number}", "name": f"{number}.png", "type": "image/png", "size": 9, "created_at": 0}
        connection.execute(insert(uploads).values(account=keys[person.account], owner=person.id, finished=True, **row))


def unique(entry: chat.model.Entry) -> set[bytes]:
    """What stands in this version of this entry and nowhere else: texts with the id of the ask that wrote them."""
    words = [entry.text, *(str(block.get("title")) for block in entry.blocks)]
    return {text.encode() for text in words if MARK.search(text)}


def heard_by(actor: Actor, mirror: Mirror, bulletin: Bulletin) -> list[bytes]:
    """What a hub would hand this listener: staff hears what it holds, a contact what is its own."""
    if actor.is_staff:
        return [item.for_staff for item in bulletin.items if item.conversation in mirror.threads]
    return [item.for_contact for item in bulletin.items if item.contact == actor.id and item.for_contact is not None]


def apply(mirror: Mirror, payload: bytes) -> None:
    for frame in decode(payload):
        mirror.apply(frame)


def copied(mirror: Mirror) -> Mirror:
    """What this client knew now, before its socket broke."""
    threads = {
        conversation: Thread(thread.state, dict(thread.entries), thread.more, thread.position)
        for conversation, thread in mirror.threads.items()
    }
    watching = set(mirror.watching)
    return Mirror(mirror.me, mirror.epoch, mirror.cursor, threads, dict(mirror.heads), watching=watching)


def compare(thread: Thread, fresh: Snapshot, *, is_staff: bool) -> None:
    """The law itself. A contact doesn't hear what only staff may know of, so its seq may be an older one."""
    state, expected = thread.state, fresh["state"]
    assert without_seq(state) == without_seq(expected)
    assert state["seq"] == expected["seq"] if is_staff else state["seq"] <= expected["seq"]
    timeline: list[Entry] = thread.timeline()
    assert timeline[-len(fresh["entries"]) :] == fresh["entries"]
    if not fresh.get("more"):
        assert len(timeline) == len(fresh["entries"])


def without_seq(state: State) -> dict[str, Any]:
    return {name: value for name, value in state.items() if name != "seq"}
