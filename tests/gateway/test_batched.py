"""Look-ups that arrive together are one; whoever leaves or fails doesn't take the others along."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from chat.errors import Unavailable
from gateway import batched
from gateway.batched import Batched


class Shelf:
    """Knows the lengths of words, and remembers which were looked up together."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.is_away = False

    async def look_up(self, keys: Sequence[str]) -> Mapping[str, int]:
        self.asked.append(list(keys))
        await self.open.wait()
        if self.is_away:
            raise Unavailable
        if "poison" in keys:
            raise OSError
        return {key: len(key) for key in keys if key != "unknown"}


def test_what_is_wanted_in_one_turn_is_one_look_up() -> None:
    async def play() -> None:
        shelf = Shelf()
        lengths = Batched(shelf.look_up)

        found = await asyncio.gather(*(lengths.get(key) for key in ("a", "bb", "a", "unknown")))

        assert found == [1, 2, 1, None]
        assert shelf.asked == [["a", "bb", "unknown"]]

    asyncio.run(play())


def test_what_is_wanted_meanwhile_is_the_next_look_up_so_that_answers_are_never_old() -> None:
    async def play() -> None:
        shelf = Shelf()
        lengths = Batched(shelf.look_up)
        shelf.open.clear()
        first = asyncio.create_task(lengths.get("a"))
        await asyncio.sleep(0.01)
        rest = [asyncio.create_task(lengths.get(key)) for key in ("a", "bb")]
        await asyncio.sleep(0.01)
        shelf.open.set()

        assert await asyncio.gather(first, *rest) == [1, 1, 2]
        assert shelf.asked == [["a"], ["a", "bb"]]

    asyncio.run(play())


def test_one_who_cannot_be_looked_up_takes_nobody_along() -> None:
    async def play() -> None:
        shelf = Shelf()
        lengths = Batched(shelf.look_up)

        keys = ("a", "poison", "bb")
        results = await asyncio.gather(*(lengths.get(key) for key in keys), return_exceptions=True)

        assert [results[0], type(results[1]), results[2]] == [1, OSError, 2]
        assert shelf.asked == [["a", "poison", "bb"], ["a"], ["poison"], ["bb"]]
        assert await lengths.get("a") == 1

    asyncio.run(play())


def test_while_the_store_is_away_nobody_is_looked_up_alone() -> None:
    async def play() -> None:
        shelf = Shelf()
        lengths = Batched(shelf.look_up)
        shelf.is_away = True

        results = await asyncio.gather(lengths.get("a"), lengths.get("bb"), return_exceptions=True)

        assert [type(result) for result in results] == [Unavailable, Unavailable]
        assert shelf.asked == [["a", "bb"]]
        shelf.is_away = False
        assert await lengths.get("a") == 1

    asyncio.run(play())


def test_several_look_ups_may_run_at_once_so_that_a_slow_one_holds_few_up() -> None:
    async def play() -> None:
        shelf = Shelf()
        lengths = Batched(shelf.look_up, at_most=2, at_once=2)
        shelf.open.clear()
        waiting = []
        for key in "abcdef":
            waiting.append(asyncio.create_task(lengths.get(key)))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        shelf.open.set()

        assert await asyncio.gather(*waiting) == [1] * 6
        assert shelf.asked == [["a"], ["b"], ["c", "d"], ["e", "f"]]

    asyncio.run(play())


def test_who_asks_when_the_last_look_up_has_just_ended_is_answered() -> None:
    async def play() -> None:
        lengths = Batched(Shelf().look_up)

        async def ask_again(key: str) -> int | None:
            await lengths.get(key)
            return await lengths.get(key)

        async with asyncio.timeout(5):
            for turns in range(5):
                first = asyncio.create_task(lengths.get("a"))
                for _ in range(turns):
                    await asyncio.sleep(0)
                assert await ask_again("bb") == 2
                assert await first == 1

    asyncio.run(play())


def test_one_who_leaves_takes_nobody_along() -> None:
    async def play() -> None:
        shelf = Shelf()
        lengths = Batched(shelf.look_up)
        shelf.open.clear()
        leaving, staying = (asyncio.create_task(lengths.get(key)) for key in ("a", "bb"))
        await asyncio.sleep(0.01)
        leaving.cancel()
        shelf.open.set()

        assert await staying == 2
        assert await lengths.get("ccc") == 3

    asyncio.run(play())


def test_a_crowd_is_cut_into_statements_of_a_fair_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batched, "AT_MOST", 10)

    async def play() -> None:
        shelf = Shelf()
        lengths = Batched(shelf.look_up)

        await asyncio.gather(*(lengths.get(f"{n}") for n in range(25)))

        assert [len(keys) for keys in shelf.asked] == [10, 10, 5]

    asyncio.run(play())


def test_closing_ends_the_waiting() -> None:
    async def play() -> None:
        shelf = Shelf()
        lengths = Batched(shelf.look_up)
        shelf.open.clear()
        waiting = [asyncio.create_task(lengths.get(key)) for key in ("a", "b")]
        await asyncio.sleep(0.01)
        later = asyncio.create_task(lengths.get("c"))
        await asyncio.sleep(0.01)

        await lengths.close()
        done, pending = await asyncio.wait([*waiting, later], timeout=1)

        assert not pending
        assert all(task.cancelled() for task in done)

    asyncio.run(play())
