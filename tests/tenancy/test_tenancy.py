"""Somebody tries ids of others at every door: the answer is that of an id that doesn't exist, and nothing changes."""

from __future__ import annotations

import json
import os
import random
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.node import Node, on_a_node
from tests.peer import Frame, new_id
from tests.tenancy import table
from tests.tenancy.table import Id, Place, Thing
from tests.tenancy.world import DOT, MARK, Answer, Somebody, World, nobodys, rows_beside, rows_of

SEED = int(os.environ.get("SHOPBELL_SEED", "0")) or random.randrange(2**32)
TRIES = int(os.environ.get("SHOPBELL_TRIES", "10000"))
NEIGHBOURS = 5  # of a contact, one in so many tries is for the contact beside it
RESUMES = 100  # tries with a hello, each of which wants sockets of its own

# Nothing of a bug, and nothing of limits, may be the answer to a try.
NEVER = {"internal", "rate_limited", "busy", "unavailable", "too_large"}
# Who is here, who takes what, how long it takes, and what moved elsewhere is told when it comes to it.
IN_THEIR_TIME = {"presence", "statuses", "queue", "inbox.status", "heads"}
ID = re.compile(rb'"(?:[a-z]{3}_[0-9a-f]{24}|[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f-]{22})"')
NUMBER = re.compile(rb"(?<=[:,\[])\d+(?=[,}\]])")


@dataclass
class Try:
    """One actor, one ask or route, one place of it with an id that is somebody else's, or nobody's."""

    who: Somebody
    thing: Thing
    place: Place
    theirs: str
    nobodys: str
    values: dict[tuple[str, str], Any]

    def with_id(self, id_: str) -> dict[tuple[str, str], Any]:
        fill = self.place.fill
        assert isinstance(fill, Id)
        return {**self.values, (self.place.where, self.place.name): [id_] if fill.many else id_}

    def __str__(self) -> str:
        what = f"{self.thing.method} {self.thing.name}".strip()
        return f"{self.who.name}: {what} with {self.place.where}.{self.place.name} = {self.theirs}, else {self.values}"


class Tries:
    """Thinks up tries, carries each out with both ids, and compares."""

    def __init__(self, world: World, dice: random.Random) -> None:
        self.world = world
        self.dice = dice
        self.things = [*table.asks(), *table.routes(world.routes)]
        self.places = [(thing, place) for thing in self.things for place in thing.ids]
        self.places += [(thing, OWN_ID) for thing in self.things if thing.name in table.REPEATABLE]
        self.said: Counter[tuple[str, str, str]] = Counter()

    def next(self) -> Try | None:
        dice, mine = self.dice, self.world.mine
        thing, place = dice.choice(self.places)
        who = dice.choice([mine.admin, mine.admin, mine.agent, mine.bot, mine.contacts[0]])
        is_neighbour = who is mine.contacts[0] and dice.randrange(NEIGHBOURS) == 0
        assert isinstance(place.fill, Id)
        theirs: Mapping[str, list[str]] = mine.of_contact[1] if is_neighbour else self.world.other.ids
        kind = place.fill.kind
        if kind == "spare":
            # In one account an id is used once, whoever used it: only another account's can be tried.
            if is_neighbour or not self.world.other.spare:
                return None
            id_ = self.world.other.spare.pop()
        else:
            # Ids of another kind too; but what can't be an entry's is refused for its shape, and that is no try.
            if kind not in theirs or (kind not in ("entry", "attribute") and dice.random() < 0.25):
                kind = dice.choice([each for each in theirs if each != "attribute"])
            id_ = dice.choice(theirs[kind])
        values = self._values(thing, place, id_)
        fresh = nobodys("entry" if "-" in id_ else kind, id_)
        return Try(who, thing, place, id_, fresh, values)

    def _values(self, thing: Thing, attacked: Place, tried: str) -> dict[tuple[str, str], Any]:
        """All other places: one's own things, at times somebody else's or nobody's too."""
        dice = self.dice
        values: dict[tuple[str, str], Any] = {}
        for place in thing.places:
            # With an id of its own an ask is carried out: a file can't be sent twice.
            if place == attacked or (not place.is_required and (attacked is OWN_ID or dice.random() < 0.8)):
                continue
            if isinstance(place.fill, Id):
                one = self._some_id(place.fill.kind, tried)
                values[place.where, place.name] = [one] if place.fill.many else one
            else:
                values[place.where, place.name] = place.fill()
        return values

    def _some_id(self, kind: str, tried: str) -> str:
        """Never the one that is tried: that two places name the same thing is no secret."""
        dice = self.dice
        own = self.world.mine.of_contact[0].get(kind) or self.world.mine.ids[kind]
        theirs = dice.choice(self.world.other.ids[kind])
        found = dice.choices([dice.choice(own), theirs, nobodys(kind, theirs)], [8, 1, 1])[0]
        return found if found != tried else nobodys(kind, theirs)

    # --- carrying it out ------------------------------------------------------------------------------------------

    async def carry_out(self, one: Try) -> None:
        first, code = await self._say(one, one.theirs)
        second, _ = await self._say(one, one.nobodys)
        assert first == second, f"{one}\nanswered {first!r}\nwhere nobody's id gets {second!r}"
        assert code not in NEVER, f"{one}\n{first!r}"
        self.said[one.thing.name, one.place.name, code] += 1

    async def _say(self, one: Try, id_: str) -> tuple[Any, str]:
        values = one.with_id(id_)
        if one.thing.method:
            answer = await self._ask_http(one, values)
            _hears_nothing(one.who, answer.body, one)
            return _masked(answer, id_), _code_of(answer)
        body = {name: value for (_, name), value in values.items()}
        frame = await one.who.peer.ask(one.thing.name, **({"id": new_id()} if "id" not in body else {}), **body)
        return _masked_frame(frame, id_), frame.get("code", "ok")

    async def _ask_http(self, one: Try, values: Mapping[tuple[str, str], Any]) -> Answer:
        thing = one.thing
        path = re.sub(r"\{(\w+)[^}]*\}", lambda found: str(values["path", found[1]]), thing.name)
        query = {name: value for (where, name), value in values.items() if where == "query"}
        body: Any = {name: value for (where, name), value in values.items() if where == "body"}
        if thing.takes_bytes:
            body = DOT
        elif not any(place.where == "body" for place in thing.places):
            body = None
        return await self.world.http(one.who, thing.method, path, query, body)


OWN_ID = Place("body", "id", Id("spare"))


def _masked(answer: Answer, id_: str) -> tuple[int, list[str], bytes]:
    """What must be equal: all of a refusal but the id; of a success its shape."""
    body = answer.body.replace(id_.encode(), b"IT")
    if answer.status < 400:
        body = NUMBER.sub(b"0", ID.sub(b'"ID"', body))
    return answer.status, sorted(answer.headers), body


def _masked_frame(frame: Frame, id_: str) -> bytes:
    text = json.dumps({name: value for name, value in frame.items() if name != "ref"}, sort_keys=True).encode()
    text = text.replace(b" ", b"").replace(id_.encode(), b"IT")
    return NUMBER.sub(b"0", ID.sub(b'"ID"', text))


def _code_of(answer: Answer) -> str:
    if answer.status < 400:
        return "ok"
    return str(json.loads(answer.body)["code"])


def _hears_nothing(who: Somebody, said: bytes, why: object = "") -> None:
    marks = [f"{MARK}-other"] + ([f"{MARK}-mine-1"] if "contact" in who.name else [])
    for mark in marks:
        assert mark.encode() not in said, f"{who.name} heard of somebody else's: {why} {said[:500]!r}"


async def _resume(world: World, dice: random.Random) -> None:
    """The conversations in a hello and in a watch, of all who have sockets."""
    node, mine = world.node, world.mine
    theirs = dice.choice(world.other.ids["conversation"])
    for make in (node.contact, node.agent, node.bot):
        heard = []
        for id_ in (theirs, nobodys("conversation", theirs)):
            resume = {"epoch": mine.admin.peer.welcome["epoch"], "cursor": 1, "watch": [id_], "conversations": {id_: 1}}
            peer = await make(resume=resume)
            if make != node.contact:
                await peer.ask("watch", conversations=[id_])
            await peer.settle()
            frames = [json.loads(line) for message in peer.messages for line in message.split(b"\n")]
            heard.append([_masked_frame(each, id_) for each in frames if each["type"] not in IN_THEIR_TIME])
            assert not any(f"{MARK}-other".encode() in message for message in peer.messages)
            peer.leave()
        assert heard[0] == heard[1]


def _expect_unchanged(before: dict[str, list[Any]], after: dict[str, list[Any]]) -> None:
    for name, rows in before.items():
        assert after[name] == rows, f"what the others have in the table {name} has changed"


async def no_tick(now: float) -> None:
    """Nobody is pinged."""


@on_a_node(rate_address_uploads="1000/s", uploads_per_actor="1000", tick=0.005)
async def test_ids_of_others_are_ids_that_dont_exist(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Positions are answered once a second, made short here; pings would be far too many then.
    monkeypatch.setattr(node.shopbell._wheel, "tick", no_tick)
    dice = random.Random(SEED)
    world = await World.made(node)
    tries = Tries(world, dice)
    database = tmp_path / "data" / "shopbell.db"
    before, beside = rows_of(database, node.other.id), rows_beside(database, world.mine.of_contact[1]["contact"][0])
    assert min(len(before[name]) for name in ("contacts", "conversations", "entries", "uploads", "bot_tokens")) > 0

    try:
        for n in range(TRIES):
            one = tries.next()
            if one is not None:
                await tries.carry_out(one)
            if n % (TRIES // RESUMES + 1) == 0:
                await _resume(world, dice)
    except Exception as error:
        error.add_note(f"again with the same: SHOPBELL_SEED={SEED}")
        raise

    _expect_unchanged(before, rows_of(database, node.other.id))
    _expect_unchanged(beside, rows_beside(database, world.mine.of_contact[1]["contact"][0]))
    await _nobody_hears(world)
    _expect_no_hollow_tries(tries)


async def _nobody_hears(world: World) -> None:
    """What happens on the other side now isn't heard by those who tried to listen."""
    side = world.other
    for conversation in side.ids["conversation"]:
        ok = await side.admin.peer.ask("message.send", id=new_id(), conversation=conversation, text=f"{MARK}-other")
        assert ok["type"] == "ok"
    for who in (world.mine.admin, world.mine.agent, world.mine.bot, world.mine.contacts[0]):
        await who.peer.settle()
        for message in who.peer.messages:
            _hears_nothing(who, message)


def _expect_no_hollow_tries(tries: Tries) -> None:
    """Each place must have been looked at behind the mere shape of the ask, by somebody who may ask it."""
    looked_at = {(thing, place) for thing, place, code in tries.said if code not in ("bad_request", "unauthorized")}
    looked_at |= table.LIST_PLACES
    tried = {(thing, place) for thing, place, _ in tries.said}

    assert len(tries.said) > 50
    assert {(thing.name, place.name) for thing, place in tries.places} - tried == set(), "never tried"
    assert tried - looked_at == set(), "only ever refused for their shape"
