"""The shipped example runs as a program and stops when asked to."""

import asyncio
import signal
import sys
from pathlib import Path

from tests.bots.fake import fake_shopbell

ROOT = Path(__file__).parent.parent.parent


def test_the_echo_bot_answers_until_it_is_told_to_stop() -> None:
    async def play() -> tuple[int | None, bytes]:
        async with fake_shopbell() as fake, asyncio.timeout(20):
            conversation = await fake.says("shopper", type="conversation.start", id="m1", text="Hello")
            await fake.says("agent", type="conversation.assign", id="a1", conversation=conversation, assignee="bot_1")
            command = [sys.executable, "-m", "bots.echo", "--url", fake.url, "--token", "bot"]
            bot = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stderr=asyncio.subprocess.PIPE)
            await fake.until(lambda: any(e.get("text") == "You said Hello" for e in fake.entries[conversation]), 15)
            bot.send_signal(signal.SIGTERM)
            _, errors = await bot.communicate()
            return bot.returncode, errors

    assert asyncio.run(play()) == (0, b"")
