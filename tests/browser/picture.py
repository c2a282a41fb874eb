"""`make picture`: docs/both-sides.png, the storefront and the console in one real conversation."""

from base64 import b64encode
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from tests.browser.backstage import Backstage
from tests.browser.conftest import CHROMIUM, DESKTOP, FLAGS
from tests.browser.people import Agent, Shopper
from tests.chaos.server import EMAILS, ROOT, Server, prepare

PICTURE = ROOT / "docs" / "both-sides.png"
KIB = 1024
LIMIT_KIB = 400
STOREFRONT: ViewportSize = {"width": 820, "height": 770}
CONSOLE: ViewportSize = {"width": 1100, "height": 770}
OTHERS = (
    "Do you ship to Iğdır?",
    "My teapot came with a crack in the lid",
    "שלום, יש לכם תה בלי קפאין?",
    "ชานี้ชงกี่นาทีคะ",
)
TABLE = """
<style>
  body { margin: 0; padding: 28px; width: max-content; display: flex; gap: 28px; background: #e9e4d9 }
  img { border-radius: 12px; box-shadow: 0 1px 3px #0003, 0 10px 30px #00000026 }
</style>
"""


def draw(server: Server) -> None:
    """Let people talk on a running server, and put what both see side by side."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for words in OTHERS:
            _shopper(browser, server).says(words)
        shopper = _shopper(browser, server, viewport=STOREFRONT)
        agent = Agent.come(_page(browser, viewport=CONSOLE), server.url)
        colleague = Agent.come(_page(browser), server.url, EMAILS[1])
        _talk(shopper, agent, colleague)
        _side_by_side(_page(browser, viewport={"width": 2060, "height": 900}), shopper.page, agent.page)
        browser.close()


def _talk(shopper: Shopper, agent: Agent, colleague: Agent) -> None:
    colleague.opens("teapot")
    colleague.claims()
    colleague.says("Oh no! A new lid leaves today, keep the pot.")
    shopper.page.mouse.move(0, 0)  # off the launcher
    shopper.says("Hi! Where is my parcel? Order 20417, two tins of Night Heron.")
    agent.opens("20417")
    agent.claims()
    agent.says("Hello! Let me look.", "It is in Chiang Mai and comes to you tomorrow.")
    agent.notes("Second late parcel with this carrier")
    agent.says("I am putting a bag of chamomile in your next order, for the wait.")
    shopper.says("That is kind, thank you!")
    agent.sees(*agent.messages.all_text_contents()[:5], "That is kind, thank you!")
    expect(shopper.status).to_contain_text("Read")
    agent.field.press_sequentially("Enjoy the oolong, and")
    expect(shopper.log.get_by_text("Noa is typing")).to_be_attached()


def _side_by_side(table: Page, *pages: Page) -> None:
    images = (b64encode(page.screenshot()).decode() for page in pages)
    table.set_content(TABLE + "".join(f'<img src="data:image/png;base64,{image}">' for image in images))
    table.locator("body").screenshot(path=PICTURE)
    size = PICTURE.stat().st_size
    assert size <= LIMIT_KIB * KIB, f"{size // KIB} KiB are too many for a README"


def _shopper(browser: Browser, server: Server, **options: Any) -> Shopper:
    shopper = Shopper.visit(_page(browser, **options), server.url)
    shopper.opens()
    return shopper


def _page(browser: Browser, **options: Any) -> Page:
    return browser.new_context(**{**DESKTOP, "timezone_id": "America/New_York", **options}).new_page()


def main() -> None:
    backstage = Backstage()
    with TemporaryDirectory() as folder:
        data = Path(folder)
        server = Server.copy(prepare(data / "prepared"), data / "data", data / "server.log")
        try:
            backstage.run(server.start())
            draw(server)
        finally:
            server.close()
            backstage.close()


if __name__ == "__main__":
    main()
