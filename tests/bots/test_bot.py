"""A bot answers what contacts write, once, in order, also what came while it was away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from bots import Bot, Closed, Message, Pace
from tests.bots.fake import Fake, fake_shopbell

FAST = Pace(first=0.02, base=0.02, cap=0.1, floor=0.01)


def an_echo(fake: Fake, **options: Any) -> Bot:
    bot = Bot(fake.url, token="bot", **{"pace": FAST, "patience": 5.0} | options)

    @bot.on_message
    async def answer(message: Message) -> None:
        await message.reply(f"You said {message.text}")

    return bot


@asynccontextmanager
async def running(bot: Bot) -> AsyncIterator[None]:
    async with asyncio.timeout(10):
        task = asyncio.create_task(bot.serve())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def a_conversation(fake: Fake) -> str:
    conversation = await fake.says("shopper", type="conversation.start", id="m1", text="Hello")
    await fake.says("agent", type="conversation.assign", id="a1", conversation=conversation, assignee="bot_1")
    return conversation


async def writes(fake: Fake, conversation: str, id: str, text: str, who: str = "shopper") -> None:
    await fake.says(who, type="message.send", id=id, conversation=conversation, text=text)


def said(fake: Fake, conversation: str) -> list[str]:
    return [entry["text"] for entry in fake.entries[conversation] if entry["kind"] == "message"]


def test_a_bot_answers_what_waited_for_it_and_what_comes() -> None:
    async def play() -> None:
        async with fake_shopbell() as fake:
            conversation = await a_conversation(fake)
            async with running(an_echo(fake)):
                await fake.until(lambda: len(said(fake, conversation)) == 2)
                await writes(fake, conversation, "m2", "More")
                await fake.until(lambda: len(said(fake, conversation)) == 4)

            assert said(fake, conversation) == ["Hello", "You said Hello", "More", "You said More"]

    asyncio.run(play())


def test_a_bot_leaves_alone_what_staff_answered_and_what_staff_says() -> None:
    async def play() -> None:
        async with fake_shopbell() as fake:
            conversation = await a_conversation(fake)
            await writes(fake, conversation, "m2", "I did", who="agent")
            async with running(an_echo(fake)):
                await fake.until(lambda: fake.peers)
                await writes(fake, conversation, "m3", "And again", who="agent")
                await writes(fake, conversation, "m4", "Thanks")
                await fake.until(lambda: len(said(fake, conversation)) == 5)

            assert said(fake, conversation)[-1] == "You said Thanks"
            assert len([ask for ask in fake.asked if ask["type"] == "message.send"]) == 1

    asyncio.run(play())


def test_a_bot_answers_once_although_its_socket_breaks() -> None:
    async def play() -> None:
        async with fake_shopbell() as fake:
            conversation = await a_conversation(fake)
            fake.cut_before_ok = 2
            async with running(an_echo(fake)):
                await fake.until(lambda: len(said(fake, conversation)) == 2 and len(fake.hellos) >= 2)
                await writes(fake, conversation, "m2", "More")
                await fake.until(lambda: len(said(fake, conversation)) == 4)
                await fake.until(lambda: fake.asked[-1]["type"] == "read")

            assert said(fake, conversation) == ["Hello", "You said Hello", "More", "You said More"]

    asyncio.run(play())


def test_messages_of_one_conversation_are_handled_in_order_one_at_a_time() -> None:
    async def play() -> None:
        async with fake_shopbell() as fake:
            conversation = await a_conversation(fake)
            bot = Bot(fake.url, token="bot", pace=FAST)
            busy: list[str] = []
            order: list[str] = []

            @bot.on_message
            async def answer(message: Message) -> None:
                assert not busy
                busy.append(message.id)
                await message.note(f"about {message.text}")
                order.append(message.id)
                busy.remove(message.id)

            for number in range(2, 12):
                await writes(fake, conversation, f"m{number}", str(number))
            async with running(bot):
                await fake.until(lambda: sum(ask["type"] == "note.add" for ask in fake.asked) == 11)
                await fake.until(lambda: fake.asked[-1]["type"] == "read")

            assert order == [f"m{number}" for number in range(1, 12)]

    asyncio.run(play())


def test_a_handler_that_fails_does_not_end_the_bot(caplog: pytest.LogCaptureFixture) -> None:
    async def play() -> None:
        async with fake_shopbell() as fake:
            conversation = await a_conversation(fake)
            bot = Bot(fake.url, token="bot", pace=FAST)

            @bot.on_message
            async def answer(message: Message) -> None:
                if message.text == "Hello":
                    raise KeyError("a bug of the bot's author")
                await message.reply("fine")

            async with running(bot):
                await fake.until(lambda: fake.peers)
                await writes(fake, conversation, "m2", "More")
                await fake.until(lambda: "fine" in said(fake, conversation))

    asyncio.run(play())
    assert "the handler failed on message m1" in caplog.text


def test_a_bot_that_is_shut_out_says_so() -> None:
    async def play() -> None:
        async with fake_shopbell() as fake:
            fake.close_hello_with = [4010]
            await an_echo(fake).serve()

    with pytest.raises(Closed, match="4010"):
        asyncio.run(play())


def test_a_bot_does_not_answer_what_was_taken_back_before_it_came() -> None:
    async def play() -> None:
        async with fake_shopbell() as fake:
            conversation = await a_conversation(fake)
            fake.entries[conversation][0].update(text="", withdrawn=True)
            async with running(an_echo(fake)):
                await fake.until(lambda: fake.peers)
                await writes(fake, conversation, "m2", "Rather this")
                await fake.until(lambda: len(said(fake, conversation)) == 3)

            assert said(fake, conversation) == ["", "Rather this", "You said Rather this"]

    asyncio.run(play())


@pytest.mark.parametrize(
    ("data", "pressed", "filled_in"),
    [
        (None, None, None),
        ({"postback": "yes", "of": "m1"}, "yes", None),
        ({"form": "m1", "values": {"size": 38}}, None, {"size": 38}),
    ],
)
def test_a_bot_knows_what_was_pressed_and_filled_in(data: Any, pressed: str | None, filled_in: Any) -> None:
    entry: Any = {"id": "m2", "text": "Yes", **({"data": data} if data else {})}
    message = Message(None, "c", entry, None)  # type: ignore[arg-type]  # neither is looked at

    assert (message.pressed, message.filled_in) == (pressed, filled_in)
