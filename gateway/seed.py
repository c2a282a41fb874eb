"""The demo account: a storefront's inbox, two agents, a team and a bot. Doing it again changes nothing."""

from __future__ import annotations

from typing import TypeVar

from msgspec import Struct

from chat.directory import Account, Agent, Bot, Directory
from chat.model import Role, Team
from chat.passwords import Passwords
from gateway.pages import DEMO_INBOX

T = TypeVar("T", Agent, Bot, Team)

PASSWORD = "shopbell-demo"  # printed by `shopbell seed`: a demo's, not a secret
AGENTS: tuple[tuple[str, str, Role], ...] = (
    ("noa@demo.shop", "Noa", "admin"),
    ("somchai@demo.shop", "Somchai", "agent"),
)
TEAM = "Support"
UNHURRIED = {"answer_seconds": 600}  # whoever tries it out plays the shopper too, and reads in between
BOT = "Bell"


class Demo(Struct, frozen=True):
    """What is there now."""

    account: Account
    agents: list[Agent]
    bot: Bot


async def seed(directory: Directory, passwords: Passwords) -> Demo:
    """Make what is missing of the demo. May raise Unavailable."""
    account = await _account(directory)
    staff = await directory.staff(account.id)
    agents = [await _agent(directory, passwords, account, *line) for line in AGENTS]
    team = _named(TEAM, staff.teams) or await directory.add_team(account.id, TEAM, settings=UNHURRIED)
    bot = _named(BOT, staff.bots) or await directory.add_bot(account.id, BOT)
    for member in agents:
        await directory.add_member((account.id, team.id), member.id)
    for inbox in staff.inboxes:
        await directory.serve_inbox((account.id, inbox.id), team.id)
    return Demo(account, agents, bot)


async def _account(directory: Directory) -> Account:
    """The account is known by its inbox, whose public key the demo page names."""
    door = await directory.door(DEMO_INBOX)
    found = await directory.account(door.account) if door else None
    if found:
        return found
    account = await directory.add_account("Demo shop")
    await directory.add_inbox(account.id, "Demo shop", public_key=DEMO_INBOX)
    return account


async def _agent(
    directory: Directory, passwords: Passwords, account: Account, email: str, name: str, role: Role
) -> Agent:
    found = await directory.agent_by_email(email)
    if found:
        return found[0]
    stored = await passwords.hash(PASSWORD)
    return await directory.add_agent(account.id, email=email, name=name, role=role, password=stored)


def _named(name: str, among: list[T]) -> T | None:
    return next((each for each in among if each.name == name), None)
