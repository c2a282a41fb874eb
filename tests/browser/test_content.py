"""What people write arrives as they wrote it, in every script, at every length, and never as HTML."""

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.people import Agent, Shopper

THAI = "สวัสดีค่ะ พัสดุของฉันอยู่ที่ไหนคะ"
HEBREW = "שלום, איפה החבילה שלי? מספר הזמנה 20417"
TURKISH = "Iğdır’a gönderiyor musunuz? İki çay, şekersiz"
LONG = ("Where the tea grows, the clouds come in at noon. " * 62)[:3000].strip()
WORD = "https" + "x" * 400
HTML = '<b>bold</b> <img src=x onerror="document.title=\'owned\'"> &amp; <script>document.title="owned"</script>'
LINES = "  first\n\n\tsecond  line\nthird"
EMOJI = "👩🏽‍🚀 e\u0301 \u200fא 𝒳"


@pytest.fixture
def both(shopper: Shopper, agent: Agent) -> tuple[Shopper, Agent]:
    shopper.opens()
    shopper.says("Hello")
    agent.opens()
    return shopper, agent


def test_texts_arrive_as_they_were_written(both: tuple[Shopper, Agent]) -> None:
    shopper, agent = both
    expected = ["Hello"]
    for text in (THAI, HEBREW, TURKISH, LONG, WORD, HTML, LINES, EMOJI):
        shopper.says(text)
        expect(agent.messages).to_have_count(len(expected) + 1)
        agent.says(text)
        expected += [text.strip()] * 2
        for side in both:
            expect(side.messages).to_have_count(len(expected))
            assert side.messages.all_text_contents() == expected
            assert _stays_inside(side.log)
            expect(side.messages.locator("b, img, script")).to_have_count(0)
    assert "owned" not in shopper.page.title() + agent.page.title()


def test_hebrew_runs_from_right_to_left_also_between_english(both: tuple[Shopper, Agent]) -> None:
    shopper, _ = both
    shopper.says(HEBREW)
    for side in both:
        expect(side.messages).to_have_text(["Hello", HEBREW])
        expect(side.messages.first).to_have_css("direction", "ltr")
        expect(side.messages.last).to_have_css("direction", "rtl")


def test_addresses_become_links_that_leave_the_chat_alone(both: tuple[Shopper, Agent]) -> None:
    _, agent = both
    agent.says("See https://example.com/track?id=7&x=(1). Or javascript:alert(1)")
    for side in both:
        link = side.log.get_by_role("link")
        expect(link).to_have_attribute("href", "https://example.com/track?id=7&x=(1)")
        expect(link).to_have_attribute("target", "_blank")
        expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")


def test_what_is_too_long_is_said_before_it_is_sent(both: tuple[Shopper, Agent]) -> None:
    shopper, agent = both
    shopper.field.fill("x" * 8001)
    expect(shopper.chat.get_by_text("1 characters too long")).to_be_visible()
    expect(shopper.chat.get_by_role("button", name="Send")).to_be_disabled()
    agent.field.fill("x" * 8001)
    expect(agent.page.get_by_text("1 characters too many")).to_be_visible()
    expect(agent.button("Send")).to_be_disabled()

    shopper.field.fill("x" * 8000)
    shopper.field.press("Enter")
    expect(agent.messages.last).to_have_text("x" * 8000)


def _stays_inside(log: Locator) -> bool:
    """Whether nothing sticks out at the side of the timeline."""
    return bool(log.evaluate("(node) => node.scrollWidth <= node.clientWidth"))
