"""Follows the ledger and indexes what it says, from behind: a little at a time, so that nobody waits for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from chat.clock import Clock
from chat.errors import Unavailable
from chat.model import Conversation, Entry
from chat.search import of_contact, of_entry, of_subject
from chat.store import Store
from chat.store.search_index import IndexTurn

log = logging.getLogger("gateway.indexing")

LOOK_SECONDS = 0.5  # how often it looks for something new
AWAY_SECONDS, FAILED_SECONDS = 2.0, 30.0  # until it tries again
CHARACTERS = 256  # of a text, that count as one document more
CONVERSATIONS = 32  # of one turn
ONE_CHANGE = 16  # entries that it writes, at most
PAUSE_IDLE, PAUSE_BUSY = 1.0, 9.0  # for each second of work, while the ledger rests and while it works
LONGEST_PAUSE = 4.0


class Indexing:
    """Run `run` as a task until `stop`: it ends between two transactions, so never cancel it."""

    def __init__(self, store: Store, clock: Clock, is_busy: Callable[[], bool]) -> None:
        self._store = store
        self._clock = clock
        self._is_busy = is_busy
        self._page = store.search.room + ONE_CHANGE  # entries of a conversation that a turn reads
        self._stopped = asyncio.Event()

    async def run(self) -> None:
        while not self._stopped.is_set():
            wait = LOOK_SECONDS
            try:
                await self.catch_up()
            except Unavailable as error:
                log.warning("the search index is away: %s", error)
                wait = AWAY_SECONDS
            except Exception:
                # Boundary: what can't be indexed is a bug, and nothing that people who write should suffer from.
                log.exception("indexing failed")
                wait = FAILED_SECONDS
            await self._wait(wait)

    def stop(self) -> None:
        self._stopped.set()

    async def catch_up(self) -> None:
        """Until nothing is left, all accounts in turn."""
        while not self._stopped.is_set() and (behind := await self._store.search.behind()):
            for account in behind:
                began = self._clock.ticks()
                if not await self._store.search.seal(account):
                    await self._take_turn(account)
                worked = self._clock.ticks() - began
                pause = worked * (PAUSE_BUSY if self._is_busy() else PAUSE_IDLE)
                await self._wait(min(pause, LONGEST_PAUSE))
                if self._stopped.is_set():
                    return

    async def _take_turn(self, account: str) -> None:
        async with self._store.search.turn(account) as turn:
            room = self._store.search.room
            room -= await _index_contacts(turn, room // 2)
            moved = await turn.view.moved(account, turn.cursor, CONVERSATIONS)
            reached = await turn.reached([conversation.id for conversation in moved])
            fitting = _fitting(moved, reached, room)
            begins = {(account, conversation.id): reached.get(conversation.id, 0) for conversation in fitting}
            pages = await turn.view.after_seq(begins, self._page, staff=True)
            come: dict[str, int] = {}
            is_done = True
            for conversation, (place, begin) in zip(fitting, begins.items(), strict=True):
                page = pages.get(place, [])
                is_whole = len(page) < self._page
                seq, room, is_done = await _index_conversation(turn, conversation, begin, page, is_whole, room)
                come[conversation.id] = seq
                if not is_done:
                    break
                await turn.advance(conversation.cursor)
            await turn.reach(come)
            if is_done and len(fitting) == len(moved) < CONVERSATIONS:
                await turn.advance(await turn.view.head(account))

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopped.wait()
        except TimeoutError:
            pass


async def _index_contacts(turn: IndexTurn, limit: int) -> int:
    waiting = await turn.waiting_contacts(limit)
    docs = [(id_, text and of_contact(id_, at, text)) for id_, at, text in waiting]
    await turn.put(doc for _, doc in docs if doc)
    await turn.drop([id_ for id_, doc in docs if not doc])
    return len(docs)


def _fitting(moved: list[Conversation], reached: Mapping[str, int], room: int) -> list[Conversation]:
    """Of conversations that have something to index the first that fill a turn."""
    for number, conversation in enumerate(moved):
        if room <= 0:
            return moved[:number]
        room -= 1 + conversation.seq - reached.get(conversation.id, 0)
    return moved


async def _index_conversation(
    turn: IndexTurn, conversation: Conversation, begin: int, page: list[Entry], is_whole: bool, room: int
) -> tuple[int, int, bool]:
    """To what seq a page of entries leads, the room that is left, and whether all of the conversation is indexed."""
    seq, is_done = begin, is_whole
    for entry in sorted(page, key=lambda entry: entry.seq):
        if entry.seq != seq and room <= 0:
            is_done = False
            break
        room -= 1 + len(entry.text) // CHARACTERS
        doc = of_entry(conversation.id, entry)
        await (turn.put([doc]) if doc else turn.drop([entry.id]))
        seq = entry.seq
    else:
        # Where the page ended, the next begins with the rest of what the same change wrote.
        seq = conversation.seq if is_done else seq - 1
    if is_done:
        subject = of_subject(conversation)
        await (turn.put([subject]) if subject else turn.drop([conversation.id]))
    return seq, room - 1, is_done
