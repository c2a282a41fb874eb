"""Look-ups that arrive together are one; whoever leaves or fails doesn't take the others along."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from gateway import batched
from gateway.batched import Batched


class Shelf:
    """Knows the lengths of words, and remembers which were looked up together."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.open = asyncio.Event()
        self.open.set()

    async def look_up(self, keys: Sequence[str]) -> Mapping[str, int]:
        self.asked.append(list(keys))
        await self.open.wait()
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


def test_a_failure_is_told_to_those_who_waited_and_the_next_are_served() -> None:
    async def play() -> None:
        lengths = Batched(Shelf().look_up)

        results = await asyncio.gather(lengths.get("poison"), lengths.get("a"), return_exceptions=True)

        assert [type(result) for result in results] == [OSError, OSError]
        assert await lengths.get("a") == 1

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
