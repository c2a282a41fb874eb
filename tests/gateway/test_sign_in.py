"""Signing in at the shop: conversations go along, sessions don't, and nothing is lost or doubled on the way."""

import asyncio
from typing import Any

from sqlalchemy import select

from chat.store.tables import contacts
from gateway.protocol import CloseCode
from tests.gateway.test_identity import signed
from tests.node import Node, on_a_node
from tests.peer import Closed, Frame, Peer, new_id
from tests.shop import Shop, in_a_shop
from tests.shopfront import a_shopfront


async def row(node: Node, contact: str) -> dict[str, Any]:
    statement = select(contacts).where(contacts.c.id == contact)
    found = await node.shopbell._store.inspect(lambda connection: connection.execute(statement).mappings().one())
    return dict(found)


@on_a_node()
async def test_a_browsers_anonymous_contact_becomes_the_customer(node: Node) -> None:
    async with a_shopfront(node) as shop:
        before = await shop.visit()
        conversation = await shop.started(before, "Where is my parcel?")

        after = await shop.visit(before["session"], shop.jwt(name="Dana", email="dana@example.com"))

        assert after["contact"] == before["contact"]
        assert await shop.texts(after) == {conversation: ["Where is my parcel?"]}
        found = await row(node, after["contact"]["id"])
        assert (found["name"], found["email"]) == ("Dana", "dana@example.com")


@on_a_node()
async def test_conversations_go_along_to_the_contact_that_the_shop_knows(node: Node) -> None:
    async with a_shopfront(node) as shop:
        known = await shop.visit(identity=shop.jwt())
        first = await shop.started(known, "from the laptop")
        browser = await shop.visit()
        second = await shop.started(browser, "from the phone", "again")

        after = await shop.visit(browser["session"], shop.jwt())

        both = {first: ["from the laptop"], second: ["from the phone", "again"]}
        assert after["contact"] == known["contact"] != browser["contact"]
        assert after["merged"] == browser["contact"]["id"]
        assert await shop.texts(after) == await shop.texts(known) == both


@on_a_node()
async def test_a_copy_of_the_anonymous_secret_never_opens_the_customers_conversations(node: Node) -> None:
    async with a_shopfront(node) as shop:
        browser = await shop.visit()
        await shop.started(browser, "anonymous")
        first = await shop.visit(browser["session"], shop.jwt())
        await shop.started(first, "my order is secret")
        other = await shop.visit()
        second = await shop.visit(other["session"], shop.jwt())
        assert second["contact"] == first["contact"]

        for copied in (browser, other):
            again = await shop.visit(copied["session"])
            assert again["contact"]["id"] not in (first["contact"]["id"], copied["contact"]["id"])
            assert await shop.texts(again) == {}
            peer = await node.peer()
            await peer.say({"type": "hello", "protocol": 1, "token": copied["token"]})
            assert await peer.closed() == CloseCode.UNAUTHORIZED


@on_a_node()
async def test_another_tab_learns_what_has_become_of_its_contact_and_of_no_other(node: Node) -> None:
    async with a_shopfront(node) as shop:
        dana = await shop.visit(identity=shop.jwt("dana"))
        browser = await shop.visit()
        after = await shop.visit(browser["session"], shop.jwt("dana"))

        async def merged(was: str) -> str | None:
            answer: str | None = (await shop.knock(session=after["session"], was=was)).json()["merged"]
            return answer

        assert await merged(browser["contact"]["id"]) == browser["contact"]["id"]
        stranger = (await shop.visit())["contact"]["id"]
        for other in (dana["contact"]["id"], stranger, "con_nobody", "\U0001f600"):
            assert await merged(other) is None
        eli = await shop.visit(after["session"], shop.jwt("eli"))
        assert eli["merged"] is None


@on_a_node()
async def test_whoever_signs_in_as_somebody_else_takes_nothing_along(node: Node) -> None:
    async with a_shopfront(node) as shop:
        dana = await shop.visit(identity=shop.jwt("dana"))
        await shop.started(dana, "Dana's")

        eli = await shop.visit(dana["session"], shop.jwt("eli"))

        assert eli["contact"] != dana["contact"]
        assert await shop.texts(eli) == {}
        assert (await shop.visit(dana["session"]))["contact"] not in (dana["contact"], eli["contact"])
        assert list((await shop.texts(await shop.visit(identity=shop.jwt("dana")))).values()) == [["Dana's"]]


@on_a_node()
async def test_the_same_identity_again_changes_nothing(node: Node) -> None:
    async with a_shopfront(node) as shop:
        identity = shop.jwt(name="Dana")
        first = await shop.visit(identity=identity)
        conversation = await shop.started(first, "Hello")

        again = await shop.visit(first["session"], identity)

        assert (again["session"], again["contact"]) == (first["session"], first["contact"])
        agent = await node.agent()
        await agent.say({"type": "watch", "conversations": [conversation]})
        snapshot = await agent.next("snapshot")
        assert [entry["kind"] for entry in snapshot["entries"]] == ["message"]  # no line about a change


@on_a_node()
async def test_logging_out_leaves_the_conversations_with_the_customer(node: Node) -> None:
    async with a_shopfront(node) as shop:
        visit = await shop.visit(identity=shop.jwt())
        conversation = await shop.started(visit, "Hello")

        await shop.leave(visit["session"])
        stranger = await shop.visit(visit["session"])

        assert stranger["contact"] != visit["contact"]
        assert await shop.texts(stranger) == {}
        await shop.leave(visit["session"])  # again does no harm
        assert await shop.texts(await shop.visit(identity=shop.jwt())) == {conversation: ["Hello"]}


@on_a_node()
async def test_sockets_of_a_session_that_signs_in_or_out_come_back(node: Node) -> None:
    async with a_shopfront(node) as shop:
        anonymous = await shop.visit()
        tab = await shop.peer(anonymous)
        signed_in = await shop.visit(anonymous["session"], shop.jwt())
        assert await tab.closed() == CloseCode.CHANGED

        tab = await shop.peer(signed_in)
        other_browser = await shop.peer(await shop.visit(identity=shop.jwt()))
        await shop.leave(signed_in["session"])
        assert await tab.closed() == CloseCode.CHANGED
        assert await other_browser.settle() == []


@on_a_node()
async def test_two_tabs_that_sign_in_at_once_are_one_customer(node: Node) -> None:
    async with a_shopfront(node) as shop:
        known = await shop.visit(identity=shop.jwt())
        browser = await shop.visit()
        conversation = await shop.started(browser, "Hello")
        identity = shop.jwt(name="Dana")

        visits = await asyncio.gather(*(shop.visit(browser["session"], identity) for _ in range(6)))

        assert {visit["contact"]["id"] for visit in visits} == {known["contact"]["id"]}
        latest = await shop.visit(visits[-1]["session"], identity)
        assert await shop.texts(latest) == {conversation: ["Hello"]}


@on_a_node()
async def test_many_strangers_that_sign_in_as_one_are_one(node: Node) -> None:
    async with a_shopfront(node) as shop:
        browsers = [await shop.visit() for _ in range(4)]
        for number, browser in enumerate(browsers):
            await shop.started(browser, f"browser {number}")

        visits = await asyncio.gather(*(shop.visit(each["session"], shop.jwt()) for each in browsers))

        assert len({visit["contact"]["id"] for visit in visits}) == 1
        found = await shop.texts(await shop.visit(identity=shop.jwt()))
        assert sorted(found.values()) == [[f"browser {number}"] for number in range(4)]


@on_a_node()
async def test_what_is_on_its_way_while_it_signs_in_arrives_once(node: Node) -> None:
    """The tab goes on sending: what isn't answered is sent again after it has come back, as clients do."""
    async with a_shopfront(node) as shop:
        known = await shop.visit(identity=shop.jwt())
        for round_ in range(5):
            browser = await shop.visit()
            conversation = await shop.started(browser, "first")
            tab = await shop.peer(browser)
            wanted = [f"{round_} {number}" for number in range(12)]
            asks = [
                {"type": "message.send", "ref": n, "id": new_id(), "conversation": conversation, "text": text}
                for n, text in enumerate(wanted, 100)
            ]
            signing = asyncio.ensure_future(shop.visit(browser["session"], shop.jwt()))
            unanswered = await _send_all(tab, asks)
            visit = await signing

            assert visit["contact"] == known["contact"]
            left = await _send_all(await shop.peer(visit), [ask for ask in asks if ask["ref"] in unanswered])
            assert left == set()
            assert sorted((await shop.texts(visit))[conversation]) == sorted(["first", *wanted])


async def _send_all(peer: Peer, asks: list[Frame]) -> set[int]:
    """Send one after the other; returns the refs of those that were never answered before the end."""
    waiting = {ask["ref"] for ask in asks}
    try:
        for ask in asks:
            await peer.say(ask)
        while waiting:
            frame = await peer.hear()
            if frame["type"] in ("ok", "refused") and frame.get("ref") in waiting:
                assert frame["type"] == "ok" or frame["retry"], frame
                if frame["type"] == "ok":
                    waiting.discard(frame["ref"])
    except (Closed, OSError):
        pass
    return waiting


@on_a_node(rate_anonymous_messages="1/600s burst 2")
async def test_whom_the_shop_vouches_for_is_under_no_strangers_limit(node: Node) -> None:
    async with a_shopfront(node) as shop:
        stranger = await shop.peer(await shop.visit())
        customer = await shop.peer(await shop.visit(identity=shop.jwt()))

        async def sends(peer: Peer) -> list[str]:
            asks = {"inbox": node.mine.door.id, "text": "Hello?"}
            return [(await peer.ask("conversation.start", id=new_id(), **asks))["type"] for _ in range(4)]

        assert await sends(stranger) == ["ok", "ok", "refused", "refused"]
        assert await sends(customer) == ["ok"] * 4


@on_a_node()
async def test_an_identity_of_another_inbox_or_of_nobody_is_refused(node: Node) -> None:
    async with a_shopfront(node) as shop:
        for inbox, identity in (
            (node.other.door.public_key, shop.jwt()),
            (node.mine.door.public_key, shop.jwt()[:-2]),
            (node.mine.door.public_key, shop.jwt(life=-120)),
        ):
            answer = await shop.http.post("/v1/session", json={"inbox": inbox, "identity": identity})
            assert (answer.status_code, answer.json()["code"]) == (401, "bad_identity")


@on_a_node()
async def test_what_can_not_be_kept_is_told_to_the_developer(node: Node) -> None:
    async with a_shopfront(node) as shop:
        visit = await shop.visit(identity=shop.jwt(email="nowhere", attributes={"height": 180}))

        assert visit["ignored"] == ["email", "attributes.height"]


@in_a_shop
async def test_a_visit_that_brings_no_news_asks_for_nothing(shop: Shop) -> None:
    _, secret = await shop.identities.add_key((shop.mine.id, shop.mine.door.id))
    token = signed(secret.encode(), exp=shop.clock.now() // 1000 + 60, name="")

    opened = await shop.sign_ins.sign_in(shop.mine.door, None, token)
    again = await shop.sign_ins.sign_in(shop.mine.door, (opened.secret, opened.session), token)

    assert (again.session, shop.asked, shop.closed) == (opened.session, [], [])
