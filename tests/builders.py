"""Values for tests, with defaults that read well: override what the test is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Connection, Table, insert, select

from chat.catalog import CATALOG
from chat.model import (
    Actor,
    Ask,
    Conversation,
    Desk,
    Entry,
    Inbox,
    Member,
    Person,
    Position,
    Standing,
    Team,
    TeamRules,
    Turn,
    author_of,
    encode,
)
from chat.store import Head, Move, Store, Written
from chat.store.tables import accounts, agents, bots, contacts, inboxes, ledgers, teams
from chat.ticket import Ticket

MINE = "acc_mine"
OTHER = "acc_other"  # another merchant, who must never matter
DOOR = "inb_door"
TEAM = "tem_care"
MOMENT = 1_795_287_000_000  # ms


class StillClock:
    """Stands still until it is moved, backwards too."""

    def __init__(self) -> None:
        self.moment = MOMENT

    def now(self) -> int:
        return self.moment

    def ticks(self) -> float:
        return self.moment / 1000

    def move(self, seconds: float) -> None:
        self.moment += round(seconds * 1000)


def an_id(number: int) -> str:
    """An id as a client makes it; the same number gives the same id."""
    return f"01930000-0000-7000-8000-{number:012x}"


# --- who ----------------------------------------------------------------------------------------------------


def a_contact(id: str = "con_dana", name: str = "Dana", account: str = MINE) -> Actor:
    return Actor(account, "contact", id, name)


def an_agent(id: str = "agt_noa", name: str = "Noa", account: str = MINE, **more: Any) -> Actor:
    return Actor(account, "agent", id, name, "agent", **more)


def a_bot(id: str = "bot_echo", name: str = "Echo", account: str = MINE) -> Actor:
    return Actor(account, "bot", id, name)


DANA, ELI = a_contact(), a_contact("con_eli", "Eli")
NOA, SOMCHAI = an_agent(), an_agent("agt_somchai", "Somchai")
GONE = an_agent("agt_gone", "Gone", active=False)
ECHO = a_bot()
STRANGER = a_contact("con_stranger", "Stranger", OTHER)
RIVAL = an_agent("agt_rival", "Rival", OTHER)
PEOPLE = (DANA, ELI, NOA, SOMCHAI, GONE, ECHO, STRANGER, RIVAL)


# --- what ---------------------------------------------------------------------------------------------------


def a_conversation(**parts: Any) -> Conversation:
    """Dana's conversation, in the queue with her first message, unless told otherwise."""
    standard: dict[str, Any] = {
        "id": "cnv_parcel",
        "inbox": DOOR,
        "contact": DANA.id,
        "created_at": MOMENT,
        "waiting_since": MOMENT,
        "preview": "Where is my parcel?",
        "messages": 1,
        "contact_seq": 1,
        "people": {DANA.id: Person(DANA.name)},
        "seq": 1,
        "cursor": 1,
    }
    return Conversation(**(standard | parts))


def a_held_conversation(by: Actor = NOA, **parts: Any) -> Conversation:
    """Dana's conversation, in somebody's hands."""
    standard: dict[str, Any] = {
        "status": "open",
        "handler": "bot" if by.kind == "bot" else "agent",
        "assignee": by.id,
        "people": {DANA.id: Person(DANA.name), by.id: Person(by.name)},
    }
    return a_conversation(**(standard | parts))


def a_message(number: int = 1, *, by: Actor = DANA, text: str = "Where is my parcel?", seq: int = 1) -> Entry:
    return Entry(an_id(number), seq, seq, "message", author_of(by.id), MOMENT, text)


def a_note(number: int = 1, *, by: Actor = NOA, text: str = "A secret of the staff", seq: int = 1) -> Entry:
    return Entry(an_id(number), seq, seq, "note", author_of(by.id), MOMENT, text, audience="staff")


def an_activity(name: str, number: int = 1, *, by: Actor = NOA, seq: int = 1, **more: Any) -> Entry:
    return Entry(an_id(number), seq, seq, "activity", author_of(by.id), MOMENT, activity=name, **more)


def a_turn(actor: Actor, conversation: Conversation | None = None, **parts: Any) -> Turn:
    """What a rule sees: a second later, the account's next cursor."""
    cursor = conversation.cursor + 1 if conversation else 1
    standard: dict[str, Any] = {"at": MOMENT + 1000, "cursor": cursor, "fresh": "cnv_fresh"}
    return Turn(actor=actor, conversation=conversation, **(standard | parts))


FREE = Standing("accepting_chats", "free", None, True, "on_shift")
GONE_HOME = Standing("offline", "not_present", None, False, "on_shift")
AFTER_HOURS = Standing("offline", "off_shift", None, True, "off_shift")


def a_member(actor: Actor, **parts: Any) -> Member:
    """Whoever works in the team, as routing sees it."""
    return replace(Member(actor.account, actor.id, actor.name, teams=(TEAM,)), **parts)


def a_desk(
    *members: Member,
    standing: Standing = FREE,
    rules: TeamRules | None = None,
    queued: Sequence[Conversation] = (),
    **parts: Any,
) -> Desk:
    """Of one team that answers for the door; all of it stand alike."""
    ids = tuple(member.id for member in members)
    standard: dict[str, Any] = {
        "members": {member.id: member for member in members},
        "teams": {TEAM: replace(rules or TeamRules(TEAM), members=ids)},
        "inboxes": {DOOR: (TEAM,)},
        "queued": tuple(queued),
        "standings": dict.fromkeys(ids, standing),
        "is_known": True,
    }
    return Desk(**(standard | parts))


def a_door(account: str = MINE, id: str = DOOR) -> Inbox:
    return Inbox(account, id, "Front door")


def a_team(account: str = MINE, id: str = TEAM) -> Team:
    return Team(account, id, "Care")


def a_ticket(actor: Actor, ask: Ask, peer: Any = None, size: int = 200) -> Ticket:
    return Ticket(actor.account, actor.id, CATALOG[type(ask)], ask, peer, size)


def read_at(seq: int, seen: int = 0) -> Position:
    return Position(seq, seq, seen)


# --- in the store -------------------------------------------------------------------------------------------


async def populate(store: Store, people: Sequence[Actor] = PEOPLE) -> None:
    """Two merchants, each with its door, team and people. The names are the same in every test."""

    def work(connection: Connection) -> None:
        keys = {account: _add_account(connection, account) for account in (MINE, OTHER)}
        for person in people:
            _add_person(connection, keys[person.account], person)

    await store.administer(work)


def _add_account(connection: Connection, account: str) -> int:
    connection.execute(insert(accounts).values(id=account, name=account, created_at=MOMENT))
    key: int = connection.execute(select(accounts.c.key).where(accounts.c.id == account)).scalar_one()
    connection.execute(insert(ledgers).values(account=key))
    door, team = (DOOR, TEAM) if account == MINE else (f"{DOOR}_{account}", f"{TEAM}_{account}")
    door_row = {"id": door, "name": "Front door", "public_key": door, "origins": []}
    connection.execute(insert(inboxes).values(account=key, **door_row))
    connection.execute(insert(teams).values(account=key, id=team, name="Care"))
    return key


def _add_person(connection: Connection, account: int, person: Actor) -> None:
    row: dict[str, Any] = {"account": account, "id": person.id, "name": person.name}
    if person.kind == "contact":
        connection.execute(insert(contacts).values(**row, created_at=MOMENT))
    elif person.kind == "bot":
        connection.execute(insert(bots).values(**row, active=person.active))
    else:
        secret = {"email": f"{person.id}@shop.example", "password": "none", "role": person.role}
        connection.execute(insert(agents).values(**row, **secret, active=person.active))


def a_move(
    after: Conversation, *entries: Entry, before: Conversation | None = None, account: str = MINE, digest: bytes = b"d"
) -> Move:
    """What a transaction writes of one conversation, its entries at the conversation's cursor."""
    written = [Written(entry, after.cursor, digest) for entry in entries]
    return Move(account, before, after, written, encode(after))


async def store_moves(store: Store, *moves: Move) -> None:
    """Commit these in one transaction; each account's head becomes the greatest cursor among them."""
    transaction = await store.begin({move.account for move in moves})
    heads: dict[str, Head] = {}
    for move in moves:
        cursor = max(move.after.cursor, heads.get(move.account, Head()).cursor)
        heads[move.account] = Head(cursor, MOMENT)
    try:
        await transaction.write(moves, heads)
    except BaseException:
        await transaction.rollback()
        raise
    await transaction.commit()


async def add_rows(store: Store, table: Table, rows: Sequence[Mapping[str, Any]], account: str = MINE) -> None:
    """Rows of this account, as they are."""

    def work(connection: Connection) -> None:
        key = connection.execute(select(accounts.c.key).where(accounts.c.id == account)).scalar_one()
        connection.execute(insert(table), [{"account": key, **row} for row in rows])

    await store.administer(work)
