"""What the shop's admin sets about who works when, over HTTP while the browsers are open."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bots import Staff
from tests.browser.backstage import Backstage
from tests.chaos.server import EMAILS, PASSWORD, Server

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
NOON = 12
NOA, SOMCHAI = 0, 1
"""Their numbers in EMAILS."""


@dataclass(frozen=True, slots=True)
class Rota:
    """`agent` is one of the numbers above."""

    server: Server
    backstage: Backstage

    def team(self, **settings: Any) -> None:
        """How conversations come to the demo's only team; what isn't named is as usual."""
        self.backstage.run(self._team({"policy": "least_busy"} | settings))

    def slots(self, agent: int, slots: int) -> None:
        self.backstage.run(self._put(agent, "duty", {"slots": slots}))

    def shift(self, agent: int, start: str, end: str, **more: Any) -> None:
        """Every day from and to, by a clock on which it is about noon now."""
        weekly = {day: [[start, end]] for day in DAYS}
        self.backstage.run(self._put(agent, "schedule", {"zone": where_it_is_noon(), "weekly": weekly} | more))

    async def _team(self, settings: dict[str, Any]) -> None:
        admin = await Staff.login(self.server.url, EMAILS[0], PASSWORD)
        (team,) = (await admin.ask("GET", "/v1/teams"))["teams"]
        await admin.ask("PATCH", f"/v1/teams/{team['id']}", {"settings": settings})

    async def _put(self, agent: int, what: str, value: dict[str, Any]) -> None:
        admin = await Staff.login(self.server.url, EMAILS[0], PASSWORD)
        named = (await Staff.login(self.server.url, EMAILS[agent], PASSWORD)).agent["id"]
        await admin.ask("PUT", f"/v1/agents/{named}/{what}", value)


def where_it_is_noon() -> str:
    """A zone in which it is between 12:00 and 13:00 now, so that no test meets a midnight."""
    ahead = NOON - datetime.now(UTC).hour
    return "UTC" if ahead == 0 else f"Etc/GMT{-ahead:+d}"  # east of Greenwich is minus there
