"""The same ask sent one to five times, at once, on one socket or on several: one effect, the same result for all."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from bots import Ask, Client, Refused, Shopper, Staff, new_id
from bots.frames import Ok
from tests.chaos.people import QUICK, up_to_date
from tests.chaos.server import EMAILS, PASSWORD, Server
from tests.history import Log, check, read_sqlite

TIMES = range(1, 6)


@dataclass
class Scene:
    """A shopper and two agents, each with five tabs."""

    inbox: str
    shopper: list[Client]
    noa: list[Client]
    somchai: list[Client]
    logs: list[Log]

    @property
    def clients(self) -> list[Client]:
        """Everybody's, in the order of the logs."""
        return [*self.shopper, *self.noa, *self.somchai]

    async def conversation(self) -> str:
        return (await self.shopper[0].start(self.inbox, "Hello"))["conversation"]


Play = Callable[[Scene], Awaitable[None]]


def on_stage(server: Server, play: Play) -> None:
    """Run the play on a real server; the history of everybody must be sound in the end."""

    async def run() -> list[Log]:
        await server.start()
        async with AsyncExitStack() as stack:
            scene = await a_scene(server, stack)
            await play(scene)
            await up_to_date(server, list(zip(scene.clients, scene.logs, strict=True)))
            for log in scene.logs:
                log.stop()
            return scene.logs

    logs = asyncio.run(run())

    assert check(logs, read_sqlite(server.database)).violations == []


async def a_scene(server: Server, stack: AsyncExitStack) -> Scene:
    shopper = await Shopper.open(server.url, "demo")
    scene = Scene(shopper.inbox, [], [], [], [])
    for tab in TIMES:
        other = await Shopper.open(server.url, "demo", shopper.secret)
        assert other.contact == shopper.contact
        await _open(stack, scene, scene.shopper, Log(f"shopper {tab}", shopper.contact, "contact"), other.client)
    for email, tabs in zip(EMAILS, (scene.noa, scene.somchai), strict=True):
        staff = await Staff.login(server.url, email, PASSWORD)
        for tab in TIMES:
            await _open(stack, scene, tabs, Log(f"{email} {tab}", staff.agent["id"], "agent"), staff.client)
    return scene


async def _open(
    stack: AsyncExitStack, scene: Scene, tabs: list[Client], log: Log, client: Callable[..., Client]
) -> None:
    tabs.append(await stack.enter_async_context(client(tap=log, pace=QUICK)))
    scene.logs.append(log)
    await tabs[-1].synced()


def one_first_the_others_again(results: list[Ok]) -> None:
    assert sum(not result.get("again") for result in results) == 1
    assert len({(result["conversation"], result["seq"], result["at"]) for result in results}) == 1


Make = Callable[[Scene], Awaitable[Callable[[Client, str], Ask]]]


async def a_start(scene: Scene) -> Callable[[Client, str], Ask]:
    return lambda client, id: client.start(scene.inbox, "Hello", id=id)


async def a_message(scene: Scene) -> Callable[[Client, str], Ask]:
    conversation = await scene.conversation()
    return lambda client, id: client.send(conversation, "Once", id=id)


async def a_claim(scene: Scene) -> Callable[[Client, str], Ask]:
    conversation = await scene.conversation()
    return lambda client, id: client.claim(conversation, id=id)


async def a_resolve(scene: Scene) -> Callable[[Client, str], Ask]:
    conversation = await scene.conversation()
    return lambda client, id: client.resolve(conversation, id=id)


@pytest.mark.parametrize("make", [a_start, a_message, a_claim, a_resolve])
def test_an_ask_sent_several_times_happens_once(make: Make, server: Server) -> None:
    ids: list[str] = []

    async def play(scene: Scene) -> None:
        tabs = scene.shopper if make in (a_start, a_message) else scene.noa
        for times in TIMES:
            for sockets in {1, times}:
                ask, id = await make(scene), new_id()
                ids.append(id)
                results = await asyncio.gather(*[ask(tabs[number % sockets], id) for number in range(times)])
                one_first_the_others_again(results)
                later = await ask(tabs[-1], id)
                assert later.get("again")

    on_stage(server, play)

    store = read_sqlite(server.database)
    assert len(ids) == 9
    assert [len(store.by_id[id]) for id in ids] == [1] * len(ids)
    if make is a_start:
        assert len(store.conversations) == len(ids)


def test_of_two_agents_who_claim_at_once_one_gets_it_and_the_other_hears_who_was_first(server: Server) -> None:
    async def play(scene: Scene) -> None:
        for _ in range(10):
            conversation = await scene.conversation()
            tabs = [*scene.noa, *scene.somchai]
            results = await asyncio.gather(*[tab.claim(conversation) for tab in tabs], return_exceptions=True)
            refused = [result for result in results if isinstance(result, Refused)]

            assert [each.code for each in refused] == ["taken"] * 5
            assert {isinstance(result, Refused) for result in results[:5]} != {True, False}

    on_stage(server, play)


def test_the_same_id_for_something_else_is_refused(server: Server) -> None:
    async def play(scene: Scene) -> None:
        conversation, id = await scene.conversation(), new_id()
        await scene.shopper[0].send(conversation, "Mine", id=id)
        with pytest.raises(Refused, match="id_reused"):
            await scene.shopper[1].send(conversation, "Something else", id=id)
        with pytest.raises(Refused, match="id_reused"):
            await scene.noa[0].send(conversation, "Mine", id=id)

    on_stage(server, play)
