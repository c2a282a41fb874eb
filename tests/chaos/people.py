"""People who use the service all the time: shoppers who write, agents who do everything they can, a bot that echoes."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol

from bots import Ask, Bot, Client, Message, Pace, Refused, Shopper, Staff
from bots.mirror import Mirror
from tests.chaos.server import EMAILS, PASSWORD
from tests.history import Kept, Log, Stored, Verdict, check

QUICK = Pace(first=0.05, base=0.05, cap=0.3, floor=0.01)  # a restart takes a second; nobody should sleep through it
PATIENCE = 60.0  # of an ask, over some restarts
QUIET_SECONDS = 20.0  # for everybody to be up to date in the end
NORMAL_REFUSALS = {"taken", "invalid_state"}  # two agents had the same idea


class Shop(Protocol):
    """The service as people see it: one server, or several nodes."""

    @property
    def bot_token(self) -> str: ...

    def door(self, number: int, /) -> str:
        """The URL by which the person of this number comes in."""
        ...

    def read(self) -> Stored:
        """What is in the database."""
        ...


@dataclass
class Crowd:
    """Everybody who is connected, and what they wrote down."""

    service: Shop
    dice: random.Random
    clients: dict[str, tuple[Client, Log]] = field(default_factory=dict)
    logs: list[Log] = field(default_factory=list)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    inbox: str = ""
    echoes: list[Ask] = field(default_factory=list)  # what the bot has said
    patience: float = PATIENCE  # of their asks

    async def enter(self, stack: AsyncExitStack, log: Log, client: Callable[..., Client]) -> None:
        """One more, until the stack ends."""
        entered = await stack.enter_async_context(client(tap=log, pace=QUICK, patience=self.patience))
        self.clients[log.name] = (entered, log)
        self.logs.append(log)
        await entered.synced()

    def stop(self) -> None:
        """Everybody finishes what they are at."""
        self.stopping.set()

    async def pause(self, most: float) -> None:
        """The time between two things that a person does."""
        try:
            async with asyncio.timeout(self.dice.uniform(0, most)):
                await self.stopping.wait()
        except TimeoutError:
            return

    async def shop(self, name: str) -> None:
        """A shopper: some conversations, messages in bursts, not always waiting for the answer."""
        client, _ = self.clients[name]
        conversations: list[str] = []
        count = 0
        while not self.stopping.is_set():
            if not conversations or (len(conversations) < 4 and self.dice.random() < 0.05):
                conversations.append(
                    (await client.start(self.inbox, f"{name} begins {len(conversations)}"))["conversation"]
                )
            conversation = self.dice.choice(conversations)
            asks = []
            for _ in range(self.dice.randint(1, 4)):
                count += 1
                asks.append(client.send(conversation, f"{name} {count}"))
            _typing_and_reading(client, conversation, self.dice)
            await asyncio.gather(*asks)
            await self.pause(0.03)

    async def serve(self, name: str) -> None:
        """An agent: claims, answers, notes, resolves, reopens, hands over, watches."""
        client, log = self.clients[name]
        count = 0
        while not self.stopping.is_set():
            await self.pause(0.03)
            conversation = _some(client.mirror, self.dice)
            if conversation is None:
                continue
            count += 1
            try:
                await self._deed(client, log, conversation, f"{name} {count}")
            except Refused as refused:
                if refused.code not in NORMAL_REFUSALS:
                    raise

    async def _deed(self, client: Client, log: Log, conversation: str, text: str) -> None:
        state = client.mirror.state(conversation)
        dice = self.dice.random()
        if state is not None and state.get("assignee") is None and dice < 0.6:
            await client.claim(conversation)
        elif dice < 0.6:
            await asyncio.gather(client.send(conversation, text), client.note(conversation, f"note on {text}"))
        elif dice < 0.7:
            await client.resolve(conversation)
        elif dice < 0.8:
            await client.reopen(conversation)
        elif dice < 0.9:
            await client.assign(conversation, assignee=self.dice.choice([*self._staff(), None]))
        elif conversation in client.mirror.heads:
            await client.watch(self.dice.sample(sorted(client.mirror.heads), min(3, len(client.mirror.heads))))
        _typing_and_reading(client, conversation, self.dice)

    def _staff(self) -> list[str]:
        return [log.actor for log in self.logs if log.kind != "contact"]

    async def settle(self) -> None:
        """Wait until everybody is connected and has all that the store has for them; the checker says who hasn't."""
        await asyncio.gather(*self.echoes)
        await up_to_date(self.service, self.clients.values())

    def refusals(self, code: str) -> int:
        """How often anybody was refused like this."""
        return sum(event.what == "refused" and event.detail == code for log in self.logs for event in log.events)

    async def until_refused(self, code: str) -> None:
        """Wait until somebody is."""
        client, _ = next(iter(self.clients.values()))
        await client.until(lambda _: self.refusals(code) > 0, PATIENCE)

    def verdict(self, faults: int) -> Verdict:
        """Stop the writing down, and check it against the store."""
        for log in self.logs:
            log.stop()
        return check(self.logs, self.service.read(), faults)


async def up_to_date(shop: Shop, peers: Collection[tuple[Client, Log]]) -> None:
    """Wait until everybody is connected and has all that the store has for them; the checker says who hasn't."""
    for client, _ in peers:
        await client.synced(QUIET_SECONDS)
    store = shop.read()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(QUIET_SECONDS):
            for client, log in peers:
                for kept in store.conversations.values():
                    if _hears(client, log, kept):
                        rows = store.by_conversation[kept.id]
                        seen = [row for row in rows if log.kind != "contact" or row.audience == "everyone"]
                        await client.until(_has(kept.id, seen[-1].id), QUIET_SECONDS)


def _hears(client: Client, log: Log, kept: Kept) -> bool:
    if log.actor == kept.assignee and kept.status == "resolved":
        return kept.id in client.mirror.threads  # else it was resolved before this socket came
    return log.actor in (kept.contact, kept.assignee) or kept.id in log.watching


def _has(conversation: str, entry: str) -> Callable[[Mirror], bool]:
    return lambda mirror: conversation in mirror.threads and entry in mirror.threads[conversation].entries


def _some(mirror: Mirror, dice: random.Random) -> str | None:
    known = sorted({*mirror.heads, *mirror.threads})
    return dice.choice(known) if known else None


def _typing_and_reading(client: Client, conversation: str, dice: random.Random) -> None:
    thread = client.mirror.threads.get(conversation)
    if thread is not None and dice.random() < 0.3:
        client.read(conversation, thread.state["seq"])
    if dice.random() < 0.1:
        client.typing(conversation)


@asynccontextmanager
async def crowd(
    shop: Shop, dice: random.Random, *, shoppers: int = 6, tabs: int = 1, patience: float = PATIENCE
) -> AsyncIterator[Crowd]:
    """Shoppers, both agents with some tabs each, and the bot: connected, and doing nothing yet."""
    people = Crowd(shop, dice, patience=patience)
    async with AsyncExitStack() as stack:
        for number in range(shoppers):
            door = shop.door(number)
            shopper = await Shopper.open(door, "demo")
            people.inbox = shopper.inbox
            await people.enter(stack, Log(f"shopper {number}", shopper.contact, "contact", door), shopper.client)
        for number, email in enumerate(EMAILS):
            staff = await Staff.login(shop.door(number), email, PASSWORD)
            for tab in range(tabs):
                door = shop.door(number + tab)
                log = Log(f"{email} {tab}", staff.agent["id"], "agent", door)
                await people.enter(stack, log, replace(staff, url=door).client)
        bot = (await staff.ask("GET", "/v1/staff"))["bots"][0]["id"]
        await stack.enter_async_context(_echo(people, Log("bot", bot, "bot", shop.door(0))))
        yield people


@asynccontextmanager
async def _echo(people: Crowd, log: Log) -> AsyncIterator[None]:
    """The bot; its history counts like everybody's."""
    bot = Bot(log.door, people.service.bot_token, tap=log, pace=QUICK, patience=people.patience)

    @bot.on_message
    async def answer(message: Message) -> None:
        if not people.stopping.is_set():
            people.echoes.append(message.reply(f"You said {message.text}"))
            await people.echoes[-1]

    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(bot.serve())
        await asyncio.sleep(0)  # its first step makes the client
        assert bot.client is not None
        people.clients[log.name] = (bot.client, log)
        people.logs.append(log)
        yield
        serving.cancel()


@asynccontextmanager
async def busy(people: Crowd) -> AsyncIterator[None]:
    """Everybody at work while the block runs; after it they finish, and everything is brought up to date."""
    async with asyncio.TaskGroup() as tasks:
        for name, (_, log) in people.clients.items():
            if log.kind == "contact":
                tasks.create_task(people.shop(name))
            elif log.kind == "agent":
                tasks.create_task(people.serve(name))
        yield
        people.stop()
    await people.settle()
