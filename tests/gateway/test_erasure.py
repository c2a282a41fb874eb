"""Erasure: content is gone from the database's very bytes, figures stay, and whoever is interrupted asks again."""

from __future__ import annotations

import sqlite3

import pytest
from sqlalchemy import insert, update

from chat.audit import NEWEST, Audit
from chat.contacts import Contacts
from chat.errors import Forbidden, NotFound, Unavailable
from chat.model import Actor
from chat.store.tables import contacts as rows
from chat.store.tables import identities
from gateway.api.asked import ask_id
from gateway.erasure import Erasure
from tests.shop import Shop, in_a_shop

MARK = "Zwiebelkuchen"  # a word that stands nowhere else


def erasure(shop: Shop) -> Erasure:
    people, audit = Contacts(shop.store, shop.clock), Audit(shop.store, shop.clock)
    return Erasure(shop.asking.ask, shop.store, people, audit, shop.close_sockets, shop.forget_files)


async def erase(shop: Shop, contact: str, actor: Actor | None = None) -> None:
    actor = actor or shop.mine.agent.actor
    await erasure(shop).erase(actor, contact, ask_id(None, actor, shop.clock.now()))


async def somebody(shop: Shop) -> tuple[str, str]:
    """A contact with this word wherever a contact can have one; and the secret of its browser."""
    secret, session = await shop.sessions.open_for_contact(shop.mine.door)
    contact = session.actor.id
    known = {"name": f"{MARK} name", "email": f"{MARK}@shop.example", "attributes": f'{{"a": "{MARK}"}}'}
    statement = update(rows).where(rows.c.id == contact).values(known)
    identity = {"inbox": shop.mine.door.id, "sub": f"{MARK}-7", "contact": contact}
    await shop.store.administer(lambda connection: connection.execute(statement))
    await shop.store.administer(lambda connection: connection.execute(insert(identities).values(identity)))
    return contact, secret


def everything(shop: Shop) -> bytes:
    """All bytes of the database's files, the log's too."""
    return b"".join(path.read_bytes() for path in sorted(shop.folder.glob("shop.db*")))


@in_a_shop
async def test_not_a_byte_of_the_content_stays_and_the_figures_do(shop: Shop) -> None:
    contact, secret = await somebody(shop)
    made = await shop.conversation(shop.mine, contact, texts=3, subject=f"{MARK}!", preview=MARK)
    statement = "UPDATE entries SET text = ?, data = ?"
    with sqlite3.connect(shop.folder / "shop.db") as connection:
        connection.execute(statement, (f"{MARK} " * 400, f'{{"data":{{"v":"{MARK}"}}}}'))
    connection.close()
    assert MARK.encode() in everything(shop)

    await erase(shop, contact)

    assert MARK.encode() not in everything(shop)
    async with shop.store.view() as view:
        after = await view.conversation(shop.mine.id, made.id)
        entries = await view.latest(shop.mine.id, made.id, 50, staff=True)
    assert after is not None
    assert (after.messages, after.status, after.contact) == (3, "resolved", contact)
    assert [entry.at for entry in entries[:3]] == [made.created_at] * 3
    assert await shop.sessions.by_secret(secret) is None
    assert (shop.closed, shop.forgotten) == ([contact], [(shop.mine.id, contact)])
    (act,) = await Audit(shop.store, shop.clock).page(shop.mine.id, NEWEST, 10)
    assert (act.action, act.target, act.data) == ("contact.erase", contact, {})


@pytest.mark.parametrize("step", ["search", "files", "sessions"])
@in_a_shop
async def test_what_was_interrupted_is_finished_by_asking_again(
    shop: Shop, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    contact, secret = await somebody(shop)
    await shop.conversation(shop.mine, contact)

    async def broken(*_: object, **__: object) -> None:
        raise Unavailable("the plug was pulled")

    with monkeypatch.context() as broke:
        broke.setattr(
            *{
                "search": (type(shop.store.search), "forget"),
                "files": (shop, "forget_files"),
                "sessions": (Contacts, "forget"),
            }[step],
            broken,
        )
        with pytest.raises(Unavailable):
            await erase(shop, contact)
    assert await Audit(shop.store, shop.clock).page(shop.mine.id, NEWEST, 10) == []

    await erase(shop, contact)

    assert MARK.encode() not in everything(shop)
    assert await shop.sessions.by_secret(secret) is None
    assert shop.forgotten[-1] == (shop.mine.id, contact)
    assert len(await Audit(shop.store, shop.clock).page(shop.mine.id, NEWEST, 10)) == 1


@in_a_shop
async def test_who_may_not_and_who_is_not_there_leave_everything(shop: Shop) -> None:
    contact, secret = await somebody(shop)
    agent = await shop.colleague("agent")

    with pytest.raises(Forbidden):
        await erase(shop, contact, agent.actor)
    for who, actor in ((contact, shop.other.agent.actor), ("con_nowhere", shop.mine.agent.actor)):
        with pytest.raises(NotFound):
            await erase(shop, who, actor)

    assert await shop.sessions.by_secret(secret) is not None
    assert (shop.closed, shop.forgotten) == ([], [])
    assert MARK.encode() in everything(shop)
