"""Two nodes over PostgreSQL and Redis, everything on one core: each message crosses from one node to the other."""

from __future__ import annotations

from contextlib import ExitStack
from statistics import mean
from typing import Any

from bench.crowd import gather_crowd
from bench.figures import Figure, figure
from bench.paced import Latencies, Paced
from bench.relay import AN_ACCOUNT_PER_AGENT, ONE_ACCOUNT, Relay
from bench.site import Site, two_nodes
from bench.stage import Stage
from bench.window import Window

BAR_CPU_MS = 90.0  # per 1,000 relayed messages, everything counted
RATE = 300  # messages a second of the paced rounds: a busy shop, and far below what a core can
OURS = "one account"


async def load(site: Site, accounts: list[dict[str, Any]]) -> Relay:
    """Everybody connected and in conversation: shoppers at the first node, agents at the second."""
    first, second = site.nodes
    return Relay(site, await gather_crowd(first, accounts, agents_at=second))


async def measure(stage: Stage) -> list[Figure]:
    """The loads in turn, round by round, so that what disturbs the machine disturbs all of them."""
    with ExitStack() as stack:
        site, accounts = stack.enter_context(
            two_nodes(stage.folder / "nodes", stage.cores, ONE_ACCOUNT + AN_ACCOUNT_PER_AGENT)
        )
        first, second = site.nodes
        crowds = {
            OURS: await gather_crowd(first, accounts[:1], agents_at=second),
            "20 accounts": await gather_crowd(first, accounts[1:], agents_at=second),
        }
        relays = {name: Relay(site, crowd) for name, crowd in crowds.items()}
        rounds: dict[str, list[Window]] = {name: [] for name in crowds}
        late: dict[str, list[Latencies]] = {name: [] for name in crowds}
        for _ in range(stage.rounds):
            for name, relay in relays.items():
                rounds[name].append(stage.say("nodes", name, await relay.run(stage.seconds, stage.messages)))
        for _ in range(stage.rounds):
            for name, crowd in crowds.items():
                late[name].append(stage.say("nodes", name, await Paced(crowd).run(RATE, stage.seconds)))
    return _figures(rounds, late)


def _figures(rounds: dict[str, list[Window]], late: dict[str, list[Latencies]]) -> list[Figure]:
    found = []
    for name, measured in rounds.items():
        bar = BAR_CPU_MS if name == OURS else None
        cpu = [each.cpu_ms_per_1000 for each in measured]
        found.append(figure("nodes", f"{name}, CPU of everything per 1,000 messages", "ms", cpu, bar))
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
