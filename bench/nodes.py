"""Two nodes over PostgreSQL and Redis, everything on one core: each message crosses from one node to the other.

Beside them two nodes each of what others run, which store nothing.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from statistics import mean
from typing import Any

from bench.crowd import Crowd, gather_crowd
from bench.figures import Figure, figure
from bench.paced import Latencies, Paced
from bench.peers import sites
from bench.peers.socketio_wire import SocketIoPeer
from bench.relay import AN_ACCOUNT_PER_AGENT, ONE_ACCOUNT, Relay, bare_accounts
from bench.site import Site, two_nodes
from bench.stage import Stage
from bench.window import Window
from bench.wire import Peer

BAR_CPU_MS = 90.0  # per 1,000 relayed messages, everything counted
RATE = 300  # messages a second of the paced rounds: a busy shop, and far below what a core can
OURS = "one account"
SHOWN_SECONDS = 20.0
WARM_UP_SECONDS = 4.0  # before the first round: V8 is at its best only after that


async def load(site: Site, accounts: list[dict[str, Any]]) -> Relay:
    """Everybody connected and in conversation: shoppers at the first node, agents at the second."""
    return Relay(site, await shown_crowd(site, accounts))


async def shown_crowd(site: Site, accounts: list[dict[str, Any]]) -> Crowd:
    """A crowd whose agents have got what they claimed: a message that comes in a snapshot wouldn't be counted."""
    crowd = await _crowd(site, accounts)
    async with asyncio.timeout(SHOWN_SECONDS):
        while not all(pair.conversation in pair.agent.shown for pair in crowd.pairs):  # noqa: ASYNC110 - once
            await asyncio.sleep(0.05)
    return crowd


async def _crowd(site: Site, accounts: list[dict[str, Any]], make: type[Peer] = Peer) -> Crowd:
    first, second = site.nodes
    return await gather_crowd(first, accounts, agents_at=second, make=make)


async def measure(stage: Stage) -> list[Figure]:
    """The loads in turn, round by round, so that what disturbs the machine disturbs all of them."""
    layout = ONE_ACCOUNT + AN_ACCOUNT_PER_AGENT
    with ExitStack() as stack:
        ours, accounts = stack.enter_context(two_nodes(stage.folder / "nodes", stage.cores, layout))
        found = {
            OURS: (ours, await shown_crowd(ours, accounts[:1])),
            "20 accounts": (ours, await shown_crowd(ours, accounts[1:])),
        }
        if sites.are_installed():
            site = stack.enter_context(sites.socketio(stage.folder / "socketio", stage.cores))
            name = f"two socket.io {sites.socketio_version()} nodes"
            found[name] = site, await _crowd(site, bare_accounts(), SocketIoPeer)
            site = stack.enter_context(sites.channels(stage.folder / "channels", stage.cores))
            name = f"two Channels {sites.channels_version()} nodes"
            found[name] = site, await _crowd(site, bare_accounts())
        else:
            print("  (the peers aren't installed: make bench-peers)")
        loads = {name: Relay(site, crowd) for name, (site, crowd) in found.items()}
        for relay in loads.values():
            await relay.run(WARM_UP_SECONDS, stage.messages)
        rounds: dict[str, list[Window]] = {name: [] for name in loads}
        for _ in range(stage.rounds):
            for name, relay in loads.items():
                rounds[name].append(stage.say("nodes", name, await relay.run(stage.seconds, stage.messages)))
        paced = {name: Paced(crowd) for name, (_, crowd) in found.items()}
        late: dict[str, list[Latencies]] = {name: [] for name in paced}
        for _ in range(stage.rounds):
            for name, pacing in paced.items():
                late[name].append(stage.say("nodes", name, await pacing.run(RATE, stage.seconds)))
    return _figures(rounds, late)


def _figures(rounds: dict[str, list[Window]], late: dict[str, list[Latencies]]) -> list[Figure]:
    found = []
    for name, measured in rounds.items():
        bar = BAR_CPU_MS if name == OURS else None
        cpu = [each.cpu_ms_per_1000 for each in measured]
        found.append(figure("nodes", f"{name}, CPU of everything per 1,000 messages", "ms", cpu, bar))
        whole = [each.whole_ms_per_1000 for each in measured]
        found.append(figure("nodes", f"{name}, the same until everything rests", "ms", whole))
        for part in measured[0].parts:
            split = [each.parts_ms_per_1000[part] for each in measured]
            found.append(figure("nodes", f"{name}, of that {part}", "ms", split))
        found.append(figure("nodes", f"{name}, throughput", "messages/s", [each.per_second for each in measured]))
        for percent in (50, 99):
            ms = [each.ms(percent) for each in late[name]]
            found.append(figure("nodes", f"{name}, {RATE} messages/s, p{percent}", "ms", ms))
    others = [mean(each.others_percent for each in turn) for turn in zip(*rounds.values(), strict=True)]
    found.append(figure("nodes", "others on the server's core", "%", others))
    return found
