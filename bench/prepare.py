"""Accounts, people and tokens for a load, made before a server runs: `python -m bench.prepare LAYOUT`.

A process of its own, and the one place of bench that knows more than the wire: agents and accounts have no door on it.
"""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

import orjson

from chat.clock import SystemClock
from chat.directory import Directory
from chat.sessions import Sessions
from gateway import settings
from gateway.auth import Tokens
from gateway.engines import open_store
from gateway.secret import kept_secrets


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("layout", help="JSON: [[agents, contacts], …], a pair for each account")
    print(orjson.dumps(asyncio.run(_prepare(orjson.loads(parser.parse_args().layout)))).decode())


async def _prepare(layout: list[tuple[int, int]]) -> list[dict[str, Any]]:
    chosen = settings.read()
    clock = SystemClock()
    store = await open_store(chosen)
    try:
        sessions = Sessions(
            store, clock, contact_life=chosen.contact_session_seconds, agent_life=chosen.agent_session_seconds
        )
        tokens = Tokens((chosen.secrets or kept_secrets(chosen.data))[0], clock, chosen.token_seconds)
        directory = Directory(store, clock)
        return [
            await _account(directory, sessions, tokens, f"Shop {n}", agents, contacts)
            for n, (agents, contacts) in enumerate(layout)
        ]
    finally:
        await store.close()


async def _account(
    directory: Directory, sessions: Sessions, tokens: Tokens, name: str, agents: int, contacts: int
) -> dict[str, Any]:
    account = await directory.add_account(name)
    door = await directory.add_inbox(account.id, name)
    staff = [
        await directory.add_agent(
            account.id, email=f"{n}@{account.id}.example", name=f"Agent {n}", role="agent", password="nobody logs in"
        )
        for n in range(agents)
    ]
    return {
        "inbox": door.id,
        "agents": [tokens.mint((await sessions.open_for_agent(agent))[1]) for agent in staff],
        "contacts": [tokens.mint((await sessions.open_for_contact(door))[1]) for _ in range(contacts)],
    }


if __name__ == "__main__":
    main()
