"""Shoppers and agents in conversation: each conversation started by its shopper, claimed by its agent."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from bench.server import Server
from bench.wire import Peer, connect_all, new_id

TEXT = ("Where is my parcel? " * 6)[:120]  # bytes of one message


class Pair:
    """One conversation with both its sides."""

    __slots__ = ("_agent_after", "_shopper_after", "agent", "conversation", "shopper")

    def __init__(self, conversation: str, shopper: Peer, agent: Peer, started: str, claimed: str) -> None:
        self.conversation = conversation
        self.shopper = shopper
        self.agent = agent
        self._shopper_after = started
        self._agent_after = claimed

    def ask(self) -> str:
        """The shopper says something; returns the entry's id."""
        entry = new_id()
        self.shopper.send(self.conversation, entry, self._shopper_after, TEXT)
        self._shopper_after = entry
        return entry

    def answer(self) -> str:
        """The agent says something; returns the entry's id."""
        entry = new_id()
        self.agent.send(self.conversation, entry, self._agent_after, TEXT)
        self._agent_after = entry
        return entry


@dataclass
class Crowd:
    """All conversations of a load, and by their ids."""

    pairs: list[Pair]

    def __post_init__(self) -> None:
        self.by_conversation = {pair.conversation: pair for pair in self.pairs}

    @property
    def peers(self) -> set[Peer]:
        return {peer for pair in self.pairs for peer in (pair.shopper, pair.agent)}

    @property
    def oks(self) -> int:
        return sum(peer.oks for peer in self.peers)

    def check(self, relayed: int) -> None:
        """A load that lost a peer or a message has measured nothing."""
        if any(peer.closed for peer in self.peers):
            raise RuntimeError("the server closed a socket of the load")
        if self.oks != relayed:
            raise RuntimeError(f"{relayed} messages were relayed, but {self.oks} were acknowledged")


async def gather_crowd(
    server: Server, accounts: list[dict[str, Any]], *, agents_at: Server | None = None, make: type[Peer] = Peer
) -> Crowd:
    """Everybody of these accounts connected, agents to another node if there is one; agent k of n has conversations
    k, k+n, …"""
    pairs: list[Pair] = []
    for account in accounts:
        agents = await connect_all(agents_at or server, [make("agent", token) for token in account["agents"]])
        shoppers = await connect_all(server, [make("contact", token) for token in account["contacts"]])
        pairs += await asyncio.gather(
            *(open_pair(account["inbox"], shopper, agents[n % len(agents)]) for n, shopper in enumerate(shoppers))
        )
    return Crowd(pairs)


async def open_pair(inbox: str, shopper: Peer, agent: Peer) -> Pair:
    """A new conversation between these two."""
    started, claimed = new_id(), new_id()
    ok = await shopper.ask("conversation.start", id=started, inbox=inbox, text=TEXT)
    conversation = ok["conversation"]
    await agent.ask("conversation.claim", id=claimed, conversation=conversation)
    return Pair(conversation, shopper, agent, started, claimed)
