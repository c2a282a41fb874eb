"""Listens to what browsers complain of: console errors and warnings, page errors, policy violations, failed answers."""

import re

from playwright.sync_api import BrowserContext, ConsoleMessage, Response, WebError

# The console asks who is logged in before it shows its door; browsers write every such answer into their log.
STRANGER = "401 .*/v1/me$"
# Policies of the host page and of ours, in every frame: not all of them are written into the log.
REPORT_VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) =>
    console.error(`policy violation: ${event.effectiveDirective} ${event.blockedURI} in ${location.href}`));
"""


class Watch:
    """One test's browsers. What a test brings about itself it says with `allow`."""

    def __init__(self) -> None:
        self._heard: list[str] = []
        self._allowed = [STRANGER]

    def over(self, context: BrowserContext) -> None:
        """Listen to all pages of this context, those that will be opened too."""
        context.add_init_script(REPORT_VIOLATIONS)
        context.on("console", self._console)
        context.on("weberror", self._page_error)
        context.on("response", self._answer)

    def allow(self, pattern: str) -> None:
        """Complaints in which this regular expression is found are expected in this test."""
        self._allowed.append(pattern)

    def allow_outage(self) -> None:
        """The server goes away in this test, and browsers write every vain attempt into their log."""
        self.allow(r"net::ERR_|WebSocket connection to .* failed")

    @property
    def complaints(self) -> list[str]:
        return [heard for heard in self._heard if not any(re.search(pattern, heard) for pattern in self._allowed)]

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._heard.append(f"{message.type}: {message.text} {message.location['url']}")

    def _page_error(self, error: WebError) -> None:
        self._heard.append(f"page error: {error.error}")

    def _answer(self, response: Response) -> None:
        if response.status >= 400:
            self._heard.append(f"answer: {response.status} {response.url}")
