"""The shop of the simulated week: twenty agents in six zones, three teams, and five thousand conversations by day."""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, date, datetime
from itertools import accumulate
from math import exp
from random import Random
from typing import Any

import orjson
from msgspec import Struct
from sqlalchemy import Connection, insert, select

from chat.store import Store
from chat.store.tables import (
    accounts,
    agents,
    contacts,
    duties,
    inbox_teams,
    inboxes,
    ledgers,
    team_members,
    teams,
)
from tests.presence.wall import MINUTE

ACCOUNT = "acc_week"
DAY = 24 * 60 * MINUTE
DAYS = 7
ZONES = (
    "Europe/Berlin",
    "Asia/Bangkok",
    "America/New_York",
    "Europe/London",
    "Asia/Kolkata",
    "Pacific/Auckland",
)
TEAMS = ("tem_orders", "tem_returns", "tem_tech")
DOORS = ("inb_orders", "inb_returns", "inb_tech")
SHARES = (5, 3, 2)  # of the conversations
AGENTS = 20
CONTACTS = 3_000
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HOURS: tuple[tuple[tuple[str, str], ...], ...] = (
    (("09:00", "17:00"),),
    (("08:00", "12:30"), ("13:15", "17:30")),
    (("14:00", "22:00"),),
    (("22:00", "06:00"),),  # over midnight, and over the night in which clocks change
    (("18:30", "02:30"),),  # to a time of day that there isn't in spring, and twice in autumn
)
SETTINGS: dict[str, dict[str, Any]] = {
    "tem_orders": {"overflow": ["tem_returns"], "overflow_seconds": 120},
    "tem_returns": {"policy": "round_robin"},
    "tem_tech": {"overflow": ["tem_orders"], "overflow_seconds": 300, "answer_seconds": 45},
}


class Agent(Struct, frozen=True):
    id: str
    teams: tuple[str, ...]
    slots: int
    schedule: str
    """JSON, as it is stored."""
    wind_down: int
    """ms."""


class Plan(Struct, frozen=True):
    """All that is known beforehand. Moments are ms."""

    seed: int
    begins: int
    middle: date
    """The day on which Europe's clocks change."""
    agents: dict[str, Agent]
    arrivals: tuple[int, ...]
    days: int

    @property
    def ends(self) -> int:
        return self.begins + self.days * DAY


def a_plan(seed: int, conversations: int, days: int = DAYS) -> Plan:
    """In spring or in autumn, by the seed. Fewer days are those about the change of clocks."""
    random = Random(f"plan {seed}")
    middle = date(2026, 3, 29) if seed % 2 else date(2026, 10, 25)
    midnight = datetime.combine(middle, datetime.min.time(), UTC)
    begins = round(midnight.timestamp() * 1000) - days // 2 * DAY
    staff = (_agent(number, middle, random) for number in range(AGENTS))
    arrivals = _arrivals(begins, conversations, days, random)
    return Plan(seed, begins, middle, {agent.id: agent for agent in staff}, arrivals, days)


def _agent(number: int, middle: date, random: Random) -> Agent:
    wind_down = random.choice((0, 0, 10, 20))
    hours = HOURS[number % len(HOURS)]
    off = random.sample(WEEKDAYS, 2)  # the middle is a Sunday, on which some must work
    schedule: dict[str, Any] = {
        "zone": ZONES[number % len(ZONES)],
        "weekly": {day: hours for day in WEEKDAYS if day not in off},
        "wind_down_minutes": wind_down,
    }
    if number % 6 == 0:
        first = middle.replace(day=middle.day + random.choice((-2, 1)))
        schedule["time_off"] = [{"from": f"{first}T15:00", "to": f"{first}T18:20", "reason": "the dentist"}]
    own = TEAMS[number % len(TEAMS)]
    also = (TEAMS[(number + 1) % len(TEAMS)],) if number % 5 == 0 else ()
    return Agent(
        f"agt_{number:02}",
        (own, *also),
        random.choice((1, 2, 2, 3)),
        orjson.dumps(schedule).decode(),
        wind_down * MINUTE,
    )


def _arrivals(begins: int, count: int, days: int, random: Random) -> tuple[int, ...]:
    """Two peaks a day, and fewer towards the end."""
    bins = [_crowd(number / 6) for number in range(days * 24 * 6)]
    total = list(accumulate(bins))
    drawn = (bisect_left(total, random.random() * total[-1]) for _ in range(count))
    return tuple(sorted(begins + number * 10 * MINUTE + random.randrange(10 * MINUTE) for number in drawn))


def _crowd(hour: float) -> float:
    of_day = hour % 24
    curve = 0.25 + exp(-(((of_day - 10) / 3) ** 2)) + 0.8 * exp(-(((of_day - 19) / 2.5) ** 2))
    return curve * (1.1, 0.9, 0.8, 0.8, 1.3, 1.1, 1.0)[int(hour // 24) % 7]


async def populate(store: Store, plan: Plan) -> None:
    """The same ids for the same seed: whoever stands equal is told apart by them."""

    def work(connection: Connection) -> None:
        chosen = {"claims_beyond_slots": False, "idle_minutes": 10}
        row: dict[str, Any] = {"id": ACCOUNT, "name": "Week", "created_at": plan.begins, "settings": chosen}
        connection.execute(insert(accounts).values(**row))
        key = connection.execute(select(accounts.c.key).where(accounts.c.id == ACCOUNT)).scalar_one()
        connection.execute(insert(ledgers).values(account=key))
        for door, team in zip(DOORS, TEAMS, strict=True):
            row = {"id": door, "name": door, "public_key": door, "origins": ["https://week.example"]}
            connection.execute(insert(inboxes).values(account=key, **row))
            connection.execute(insert(teams).values(account=key, id=team, name=team, settings=SETTINGS[team]))
            connection.execute(insert(inbox_teams).values(inbox=door, team=team))
        for agent in plan.agents.values():
            _add_agent(connection, key, agent)
        people = [
            {"account": key, "id": f"con_{number:04}", "name": f"Shopper {number}", "created_at": plan.begins}
            for number in range(CONTACTS)
        ]
        connection.execute(insert(contacts), people)

    await store.administer(work)


def _add_agent(connection: Connection, account: int, agent: Agent) -> None:
    row: dict[str, Any] = {"email": f"{agent.id}@week.example", "password": "none", "role": "agent"}
    connection.execute(insert(agents).values(account=account, id=agent.id, name=agent.id, **row))
    row = {"slots": agent.slots, "schedule": agent.schedule}
    connection.execute(insert(duties).values(account=account, member=agent.id, **row))
    for team in agent.teams:
        connection.execute(insert(team_members).values(team=team, member=agent.id))
