"""A client from a URL of every kind; one whose command is cancelled gives nobody else's answer to anybody."""

from __future__ import annotations

import asyncio
import os
import random

from gateway.redis_client import new_client
from tests.servers import redis

STORM_SEED = int(os.environ.get("SHOPBELL_SEED", "0")) or random.randrange(1 << 32)


async def test_one_server_answers() -> None:
    client = new_client(redis().url)

    await client.set("test_redis_client", b"1")

    assert await client.get("test_redis_client") == b"1"
    await client.aclose()


async def test_a_storm_of_cancellations_never_gives_an_answer_to_another_asker() -> None:
    """CVE-2023-28858 and -28859: a cancelled command's answer was read by whoever asked next."""
    seed = random.Random(STORM_SEED)
    client = new_client(redis().url)
    wrong: list[tuple[str, object]] = []
    answered = 0

    async def ask(word: str) -> None:
        nonlocal answered
        if seed.random() < 0.5:
            answer = await client.echo(word)
        else:
            pipeline = client.pipeline(transaction=False)
            _ = pipeline.echo(word)
            _ = pipeline.echo(word)
            answer = (await pipeline.execute())[1]
        answered += 1
        if answer != word.encode():
            wrong.append((word, answer))

    for turn in range(60):
        asking = [asyncio.create_task(ask(f"{turn}-{n}")) for n in range(12)]
        for task in asking:
            for _ in range(seed.randrange(8)):
                await asyncio.sleep(0)
            if seed.random() < 0.7:
                task.cancel()
        results = await asyncio.gather(*asking, return_exceptions=True)
        assert [each for each in results if isinstance(each, Exception)] == []
    await ask("the last")
    await client.aclose()

    assert wrong == [], f"SHOPBELL_SEED={STORM_SEED}"
    assert answered > 60
