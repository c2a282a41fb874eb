"""Old snapshot + changes = fresh snapshot: for any run of asks, for everybody, however the changes come."""

from __future__ import annotations

import logging
import os
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import ClassVar, Literal
from unittest import mock

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from msgspec import UNSET, UnsetType

from chat.access import system
from chat.errors import IdReused, Refused
from chat.model import Actor, Ask, Entry, Lasting
from chat.rules import contacts as of_contacts
from chat.rules.assignment import Assign, Claim
from chat.rules.attributes import Describe
from chat.rules.availability import Observe, SetAvailability
from chat.rules.blocks import Block, Button, Buttons, Card, Field, Form
from chat.rules.contacts import Erase, Merge, Unblock, Update
from chat.rules.conversations import Reopen, Resolve
from chat.rules.edits import Edit, Withdraw
from chat.rules.follow import Follow
from chat.rules.forms import Submit
from chat.rules.messages import AddNote, Send, Start
from chat.rules.postbacks import Press
from chat.rules.priority import Prioritize
from chat.rules.reactions import React
from chat.rules.receipts import Delivered, Read
from chat.rules.routing import Run
from chat.rules.snooze import Snooze, Wake
from chat.rules.subject import Rename
from chat.rules.tags import Tag
from chat.rules.transfer import Transfer
from chat.store import postgres_pool, sqlite
from chat.ticket import Done
from tests.builders import (
    DANA,
    DOOR,
    ECHO,
    ELI,
    GONE,
    MINE,
    NOA,
    OTHER,
    RIVAL,
    SOMCHAI,
    STRANGER,
    TEAM,
    an_id,
)
from tests.engines import PostgresEngine, SqliteEngine
from tests.law import FAY, FILES_EACH, PEOPLE, SECRET, Observer, Shop, copied

log = logging.getLogger("chat.ledger")

EXAMPLES = int(os.environ.get("SHOPBELL_EXAMPLES", "200"))  # more in `make chaos`
ON_POSTGRES = max(1, EXAMPLES // 20)  # there each takes four times as long, and is paid by four of the others

CONTACTS = (DANA, ELI, STRANGER, FAY)
NAMED = (DANA.id, ELI.id, FAY.id, DANA.id, ELI.id, STRANGER.id, "con_none")
STAFF = (NOA, SOMCHAI, ECHO, RIVAL)
ASSIGNABLE = (NOA.id, SOMCHAI.id, ECHO.id, None, NOA.id, SOMCHAI.id, RIVAL.id, GONE.id, DANA.id)
CONTACT_VERBS = (
    *("start", *["send"] * 6, "read", "read", "delivered", "resend", "resend"),
    *("edit", "edit", "withdraw", "react", "react", "unreact", "press", "press", "submit", "submit", "file"),
)
STAFF_VERBS = (
    *("send", "send", "note", "claim", "assign", "assign", "team", "resolve", "resolve", "reopen"),
    *("read", "delivered", "resend", "resend"),
    *("edit", "edit", "withdraw", "react", "react", "unreact", "rich", "rich", "file", "note file"),
    *("snooze", "snooze", "unsnooze", "tag", "prioritize", "rename", "follow", "follow", "unfollow", "describe"),
    *("update", "update", "block", "unblock"),
    *("transfer", "transfer", "to team", "route", "route", "come", "go", "shift", "choose"),
)
BAD_VERBS = (
    *("start", "send", "note", "claim", "assign", "team", "resolve", "reopen"),  # by whoever may not
    *("edit", "withdraw", "react", "press", "submit", "rich", "file", "note file"),
    *("snooze", "wake", "tag", "prioritize", "rename", "follow", "describe", "update", "block", "unblock", "merge"),
    *("reuse", "blank", "nowhere", "behind", "impossible", "transfer", "to team", "choose"),
)
EXPECTED = {"bad_request", "forbidden", "not_found", "id_reused", "taken", "invalid_state", "behind"}
EXPECTED |= {"blocked", "changed", "full"}


@dataclass(frozen=True)
class Wish:
    """What somebody may want; numbers choose among what there is when it is asked."""

    verb: str
    actor: Actor
    where: int
    number: int


NUMBERS = (st.integers(0, 5), st.integers(0, 30))
WISH = st.one_of(
    st.builds(Wish, st.sampled_from(CONTACT_VERBS), st.sampled_from(CONTACTS), *NUMBERS),
    st.builds(Wish, st.sampled_from(STAFF_VERBS), st.sampled_from(STAFF), *NUMBERS),
    st.builds(Wish, st.sampled_from(BAD_VERBS), st.sampled_from((*CONTACTS, *STAFF, GONE)), *NUMBERS),
)
WISHES = st.lists(WISH, min_size=1, max_size=10)
WHO = st.integers(0, 6)


class Law(RuleBasedStateMachine):
    """Everybody asks, hears, loses the socket and comes back, in any order."""

    new_engine: ClassVar[type[SqliteEngine | PostgresEngine]]

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(mkdtemp(prefix="shopbell-law-"))
        self.patience = ExitStack()  # nobody else is going to let go of a lock
        self.patience.enter_context(mock.patch.object(sqlite, "LOCK_PATIENCE_SECONDS", -1.0))
        self.patience.enter_context(mock.patch.dict(postgres_pool.WRITER_SETTINGS, lock_timeout="1"))
        log.setLevel(logging.CRITICAL)  # trouble is on purpose here
        self.shop = Shop(self.new_engine(self.folder))
        self.numbers = count(1)
        self.asked: list[tuple[Actor, Ask]] = []
        self.first: dict[tuple[str, str], tuple[Actor, Ask, Done]] = {}
        self.latest: dict[tuple[str, str], str] = {}  # what somebody is about to say, to be changed at once

    def teardown(self) -> None:
        try:
            for observer in self.shop.observers:
                self._comes_back(observer, 0)
        finally:
            self.shop.close()
            self.shop.engine.remove()
            log.setLevel(logging.NOTSET)
            self.patience.close()

    # --- every step: somebody wants something, and then … -----------------------------------------------------

    @initialize(wishes=WISHES)
    def some_conversations_are_there(self, wishes: list[Wish]) -> None:
        starts = [Wish("start", contact, 0, number) for number, contact in enumerate((*CONTACTS, DANA))]
        self._happens([*starts, *wishes])

    @rule(wishes=WISHES, tell_heads=st.booleans())
    def nothing_else(self, wishes: list[Wish], tell_heads: bool) -> None:
        self._happens(wishes, tell_heads=tell_heads)

    @rule(wish=WISH, times=st.integers(2, 5))
    def it_is_sent_several_times(self, wish: Wish, times: int) -> None:
        actor, asked = self._ask(wish)
        before = self.shop.cursors[actor.account]
        results = self.shop.carry_out([(actor, asked)] * times, tell_heads=False)
        is_wide = isinstance(asked, Read | Delivered | Update | Merge | Erase | Run | Observe)
        assert self.shop.cursors[actor.account] - before <= 1 or is_wide
        for result in results:
            self._judge(actor, asked, result)
        self._check()

    @rule(wishes=WISHES, is_locked=st.booleans())
    def the_store_is_away(self, wishes: list[Wish], is_locked: bool) -> None:
        before = dict(self.shop.cursors)
        asks = [self._ask(wish) for wish in wishes]
        with self.shop.engine.locked() if is_locked else self.shop.failing_commits():
            results = self.shop.carry_out(asks, tell_heads=False)
        if is_locked:
            assert {getattr(result, "code", "ok") for result in results} == {"unavailable"}
        assert {account: self.shop.cursors[account] for account in before} == before
        self.asked += asks  # to be sent again, as clients would
        self._check()

    @rule(wishes=WISHES, who=WHO, when=st.integers(0, 50))
    def who_stood_somewhere_comes_back(self, wishes: list[Wish], who: int, when: int) -> None:
        self._happens(wishes)
        self._comes_back(self.shop.observers[who], when)

    @rule(wishes=WISHES, who=WHO)
    def somebody_loses_the_socket(self, wishes: list[Wish], who: int) -> None:
        observer = self.shop.observers[who]
        observer.mirror.disconnected()
        self.shop.connect(observer.actor, observer.mirror)
        self._happens(wishes)

    @rule(wishes=WISHES, who=WHO, when=st.integers(0, 50), earlier=st.integers(0, 20))
    def the_stream_is_healed(self, wishes: list[Wish], who: int, when: int, earlier: int) -> None:
        self._happens(wishes)
        observer = self.shop.observers[who]
        if observer.past:
            past = observer.past[when % len(observer.past)]
            mirror = copied(past.mirror)
            self.shop.heal(observer.actor, mirror, max(0, past.cursor - earlier))
            self.shop.check(observer.actor, mirror)

    @rule(wishes=WISHES, who=WHO, which=st.integers(0, 200))
    def something_is_heard_again(self, wishes: list[Wish], who: int, which: int) -> None:
        self._happens(wishes)
        observer = self.shop.observers[who]
        if observer.heard:
            observer.hear(observer.heard[which % len(observer.heard)])
            self._check()

    @rule(where=st.integers(0, 5), wishes=WISHES)
    def somchai_watches_a_conversation(self, where: int, wishes: list[Wish]) -> None:
        conversations = self.shop.conversations[MINE]
        self.shop.watch(self._observer(SOMCHAI), conversations[where % len(conversations)])
        self._happens(wishes)

    @rule(wishes=WISHES, seconds=st.integers(0, 40), twice=st.booleans())
    def time_passes(self, wishes: list[Wish], seconds: int, twice: bool) -> None:
        aside = [Wish("snooze", NOA, where, 1 + seconds // 2) for where in range(seconds % 3)]
        self._happens([*aside, *wishes])
        self.shop.clock.move(seconds)
        for actor, asked, result in self.shop.ring(twice=twice):
            self._judge(actor, asked, result)
        self._check()

    @rule(before=WISHES, after=WISHES, left=st.integers(0, 2), into=st.integers(0, 2))
    def two_contacts_become_one(self, before: list[Wish], after: list[Wish], left: int, into: int) -> None:
        self._happens([*before, Wish("merge", NOA, into, left), *after])

    @rule(before=WISHES, after=WISHES, who=st.integers(0, 8))
    def a_contact_is_forgotten(self, before: list[Wish], after: list[Wish], who: int) -> None:
        forgotten = [Wish("erase", NOA, 0, who)] if who < 3 else []  # seldom, as they are few
        self._happens([*before, *forgotten, *after])

    @rule(wishes=WISHES, seconds=st.integers(-30, 300))
    def the_server_starts_anew(self, wishes: list[Wish], seconds: int) -> None:
        self.shop.reopen()
        self.shop.clock.move(seconds)  # it may be set back
        self._happens(wishes)

    # --- how ------------------------------------------------------------------------------------------------

    def _happens(self, wishes: list[Wish], *, tell_heads: bool = False) -> None:
        """All at once; then everybody knows what a fresh reader would."""
        asks = [self._ask(wish) for wish in wishes]
        self.asked += asks
        results = self.shop.carry_out(asks, tell_heads=tell_heads)
        for (actor, asked), result in zip(asks, results, strict=True):
            self._judge(actor, asked, result)
        self._check()

    def _check(self) -> None:
        for observer in self.shop.observers:
            self.shop.check(observer.actor, observer.mirror)

    def _comes_back(self, observer: Observer, when: int) -> None:
        """As it stood at some time, with a new socket."""
        if observer.past:
            mirror = copied(observer.past[when % len(observer.past)].mirror)
            self.shop.connect(observer.actor, mirror)
            self.shop.check(observer.actor, mirror)

    def _observer(self, actor: Actor) -> Observer:
        return next(observer for observer in self.shop.observers if observer.actor is actor)

    def _judge(self, actor: Actor, asked: Ask, result: Done | Refused) -> None:
        """Refusals are the expected ones; nothing is done too early; a resend gets the first result."""
        if isinstance(result, Refused):
            impossible = isinstance(asked, Send) and not asked.text.isprintable()
            assert result.code in (EXPECTED | {"internal"} if impossible else EXPECTED), result
            if isinstance(result, IdReused) and isinstance(asked, Lasting):
                assert self.first[actor.account, asked.id][:2] != (actor, asked)
            return
        if not isinstance(asked, Lasting):
            return
        assert asked.after is None or (actor.account, asked.after) in self.shop.stored
        if (actor.account, asked.id) not in self.shop.stored:
            return  # it changed nothing, and so isn't remembered
        who, what, first = self.first.setdefault((actor.account, asked.id), (actor, asked, result))
        assert (self.shop.now(who).id, what) == (self.shop.now(actor).id, asked)
        assert (result.conversation, result.seq, result.at) == (first.conversation, first.seq, first.at)
        assert result.again == (result is not first)

    def _moves(self, verb: str, number: int) -> tuple[str, ...]:
        """Somebody comes, goes, or is at the end or the beginning of a shift."""
        who, here = (NOA, SOMCHAI, ECHO)[number % 3], self.shop.here
        if verb == "come":
            here.comes(who)
        elif verb == "go":
            here.goes(who)
        else:
            here.off_shift ^= {who.id}
        return (who.id,)

    def _ask(self, wish: Wish) -> tuple[Actor, Ask]:
        actor, number = wish.actor, wish.number
        id, conversation = an_id(next(self.numbers)), self._where(wish)
        match wish.verb:
            case "start":
                inbox = DOOR if actor.account == MINE else f"{DOOR}_{OTHER}"
                return actor, Start(id=id, inbox=inbox, text=f"start {number}")
            case "send":
                text = f"said {id}" if number % 3 else f"said {number}"  # easy to find, or alike
                self.latest[actor.id, conversation] = id
                return actor, Send(id=id, conversation=conversation, text=text, after=self._after(wish))
            case "note":
                return actor, AddNote(id=id, conversation=conversation, text=f"{SECRET} {number}")
            case "edit":
                entry, is_note = self._entry(wish)
                text = (f"{SECRET} {id}" if is_note else f"changed {id}") if number % 5 else f"said {number}"
                if is_note and SECRET not in text:
                    text = f"{SECRET} {number}"
                blocks: list[Block] | UnsetType = UNSET if number % 2 else [Card(f"card {id}")]
                if actor.kind == "contact" and number % 7:
                    blocks = UNSET
                return actor, Edit(id=id, conversation=conversation, entry=entry, text=text, blocks=blocks)
            case "withdraw":
                return actor, Withdraw(id=id, conversation=conversation, entry=self._entry(wish)[0])
            case "react" | "unreact":
                entry, emoji, on = self._entry(wish)[0], "👍❤😀"[number % 3], wish.verb == "react"
                return actor, React(id=id, conversation=conversation, entry=entry, emoji=emoji, on=on)
            case "rich":
                rich: list[Block] = [Buttons([Button(f"No {n}", f"b{n}") for n in range(2)]), Card(f"card {id}")]
                form: list[Block] = [Form([Field("mail", "Email", "email")])] if number % 2 else []
                return actor, Send(id=id, conversation=conversation, text=f"said {id}", blocks=[*rich, *form])
            case "press":
                entry = self._entry(wish, with_blocks=True)[0]
                return actor, Press(id=id, conversation=conversation, entry=entry, button=f"b{number % 3}")
            case "submit":
                entry, values = self._entry(wish, with_blocks=True)[0], {"mail": f"d{number}@a.example"}
                return actor, Submit(id=id, conversation=conversation, entry=entry, values=dict(values))
            case "file":
                return actor, Send(id=id, conversation=conversation, text="", attachments=[self._file(wish)])
            case "note file":
                text = f"{SECRET} {number}"
                return actor, AddNote(id=id, conversation=conversation, text=text, attachments=[self._file(wish)])
            case "claim":
                return actor, Claim(id=id, conversation=conversation)
            case "assign":
                assignee = ASSIGNABLE[number % len(ASSIGNABLE)]
                return actor, Assign(id=id, conversation=conversation, assignee=assignee)
            case "team":
                return actor, Assign(id=id, conversation=conversation, team=(TEAM, None, "tem_none")[number % 3])
            case "transfer" | "to team":
                to = (TEAM, "tem_none")[number % 2] if wish.verb == "to team" else ASSIGNABLE[number % 9] or TEAM
                full: Literal["queue", "refuse"] = "refuse" if number % 4 == 3 else "queue"
                return actor, Transfer(id=id, conversation=conversation, to=to, note=f"{SECRET} {id}", when_full=full)
            case "route":
                return system(MINE), Run(id=id)
            case "come" | "go" | "shift":
                return system(MINE), Observe(id=id, members=self._moves(wish.verb, number), cause=wish.verb)
            case "choose":
                return actor, SetAvailability(availability="busy" if number % 4 == 0 else "available")
            case "resolve":
                return actor, Resolve(id=id, conversation=conversation)
            case "reopen":
                return actor, Reopen(id=id, conversation=conversation)
            case "read":
                return actor, Read(conversation=conversation, seq=number)
            case "delivered":
                return actor, Delivered(conversation=conversation, seq=number)
            case "resend" | "reuse" if self.asked:
                who, what = self.asked[-1 - number % len(self.asked)]
                if wish.verb == "resend" or not isinstance(what, Lasting):
                    return self.shop.now(who), what  # whoever was merged meanwhile is the other
                if number % 2:
                    return actor, what  # somebody else's very ask
                return actor, Send(id=what.id, conversation=conversation, text="something else")
            case "snooze":
                until = self.shop.clock.now() + number * 1000
                return actor, Snooze(id=id, conversation=conversation, until=until)
            case "unsnooze":
                return actor, Snooze(id=id, conversation=conversation, until=None)
            case "wake":
                return actor, Wake(id=id, conversation=conversation)
            case "tag":
                tags = (f"{SECRET} {number % 4}", f"{SECRET.upper()} {number % 3}")
                return actor, Tag(id=id, conversation=conversation, add=tags[:1], remove=tags[1:])
            case "prioritize":
                return actor, Prioritize(id=id, conversation=conversation, priority=number % 4)
            case "rename":
                return actor, Rename(id=id, conversation=conversation, subject=f"about {number % 5 or id}")
            case "follow" | "unfollow":
                other = NOA.id if number % 7 == 6 else None
                return actor, Follow(id=id, conversation=conversation, on=wish.verb == "follow", actor=other)
            case "describe":
                mood = {"mood": None if number % 4 == 3 else f"{SECRET} {number}"}
                return actor, Describe(id=id, conversation=conversation, attributes=mood)
            case "update" | "block" | "unblock" | "merge" | "erase":
                return self._ask_of_contact(wish, id)
            case "behind":
                return actor, Send(id=id, conversation=conversation, text="too early", after=an_id(0xDEAD))
            case "nowhere":
                return actor, Send(id=id, conversation="cnv_nowhere", text="lost")
            case "impossible":
                return actor, Send(id=id, conversation=conversation, text="\ud800")  # no engine takes it
            case _:
                return actor, Send(id=id, conversation=conversation, text=" ")

    def _ask_of_contact(self, wish: Wish, id: str) -> tuple[Actor, Ask]:
        actor, number, contact = wish.actor, wish.number, NAMED[wish.number % len(NAMED)]
        match wish.verb:
            case "block":
                until = self.shop.clock.now() + number * 1000 if number % 3 else None
                return actor, of_contacts.Block(id=id, contact=contact, until=until)
            case "unblock":
                return actor, Unblock(id=id, contact=contact)
            case "merge":
                return actor, Merge(id=id, contact=contact, into=NAMED[wish.where])
            case "erase":
                return system(actor.account), Erase(id=id, contact=contact)
            case _:
                mood: dict[str, object] = {"mood": f"{SECRET} {number}"}
                return actor, Update(
                    id=id, contact=contact, name=f"name {number % 3}", email=f"{SECRET}@{number % 3}", attributes=mood
                )

    def _where(self, wish: Wish) -> str:
        """A conversation of the actor's account; now and then of the other one."""
        account = wish.actor.account if wish.number else OTHER
        conversations = self.shop.conversations[account]
        if wish.verb in ("press", "submit") and wish.number % 6:
            mine = [each for each in conversations if any(e.author.id == wish.actor.id for e in self._entries(each))]
            conversations = [each for each in mine if self._answerable(wish, each)] or conversations
        return conversations[wish.where % len(conversations)] if conversations else "cnv_none"

    def _entry(self, wish: Wish, *, with_blocks: bool = False) -> tuple[str, bool]:
        """An entry of that conversation, mostly one that fits; now and then another one's. And whether it is a note."""
        here = self._where(wish)
        number = wish.number
        if number % 11 == 10:
            here = next(iter(self.shop.entries), here)
        latest = self.latest.get((wish.actor.id, here))
        if latest is not None and latest not in self.shop.entries[here] and number % 4:
            return latest, False  # in the same batch
        entries = self._entries(here)
        own = [entry for entry in entries if entry.author.id == wish.actor.id and entry.kind != "activity"]
        fit = self._answerable(wish, here) if with_blocks else own
        if wish.verb in ("edit", "withdraw") or with_blocks:
            entries = fit if fit and number % 6 else entries
        if not entries:
            return an_id(0xDEAD), False
        chosen = entries[-1 - number % min(len(entries), 4)]
        return chosen.id, chosen.kind == "note"

    def _entries(self, conversation: str) -> list[Entry]:
        return list(self.shop.entries[conversation].values())

    def _answerable(self, wish: Wish, conversation: str) -> list[Entry]:
        """What has a button, or a form."""
        kind = "form" if wish.verb == "submit" else "buttons"
        return [entry for entry in self._entries(conversation) if kind in (block["kind"] for block in entry.blocks)]

    def _file(self, wish: Wish) -> str:
        """One of the actor's own, until they are used up; now and then somebody else's."""
        everybody = len(PEOPLE)
        owner = PEOPLE.index(wish.actor) if wish.number % 5 else wish.number % everybody
        return f"upl_{owner + everybody * (wish.number % FILES_EACH)}"

    def _after(self, wish: Wish) -> str | None:
        """As our clients do: the id of the actor's message before this one there."""
        if wish.number % 2:
            return None
        conversation = self._where(wish)
        own = [
            asked.id
            for actor, asked in self.asked
            if actor is wish.actor and isinstance(asked, Send) and asked.conversation == conversation
        ]
        return own[-1] if own else None


class LawOnSqlite(Law):
    new_engine = SqliteEngine


class LawOnPostgres(Law):
    new_engine = PostgresEngine


def of_examples(count: int) -> settings:
    return settings(
        max_examples=count,
        stateful_step_count=15,
        deadline=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],
    )


LawOnSqlite.TestCase.settings = of_examples(max(1, EXAMPLES - 4 * ON_POSTGRES))
LawOnPostgres.TestCase.settings = of_examples(ON_POSTGRES)
test_law_on_sqlite = LawOnSqlite.TestCase
test_law_on_postgres = LawOnPostgres.TestCase
