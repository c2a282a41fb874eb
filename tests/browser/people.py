"""The two people of every test, each with a page: the shopper in the storefront, the agent in the console."""

import re
from dataclasses import dataclass
from typing import Literal

from playwright.sync_api import FrameLocator, Locator, Page, expect

from bots import Staff
from tests.chaos.server import EMAILS, PASSWORD, Server

View = Literal["Mine", "Unassigned", "Team", "All"]


@dataclass(frozen=True, slots=True)
class Shopper:
    """A storefront page with the widget in it."""

    page: Page

    @classmethod
    def visit(cls, page: Page, url: str) -> "Shopper":
        page.goto(f"{url}/demo/" if url.count("/") == 2 else url)
        return cls(page)

    @property
    def chat(self) -> FrameLocator:
        return self.page.frame_locator("shopbell-chat iframe")

    @property
    def launcher(self) -> Locator:
        return self.page.locator("shopbell-chat").locator("button.launcher")

    @property
    def badge(self) -> Locator:
        return self.launcher.locator(".badge")

    @property
    def log(self) -> Locator:
        return self.chat.get_by_role("log")

    @property
    def messages(self) -> Locator:
        return self.log.locator(".text")

    @property
    def status(self) -> Locator:
        """Under the newest message: when, and how far it got."""
        return self.log.locator(".group-meta").last

    @property
    def field(self) -> Locator:
        """Where one writes; there may be a field for an email address beside it."""
        return self.chat.locator("textarea")

    @property
    def send(self) -> Locator:
        return self.chat.get_by_role("button", name="Send")

    def opens(self) -> None:
        self.launcher.click()
        expect(self.field).to_be_visible()

    def closes(self) -> None:
        self.launcher.click()
        expect(self.log).to_be_hidden()

    def types(self, text: str) -> None:
        """Key by key, at the end of what is there."""
        self.field.press_sequentially(text)

    def says(self, *texts: str) -> None:
        for text in texts:
            self.field.fill(text)
            expect(self.send).to_be_enabled()  # not before the session has begun
            self.field.press("Enter")

    def sees(self, *texts: str) -> None:
        """These messages, no more and no fewer, in this order, and none of them still on its way."""
        expect(self.messages).to_have_text(list(texts))
        expect(self.log.get_by_text("Sending…")).to_have_count(0)


@dataclass(frozen=True, slots=True)
class Agent:
    """The console, by someone who is logged in."""

    page: Page

    @classmethod
    def come(cls, page: Page, url: str, email: str = EMAILS[0]) -> "Agent":
        """Log in past the door and look at everything that is open."""
        answer = page.request.post(
            f"{url}/v1/login", data={"email": email, "password": PASSWORD}, headers={"Origin": url}
        )
        assert answer.ok, answer.text()
        page.goto(f"{url}/console/#/all/open")
        expect(page.get_by_role("navigation", name="Views")).to_be_visible()
        expect(page.get_by_text("Loading…")).to_be_hidden()
        return cls(page)

    @property
    def log(self) -> Locator:
        return self.page.get_by_role("log", name="Messages")

    @property
    def messages(self) -> Locator:
        return self.log.locator(".text")

    @property
    def field(self) -> Locator:
        return self.page.get_by_role("tabpanel").get_by_role("textbox")

    @property
    def rows(self) -> Locator:
        return self.page.get_by_role("region", name="Conversations").locator("[data-conversation]")

    def view(self, name: View) -> Locator:
        return self.page.get_by_role("navigation", name="Views").get_by_role("link", name=re.compile(f"^{name}:"))

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def opens(self, words: str = "") -> None:
        """The conversation of the list whose row has these words."""
        self.rows.filter(has_text=words).click()
        expect(self.field).to_be_visible()

    def claims(self) -> None:
        self.button("Claim").click()
        expect(self.button("Claim")).to_be_hidden()

    def says(self, *texts: str) -> None:
        self.page.get_by_role("tab", name="Reply").click()
        for text in texts:
            self.field.fill(text)
            self.field.press("Enter")

    def notes(self, text: str) -> None:
        self.page.get_by_role("tab", name="Note").click()
        self.field.fill(text)
        self.button("Add note").click()

    @property
    def standing(self) -> Locator:
        """The button that says one's own status."""
        return self.page.get_by_role("button", name=re.compile("^Your status: "))

    def sheet(self, title: str) -> Locator:
        """What is laid over the panes."""
        return self.page.get_by_role("dialog", name=title)

    def chooses(self, availability: str, reason: str = "") -> None:
        self.standing.click()
        switch = self.sheet("Your status")
        switch.get_by_role("radio", name=availability).check()
        if reason:
            switch.get_by_label("Reason").fill(reason)
        switch.get_by_role("button", name="Set").click()
        expect(switch).to_be_hidden()

    def transfers(self, to: str, *, note: str = "", stays: bool = False) -> Locator:
        """Fill in and send the form for a transfer; `to` is how the option begins."""
        self.button("Transfer").click()
        form = self.sheet("Transfer")
        option = form.locator("option").filter(has_text=re.compile(f"^{to}"))
        form.locator("select").select_option(option.get_attribute("value"))
        if note:
            form.locator("textarea").fill(note)
        if stays:
            form.get_by_role("radio", name="It stays where it is").check()
        form.get_by_role("button", name="Transfer").click()
        return form

    def sees(self, *texts: str) -> None:
        """These messages and notes, no more and no fewer, in this order, and none of them still on its way."""
        expect(self.messages).to_have_text(list(texts))
        expect(self.log.get_by_text("Sending…")).to_have_count(0)


async def resolve_all(server: Server) -> None:
    """Somebody tidies up, so that the next test finds an empty list."""
    staff = await Staff.login(server.url, EMAILS[1], PASSWORD)
    left = (await staff.ask("GET", "/v1/conversations?view=all"))["conversations"]
    if left:
        async with staff.client() as client:
            for state in left:
                await client.resolve(state["id"])
