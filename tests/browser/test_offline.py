"""A minute without a network: nothing refuses, nothing answers. Afterwards everything is there, once and in order."""

import pytest
from playwright.sync_api import expect

from tests.browser.backstage import Backstage
from tests.browser.conftest import NewContext
from tests.browser.people import Agent, Shopper
from tests.browser.store import said
from tests.browser.watch import Watch
from tests.chaos.server import Server
from tests.faults import Proxy

MINUTE_MS = 60_000


@pytest.fixture(autouse=True)
def _outage(watch: Watch) -> None:
    watch.allow_outage()


@pytest.fixture
def far_shopper(new_context: NewContext, server: Server, line: Proxy) -> Shopper:
    """On the line that fails, with a clock that can be moved."""
    page = new_context().new_page()
    page.clock.install()
    return Shopper.visit(page, line.url)


@pytest.fixture
def far_agent(new_context: NewContext, server: Server, line: Proxy) -> Agent:
    page = new_context().new_page()
    page.clock.install()
    return Agent.come(page, line.url)


def test_a_shopper_whose_line_fell_silent_for_a_minute_misses_nothing(
    far_shopper: Shopper, agent: Agent, server: Server, line: Proxy, backstage: Backstage
) -> None:
    far_shopper.opens()
    far_shopper.says("Where is my parcel?")
    agent.opens()
    agent.claims()
    backstage.call(line.blackhole)
    agent.says("It left this morning.", "It is in Chiang Mai now.")
    far_shopper.says("Are you there?")
    far_shopper.page.clock.fast_forward(MINUTE_MS)
    expect(far_shopper.chat.get_by_text("Reconnecting…")).to_be_visible()
    agent.says("Tomorrow it is at your door.")
    agent.sees(
        "Where is my parcel?", "It left this morning.", "It is in Chiang Mai now.", "Tomorrow it is at your door."
    )

    _network_is_back(line, backstage)
    far_shopper.page.clock.fast_forward(MINUTE_MS)
    for side in (far_shopper, agent):
        side.sees(
            "Where is my parcel?",
            "It left this morning.",
            "It is in Chiang Mai now.",
            "Tomorrow it is at your door.",
            "Are you there?",
        )
    backstage.run(server.kill())
    agent.sees(*said(server))


def test_a_browser_that_says_it_is_online_again_is_back_at_once(
    far_shopper: Shopper, agent: Agent, line: Proxy, backstage: Backstage
) -> None:
    far_shopper.opens()
    far_shopper.says("Where is my parcel?")
    agent.opens()
    backstage.call(line.refuse)
    far_shopper.page.context.set_offline(True)
    backstage.call(line.cut)
    far_shopper.says("Hello?")
    agent.says("At your door.")
    far_shopper.page.clock.fast_forward(MINUTE_MS)
    expect(far_shopper.chat.get_by_text("Reconnecting…")).to_be_visible()

    backstage.call(line.refuse, False)
    far_shopper.page.context.set_offline(False)
    for side in (far_shopper, agent):
        side.sees("Where is my parcel?", "At your door.", "Hello?")


def test_an_agent_whose_line_fell_silent_for_a_minute_misses_nothing(
    shopper: Shopper, far_agent: Agent, line: Proxy, backstage: Backstage
) -> None:
    shopper.opens()
    shopper.says("Where is my parcel?")
    far_agent.opens()
    far_agent.claims()
    far_agent.says("Let me look.")
    far_agent.sees("Where is my parcel?", "Let me look.")
    backstage.call(line.blackhole)
    far_agent.says("It is at your door.")
    far_agent.notes("She is in a hurry")
    shopper.says("I am in a hurry", "Hello?")
    shopper.sees("Where is my parcel?", "Let me look.", "I am in a hurry", "Hello?")
    far_agent.page.clock.fast_forward(MINUTE_MS)
    expect(far_agent.page.get_by_text("No connection.")).to_be_visible()

    _network_is_back(line, backstage)
    far_agent.page.clock.fast_forward(MINUTE_MS)
    far_agent.sees(
        "Where is my parcel?",
        "Let me look.",
        "I am in a hurry",
        "Hello?",
        "It is at your door.",
        "She is in a hurry",
    )
    shopper.sees("Where is my parcel?", "Let me look.", "I am in a hurry", "Hello?", "It is at your door.")
    expect(far_agent.rows).to_have_count(1)


def _network_is_back(line: Proxy, backstage: Backstage) -> None:
    """What was swallowed never comes, so the connections that it belonged to are over."""
    backstage.call(line.cut)
    backstage.call(line.heal)
