"""Real browsers against the built files and a real server process; whatever a browser complains of fails its test."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser.backstage import Backstage
from tests.browser.people import Agent, Shopper, resolve_all
from tests.browser.rota import Rota
from tests.browser.watch import Watch
from tests.chaos.nursery import Nursery
from tests.chaos.server import EMAILS, ROOT, Prepared, Server, environment, prepare
from tests.faults import Proxy, proxy_to

HERE = Path(__file__).parent
CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MS = 15_000  # a restart and the longest wait before a reconnect that may come with it
DESKTOP: dict[str, Any] = {
    "viewport": {"width": 1280, "height": 800},
    "locale": "en-GB",
    "timezone_id": "Asia/Bangkok",
    "reduced_motion": "reduce",
}

NewContext = Callable[..., BrowserContext]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="module")  # not longer: its event loop would be in the way of everybody else's
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(tmp_path_factory.mktemp("prepared") / "data")


@pytest.fixture(scope="module")
def backstage() -> Iterator[Backstage]:
    backstage = Backstage()
    yield backstage
    backstage.close()


@pytest.fixture(scope="module")
def still_server(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A module's server, not started yet. It leaves no tracebacks behind."""
    folder = tmp_path_factory.mktemp("server")
    server = Server.copy(prepared, folder / "data", folder / "server.log")
    yield server
    server.close()
    assert server.complaints() == []


@pytest.fixture(scope="module")
def proxy(still_server: Server, backstage: Backstage) -> Proxy:
    proxy = backstage.enter(proxy_to("127.0.0.1", still_server.port))
    still_server.settings["SHOPBELL_PUBLIC_URL"] = f"{still_server.url}, {proxy.url}"
    return proxy


@pytest.fixture
def server(still_server: Server, proxy: Proxy, backstage: Backstage) -> Server:
    """A server that runs, whatever the test before did to it, and on which no conversation is open."""
    if still_server.process is None or still_server.process.poll() is not None:
        backstage.run(still_server.start())
    backstage.run(resolve_all(still_server))
    return still_server


@pytest.fixture
def line(proxy: Proxy, server: Server, backstage: Backstage) -> Iterator[Proxy]:
    """Another way to the server, which can be stalled, cut and made to swallow. It lives backstage: use `call`."""
    yield proxy
    backstage.call(proxy.refuse, False)
    backstage.call(proxy.cut)
    backstage.call(proxy.heal)


@pytest.fixture
def watch() -> Iterator[Watch]:
    watch = Watch()
    yield watch
    assert watch.complaints == []


@pytest.fixture
def new_context(browser: Browser, watch: Watch, server: Server) -> Iterator[NewContext]:
    """A browser of somebody who was never here; options as those of `Browser.new_context`. Closed before the server."""
    contexts: list[BrowserContext] = []

    def new(**options: Any) -> BrowserContext:
        context = browser.new_context(**{**DESKTOP, **options})
        watch.over(context)
        contexts.append(context)
        return context

    yield new
    for context in contexts:
        context.close()


@pytest.fixture
def page(new_context: NewContext) -> Page:
    return new_context().new_page()


@pytest.fixture
def shopper(new_context: NewContext, server: Server) -> Shopper:
    """In the demo shop, the panel still closed."""
    return Shopper.visit(new_context().new_page(), server.url)


@pytest.fixture
def agent(new_context: NewContext, server: Server) -> Agent:
    """Noa, looking at everything that is open."""
    return Agent.come(new_context().new_page(), server.url)


@pytest.fixture
def colleague(new_context: NewContext, server: Server) -> Agent:
    return Agent.come(new_context().new_page(), server.url, EMAILS[1])


@pytest.fixture
def second(new_context: NewContext, server: Server) -> Shopper:
    """Another shopper, the panel still closed."""
    return Shopper.visit(new_context().new_page(), server.url)


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    nursery = Nursery(ROOT, environment({}))
    yield nursery
    nursery.close()


@pytest.fixture
def own_server(prepared: Prepared, nursery: Nursery, tmp_path: Path, backstage: Backstage) -> Iterator[Server]:
    """One of this test alone, for tests after which something else holds: what somebody chose stays chosen."""
    server = Server.copy(prepared, tmp_path / "data", tmp_path / "server.log")
    server.nursery = nursery
    backstage.run(server.start())
    yield server
    server.close()
    assert server.complaints() == []


@pytest.fixture
def rota(server: Server, backstage: Backstage) -> Rota:
    return Rota(server, backstage)
