"""The widget on other people's pages: where it is welcome, where it isn't, and how little it asks of them."""

import pytest
from playwright.sync_api import Page, expect

from chat.clock import SystemClock
from chat.directory import Directory
from chat.store.sqlite import SqliteStore
from tests.browser.backstage import Backstage
from tests.browser.conftest import NewContext
from tests.browser.people import Agent, Shopper
from tests.browser.storefront import Storefront, storefront_on_a_free_port
from tests.browser.watch import Watch
from tests.chaos.server import Server

GIVE_UP_MS = 13_000  # the loader waits 12 s for the frame
NO_POLICY, STRICT_POLICY = (
    "",
    (
        "default-src 'none'; script-src {service}; frame-src {service}; connect-src {service}; img-src data:;"
        " style-src-attr 'unsafe-inline'; require-trusted-types-for 'script'; trusted-types 'none'"
    ),
)


@pytest.fixture(scope="module", autouse=True)
def shops(still_server: Server, backstage: Backstage) -> dict[str, Storefront]:
    """Two shops with an inbox each, made while no server has the database. Only one's inbox names its origin."""
    shops = {inbox: backstage.enter(storefront_on_a_free_port()) for inbox in ("lamps", "vases")}
    lamps = shops["lamps"]
    backstage.run(_add_inbox(still_server, "lamps", [lamps.origin, lamps.far_origin]))
    backstage.run(_add_inbox(still_server, "vases", []))
    return shops


@pytest.fixture
def lamps(shops: dict[str, Storefront], server: Server) -> Storefront:
    """A shop whose origin its inbox knows."""
    return _opened(shops["lamps"], server, "lamps")


@pytest.fixture
def vases(shops: dict[str, Storefront], server: Server) -> Storefront:
    """A shop that embeds an inbox which doesn't know it."""
    return _opened(shops["vases"], server, "vases")


@pytest.mark.parametrize("policy", [NO_POLICY, STRICT_POLICY], ids=["no policy", "strict policy"])
def test_a_shop_of_another_origin_talks_with_its_agents(
    policy: str, lamps: Storefront, page: Page, agent: Agent, server: Server
) -> None:
    lamps.policy = policy.format(service=server.url)
    shopper = Shopper.visit(page, f"{lamps.origin}/shop")
    shopper.opens()
    shopper.says("Is this lamp dimmable?")
    agent.opens("dimmable")
    agent.claims()
    agent.says("It is.")
    shopper.sees("Is this lamp dimmable?", "It is.")

    page.reload()
    shopper.sees("Is this lamp dimmable?", "It is.")
    assert page.evaluate("Object.keys(window).filter((name) => /shopbell/i.test(name))") == ["Shopbell"]
    assert not page.evaluate("'outerHTML' in document && document.body.innerHTML.includes('shopbell')")


def test_where_frames_of_other_sites_may_store_nothing_it_works_and_forgets(
    lamps: Storefront, page: Page, agent: Agent
) -> None:
    shopper = Shopper.visit(page, f"{lamps.far_origin}/shop")
    shopper.opens()
    shopper.says("Is this lamp dimmable?")
    agent.opens("dimmable")
    agent.says("It is.")
    shopper.sees("Is this lamp dimmable?", "It is.")

    page.reload()
    expect(shopper.chat.get_by_role("heading", name="Chat with us")).to_be_visible()


def test_a_page_can_open_and_close_the_chat_itself(lamps: Storefront, page: Page, server: Server) -> None:
    shopper = Shopper.visit(page, f"{lamps.origin}/shop")
    expect(shopper.launcher).to_be_visible()
    page.evaluate("Shopbell.open()")
    expect(shopper.field).to_be_focused()
    page.evaluate("Shopbell.close()")
    expect(shopper.field).to_be_hidden()


def test_a_page_from_right_to_left_has_the_launcher_at_its_left(lamps: Storefront, page: Page, server: Server) -> None:
    lamps.direction = "rtl"
    shopper = Shopper.visit(page, f"{lamps.origin}/shop")
    expect(shopper.launcher).to_be_visible()
    box = shopper.launcher.bounding_box()
    assert box is not None
    assert box["x"] < 100


def test_where_it_is_not_welcome_the_frame_is_refused_and_the_page_goes_on(
    vases: Storefront, page: Page, server: Server, watch: Watch
) -> None:
    watch.allow("frame-ancestors")  # the browser says why it refuses, which is what a shop's developer needs
    watch.allow("postMessage.*chrome-error|postMessage.*recipient window's origin")
    page.clock.install()
    shopper = Shopper.visit(page, f"{vases.origin}/shop")
    shopper.launcher.click()
    page.clock.fast_forward(GIVE_UP_MS)
    expect(page.get_by_text("The chat can’t be reached right now.")).to_be_visible()

    shopper.launcher.click()
    expect(page.get_by_text("The chat can’t be reached right now.")).to_be_hidden()
    page.get_by_label("Search").fill("green lamp")
    page.get_by_role("button", name="Buy").click()
    expect(page.get_by_role("button", name="Buy")).to_be_focused()


def test_an_inbox_that_does_not_exist_leaves_the_page_alone(
    lamps: Storefront, page: Page, server: Server, watch: Watch
) -> None:
    watch.allow("404 .*/widget/nobody$|404 .*chrome-error")
    watch.allow("X-Frame-Options|frame-ancestors|postMessage.*recipient window's origin")
    lamps.inbox = "nobody"
    page.clock.install()
    shopper = Shopper.visit(page, f"{lamps.origin}/shop")
    shopper.launcher.click()
    page.clock.fast_forward(GIVE_UP_MS)
    expect(page.get_by_text("The chat can’t be reached right now.")).to_be_visible()


def test_the_service_pages_have_an_icon_and_can_not_be_framed(
    new_context: NewContext, server: Server, watch: Watch
) -> None:
    page = new_context().new_page()
    for path in ("/", "/demo/", "/console/"):
        answer = page.goto(server.url + path)
        assert answer is not None
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        icon = page.locator("link[rel=icon]").get_attribute("href")
        assert icon is not None
        assert page.request.get(server.url + icon).headers["content-type"] == "image/svg+xml"


async def _add_inbox(server: Server, key: str, origins: list[str]) -> None:
    store = SqliteStore.open(server.database)
    directory = Directory(store, SystemClock())
    [account] = await directory.accounts()
    await directory.add_inbox(account.id, key, public_key=key, origins=origins)
    await store.close()


def _opened(shop: Storefront, server: Server, inbox: str) -> Storefront:
    """As every test finds it."""
    shop.service, shop.inbox, shop.policy, shop.direction = server.url, inbox, "", "ltr"
    return shop
