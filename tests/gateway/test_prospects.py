"""What shoppers are told: from who is here and planned, from recent handles, and from what became of earlier waits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from chat.correction import Past
from chat.errors import Unavailable
from chat.promises import Handle, Lately, Promise
from gateway.prospects import FRESH_SECONDS, Prospects
from tests.builders import MINE, MOMENT, StillClock
from tests.gateway.test_floor import CARE, DARA, DOOR, NOA, at
from tests.gateway.test_reception import Place

MINUTE = 60_000


class Rows:
    """What the store has of promises."""

    def __init__(self) -> None:
        self.reads = 0
        self.is_away = False
        self.latest = Lately()
        self.made: list[Promise] = []

    async def lately(self, account: str, now: int) -> Lately:
        self.reads += 1
        if self.is_away:
            raise Unavailable("on purpose")
        return self.latest

    async def reply_seconds(self, account: str, now: int) -> Mapping[str, int]:
        return {DOOR.id: 90}

    async def make(self, account: str, promises: list[Promise]) -> None:
        self.made += promises


class Counter(Place):
    """A shop in which both agents are here and full, and two conversations wait."""

    def __init__(self, clock: StillClock, **look: Any) -> None:
        full = {f"cnv_of_noa{n}": NOA.id for n in range(NOA.slots)} | {"cnv_of_dara": DARA.id}
        standard: dict[str, Any] = {"taken": full, "waiting": [at(1, "cnv_1"), at(2, "cnv_2", created_at=MOMENT + 1)]}
        super().__init__(clock, **(standard | look))
        self.rows = Rows()
        self.prospects = Prospects(self.rows, self.duty, clock)  # type: ignore[arg-type]

    async def told(self, *here: str) -> dict[str, Any]:
        await self.come(*here)
        self.floor.look(MOMENT)
        return dict(self.prospects.look(self.floor, MOMENT))


def until(**after: float) -> str:
    """Always on shift, but for hours from then on."""
    begins = datetime.fromtimestamp(MOMENT / 1000, UTC) + timedelta(**after)
    ends = begins + timedelta(hours=9)
    return f'{{"zone":"UTC","time_off":[{{"from":"{begins:%Y-%m-%dT%H:%MZ}","to":"{ends:%Y-%m-%dT%H:%MZ}"}}]}}'


async def test_places_have_ranges_that_grow(clock: StillClock) -> None:
    told = await Counter(clock).told(NOA.id, DARA.id)

    assert [told[id_].position for id_ in ("cnv_1", "cnv_2")] == [1, 2]
    (first_low, first_high), (second_low, second_high) = (told[id_].eta for id_ in ("cnv_1", "cnv_2"))
    assert 0 < first_low < first_high < second_high
    assert first_low < second_low
    assert first_low % 10 == 0


async def test_what_was_measured_counts_and_what_became_of_earlier_waits(clock: StillClock) -> None:
    counter = Counter(clock)
    usual = (await counter.told(NOA.id, DARA.id))["cnv_1"].eta
    counter.rows.latest = Lately(tuple(Handle(CARE.id, 90 * MINUTE, 80 * MINUTE) for _ in range(30)))
    await counter.prospects.read(MINE)
    slow = (await counter.told())["cnv_1"].eta
    assert slow[0] > 5 * usual[0]

    past = Past(MOMENT, 3_000_000, True, 1_000_000, 2_000_000, 1_000_000, 2_000_000)
    counter.rows.latest = replace(counter.rows.latest, waits=((CARE.id, past),) * 200)
    clock.move(FRESH_SECONDS)
    await counter.prospects.read(MINE)

    assert (await counter.told())["cnv_1"].eta[0] > 2 * slow[0]


async def test_slots_to_come_are_counted_from_their_shift_on(clock: StillClock) -> None:
    resting = replace(DARA, schedule=until(hours=-8))  # back in an hour
    told = await Counter(clock, members={DARA.id: resting}, taken={}).told()

    low, high = told["cnv_1"].eta
    assert 3000 < low < high


async def test_nobody_can_say_where_nobody_is_planned_or_it_is_done_by_hand(clock: StillClock) -> None:
    assert (await Counter(clock).told())["cnv_1"].eta is None
    by_hand = await Counter(clock, teams={CARE.id: replace(CARE, policy="manual")}).told(NOA.id)
    assert (by_hand["cnv_1"].position, by_hand["cnv_1"].eta) == (1, None)


async def test_a_wait_beyond_closing_says_when_it_opens_again(clock: StillClock) -> None:
    leaving = replace(NOA, schedule=until(minutes=2))
    told = await Counter(clock, members={NOA.id: leaving}).told(NOA.id)

    opens_at = told["cnv_1"].opens_at
    assert opens_at is not None
    assert 9 * 60 * MINUTE <= opens_at - MOMENT <= 9 * 60 * MINUTE + 3 * MINUTE


async def test_promises_are_from_the_beginning_of_the_wait(clock: StillClock) -> None:
    counter = Counter(clock)
    await counter.told(NOA.id, DARA.id)
    clock.move(60)

    await counter.prospects.promise(counter.floor, {"cnv_1", "cnv_gone"})

    (made,) = counter.rows.made
    assert (made.conversation, made.queued_at, made.team, made.place) == ("cnv_1", MOMENT, CARE.id, 1)
    assert made.low > 60_000
    assert made.low < made.high


async def test_the_store_is_read_once_a_minute_and_may_be_away(clock: StillClock) -> None:
    counter = Counter(clock)
    for _ in range(5):
        await counter.prospects.read(MINE)
    assert counter.rows.reads == 1
    clock.move(FRESH_SECONDS)
    counter.rows.is_away = True

    await counter.prospects.read(MINE)

    assert counter.prospects.show(counter.floor, DOOR, MOMENT).reply_seconds == 90
    counter.prospects.forget(MINE)
    assert counter.prospects.show(counter.floor, DOOR, MOMENT).reply_seconds is None
