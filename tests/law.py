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
from typing import Any, TypeVar

from msgspec.structs import replace
from sqlalchemy import Connection, insert, select

import chat.model
from bots.frames import Entry, Snapshot, State, decode
from bots.mirror import Mirror, Thread
from chat.access import system
from chat.batch import Commit
from chat.gather import BatchLimits
from chat.model import Actor, Ask, author_of
from chat.reading import CatchUp, Reading
from chat.store import Move, Written
from chat.store.tables import accounts, attribute_types, uploads
from chat.timers import Timers
from gateway import protocol
from gateway.arrivals import frames_of, snapshot_of
from gateway.bulletin import Bulletin, of_commit, of_missed
from gateway.timers import ask_of
from tests import builders
from tests.builders import DANA, ECHO, ELI, MINE, NOA, RIVAL, SOMCHAI, STRANGER, TEAM, StillClock, a_contact, populate
from tests.engines import StoreEngine
from tests.floor import Here, give_slots, set_up
from tests.office import Office, Result

T = TypeVar("T")

FILES_EACH = 3
FAY = a_contact("con_fay", "Fay")
PEOPLE = (*builders.PEOPLE, FAY)
WATCHERS = (NOA, RIVAL)
SECRET = "for-staff-alone"  # in the text of every note
STAFF_IDS = re.compile(rb"(?:agt|bot)_\w+")
MARK = re.compile(r"[0-9a-f]{12}$")
CONTACT_IDS = re.compile(rb"con_\w+")
OF_STAFF = (
    b'"routing"',
    b'"queued_at"',
    b'"tags"',
    b'"followers"',
    b'"attributes"',
    b'"snoozed_until"',
    b'"rewritten"',
    b'"priority"',
    b'"preview"',
)


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
    floors: dict[str, int] = field(default_factory=dict)  # up to these seqs it has what was rewritten in place

    def hear(self, payload: bytes) -> None:
        self.heard.append(payload)
        apply(self.mirror, payload)


class Shop:
    """The law's world. Every method leaves it at rest."""

    def __init__(self, engine: StoreEngine) -> None:
        self.engine = engine
        self.clock = StillClock()
        self.conversations: dict[str, list[str]] = defaultdict(list)
        self.cursors: dict[str, int] = defaultdict(int)
        self.stored: set[tuple[str, str]] = set()
        self.entries: dict[str, dict[str, chat.model.Entry]] = defaultdict(dict)
        self.superseded: set[bytes] = set()
        self.files: dict[str, str] = {}
        self.answering: dict[str, set[str]] = defaultdict(set)
        self.became: dict[str, Actor] = {}
        self.gone: set[str] = set()
        self.emptied: dict[str, int] = {}
        self.erased: set[bytes] = set()
        self.here = Here(NOA, SOMCHAI, ECHO)
        self.observers = [Observer(actor) for actor in (NOA, SOMCHAI, DANA, ELI, RIVAL, STRANGER, FAY)]
        self._runner = asyncio.Runner()
        self._store = self.run(self.engine.open())
        self.epoch = self._store.epoch
        self.run(populate(self._store, PEOPLE))
        self.run(set_up(self._store, (NOA, SOMCHAI, ECHO), answer_seconds=15, return_seconds=10, bounces=2))
        self.run(give_slots(self._store, 2, NOA, SOMCHAI))
        self.run(self._store.administer(_upload))
        self.run(self._store.administer(_declare))
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
        self._store = self.run(self.engine.open())
        self.run(self._begin())
        assert self._store.epoch == self.epoch

    async def _begin(self) -> None:
        self._reading = Reading(self._store)
        self._office = Office(self._store, self.clock, BatchLimits(asks=5), duty=self.here)
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
        for commit in commits:  # who comes back reads the store as it is after all of them
            self._note_who_answers(commit)
        for commit in commits:
            self._note(commit)
            await self._tell(of_commit(commit), tell_heads)
        return results

    def ring(self, *, twice: bool) -> list[tuple[Actor, Ask, Result]]:
        """What is due is asked as the node does; twice: it died before it could delete the timers."""
        timers = Timers(self._store)
        due = self.run(timers.due(self.clock.now(), 100))
        asks = [(system(each.account), ask) for each in due if (ask := ask_of(each.timer)) is not None]
        told = [*asks, *asks] if twice else asks
        results = self.carry_out(told, tell_heads=False)
        self.run(timers.delete(due))
        return [(*each, result) for each, result in zip(told, results, strict=True)]

    def now(self, actor: Actor) -> Actor:
        """Who this one is by now."""
        while actor.id in self.became:
            actor = self.became[actor.id]
        return actor

    def failing_commits(self) -> Any:
        return self.engine.failing_commits(self._store)

    def _note(self, commit: Commit) -> None:
        """The ledger's own promises: no hole, nothing twice, time and numbers only grow."""
        assert commit.since == self.cursors[commit.account]
        steps = sum(move.after.seq - (move.before.seq if move.before else 0) for move in commit.moves)
        assert commit.cursor - commit.since == steps
        self.cursors[commit.account] = commit.cursor
        for written in [written for move in commit.moves for written in move.entries]:
            if written.entry.activity == "merged" and written.entry.data:
                self._note_merge(written.entry.data["contact"], written.entry.data["into"])
        for move in commit.moves:
            if move.erases:
                self._note_erasure(move)
            self._note_move(move)

    def _note_merge(self, left: str, into: str) -> None:
        self.became[left] = next(person for person in PEOPLE if person.id == into)
        for entries in self.entries.values():
            for id, entry in entries.items():
                entries[id] = as_of(entry, left, into)

    def _note_erasure(self, move: Move) -> None:
        """What was there is nowhere any more; of this very batch nothing was ever told."""
        conversation = move.after.id
        self.gone.add(move.after.contact)
        self.emptied[conversation] = move.after.rewritten
        for id, entry in self.entries[conversation].items():
            self.erased |= unique(entry)
            self.entries[conversation][id] = emptied(entry)

    def _note_move(self, move: Move) -> None:
        conversation = move.after.id
        is_held = move.after.assignee is not None
        assert is_held if move.after.status == "open" else not is_held or move.after.status != "queued"
        if move.before is None:
            self.conversations[move.account].append(conversation)
        for written in move.entries:
            self._note_version(move.account, conversation, written)

    def _note_who_answers(self, commit: Commit) -> None:
        for conversation, entry in [(move.after.id, each.entry) for move in commit.moves for each in move.entries]:
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
            assert not any((entry.text, entry.data, entry.blocks, entry.attachments, entry.reactions))
        assert {self.files.setdefault(file.id, entry.id) for file in entry.attachments} <= {entry.id}
        assert not {(account, id) for id in new} & self.stored
        self.stored |= {(account, id) for id in new}
        self.entries[conversation][entry.id] = entry

    # --- telling --------------------------------------------------------------------------------------------

    async def _tell(self, bulletin: Bulletin, tell_heads: bool) -> None:
        for observer in self.observers:
            if observer.actor.account != bulletin.account:
                continue
            if comes_back(observer.actor, bulletin):
                await self._come_back(observer)
            for payload in heard_by(observer.actor, observer.mirror, bulletin, observer.floors):
                observer.hear(payload)
                self._inspect(observer.actor, payload)
            if observer.actor.is_staff and tell_heads:
                for payload in protocol.heads((item.document for item in bulletin.items), bulletin.cursor):
                    observer.hear(payload)
            if observer.actor.is_staff and (renewed := await self._grow(observer.actor, observer.mirror, bulletin)):
                observer.floors |= renewed
                observer.heard.clear()  # what is worthless is never sent again
            observer.past.append(Past(copied(observer.mirror), bulletin.cursor))

    async def _come_back(self, observer: Observer) -> None:
        """Its socket was closed with 4202."""
        observer.actor = self.now(observer.actor)
        observer.mirror.disconnected()
        observer.heard.clear()
        await self._connect(observer.actor, observer.mirror)
        observer.floors = {id: thread.state["seq"] for id, thread in observer.mirror.threads.items()}

    async def _grow(self, actor: Actor, mirror: Mirror, bulletin: Bulletin) -> dict[str, int]:
        """Staff gets a snapshot of what falls to it, and of what was rewritten; returns the seqs of the latter.

        Noa and Rival watch everything as soon as it is there.
        """
        renewed: dict[str, int] = {}
        for item in bulletin.items:
            if item.rewritten and item.conversation in mirror.threads:
                apply(mirror, await self._snapshot(actor, item.conversation))
                if item.conversation in mirror.threads:
                    renewed[item.conversation] = mirror.threads[item.conversation].state["seq"]
            if actor in WATCHERS:
                mirror.watching.add(item.conversation)
            if item.conversation not in mirror.threads and (actor in WATCHERS or actor.id in item.hands):
                apply(mirror, await self._snapshot(actor, item.conversation))
        return renewed

    def watch(self, observer: Observer, conversation: str) -> None:
        """This one hears the conversation from now on, whoever has it."""
        observer.mirror.watching.add(conversation)
        observer.hear(self.run(self._snapshot(observer.actor, conversation)))

    def connect(self, actor: Actor, mirror: Mirror) -> None:
        """A socket with or without a past: welcome, what was missed, synced. Nobody lets an erased contact in."""
        self.run(self._connect(actor, mirror))

    async def _connect(self, actor: Actor, mirror: Mirror) -> None:
        if actor.id in self.gone:
            return
        resume = mirror.resume()
        limits = protocol.Limits(65536, 8000, 50, 16)
        apply(mirror, protocol.welcome(self.epoch, actor, self.clock.now(), 25_000, limits))
        caught = await self._caught_up(actor, resume)
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
        if comes_back(actor, bulletin) or (mirror.me and mirror.me["id"] != actor.id):
            self.connect(actor, mirror)
            return
        for payload in heard_by(actor, mirror, bulletin):
            self._inspect(actor, payload)
            apply(mirror, payload)
        if actor.is_staff:
            self.run(self._grow(actor, mirror, bulletin))

    # --- the law --------------------------------------------------------------------------------------------

    def check(self, actor: Actor, mirror: Mirror) -> None:
        """Everything that is held is as a fresh snapshot has it; a contact holds all that is its own."""
        if actor.id in self.gone:
            return
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
        since = self.emptied.get(conversation, 0)
        entries = self.entries[conversation].values()
        messages = [entry for entry in entries if entry.kind == "message" and entry.born > since]
        if not messages:
            assert (state["preview"], state["preview_of"], since > 0) == ("", 0, True)
            return
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
        assert [old for old in self.erased if old in payload] == []
        if actor.is_staff:
            return
        for secret in (SECRET.encode(), TEAM.encode(), b'"note"', b'"audience"', b'"assigned"', b'"cursor"', *OF_STAFF):
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


def heard_by(actor: Actor, mirror: Mirror, bulletin: Bulletin, floors: dict[str, int] | None = None) -> list[bytes]:
    """What a hub would hand this listener: staff hears what it holds, a contact what is its own.

    Nobody hears what was rewritten, nor what it has from a snapshot already: `gateway.held_back`.
    """
    known = floors or {}
    items = [each for each in bulletin.items if not each.rewritten and each.seq > known.get(each.conversation, 0)]
    if actor.is_staff:
        return [item.for_staff for item in items if item.conversation in mirror.threads]
    return [item.for_contact for item in items if item.contact == actor.id and item.for_contact is not None]


def comes_back(actor: Actor, bulletin: Bulletin) -> bool:
    """Whether a hub would send this contact away to come back."""
    return any(actor.id in item.left or (item.rewritten and item.contact == actor.id) for item in bulletin.items)


def as_of(entry: chat.model.Entry, left: str, into: str) -> chat.model.Entry:
    """The entry with one contact in the place of another, as the store has it after a merge."""
    who = author_of(into) if entry.author.id == left else entry.author
    reactions = {emoji: tuple(into if id == left else id for id in by) for emoji, by in entry.reactions.items()}
    return replace(entry, author=who, reactions=reactions)


def emptied(entry: chat.model.Entry) -> chat.model.Entry:
    """The entry as an erasure leaves it."""
    return chat.model.Entry(
        entry.id,
        entry.seq,
        entry.born,
        entry.kind,
        entry.author,
        entry.at,
        activity=entry.activity,
        audience=entry.audience,
    )


def _declare(connection: Connection) -> None:
    """The custom attributes that the wishes name."""
    key = connection.execute(select(accounts.c.key).where(accounts.c.id == MINE)).scalar_one()
    for of in ("conversation", "contact"):
        row = {"account": key, "of": of, "name": "mood", "type": "text", "choices": []}
        connection.execute(insert(attribute_types).values(**row))


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
